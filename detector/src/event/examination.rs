//! What was found out about a drop beyond the record: what the file is, whether the image has the same, which script
//! an interpreter was told to run, and who wrote the file. What is missing says why.

use serde::{Deserialize, Serialize};

use super::{ContainerId, OpenFlags, Origin, Path};

/// Why something about a file is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gap {
    /// Nobody was asked to look.
    NotAsked,
    /// It did not come within the bound that an alert waits.
    Timeout,
    /// Too many files were being examined already.
    Overflow,
    /// The process and every other way to the file were gone.
    Gone,
    /// What is found there by now is another file than the one that was executed.
    Replaced,
    /// It could not be read.
    Unreadable,
    /// It is larger than what is read.
    TooLarge,
    /// It is no regular file.
    NotRegular,
    /// The container's layers could not be found.
    NoLayers,
    /// As many copies are kept as may be.
    NoRoom,
}

impl Gap {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "not_asked",
            Self::Timeout => "timeout",
            Self::Overflow => "overflow",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::NotRegular => "not_regular",
            Self::NoLayers => "no_layers",
            Self::NoRoom => "no_room",
        }
    }
}

/// A finding, or why there is none.
pub type Finding<T> = Result<T, Gap>;

/// Facts from the headers of an ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFacts {
    /// Asks for no dynamic loader.
    pub is_static: bool,
    /// Has no symbol table.
    pub stripped: bool,
    /// Build id, hexadecimal.
    pub build_id: Option<String>,
    /// The dynamic loader that it asks for.
    pub interpreter: Option<String>,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Hexadecimal digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Bits per byte, 0 to 8; above 7.2 it is mostly packed or encrypted.
    pub entropy: f64,
    /// `None` = no ELF file.
    pub elf: Option<ElfFacts>,
}

/// How the file that an interpreter runs was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptSource {
    /// The kernel had it in hand.
    Kernel,
    /// By its path, after the exec: whoever can rename files in the container may have put another one there.
    Path,
    /// It is a pipe or a socket on standard input; there is no file.
    Stdin,
}

impl ScriptSource {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Path => "path",
            Self::Stdin => "stdin",
        }
    }
}

/// What an interpreter was told to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// As it was named.
    pub path: Vec<u8>,
    /// How it was found.
    pub source: ScriptSource,
    /// It is an argument of the interpreter, and not the file that was executed.
    pub by_argument: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// Its inode number.
    pub ino: Finding<u64>,
    /// What it holds.
    pub content: Finding<Content>,
    /// Whether the image has the same content under the same path.
    pub identical_to_image: Finding<bool>,
}

/// The mount that a file lies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMount {
    /// Where it is mounted, as the container sees it.
    pub point: Vec<u8>,
    /// Type of the file system.
    pub kind: String,
}

/// Where the one who wrote a file is, as seen from where it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whereabouts {
    /// In the same container.
    SameContainer,
    /// In another one.
    OtherContainer,
    /// On the host: `docker cp`, `kubectl cp`.
    Host,
}

impl Whereabouts {
    /// The word that users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameContainer => "same_container",
            Self::OtherContainer => "other_container",
            Self::Host => "host",
        }
    }
}

/// Who wrote the file. The default is somebody of whom nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropper {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Its start on `CLOCK_BOOTTIME`, nanoseconds.
    pub start_boot_ns: u64,
    /// The same, nanoseconds since the epoch.
    pub start_ns: u64,
    /// When it opened the file for writing, nanoseconds since the epoch.
    pub time_ns: u64,
    /// How it opened the file; `None` = unknown.
    pub open_flags: Option<OpenFlags>,
    /// comm, at most 15 bytes.
    pub comm: Vec<u8>,
    /// Where it is.
    pub whereabouts: Option<Whereabouts>,
    /// Its container, `Host` for a process of the host; `None` = unknown.
    pub container: Option<ContainerId>,
    /// Its mount namespace; 0 = unknown.
    pub mnt_ns: u32,
    /// Depth of its pid namespace.
    pub pidns_level: u32,
    /// Start of the first process of that on `CLOCK_BOOTTIME`, nanoseconds; 0 = unknown.
    pub pidns_start_boot_ns: u64,
    /// Last parts of the paths of its cgroups, where it was in a container.
    pub cgroups: Vec<Vec<u8>>,
    /// Path of its executed file; `None` = it was gone.
    pub exe: Option<Path>,
    /// Its arguments joined by blanks; `None` = it was gone.
    pub cmdline: Option<Vec<u8>>,
}

/// All that was found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// What the file holds that was executed or mapped.
    pub content: Finding<Content>,
    /// Whether the image has the same content under the same path.
    pub identical_to_image: Finding<bool>,
    /// The mount that the file lies on.
    pub mount: Finding<FileMount>,
    /// What an interpreter was told to run; `None` = nothing, or it was not asked for.
    pub script: Option<Script>,
    /// Where the copy is of the script, or else of the executed file.
    pub sample: Finding<Vec<u8>>,
}

impl Examination {
    /// Nothing was found out, for one reason.
    #[must_use]
    pub const fn missing(why: Gap) -> Self {
        Self {
            content: Err(why),
            identical_to_image: Err(why),
            mount: Err(why),
            script: None,
            sample: Err(why),
        }
    }

    /// Why something is missing that was looked for, if it is.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        let script = self.script.as_ref().and_then(|script| script.content.as_ref().err());
        [self.content.as_ref().err(), script]
            .into_iter()
            .flatten()
            .find(|gap| **gap != Gap::NotAsked)
            .copied()
    }
}
