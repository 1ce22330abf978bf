//! Fills the table of kernel offsets from the kernel's own BTF: for each entry the members that kernels have called
//! it by, first found wins. No version is ever compared; a kernel is what its BTF says.

use detector_common::kernel_offsets::{ABSENT, KernelOffsets};

use super::btf::{Btf, LookupError};

mod table;

use table::{Need, Source, TABLE};

/// Why the hooks cannot be told where to read.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// Members without which an exec can be neither judged nor identified.
    #[error(
        "the BTF of kernel {release} does not tell where to find {}: an exec could not be judged without; give BTF \
         made for exactly this kernel with --btf FILE, or report this kernel",
        list(missing)
    )]
    Missing {
        /// The running kernel, as `uname -r` says it.
        release: String,
        /// All of them.
        missing: Vec<MissingEntry>,
    },
}

/// An entry of the table that this kernel's BTF has no answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingEntry {
    /// Name of the entry in [`KernelOffsets`].
    pub entry: &'static str,
    /// What was looked for, in that order, and why it was not found.
    pub looked_for: Vec<(String, LookupError)>,
}

/// The table for the kernel that this BTF describes. Optional entries that it does not have are [`ABSENT`].
pub fn resolve(vmlinux: &Btf<'_>) -> Result<KernelOffsets, OffsetsError> {
    resolve_all(vmlinux).map(|(offsets, _)| offsets)
}

/// As [`resolve`], with the optional entries that this kernel does not have: features that go without them say so.
pub fn resolve_all(vmlinux: &Btf<'_>) -> Result<(KernelOffsets, Vec<MissingEntry>), OffsetsError> {
    let mut offsets = KernelOffsets::NONE;
    let (mut missing, mut absent) = (Vec::new(), Vec::new());
    for entry in TABLE {
        match value(vmlinux, entry.source) {
            Ok(value) => {
                // A test holds that each name is one of the table's.
                if let Some(slot) = offsets.entry_mut(entry.name) {
                    *slot = value;
                }
            }
            Err(looked_for) => {
                let lacking = MissingEntry { entry: entry.name, looked_for };
                match entry.need {
                    Need::Required => missing.push(lacking),
                    Need::Optional => absent.push(lacking),
                }
            }
        }
    }
    if missing.is_empty() {
        Ok((offsets, absent))
    } else {
        Err(OffsetsError::Missing { release: running_release(), missing })
    }
}

impl std::fmt::Display for MissingEntry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} (", self.entry)?;
        for (index, (what, why)) in self.looked_for.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{what}: {why}")?;
        }
        write!(out, ")")
    }
}

type NotFound = Vec<(String, LookupError)>;

fn value(btf: &Btf<'_>, source: Source) -> Result<u32, NotFound> {
    match source {
        Source::Offset(members) => first_found(members, |of, path| Ok(btf.find_member(of, path)?.offset)),
        Source::IsFourBytes(members) => {
            first_found(members, |of, path| Ok(u32::from(btf.find_member(of, path)?.size == 4)))
        }
        Source::Slot { array, index } => slot(btf, array, index),
        Source::SizeOf(name) => btf.find_size(name).map_err(|why| vec![(format!("sizeof {name}"), why)]),
        Source::Enumerator(path) => enumerator(btf, path).map_err(|why| vec![(format!("enum {path}"), why)]),
    }
    .and_then(|found| {
        // The sentinel must stay what it means.
        if found == ABSENT {
            Err(vec![(format!("a value other than {ABSENT}"), LookupError::Damaged)])
        } else {
            Ok(found)
        }
    })
}

fn first_found(
    members: &[&str],
    ask: impl Fn(&str, &str) -> Result<u32, LookupError>,
) -> Result<u32, NotFound> {
    let mut not_found = Vec::new();
    for member in members {
        let (of, path) = member.split_once('.').unwrap_or((member, ""));
        match ask(of, path) {
            Ok(found) => return Ok(found),
            Err(why) => not_found.push(((*member).to_owned(), why)),
        }
    }
    Err(not_found)
}

fn slot(btf: &Btf<'_>, array: &str, index: &str) -> Result<u32, NotFound> {
    let number = enumerator(btf, index).map_err(|why| vec![(format!("enum {index}"), why)])?;
    first_found(&[&format!("{array}[{number}]")], |of, path| Ok(btf.find_member(of, path)?.offset))
}

fn enumerator(btf: &Btf<'_>, path: &str) -> Result<u32, LookupError> {
    let (of, name) = path.split_once('.').unwrap_or((path, ""));
    u32::try_from(btf.find_enum_value(of, name)?).map_err(|_| LookupError::Damaged)
}

fn running_release() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| "of unknown release".to_owned(),
        |name| name.release().to_string_lossy().into_owned(),
    )
}

fn list(missing: &[MissingEntry]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
