//! What an alert says, typed: each fact with the fields that it was read from. What it does not say is `None`, never a
//! harmless default.

use super::{Execution, Fact, PastAlert};

/// Ancestors that are looked for.
const MAX_ANCESTORS: usize = 16;

/// What is known about one execution and its repeats.
#[derive(Clone)]
pub struct Facts<'a> {
    execution: &'a Execution,
}

/// What got to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The executed file itself.
    Program,
    /// A script; the executed file is its interpreter.
    Script,
    /// A file that was mapped as code into the process of the executed file.
    Mapped,
}

/// Where the executed file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// `drop.origin=new`
    New,
    /// `drop.origin=modified`
    Modified,
    /// `drop.origin=metadata_only`
    MetadataOnly,
    /// In the upper layer, by Falco's flag alone.
    UpperLayer,
    /// `drop.origin=image`, or Falco's flag for the lower layer.
    Image,
    /// An anonymous memory file.
    Memfd,
    /// `drop.origin=tmpfs`
    Tmpfs,
    /// `drop.origin=volume`
    Volume,
    /// `drop.origin=foreign_overlay`
    ForeignOverlay,
    /// `drop.origin=not_overlay`
    NotOverlay,
    /// The agent could not tell.
    Unknown,
}

/// A process above the one that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// 1 is the parent.
    pub level: usize,
    /// comm.
    pub name: Option<Fact<String>>,
    /// Path of its executable.
    pub path: Option<Fact<String>>,
    /// Command line.
    pub command: Option<Fact<String>>,
    /// Process id on the host.
    pub pid: Option<Fact<i64>>,
}

impl<'a> Facts<'a> {
    /// Facts of an execution.
    #[must_use]
    pub const fn of(execution: &'a Execution) -> Self {
        Self { execution }
    }

    /// The alert.
    #[must_use]
    pub const fn alert(&self) -> &'a PastAlert {
        &self.execution.first
    }

    /// A text that is not empty.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<Fact<String>> {
        self.alert().fields.text(field).map(|text| Fact::new(text.to_owned(), field))
    }

    /// The first of these fields that has a text.
    #[must_use]
    pub fn first_text(&self, fields: &[&str]) -> Option<Fact<String>> {
        fields.iter().find_map(|field| self.text(field))
    }

    /// A number that can be negative.
    #[must_use]
    pub fn signed(&self, field: &str) -> Option<Fact<i64>> {
        self.alert().fields.signed(field).map(|number| Fact::new(number, field))
    }

    /// A number.
    #[must_use]
    pub fn unsigned(&self, field: &str) -> Option<Fact<u64>> {
        self.alert().fields.unsigned(field).map(|number| Fact::new(number, field))
    }

    /// A truth value.
    #[must_use]
    pub fn truth(&self, field: &str) -> Option<Fact<bool>> {
        self.alert().fields.truth(field).map(|truth| Fact::new(truth, field))
    }

    /// A time, nanoseconds since the epoch.
    #[must_use]
    pub fn time(&self, field: &str) -> Option<Fact<u64>> {
        self.alert().fields.time_ns(field).map(|ns| Fact::new(ns, field))
    }

    /// Time of the event. Falco writes it into a field, too.
    #[must_use]
    pub fn event_time(&self) -> Option<Fact<u64>> {
        self.alert().event_ns().map(|(ns, from)| Fact::new(ns, from))
    }

    /// Name of the host.
    #[must_use]
    pub fn host(&self) -> Option<Fact<String>> {
        self.alert()
            .hostname
            .clone()
            .map(|name| Fact::new(name, "hostname"))
            .or_else(|| self.text("evt.hostname"))
    }

    /// Name of the rule.
    #[must_use]
    pub fn rule(&self) -> Option<Fact<String>> {
        self.alert().rule.clone().map(|name| Fact::new(name, "rule"))
    }

    /// Priority.
    #[must_use]
    pub fn priority(&self) -> Option<Fact<String>> {
        self.alert().priority.clone().map(|name| Fact::new(name, "priority"))
    }

    /// Tags; `None` when there are none.
    #[must_use]
    pub fn tags(&self) -> Option<Fact<&'a [String]>> {
        let tags = self.alert().tags.as_slice();
        (!tags.is_empty()).then(|| Fact::new(tags, "tags"))
    }

    /// How often it happened, and when last.
    #[must_use]
    pub const fn repeats(&self) -> (u64, Option<u64>) {
        (self.execution.count, self.execution.last_ns)
    }

    /// What got to run. Falco knows of programs only.
    #[must_use]
    pub fn subject(&self) -> Fact<Subject> {
        let script = self.text("drop.script.path").map(|path| path.map(|_| Subject::Script));
        let kind = self.text("drop.kind").map(|kind| {
            kind.map(|word| match word.as_str() {
                "script" | "interpreter_arg" => Subject::Script,
                "exec_map" => Subject::Mapped,
                _ => Subject::Program,
            })
        });
        match (kind, script) {
            (Some(kind), Some(script)) if kind.value == Subject::Program => {
                Fact { value: script.value, from: [kind.from, script.from].concat() }
            }
            (Some(kind), _) => kind,
            (None, Some(script)) => script,
            (None, None) => Fact { value: Subject::Program, from: Vec::new() },
        }
    }

    /// Path of what got to run. What is told about the executed file says nothing about a script or a mapped file.
    #[must_use]
    pub fn path(&self) -> Option<Fact<String>> {
        let subject = self.subject();
        let path = match subject.value {
            Subject::Program => self.first_text(&["proc.exepath", "drop.path", "proc.exe"]),
            Subject::Script => self.first_text(&["drop.script.path", "drop.path"]),
            Subject::Mapped => self.text("drop.path"),
        };
        path.map(|path| Fact { value: path.value, from: [path.from, subject.from].concat() })
    }

    /// Where the file came from.
    #[must_use]
    pub fn provenance(&self) -> Option<Fact<Provenance>> {
        let subject = self.subject();
        let field = if subject.value == Subject::Script { "drop.script.origin" } else { "drop.origin" };
        if let Some(origin) = self.text(field) {
            let from = [origin.from, subject.from].concat();
            return Some(Fact { value: provenance(&origin.value), from });
        }
        // What follows speaks of the executed file.
        if subject.value != Subject::Program {
            return None;
        }
        if let Some(flags) = self.text("evt.arg.flags") {
            let has = |name: &str| flags.value.split('|').any(|flag| flag == name);
            let found = if has("EXE_FROM_MEMFD") {
                Provenance::Memfd
            } else if has("EXE_UPPER_LAYER") {
                Provenance::UpperLayer
            } else if has("EXE_LOWER_LAYER") {
                Provenance::Image
            } else {
                Provenance::NotOverlay
            };
            return Some(flags.map(|_| found));
        }
        let holds = |field| self.truth(field).filter(|fact| fact.value);
        let upper = holds("proc.is_exe_upper_layer").map(|fact| fact.map(|_| Provenance::UpperLayer));
        upper
            .or_else(|| holds("proc.is_exe_from_memfd").map(|fact| fact.map(|_| Provenance::Memfd)))
            .or_else(|| holds("proc.is_exe_lower_layer").map(|fact| fact.map(|_| Provenance::Image)))
    }

    /// Milliseconds from the last change of the file to its execution.
    #[must_use]
    pub fn age_ms(&self) -> Option<Fact<i64>> {
        let subject = self.subject();
        let with =
            |age: Fact<i64>| Fact { value: age.value, from: [age.from, subject.from.clone()].concat() };
        if subject.value == Subject::Script {
            return None;
        }
        if let Some(age) = self.signed("drop.age_ms") {
            return Some(with(age));
        }
        if subject.value == Subject::Mapped {
            return None;
        }
        let (now, changed) = (self.event_time()?, self.time("proc.exe_ino.ctime")?);
        let age = (i64::try_from(now.value).ok()? - i64::try_from(changed.value).ok()?) / 1_000_000;
        Some(with(Fact { value: age, from: [now.from, changed.from].concat() }))
    }

    /// What the kernel looked for a writer of: of a script only where it had it in hand. Who wrote the interpreter is no answer.
    fn told_of_writers(&self) -> Option<Fact<Subject>> {
        let mut subject = self.subject();
        if subject.value == Subject::Script {
            let source = self.text("drop.script.source").filter(|source| source.value == "kernel")?;
            subject.from = [subject.from, source.from].concat();
        }
        Some(subject)
    }

    /// When the file was opened for writing for the last time.
    #[must_use]
    pub fn written(&self) -> Option<Fact<u64>> {
        let subject = self.told_of_writers()?;
        let (now, age) = (self.event_time()?, self.signed("drop.by.age_ms")?);
        let ns = i64::try_from(now.value).ok()?.checked_sub(age.value.checked_mul(1_000_000)?)?;
        Some(Fact { value: u64::try_from(ns).ok()?, from: [now.from, age.from, subject.from].concat() })
    }

    /// Whether it ran as root.
    #[must_use]
    pub fn root(&self) -> Option<Fact<bool>> {
        self.unsigned("user.uid").map(|uid| uid.map(|uid| uid == 0))
    }

    /// Who dropped the file: comm, else path.
    #[must_use]
    pub fn dropper(&self) -> Option<Fact<String>> {
        let subject = self.told_of_writers()?;
        let by = self.first_text(&["drop.by.comm", "drop.by.exe"])?;
        Some(Fact { value: by.value, from: [by.from, subject.from].concat() })
    }

    /// The SHA-256 of what got to run.
    #[must_use]
    pub fn sha256(&self) -> Option<Fact<String>> {
        let subject = self.subject();
        let field = if subject.value == Subject::Script { "drop.script.sha256" } else { "drop.sha256" };
        let sound = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = self.text(field).filter(|hash| sound(&hash.value))?;
        Some(Fact { value: hash.value, from: [hash.from, subject.from].concat() })
    }

    /// Whether the image has the same content under the same path.
    #[must_use]
    pub fn identical_to_image(&self) -> Option<Fact<bool>> {
        let subject = self.subject();
        let script = subject.value == Subject::Script;
        let same =
            self.truth(if script { "drop.script.identical_to_image" } else { "drop.identical_to_image" })?;
        Some(Fact { value: same.value, from: [same.from, subject.from].concat() })
    }

    /// The longest form of the container's id that is known; `None` also for a process of the host.
    #[must_use]
    pub fn container_id(&self) -> Option<Fact<String>> {
        self.first_text(&["container.full_id", "container.id"]).filter(|id| id.value != "host")
    }

    /// The process, as the host counts.
    #[must_use]
    pub fn pid(&self) -> Option<Fact<i64>> {
        self.signed("proc.pid").or_else(|| self.signed("drop.pid"))
    }

    /// What runs the container, as alerts call it.
    #[must_use]
    pub fn runtime(&self) -> Option<Fact<String>> {
        self.first_text(&["container.type", "drop.runtime"])
    }

    /// Whether it happened outside of containers.
    #[must_use]
    pub fn on_host(&self) -> Option<Fact<bool>> {
        self.text("container.id").map(|id| id.map(|id| id == "host"))
    }

    /// The processes above, nearest first, as far as anything is known of them.
    #[must_use]
    pub fn ancestors(&self) -> Vec<Ancestor> {
        let mut ancestors: Vec<Ancestor> = (1..=MAX_ANCESTORS).map(|level| self.ancestor(level)).collect();
        let known =
            ancestors.iter().rposition(|one| one.name.is_some() || one.path.is_some() || one.pid.is_some());
        ancestors.truncate(known.map_or(0, |last| last + 1));
        ancestors
    }

    fn ancestor(&self, level: usize) -> Ancestor {
        let indexed = |base: &str| format!("{base}[{level}]");
        let text = |base: &str, parent: &str| {
            self.text(&indexed(base)).or_else(|| (level == 1).then(|| self.text(parent)).flatten())
        };
        let pid = self
            .signed(&indexed("proc.apid"))
            .or_else(|| (level == 1).then(|| self.signed("proc.ppid")).flatten())
            .filter(|pid| pid.value > 0);
        Ancestor {
            level,
            name: text("proc.aname", "proc.pname"),
            path: text("proc.aexepath", "proc.pexepath"),
            command: text("proc.acmdline", "proc.pcmdline"),
            pid,
        }
    }
}

fn provenance(word: &str) -> Provenance {
    match word {
        "new" => Provenance::New,
        "modified" => Provenance::Modified,
        "metadata_only" => Provenance::MetadataOnly,
        "image" => Provenance::Image,
        "memfd" => Provenance::Memfd,
        "tmpfs" => Provenance::Tmpfs,
        "volume" => Provenance::Volume,
        "foreign_overlay" => Provenance::ForeignOverlay,
        "not_overlay" => Provenance::NotOverlay,
        _ => Provenance::Unknown,
    }
}

impl Provenance {
    /// What it means, as the end of the sentence "The file ...".
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::New => "is not part of the image: it was written after the container was created",
            Self::Modified => {
                "has the name of a file of the image, but was changed or copied after the container was created"
            }
            Self::MetadataOnly => {
                "is the image's; only its mode, owner or times were changed in the container"
            }
            Self::UpperLayer => {
                "was written or changed after the container was created; whether the image has a file of that name is not told"
            }
            Self::Image => "is the image's",
            Self::Memfd => "exists only in memory and has no name in any file system",
            Self::Tmpfs => "lies on a tmpfs, which no image fills",
            Self::Volume => "lies on a volume, outside of the image",
            Self::ForeignOverlay => "lies on an overlay that is not the container's own",
            Self::NotOverlay => "lies on a file system that is no overlay, so it has no layer to judge by",
            Self::Unknown => "could not be traced: where it comes from is unknown",
        }
    }
}
