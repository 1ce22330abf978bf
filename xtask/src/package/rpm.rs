//! The package for Red Hat, Fedora, SUSE and their like, made by their own rpmbuild.
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Facts;
use super::tree::{Tree, What};
use crate::{apt, command};

/// Run as root when the package comes, changes and goes.
const SCRIPTS: &str = include_str!("../../../packaging/rpm/scripts.spec");

pub(super) fn write(tree: &Tree, facts: &Facts, to: &Path) -> Result<()> {
    if command::find("rpmbuild").is_none() {
        apt::ensure(&["rpm"], "make the .rpm")?;
    }
    let top = tempfile::tempdir().context("cannot create a folder for the .rpm")?;
    // rpmbuild empties its build root before %install, so the files wait beside it.
    let files = top.path().join("files");
    tree.unpack(&files)?;
    let spec = top.path().join("detector.spec");
    fs::write(&spec, spec_text(tree, facts, &files))
        .with_context(|| format!("cannot write {}", spec.display()))?;
    let mut rpmbuild = command::program("rpmbuild");
    rpmbuild.env("SOURCE_DATE_EPOCH", facts.time.to_string()).args(["-bb", "--quiet"]);
    rpmbuild.arg("--define").arg(format!("_topdir {}", top.path().display()));
    command::run(rpmbuild.arg("--target").arg(facts.architecture).arg(&spec))?;
    let name = format!("detector-{}-1.{}.rpm", facts.version, facts.architecture);
    let built: PathBuf =
        [top.path(), Path::new("RPMS"), Path::new(facts.architecture), Path::new(&name)].iter().collect();
    fs::copy(&built, to.join(name))
        .with_context(|| format!("rpmbuild left no {}", built.display()))
        .map(|_| ())
}

fn spec_text(tree: &Tree, facts: &Facts, files: &Path) -> String {
    let mut list = String::new();
    for entry in tree.entries() {
        let word = match entry.what {
            What::Folder => "%dir ",
            What::File(_) => "",
            What::Config(_) => "%config(noreplace) ",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(list, "{word}%attr({:o}, root, root) /{}", entry.mode, entry.path);
    }
    // The program is stripped and static already, and rpm's helpers would look at it for nothing.
    format!(
        "%global debug_package %{{nil}}\n%global _build_id_links none\n%global __os_install_post %{{nil}}\n\
         %global _binary_payload w6.gzdio\n%global _buildhost detector\n\
         %global use_source_date_epoch_as_buildtime 1\n%global clamp_mtime_to_source_date_epoch 1\n\
         Name: detector\nVersion: {}\nRelease: 1\nSummary: {}\nLicense: Apache-2.0\nPackager: {}\n\
         AutoReqProv: no\n\n\
         %description\nOne Falco-compatible alert for each binary that a container runs and that is not part of its\n\
         image. Needs Linux 5.10 or later with BTF.\n\n\
         %install\ncp -a {}/. %{{buildroot}}/\n\n{SCRIPTS}\n%files\n%dir /etc/detector\n{list}",
        facts.version,
        super::SUMMARY,
        super::MAINTAINER,
        files.display(),
    )
}
