//! Runs inside containers. As driver it executes a file in one particular way; as the executed file it tells what it
//! sees of itself.
//!
//! `probe VERB ...` is the driver. Called in any other way (no argument, or a first argument that is no verb) it is
//! the dropped file: it prints its [`detector_tests::Facts`] and exits with 0.

mod event_generator;
mod execute;
mod many;
mod map;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;

/// What a verb does; one that executes does not come back.
type Outcome = Result<(), Box<dyn Error>>;

fn main() {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Err(error) = act(&arguments) {
        eprintln!("probe: {arguments:?}: {error}");
        std::process::exit(1);
    }
}

fn act(arguments: &[OsString]) -> Outcome {
    let verb = arguments.get(1).and_then(|verb| verb.to_str()).unwrap_or_default();
    let file = arguments.get(2);
    let number = |index: usize| -> Result<usize, Box<dyn Error>> {
        let text = arguments.get(index).and_then(|text| text.to_str()).ok_or("a number is missing")?;
        Ok(text.parse()?)
    };
    let file = || -> Result<&OsStr, Box<dyn Error>> { Ok(file.ok_or("FILE is missing")?) };
    match verb {
        "exit" => Ok(()),
        "exec-at-empty-path" => execute::at_empty_path(file()?),
        "unlink-then-exec" => execute::after_unlink(file()?),
        "memfd" => execute::memfd(file()?, execute::MemfdWay::Execveat),
        "memfd-by-proc" => execute::memfd(file()?, execute::MemfdWay::ProcPath),
        "thread-exec" => execute::from_thread(file()?),
        "no-argv" => execute::without_argv(file()?),
        "argv0" => execute::with_argv(file()?, arguments.get(3..).unwrap_or_default()),
        "big-argv" => {
            let long = "a".repeat(number(3)?);
            execute::with_argv(file()?, &[file()?.to_owned(), long.into()])
        }
        "odd-argv" => execute::with_argv(file()?, &execute::odd_arguments(file()?)),
        "setuid-exec" => execute::as_user(file()?, 1000),
        "burst" => many::burst(file()?, number(3)?, if arguments.len() > 4 { number(4)? } else { 0 }),
        "map" => map::executable(file()?, number(3)?),
        "read" => map::read_only(file()?),
        "open-for-reading" => many::open(OpenOptions::new().read(true), file()?, number(3)?),
        "open-for-writing" => {
            many::open(OpenOptions::new().write(true).create(true).truncate(false), file()?, number(3)?)
        }
        "map-memfd" => map::memfd(file()?),
        "deep" => many::deep(number(2)?, arguments.get(3).ok_or("FILE is missing")?),
        "event-generator-stand-in" => event_generator::stand_in(),
        _ => {
            println!("{}", serde_json::to_string(&detector_tests::Facts::collect()?)?);
            Ok(())
        }
    }
}
