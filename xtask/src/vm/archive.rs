//! Kernels of several Debian releases through an apt list of our own: the lists of the machine are neither used nor
//! changed, and apt checks the signature and every package.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use super::kernel_choice::{self, Release, Wanted};
use crate::{apt, command};

/// Archive (last part of its address) and suite of each list.
const SUITES: [(&str, &str); 3] =
    [("debian", "bullseye"), ("debian-security", "bookworm-security"), ("debian", "trixie-backports")];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Lists younger than this are believed.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// What the archive answers.
pub(super) enum Found {
    /// This one.
    Release(Release),
    /// It has none, in its own words.
    Nothing(String),
}

/// The private apt.
pub(super) struct Archive {
    folder: PathBuf,
    debian_architecture: &'static str,
}

impl Archive {
    /// Prepares the lists below `folder`; asks the archive when they are older than a day.
    pub(super) fn open(folder: &Path, debian_architecture: &'static str) -> Result<Self> {
        let archive = Self { folder: folder.to_owned(), debian_architecture };
        if !apt::is_here() {
            bail!("no apt-get on this machine: kernels come as Debian packages");
        }
        if !Path::new(KEYRING).is_file() {
            apt::ensure(&["debian-archive-keyring"], "check the packages of the kernels")?;
        }
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
        }
        let list = sources(&system_sources()?)?;
        let root = folder.display();
        let options = format!(
            "Dir::Etc::sourcelist \"{root}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::State::lists \"{root}/lists\";\n\
             Dir::Cache \"{root}/cache\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::Retries \"3\";\n\
             APT::Sandbox::User \"root\";\n\
             APT::Architecture \"{debian_architecture}\";\n\
             APT::Architectures {{ \"{debian_architecture}\"; }};\n"
        );
        let same = std::fs::read_to_string(folder.join("sources.list")).is_ok_and(|old| old == list);
        for (name, text) in [("sources.list", &list), ("apt.conf", &options)] {
            let path = folder.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if !same || !archive.is_fresh() {
            archive.update()?;
        }
        Ok(archive)
    }

    /// Finds the release that is meant.
    pub(super) fn find(&self, wanted: &Wanted) -> Result<Found> {
        let debian_architecture = self.debian_architecture;
        let names = format!("^linux-(image|binary|modules)-[0-9].*-cloud-{debian_architecture}$");
        let found = command::ask(self.apt("apt-cache").args(["search", "--names-only", &names]))?;
        Ok(match kernel_choice::choose(wanted, &found, debian_architecture) {
            Some(release) => Found::Release(release),
            None => Found::Nothing(format!(
                "`apt-cache search --names-only '{names}'` over {} finds {} packages, none of them is a kernel {wanted}",
                SUITES.map(|(_, suite)| suite).join(", "),
                found.lines().count()
            )),
        })
    }

    /// Downloads packages to `folder`; apt verifies each against the signed list. The answer is the
    /// archive's refusal, if it lists the packages and does not have them.
    pub(super) fn download(&self, packages: &[String], folder: &Path) -> Result<Result<(), String>> {
        let mut download = self.apt("apt-get");
        download.current_dir(folder).args(["-qq", "download"]).args(packages);
        command::show(&download);
        let Err(error) = command::ask(&mut download) else { return Ok(Ok(())) };
        let answer = format!("{error:#}");
        if ["404 ", "403 "].iter().any(|refusal| answer.contains(refusal)) {
            return Ok(Err(answer));
        }
        Err(error.context(format!("cannot download {}", packages.join(" "))))
    }

    fn update(&self) -> Result<()> {
        command::run(self.apt("apt-get").args(["-qq", "update"]))
            .context("cannot ask the archive which kernels it offers")?;
        let stamp = self.stamp();
        std::fs::write(&stamp, "").with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn is_fresh(&self) -> bool {
        let written = self.stamp().metadata().and_then(|data| data.modified());
        written.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < FRESH))
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("updated")
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = command::program(program);
        apt.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        apt
    }
}

/// The text of all source lists of this machine.
fn system_sources() -> Result<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(parts) = std::fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(parts.flatten().map(|part| part.path()));
    }
    let text: String = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    anyhow::ensure!(!text.is_empty(), "this machine has no apt sources");
    Ok(text)
}

/// Our list: the suites at the address where this machine has its own Debian packages from.
fn sources(system: &str) -> Result<String> {
    let base = system
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("http"))
        .find_map(|address| address.trim_end_matches('/').strip_suffix("/debian"));
    let Some(base) = base else {
        bail!(
            "none of this machine's apt sources is a Debian archive (an address that ends in /debian): kernels for \
             the virtual machines come from there"
        );
    };
    Ok(SUITES
        .map(|(archive, suite)| format!("deb [signed-by={KEYRING}] {base}/{archive} {suite} main\n"))
        .concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_machines_own_packages() {
        let list = sources(
            "# http://old.example/debian\nTypes: deb\nURIs: http://mirror.example/debian/\nSuites: bookworm\n",
        );
        assert!(list.unwrap().contains(" http://mirror.example/debian-security bookworm-security main\n"));
        assert!(sources("deb http://archive.example/ubuntu noble main").is_err());
    }
}
