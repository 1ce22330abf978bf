//! What an interpreter is told to run: read from its arguments as the interpreter itself reads them. A pure function of
//! the event.

use std::path::Path;

use crate::event::{ExecEvent, ExecKind, StdioKind};

/// What it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The file that was executed is a script, by the path given to execve.
    Script(Vec<u8>),
    /// This file, by an argument.
    Argument(Vec<u8>),
    /// A regular file on standard input, by the path that the kernel told.
    FileOnStdin(Vec<u8>),
    /// What comes through a pipe or a socket on standard input, by its name.
    Stdin(Vec<u8>),
}

/// A family of interpreters, and what its options mean.
struct Family {
    /// Beginnings of names; behind one only digits, dots and `-` may follow.
    names: &'static [&'static str],
    /// Letters that say: the next argument (or the rest) is the program itself, or the name of a module.
    code: &'static str,
    /// Letters whose option takes a value.
    takes: &'static str,
    /// Long options that take the next argument as their value.
    long_takes: &'static [&'static str],
    /// Long options that say: the next argument is the program itself.
    long_code: &'static [&'static str],
    /// Options whose value is the file.
    file: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        names: &["sh", "ash", "bash", "rbash", "dash", "zsh", "ksh", "mksh"],
        code: "c",
        takes: "oO",
        long_takes: &["--rcfile", "--init-file"],
        long_code: &[],
        file: &[],
    },
    Family {
        names: &["python", "pypy"],
        code: "cm",
        takes: "WX",
        long_takes: &["--check-hash-based-pycs"],
        long_code: &[],
        file: &[],
    },
    Family { names: &["perl"], code: "eE", takes: "", long_takes: &[], long_code: &[], file: &[] },
    Family { names: &["ruby"], code: "e", takes: "ICEr", long_takes: &[], long_code: &[], file: &[] },
    Family {
        names: &["node", "nodejs"],
        code: "ep",
        takes: "rC",
        long_takes: &["--require", "--import", "--loader", "--conditions"],
        long_code: &["--eval", "--print"],
        file: &[],
    },
    Family {
        names: &["php"],
        code: "rBRE",
        takes: "dczSt",
        long_takes: &["--define", "--php-ini", "--docroot"],
        long_code: &["--run", "--process-code"],
        file: &["-f", "-F", "--file", "--process-file"],
    },
    Family { names: &["lua", "luajit"], code: "e", takes: "l", long_takes: &[], long_code: &[], file: &[] },
];

/// What this exec was told to run besides the executed file itself. `interpreters`: whether arguments are looked at.
pub(super) fn told_to_run(event: &ExecEvent, interpreters: bool) -> Option<Told> {
    if event.kind == ExecKind::Script {
        return Some(Told::Script(event.process.filename.clone()?));
    }
    if event.kind != ExecKind::Exec || !interpreters {
        return None;
    }
    let mut arguments = event.process.arguments.iter();
    let called = base(arguments.next().unwrap_or_default());
    let program = event.file.path.as_ref().map_or(called, |path| base(&path.bytes));
    let rest: Vec<&[u8]> = arguments.collect();
    // Busybox is what it was called, or what its first argument says.
    let (name, rest) = match program {
        b"busybox" | b"toybox" if called == program => {
            (base(rest.first()?), rest.get(1..).unwrap_or_default())
        }
        b"busybox" | b"toybox" => (called, rest.as_slice()),
        _ => (program, rest.as_slice()),
    };
    // A login shell is called `-sh`.
    let name = name.strip_prefix(b"-").unwrap_or(name);
    if name == b"java" {
        return java(rest);
    }
    let family = FAMILIES.iter().find(|family| family.names.iter().any(|begin| is_named(name, begin)))?;
    match family.file_of(rest) {
        Answer::File(path) => Some(Told::Argument(path.to_vec())),
        Answer::Code => None,
        Answer::Nothing => stdin(event),
    }
}

enum Answer<'a> {
    File(&'a [u8]),
    /// The program stands in the arguments.
    Code,
    Nothing,
}

impl Family {
    fn file_of<'a>(&self, arguments: &[&'a [u8]]) -> Answer<'a> {
        let mut arguments = arguments.iter().copied();
        while let Some(argument) = arguments.next() {
            let text = String::from_utf8_lossy(argument);
            if self.file.contains(&&*text) {
                return arguments.next().map_or(Answer::Nothing, Answer::File);
            }
            if argument == b"-" {
                return Answer::Nothing;
            }
            if argument == b"--" {
                return arguments.next().map_or(Answer::Nothing, Answer::File);
            }
            if text.starts_with("--") {
                let name = text.split('=').next().unwrap_or_default();
                if self.long_code.contains(&name) {
                    return Answer::Code;
                }
                if self.long_takes.contains(&name) && !text.contains('=') {
                    arguments.next();
                }
                continue;
            }
            // Shells switch options off with `+`.
            let Some(letters) = text.strip_prefix('-').or_else(|| text.strip_prefix('+')) else {
                return Answer::File(argument);
            };
            match self.letters(letters) {
                Letters::Code => return Answer::Code,
                Letters::TakesNext => drop(arguments.next()),
                Letters::Plain => {}
                Letters::Stdin => return Answer::Nothing,
            }
        }
        Answer::Nothing
    }

    fn letters(&self, letters: &str) -> Letters {
        for (at, letter) in letters.char_indices() {
            if self.code.contains(letter) {
                return Letters::Code;
            }
            if self.takes.contains(letter) {
                let last = at + letter.len_utf8() == letters.len();
                return if last { Letters::TakesNext } else { Letters::Plain };
            }
            if letter == 's' && self.names.contains(&"sh") {
                return Letters::Stdin;
            }
        }
        Letters::Plain
    }
}

enum Letters {
    Code,
    TakesNext,
    Plain,
    Stdin,
}

/// A class has no file of its own name; an archive and a source file have.
fn java(arguments: &[&[u8]]) -> Option<Told> {
    const TAKES: [&[u8]; 8] = [
        b"-cp",
        b"-classpath",
        b"--class-path",
        b"-p",
        b"--module-path",
        b"--add-modules",
        b"--add-opens",
        b"--add-exports",
    ];
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        if argument == b"-jar" {
            return arguments.next().map(|file| Told::Argument(file.to_vec()));
        }
        if TAKES.contains(&argument) {
            arguments.next();
        } else if !argument.starts_with(b"-") {
            let source = Path::new(&*String::from_utf8_lossy(argument)).extension() == Some("java".as_ref());
            return source.then(|| Told::Argument(argument.to_vec()));
        }
    }
    None
}

fn stdin(event: &ExecEvent) -> Option<Told> {
    let [stdin, ..] = event.stdio.as_ref()?;
    let name = stdin.name.clone().unwrap_or_else(|| b"socket".to_vec());
    match stdin.kind {
        StdioKind::Pipe | StdioKind::Unix | StdioKind::Ipv4 | StdioKind::Ipv6 => Some(Told::Stdin(name)),
        // Terminals and /dev/null are files, too.
        StdioKind::File if !name.starts_with(b"/dev/") => Some(Told::FileOnStdin(name)),
        _ => None,
    }
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// `python3.11` is `python`; `shred` is not `sh`.
fn is_named(name: &[u8], begin: &str) -> bool {
    name.strip_prefix(begin.as_bytes())
        .is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || b".-".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::{Told, told_to_run};
    use crate::event::{ExecEvent, ExecKind, Path, StdioFile, StdioKind, example};

    fn exec(program: &str, arguments: &[&str]) -> ExecEvent {
        let mut event = example::exec();
        event.file.path = Some(Path { bytes: program.into(), complete: true });
        event.process.arguments.area =
            arguments.iter().flat_map(|argument| [argument.as_bytes(), b"\0"].concat()).collect();
        event
    }

    fn argument(program: &str, line: &str) -> Option<String> {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut event = exec(program, &arguments);
        event.stdio = None;
        match told_to_run(&event, true)? {
            Told::Argument(path) => Some(String::from_utf8(path).unwrap()),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn files_are_found_behind_options() {
        for (program, line, file) in [
            ("/bin/dash", "sh x.sh", Some("x.sh")),
            ("/bin/dash", "-sh x.sh", Some("x.sh")),
            ("/bin/bash", "bash -e -u /tmp/x a b", Some("/tmp/x")),
            ("/bin/bash", "bash -eo pipefail x.sh", Some("x.sh")),
            ("/bin/bash", "bash +x -- -odd", Some("-odd")),
            ("/bin/bash", "bash --rcfile /dev/null x.sh", Some("x.sh")),
            ("/bin/bash", "bash -c ls x.sh", None),
            ("/bin/bash", "bash -ec ls x.sh", None),
            ("/bin/busybox", "sh x.sh", Some("x.sh")),
            ("/bin/busybox", "busybox sh x.sh", Some("x.sh")),
            ("/bin/busybox", "ls x.sh", None),
            ("/usr/bin/python3.11", "python3 -u -W ignore x.py", Some("x.py")),
            ("/usr/bin/python3.11", "python3 -Wignore x.py", Some("x.py")),
            ("/usr/bin/python3.11", "python3 -m http.server", None),
            ("/usr/bin/python3.11", "python3 -Ic pass", None),
            ("/usr/bin/perl", "perl -w x.pl", Some("x.pl")),
            ("/usr/bin/perl", "perl -we print", None),
            ("/usr/bin/ruby3.1", "ruby -r json x.rb", Some("x.rb")),
            ("/usr/bin/node", "node --require ./a x.js", Some("x.js")),
            ("/usr/bin/node", "node --require=./a x.js", Some("x.js")),
            ("/usr/bin/node", "node --eval 1 x.js", None),
            ("/usr/bin/php8.2", "php -d a=b -f x.php", Some("x.php")),
            ("/usr/bin/lua5.4", "lua -l m x.lua", Some("x.lua")),
            ("/opt/jdk/bin/java", "java -Xmx1g -cp a.jar -jar x.jar", Some("x.jar")),
            ("/opt/jdk/bin/java", "java X.java", Some("X.java")),
            ("/opt/jdk/bin/java", "java -cp a.jar Main", None),
            ("/usr/bin/shred", "shred x", None),
            ("/tmp/dropped", "python3 x.py", None),
        ] {
            assert_eq!(argument(program, line).as_deref(), file, "{program}: {line}");
        }
    }

    #[test]
    fn without_a_file_standard_input_counts() {
        let mut event = exec("/bin/dash", &["sh"]);
        let on = |kind, name: Option<&[u8]>| StdioFile { kind, name: name.map(<[u8]>::to_vec) };
        for (stdin, told) in [
            (on(StdioKind::Pipe, Some(b"pipe:[7]")), Some(Told::Stdin(b"pipe:[7]".to_vec()))),
            (on(StdioKind::Ipv4, None), Some(Told::Stdin(b"socket".to_vec()))),
            (on(StdioKind::File, Some(b"/dev/pts/0")), None),
            (on(StdioKind::File, Some(b"/tmp/x.sh")), Some(Told::FileOnStdin(b"/tmp/x.sh".to_vec()))),
            (on(StdioKind::Closed, None), None),
        ] {
            event.stdio.as_mut().unwrap()[0] = stdin.clone();
            assert_eq!(told_to_run(&event, true), told, "{stdin:?}");
        }
        event.process.arguments.area = b"sh\0-s\0x\0".to_vec();
        event.stdio.as_mut().unwrap()[0] = on(StdioKind::Pipe, Some(b"pipe:[7]"));
        assert!(matches!(told_to_run(&event, true), Some(Told::Stdin(_))));
    }

    #[test]
    fn a_script_is_the_executed_file_and_arguments_are_looked_at_on_demand() {
        let mut event = exec("/bin/dash", &["sh", "x.sh"]);
        assert_eq!(told_to_run(&event, false), None);
        event.kind = ExecKind::Script;
        event.process.filename = Some(b"./x.sh".to_vec());
        assert_eq!(told_to_run(&event, false), Some(Told::Script(b"./x.sh".to_vec())));
    }
}
