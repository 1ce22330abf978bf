//! `user.*` and `group.*`: as whom. A name that nobody knows is the text `<NA>`, as in Falco, and not a missing
//! value; the host's uid 0 is always root.

use super::Entry;
use crate::event::{Account, ExecEvent, Value};

const NO_NAME: &[u8] = b"<NA>";

/// The entries of the family `user`.
pub(super) static USER_FIELDS: &[Entry] = &[
    Entry::unsigned("user.uid", "effective uid, as the host counts; 4294967295 when it could not be read", {
        |event, _| Some(Value::Unsigned(event.credentials.euid.into()))
    }),
    Entry::text("user.name", "name of the effective uid; <NA> for one without", |event, _| {
        Some(Value::text(user_name(event)))
    }),
    Entry::text("user.homedir", "home directory of the effective uid; <NA> for one without", |event, _| {
        Some(Value::text(account(event.names.user.as_ref(), event.credentials.euid, b"/root", |from| {
            &from.home
        })))
    }),
    Entry::text("user.shell", "login shell of the effective uid; <NA> for one without", |event, _| {
        Some(Value::text(account(event.names.user.as_ref(), event.credentials.euid, NO_NAME, |from| {
            &from.shell
        })))
    }),
    Entry::signed("user.loginuid", "audit login uid, -1 when not set", |event, _| login_uid(event)),
    Entry::text("user.loginname", "name of the audit login uid; <NA> for one without, or when not set", {
        |event, _| Some(Value::text(login_name(event)))
    }),
];

/// The entries of the family `group`.
pub(super) static GROUP_FIELDS: &[Entry] = &[
    Entry::unsigned(
        "group.gid",
        "effective gid, as the host counts; 4294967295 when it could not be read",
        |event, _| Some(Value::Unsigned(event.credentials.egid.into())),
    ),
    Entry::text("group.name", "name of the effective gid; <NA> for one without", |event, _| {
        Some(Value::text(group_name(event)))
    }),
];

pub(super) fn login_uid(event: &ExecEvent) -> Option<Value<'_>> {
    let uid = event.process.loginuid?;
    Some(Value::Signed(if uid == u32::MAX { -1 } else { uid.into() }))
}

pub(super) fn user_name(event: &ExecEvent) -> &[u8] {
    account(event.names.user.as_ref(), event.credentials.euid, b"root", |from| &from.name)
}

pub(super) fn login_name(event: &ExecEvent) -> &[u8] {
    match event.process.loginuid {
        None | Some(u32::MAX) => NO_NAME,
        Some(uid) => account(event.names.login.as_ref(), uid, b"root", |from| &from.name),
    }
}

pub(super) fn group_name(event: &ExecEvent) -> &[u8] {
    match (&event.names.group, event.credentials.egid) {
        (Some(name), _) => name,
        (None, 0) => b"root",
        (None, _) => NO_NAME,
    }
}

fn account<'e>(
    found: Option<&'e Account>,
    id: u32,
    of_root: &'e [u8],
    attribute: fn(&'e Account) -> &'e Vec<u8>,
) -> &'e [u8] {
    match (found, id) {
        (Some(account), _) => attribute(account),
        (None, 0) => of_root,
        (None, _) => NO_NAME,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        event::example,
        rules::fields::example::{assert_values, null_in, value},
    };

    #[test]
    fn values_of_an_exec() {
        assert_values(&[
            ("user.uid", "0"),
            ("user.name", "root"),
            ("user.homedir", "/root"),
            ("user.shell", "/bin/sh"),
            ("user.loginuid", "1000"),
            ("user.loginname", "alice"),
            ("group.gid", "0"),
            ("group.name", "root"),
        ]);
    }

    #[test]
    fn root_needs_no_file_and_others_without_one_are_not_known() {
        let mut event = example::exec();
        event.names = crate::event::Names::default();
        let shown = |event: &_| {
            ["user.name", "user.homedir", "user.shell", "user.loginname", "group.name"]
                .map(|name| value(event, name).unwrap())
        };
        assert_eq!(shown(&event), ["root", "/root", "<NA>", "<NA>", "root"]);
        event.credentials.euid = 1000;
        event.credentials.egid = 1000;
        event.process.loginuid = Some(0);
        assert_eq!(shown(&event), ["<NA>", "<NA>", "<NA>", "root", "<NA>"]);
    }

    #[test]
    fn a_login_that_is_not_set_is_minus_one() {
        let mut event = example::exec();
        event.process.loginuid = Some(u32::MAX);
        assert_eq!(value(&event, "user.loginuid").as_deref(), Some("-1"));
        assert_eq!(value(&event, "user.loginname").as_deref(), Some("<NA>"));
        event.process.loginuid = None;
        assert!(null_in(&event, "user.loginuid"));
    }
}
