//! The commands for alerts of the past on hundreds of megabytes: none of them needs memory for what it reads, also when
//! every alert is about another file in another container.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use detector_tests::process::{self, Finished};
use detector_tests::{agent, helper_binaries};
use nix::sys::resource::{UsageWho, getrusage};

detector_tests::not_in_a_virtual_machine!(
    "hundreds of megabytes are too many for an emulated processor, and no kernel reads them"
);

/// Bytes of the input.
const INPUT: u64 = 320 << 20;
/// KiB that a command may take. What is kept is bounded at some 100 MB of alerts; the input is three times as large.
const MEMORY: i64 = 224 << 10;
/// Every so many alerts one is of a kind that comes again and again.
const NOISE: u64 = 50;
/// Every so many lines one is malformed.
const MALFORMED: u64 = 100_000;

const RULE: &str = "Drop and execute new binary in container";

/// The input; gone when the test ends, however it ends.
struct Input {
    path: PathBuf,
    alerts: u64,
    malformed: u64,
}

impl Drop for Input {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let input = input();
    let file = input.path.display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stock = folder.path().join("stock.yaml");
    std::fs::write(&stock, include_str!("../../detector/rules/falco_rules.yaml")).expect("a rule file");
    let stock = stock.display().to_string();

    let report = bounded(&["report", &file, "--format", "json"]);
    assert!(
        report.stderr.contains(&format!("{} pieces of the input are no alerts", input.malformed)),
        "{}",
        report.stderr
    );
    assert!(report.stderr.contains(&format!("{file}:{MALFORMED}: ")), "{}", report.stderr);
    let text = report.ok();
    assert!(text.contains("further containers"), "{}", &text[..text.len().min(2_000)]);

    let suggest = bounded(&["suggest", &file]);
    assert!(suggest.stderr.contains("there were too many different ones"), "{}", suggest.stderr);
    let proposal = suggest.ok();
    assert!(proposal.contains("/tmp/go-build*/"), "{proposal}");
    let proposed = folder.path().join("proposed.yaml");
    std::fs::write(&proposed, proposal).expect("a rule file");
    let proposed = proposed.display().to_string();

    let explain = bounded(&["explain", &file, "--last", "3", "-r", &stock]);
    assert_eq!(explain.ok().matches("fires").count(), 3);

    let stale = bounded(&["explain", "--stale", &file, "-r", &stock, "-r", &proposed]).ok();
    assert!(stale.contains(&format!("of {} events", input.alerts)), "{stale}");

    let tested = bounded(&["test-rules", "--alerts", &file, "-r", &stock, "-r", &proposed]);
    assert_eq!(tested.code(), 2, "{tested}");
    let text = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert!(text.contains(&format!("{} alerts: ", input.alerts)), "{text}");
    // At least what is noise is silent; it was read before anything could be known about it.
    let silent =
        text.split(" as before, ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::parse::<u64>);
    assert!(matches!(silent, Some(Ok(silent)) if silent >= input.alerts / NOISE * 9 / 10), "{text}");
}

/// Runs the agent's program to its end, and looks at the most memory that any command took so far.
#[track_caller]
fn bounded(arguments: &[&str]) -> Finished {
    let mut command = Command::new(agent::program());
    command.args(arguments);
    let finished = process::run(command);
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts what children take");
    println!("{}: at most {} KiB so far", arguments[0], usage.max_rss());
    assert!(usage.max_rss() <= MEMORY, "{} KiB: {}", usage.max_rss(), finished.what);
    finished
}

fn input() -> Input {
    let folder = helper_binaries::target_folder().join("tmp");
    std::fs::create_dir_all(&folder).expect("the target folder is ours");
    let path = folder.join(format!("alerts-{}.json", std::process::id()));
    let mut input = Input { path, alerts: 0, malformed: 0 };
    if let Err(error) = write(&mut input) {
        panic!("cannot write {}: {error}", input.path.display());
    }
    input
}

fn write(input: &mut Input) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(Path::new(&input.path))?);
    let (mut bytes, mut line) = (0_u64, 0_u64);
    while bytes < INPUT {
        line += 1;
        let text = if line.is_multiple_of(MALFORMED) {
            input.malformed += 1;
            "{\"rule\": \"cut off".to_owned()
        } else {
            input.alerts += 1;
            alert(line)
        };
        bytes += text.len() as u64 + 1;
        writeln!(out, "{text}")?;
    }
    out.into_inner()?.sync_all()
}

/// An alert as the agent writes it; of all but the noise no two have much in common.
fn alert(number: u64) -> String {
    // Letters that look like chance.
    let word =
        |salt: u64| format!("{:016x}", (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    let (image, path, name, parent) = if number.is_multiple_of(NOISE) {
        let path = format!("/tmp/go-build{}/b{:03}/exe/main", number * 7919, number % 300);
        ("registry.example/ci/go".to_owned(), path, "main".to_owned(), "go".to_owned())
    } else {
        let name = word(2)[..12].to_owned();
        (
            format!("registry.example/team/{}", &word(3)[..3]),
            format!("/srv/{}/{name}", word(4)),
            name,
            word(5)[..9].to_owned(),
        )
    };
    let id = word(6);
    format!(
        r#"{{"hostname":"node-{}","output":"12:03:22.000456789: Critical Executing binary not part of base image | proc_exe={path} proc_sname=sh gparent=containerd-shim evt_type=execve user=root user_uid=0 user_loginuid=-1 process={name} proc_exepath={path} parent={parent} command={name} --quiet terminal=0 exe_flags=EXE_WRITABLE|EXE_UPPER_LAYER container_id={} container_name=c","output_fields":{{"container.id":"{}","container.image.repository":"{image}","container.image.tag":"1","container.name":"c","container.start_ts":1728129700000000000,"drop.age_ms":3,"drop.kind":"exec","drop.metadata":"complete","drop.origin":"new","drop.truncated":null,"drop.via":null,"evt.arg.flags":"EXE_WRITABLE|EXE_UPPER_LAYER","evt.time":1728129802000456789,"evt.type":"execve","proc.aname[2]":"containerd-shim","proc.cmdline":"{name} --quiet","proc.cwd":"/","proc.exe":"{path}","proc.exe_ino.ctime":1728129801996000000,"proc.exe_ino.mtime":1728129801996000000,"proc.exepath":"{path}","proc.name":"{name}","proc.pname":"{parent}","proc.sname":"sh","proc.tty":0,"user.loginuid":-1,"user.name":"root","user.uid":0}},"priority":"Critical","rule":"{RULE}","source":"syscall","tags":["TA0003","container"],"time":"2024-10-05T12:03:22.000456789Z"}}"#,
        number % 9,
        &id[..12],
        &id[..12],
    )
}
