//! `passwd` and `group`: name tables from bytes that anybody may have written. Pure.

use std::collections::HashMap;

use crate::event::Account;

/// Lines of a file that are looked at.
const LINES: usize = 100_000;
/// Bytes of a name or path that are kept.
const TEXT_BYTES: usize = 256;

/// Users by uid, groups by gid. Of several with one id the first counts, as everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameTables {
    pub(super) users: HashMap<u32, Account>,
    pub(super) groups: HashMap<u32, Vec<u8>>,
}

impl NameTables {
    pub(super) fn parse(passwd: &[u8], group: &[u8]) -> Self {
        let mut tables = Self::default();
        for line in lines(passwd) {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(_), Some(uid)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let (_gid, _comment) = (fields.next(), fields.next());
            let (home, shell) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
            let (Some(name), Some(uid)) = (name_text(name), number(uid)) else { continue };
            let account = || Account { name, home: text(home), shell: text(shell) };
            tables.users.entry(uid).or_insert_with(account);
        }
        for line in lines(group) {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(_), Some(gid)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            if let (Some(name), Some(gid)) = (name_text(name), number(gid)) {
                tables.groups.entry(gid).or_insert(name);
            }
        }
        tables
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').take(LINES).filter(|line| !line.starts_with(b"#"))
}

fn number(bytes: &[u8]) -> Option<u32> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

/// A name: not empty, not a line of NIS (`+name`).
fn name_text(bytes: &[u8]) -> Option<Vec<u8>> {
    (!bytes.is_empty() && !matches!(bytes[0], b'+' | b'-')).then(|| text(bytes))
}

fn text(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(TEXT_BYTES)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::{LINES, NameTables, TEXT_BYTES};

    fn user(passwd: &str, uid: u32) -> Option<(String, String, String)> {
        let tables = NameTables::parse(passwd.as_bytes(), b"");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        tables.users.get(&uid).map(|user| (text(&user.name), text(&user.home), text(&user.shell)))
    }

    #[test]
    fn users_and_groups() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nweb:x:33:33:,,,:/var/www:/sbin/nologin\n";
        assert_eq!(user(passwd, 33), Some(("web".into(), "/var/www".into(), "/sbin/nologin".into())));
        assert_eq!(user(passwd, 34), None);
        let tables = NameTables::parse(b"", b"root:x:0:\nwww:x:33:web,other\n");
        assert_eq!(tables.groups[&33], b"www");
    }

    #[test]
    fn the_first_of_two_wins() {
        assert_eq!(user("a:x:7:7::/a:/a\nb:x:7:7::/b:/b\n", 7).map(|user| user.0).as_deref(), Some("a"));
    }

    #[test]
    fn short_lines_are_taken_as_far_as_they_go() {
        assert_eq!(user("web:x:33", 33), Some(("web".into(), String::new(), String::new())));
        assert_eq!(user("web:x:33:33", 33).map(|user| user.0).as_deref(), Some("web"));
    }

    #[test]
    fn lines_that_name_nobody() {
        for line in [
            "",
            "web",
            "web:x",
            "web:x:",
            "web:x:-1:",
            "web:x:4294967296:",
            "web:x:33x:",
            ":x:33:",
            "+web:x:33:",
            "#web:x:33:",
            "web:x: 33:",
            "web:x:+33:",
        ] {
            assert_eq!(user(line, 33), None, "{line}");
        }
        let tables = NameTables::parse(&[0xff; 1000], &[0; 1000]);
        assert_eq!(tables, NameTables::default());
    }

    #[test]
    fn work_and_texts_are_bounded() {
        let many = "x:x:1:1\n".repeat(LINES) + "late:x:2:2\n";
        assert_eq!(user(&many, 2), None);
        let long = format!("{}:x:1:1::/:/", "n".repeat(10_000));
        assert_eq!(user(&long, 1).unwrap().0.len(), TEXT_BYTES);
    }
}
