//! Reads alerts one after the other; what is none is skipped and counted with its line.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead},
    mem,
};

use super::{
    PastAlert, json,
    pieces::{Kind, Pieces},
    text_line,
};

/// How many malformed pieces are remembered with their lines.
const REMEMBERED: usize = 10;
/// Bytes of a malformed piece that are shown.
const SHOWN: usize = 60;

/// The message of the agent about repeats that it held back.
const REPEATS: &str = "detector internal: repeats";

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
#[error("reading {name} failed behind line {line}: {source}")]
pub struct ReadError {
    /// The input.
    pub name: String,
    /// The last line that was read.
    pub line: u64,
    /// Why.
    pub source: io::Error,
}

/// A piece of input that is no alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The input.
    pub name: String,
    /// Line it begins on, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.name, self.line, self.why)
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts about executions.
    pub alerts: u64,
    /// Alerts of the agent about itself, left out.
    pub internal: u64,
    /// Repeats that the agent held back, as it told in such alerts.
    pub held_back: u64,
    /// Pieces that are no alerts.
    pub malformed: u64,
    /// The first of them.
    pub first_malformed: Vec<Malformed>,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    /// Adds what another input had.
    pub fn add(&mut self, other: Self) {
        self.alerts += other.alerts;
        self.internal += other.internal;
        self.held_back += other.held_back;
        self.malformed += other.malformed;
        self.bytes += other.bytes;
        let room = REMEMBERED.saturating_sub(self.first_malformed.len());
        self.first_malformed.extend(other.first_malformed.into_iter().take(room));
    }

    /// One sentence on what was skipped; `None` when nothing was.
    #[must_use]
    pub fn skipped(&self) -> Option<String> {
        let first = self.first_malformed.first()?;
        Some(match self.malformed {
            1 => format!("1 piece of the input is no alert and was skipped: {first}"),
            many => format!("{many} pieces of the input are no alerts and were skipped; the first: {first}"),
        })
    }
}

/// Reads one input.
pub struct AlertReader<R> {
    name: String,
    pieces: Pieces<R>,
    line: u64,
    waiting: VecDeque<PastAlert>,
    tally: Tally,
}

impl<R: BufRead> AlertReader<R> {
    /// Reads from `reader`; `name` is what messages call it.
    pub fn new(name: &str, reader: R) -> Self {
        Self {
            name: name.to_owned(),
            pieces: Pieces::new(reader),
            line: 0,
            waiting: VecDeque::new(),
            tally: Tally::default(),
        }
    }

    /// What was read so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes what was counted, at the end.
    pub fn into_tally(self) -> Tally {
        self.tally
    }

    /// The next alert about an execution; `None` at the end of the input.
    pub fn next_alert(&mut self) -> Result<Option<PastAlert>, ReadError> {
        loop {
            if let Some(alert) = self.waiting.pop_front() {
                if alert.is_internal() {
                    self.tally.internal += 1;
                    if alert.rule.as_deref() == Some(REPEATS) {
                        self.tally.held_back += alert.fields.unsigned("count").unwrap_or(0);
                    }
                    continue;
                }
                self.tally.alerts += 1;
                return Ok(Some(alert));
            }
            let next = self.pieces.next();
            self.tally.bytes = self.pieces.bytes();
            let found =
                next.map_err(|source| ReadError { name: self.name.clone(), line: self.line, source })?;
            let Some((line, kind)) = found else { return Ok(None) };
            self.line = line;
            if let Err(why) = self.take(line, kind) {
                self.tally.malformed += 1;
                if self.tally.first_malformed.len() < REMEMBERED {
                    self.tally.first_malformed.push(Malformed { name: self.name.clone(), line, why });
                }
            }
        }
    }

    fn take(&mut self, line: u64, kind: Kind) -> Result<(), String> {
        let piece = self.pieces.piece();
        let mut alerts = Vec::new();
        match kind {
            Kind::Broken(why) => return Err(why.to_owned()),
            Kind::Object => json::read(piece, line, &mut alerts)?,
            Kind::Line => {
                let text = String::from_utf8_lossy(piece);
                match text_line::read(&text, line) {
                    Some(alert) => alerts.push(alert),
                    // A collector put something in front of the object.
                    None => match text.find('{').map(|at| text[at..].as_bytes()) {
                        Some(object) if json::read(object, line, &mut alerts).is_ok() => {}
                        _ => {
                            return Err(format!(
                                "neither JSON nor the text of an alert: {}",
                                start_of(&text)
                            ));
                        }
                    },
                }
            }
        }
        self.waiting = mem::take(&mut alerts).into();
        Ok(())
    }
}

/// The beginning of a text, fit to be shown.
fn start_of(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() { format!("{start}...") } else { start }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::{AlertReader, Tally};

    fn alert(name: &str) -> String {
        format!(r#"{{"rule":"R","output_fields":{{"proc.name":"{name}"}},"priority":"Critical"}}"#)
    }

    fn names(input: impl AsRef<[u8]>) -> (Vec<String>, Tally) {
        let mut reader = AlertReader::new("in", input.as_ref());
        let mut names = Vec::new();
        while let Some(alert) = reader.next_alert().unwrap() {
            names.push(alert.fields.text("proc.name").unwrap_or("?").to_owned());
        }
        (names, reader.into_tally())
    }

    #[test]
    fn malformed_lines_are_skipped_and_counted_with_their_numbers() {
        let input =
            format!("{}\n{{\"rule\"\n{}\nnonsense \u{1b}[2J\n\n{{}}\n{}", alert("a"), alert("b"), alert("c"));
        let (names, tally) = names(&input);
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((tally.alerts, tally.malformed, tally.bytes), (3, 3, input.len() as u64));
        let lines: Vec<u64> = tally.first_malformed.iter().map(|malformed| malformed.line).collect();
        assert_eq!(lines, [2, 4, 6]);
        assert_eq!(
            tally.first_malformed[1].to_string(),
            "in:4: neither JSON nor the text of an alert: nonsense \\u{1b}[2J"
        );
        assert!(tally.skipped().unwrap().starts_with("3 pieces"), "{:?}", tally.skipped());
    }

    #[test]
    fn what_a_collector_put_in_front_is_no_obstacle() {
        let input = format!(
            "2024-10-05T12:03:22.1Z stdout F {}\n<132>Oct 5 12:00:00 h falco: {}\n",
            alert("a"),
            alert("b")
        );
        assert_eq!(names(input).0, ["a", "b"]);
    }

    #[test]
    fn alerts_of_the_agent_about_itself_are_counted_apart() {
        let input = r#"{"rule":"Falco internal: syscall event drop","output":"x","source":"internal","output_fields":{}}"#;
        let (found, tally) = names(input);
        assert_eq!((found.len(), tally.alerts, tally.internal, tally.malformed), (0, 0, 1, 0));
        let input = r#"{"rule":"detector internal: repeats","output":"x","source":"internal","output_fields":{"count":7}}"#;
        let (_, tally) = names(format!("{input}\n{input}"));
        assert_eq!((tally.internal, tally.held_back), (2, 14));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_the_reader() {
        let mut input = b"\xff\xfe\n{\"rule\":\"\xff\"}\n".to_vec();
        input.extend(alert("a").bytes());
        let (names, tally) = names(input);
        assert_eq!((names.len(), tally.malformed), (1, 2));
    }

    /// Gives the same alert again and again without ever holding more than one.
    struct Endless {
        line: Vec<u8>,
        at: usize,
        left: u64,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Ok(0);
            }
            let part = &self.line[self.at..];
            let count = part.len().min(buffer.len());
            buffer[..count].copy_from_slice(&part[..count]);
            self.at = (self.at + count) % self.line.len();
            self.left -= u64::from(self.at == 0);
            Ok(count)
        }
    }

    #[test]
    fn a_long_input_is_read_one_by_one() {
        let line = format!("{}\n", alert("a")).into_bytes();
        let source = io::BufReader::new(Endless { line, at: 0, left: 20_000 });
        let mut reader = AlertReader::new("endless", source);
        let mut count = 0_u64;
        while reader.next_alert().unwrap().is_some() {
            count += 1;
            assert!(reader.waiting.capacity() < 16);
        }
        assert_eq!(count, 20_000);
    }

    #[test]
    fn a_failing_input_is_an_error_that_names_it() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cable pulled"))
            }
        }
        let error = AlertReader::new("pipe", io::BufReader::new(Failing)).next_alert().unwrap_err();
        assert_eq!(error.to_string(), "reading pipe failed behind line 0: cable pulled");
    }
}
