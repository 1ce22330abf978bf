//! Names behind the numbers of users and groups, as enrichment finds them in the process's own or the host's files.

use serde::{Deserialize, Serialize};

/// An account as `/etc/passwd` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub name: Vec<u8>,
    /// Its home directory.
    pub home: Vec<u8>,
    /// Its shell.
    pub shell: Vec<u8>,
}

/// The names of an event; `None` = no such entry, or not looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The account of the effective uid.
    pub user: Option<Account>,
    /// The account of the audit login uid.
    pub login: Option<Account>,
    /// Name of the effective gid.
    pub group: Option<Vec<u8>>,
}
