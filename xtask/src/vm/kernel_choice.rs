//! Which kernels are meant: series as a person types them, and the newest release of each among what the archive
//! offers. Security and backport suites rotate, so no exact release is written down anywhere.
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The newest release of one series, for instance 6.12.
    Series(u32, u32),
    /// The newest release there is.
    Newest,
}

impl FromStr for Wanted {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "newest" {
            return Ok(Self::Newest);
        }
        let parsed = text
            .split_once('.')
            .and_then(|(major, minor)| Some(Self::Series(major.parse().ok()?, minor.parse().ok()?)));
        parsed.with_context(|| format!("`{text}` is no kernel series: write 6.12, for instance, or `newest`"))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(major, minor) => write!(f, "{major}.{minor}"),
            Self::Newest => f.write_str("newest"),
        }
    }
}

/// The packages of one release.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// What `uname -r` will say.
    pub(super) name: String,
    /// All packages that hold parts of it.
    pub(super) packages: Vec<String>,
}

/// Chooses among package names, which are the answer of `apt-cache search`: the part before ` - ` of each line. None
/// when the archive has no such kernel.
pub(super) fn choose(wanted: &Wanted, search: &str, debian_architecture: &str) -> Option<Release> {
    let packages: Vec<&str> = search.lines().filter_map(|line| line.split(' ').next()).collect();
    let suffix = format!("-cloud-{debian_architecture}");
    let newest = packages
        .iter()
        .filter_map(|package| package.strip_prefix("linux-image-"))
        .filter(|release| release.ends_with(&suffix))
        .filter_map(|release| Some((version(release.strip_suffix(&suffix)?)?, release)))
        .filter(|(version, _)| match wanted {
            Wanted::Series(major, minor) => version[..2] == [*major, *minor],
            Wanted::Newest => true,
        })
        .max();
    let (_, name) = newest?;
    // Since 6.19 the image package is empty and two others hold the kernel and the modules.
    let parts = ["linux-image", "linux-binary", "linux-modules"];
    let parts = parts.map(|part| format!("{part}-{name}"));
    let packages = parts.into_iter().filter(|part| packages.contains(&part.as_str())).collect();
    Some(Release { name: name.to_owned(), packages })
}

/// All numbers of a release in order, so that comparing them compares releases: at least series and patch, so that a
/// package that only points to others (`linux-image-6.12-cloud-amd64`) is none.
fn version(release: &str) -> Option<Vec<u32>> {
    let numbers: Vec<u32> = release
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    (numbers.len() >= 3 && release.starts_with(|c: char| c.is_ascii_digit())).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "linux-image-6.1.0-9-cloud-amd64 - Linux 6.1\n\
        linux-image-6.1.0-56-cloud-amd64 - Linux 6.1\n\
        linux-image-6.12-cloud-amd64 - meta-package\n\
        linux-image-6.12.99+deb12-cloud-amd64 - Linux 6.12\n\
        linux-image-6.12.117+deb12-cloud-amd64 - Linux 6.12\n\
        linux-image-7.3.4+deb13-cloud-amd64 - Linux 7.3.4\n\
        linux-image-8.0.1+deb13-cloud-arm64 - another architecture\n\
        linux-modules-7.3.4+deb13-cloud-amd64 - Linux 7.3.4\n\
        linux-modules-7.3.1+deb13-cloud-amd64 - Linux 7.3.1\n\
        linux-binary-7.3.4+deb13-cloud-amd64 - Linux 7.3.4\n";

    #[test]
    fn the_newest_release_of_the_series_is_chosen_by_number_and_not_by_letter() {
        let chosen = |wanted| choose(&wanted, OFFER, "amd64").unwrap().name;
        assert_eq!(chosen(Wanted::Series(6, 1)), "6.1.0-56-cloud-amd64");
        assert_eq!(chosen(Wanted::Series(6, 12)), "6.12.117+deb12-cloud-amd64");
        assert_eq!(chosen(Wanted::Newest), "7.3.4+deb13-cloud-amd64");
    }

    #[test]
    fn a_kernel_in_several_packages_is_all_of_them() {
        let release = choose(&Wanted::Newest, OFFER, "amd64").unwrap();
        let parts = ["linux-image", "linux-binary", "linux-modules"];
        assert_eq!(release.packages, parts.map(|part| format!("{part}-7.3.4+deb13-cloud-amd64")));
    }

    #[test]
    fn what_is_not_offered_is_not_made_up() {
        assert_eq!(choose(&Wanted::Series(5, 10), OFFER, "amd64"), None);
        assert!("6".parse::<Wanted>().is_err() && "x.y".parse::<Wanted>().is_err());
        assert_eq!("6.12".parse::<Wanted>().unwrap(), Wanted::Series(6, 12));
    }
}
