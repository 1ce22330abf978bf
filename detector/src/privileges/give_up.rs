//! Gives up what is not needed any more, in the one order that works.

use std::{fmt, io, path::PathBuf};

use caps::errors::CapsError;
use landlock::RulesetError;

use super::{
    capabilities,
    system_calls::{self, FilterError},
    writable::{self, Enforced},
};

/// What shall be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restrictions {
    /// All capabilities but those that are needed.
    pub capabilities: bool,
    /// Capabilities that are kept besides, by name.
    pub keep: Vec<String>,
    /// Programs that are started get no more rights than the agent has (`no_new_privs`).
    pub no_new_privileges: bool,
    /// System calls that nobody needs.
    pub system_calls: bool,
    /// Changing files elsewhere than in the usual places and in `writable`.
    pub files: bool,
    /// Folders that stay writable.
    pub writable: Vec<PathBuf>,
    /// What cannot be given up is kept, and said.
    pub best_effort: bool,
}

impl Restrictions {
    /// Whether the agent could mount before, and cannot any more.
    #[must_use]
    pub fn keeps_from_mounting(&self) -> bool {
        (self.capabilities || self.system_calls || self.files) && capabilities::may_mount()
    }
}

impl Default for Restrictions {
    fn default() -> Self {
        Self {
            capabilities: true,
            keep: Vec::new(),
            no_new_privileges: true,
            system_calls: true,
            files: false,
            writable: Vec::new(),
            best_effort: false,
        }
    }
}

/// Something that could not be given up.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot give up rights: {0}; the agent does not run with more rights than it needs, unless \
     `privileges.best_effort` is true"
)]
pub struct PrivilegeError(#[source] Refused);

/// What the kernel refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no_new_privs: {0}")]
    NoNewPrivileges(io::Error),
    #[error("landlock: {0}")]
    Files(RulesetError),
    #[error("capabilities: {0}")]
    Capabilities(CapsError),
    #[error("seccomp: {0}")]
    SystemCalls(FilterError),
}

/// What is left and what is gone; its text is for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    parts: Vec<String>,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.parts.join("; "))
    }
}

/// Gives up rights of this thread and of all that it starts: nobody else may run yet. `reads_counters`: whether the
/// counters of the hooks can be read with the rights of the moment.
pub fn give_up(
    restrictions: &Restrictions,
    reads_counters: impl Fn() -> bool,
) -> Result<GivenUp, PrivilegeError> {
    let mut given_up = GivenUp::default();
    let mut step = |name: &str, wanted: bool, act: &dyn Fn() -> Result<String, Refused>| {
        let said = if wanted {
            match act() {
                Ok(said) => said,
                Err(refused) if restrictions.best_effort => format!("{name}: as before ({refused})"),
                Err(refused) => return Err(PrivilegeError(refused)),
            }
        } else {
            format!("{name}: as before (switched off)")
        };
        given_up.parts.push(said);
        Ok(())
    };
    // The others need it where there is no CAP_SYS_ADMIN.
    step("new privileges", restrictions.no_new_privileges, &|| {
        let set = nix::sys::prctl::set_no_new_privs();
        set.map(|()| "no new privileges".to_owned()).map_err(|errno| Refused::NoNewPrivileges(errno.into()))
    })?;
    step("files", restrictions.files, &|| {
        Ok(match writable::restrict(&restrictions.writable).map_err(Refused::Files)? {
            Enforced::Fully => "files are changed only where outputs write (landlock)".to_owned(),
            Enforced::InPart => {
                "files are changed only where outputs write (landlock, as far as this kernel goes)".to_owned()
            }
            Enforced::Not => "files: as before (this kernel has no landlock)".to_owned(),
        })
    })?;
    step("capabilities", restrictions.capabilities, &|| {
        let left =
            capabilities::reduce(&restrictions.keep, &reads_counters).map_err(Refused::Capabilities)?;
        let left = if left.is_empty() { "none".to_owned() } else { left.join(", ") };
        Ok(format!("capabilities: {left}"))
    })?;
    step("system calls", restrictions.system_calls, &|| {
        system_calls::forbid().map_err(Refused::SystemCalls)?;
        Ok("system calls are filtered (seccomp)".to_owned())
    })?;
    Ok(given_up)
}
