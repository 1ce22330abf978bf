//! The versions that rule files ask for.

use std::fmt;

/// The engine whose rule language we speak.
pub const ENGINE_VERSION: Version = Version { major: 0, minor: 63, patch: 0 };

/// A version `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes break.
    pub major: u32,
    /// Changes add.
    pub minor: u32,
    /// Changes repair.
    pub patch: u32,
}

impl Version {
    /// `26` (which means `0.26.0`) or `0.26.0`; `None` if it is neither.
    #[must_use]
    pub fn parse_engine(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(minor) => Some(Self { major: 0, minor, patch: 0 }),
            Err(_) => Self::parse(text),
        }
    }

    /// `1.2.3`, also with a suffix (`1.2.3-rc1+build`) that does not count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten()
        });
        let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
        parts.next().is_none().then_some(version)
    }

    /// Whether this version serves one who asks for `wanted`.
    #[must_use]
    pub fn serves(self, wanted: Self) -> bool {
        self.major == wanted.major && self >= wanted
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::{ENGINE_VERSION, Version};

    #[test]
    fn a_number_is_a_minor_version() {
        assert_eq!(Version::parse_engine("26"), Some(Version { major: 0, minor: 26, patch: 0 }));
        assert_eq!(Version::parse_engine("0.57.0"), Some(Version { major: 0, minor: 57, patch: 0 }));
        assert_eq!(Version::parse("1.2.3-rc1"), Some(Version { major: 1, minor: 2, patch: 3 }));
        for wrong in ["", "0.57", "a", "1.2.3.4", "1..3", "-1", "1.+2.3", "99999999999"] {
            assert_eq!(Version::parse_engine(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn older_of_the_same_major_is_served() {
        for (wanted, served) in
            [("26", true), ("0.63.0", true), ("0.63.1", false), ("0.64.0", false), ("1.0.0", false)]
        {
            let wanted = Version::parse_engine(wanted).unwrap();
            assert_eq!(ENGINE_VERSION.serves(wanted), served, "{wanted}");
        }
    }
}
