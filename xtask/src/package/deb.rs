//! The package for Debian and Ubuntu, made by their own dpkg-deb.
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Facts;
use super::tree::{Tree, What};
use crate::{apt, command};

/// Run as root when the package comes, changes and goes. The helpers come with every Debian that has systemd.
const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("../../../packaging/deb/postinst")),
    ("prerm", include_str!("../../../packaging/deb/prerm")),
    ("postrm", include_str!("../../../packaging/deb/postrm")),
];

pub(super) fn write(tree: &Tree, facts: &Facts, to: &Path) -> Result<()> {
    if command::find("dpkg-deb").is_none() {
        apt::ensure(&["dpkg"], "make the .deb")?;
    }
    let stage = tempfile::tempdir().context("cannot create a folder for the .deb")?;
    tree.unpack(stage.path())?;
    let control = stage.path().join("DEBIAN");
    let put = |name: &str, text: &str, mode| {
        let path = control.join(name);
        fs::create_dir_all(&control)
            .and_then(|()| fs::write(&path, text))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    put("control", &control_text(tree, facts), 0o644)?;
    put("conffiles", &config_files(tree), 0o644)?;
    for (name, text) in SCRIPTS {
        put(name, text, 0o755)?;
    }
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o755))
        .context("cannot open the folder of the .deb")?;
    let name = format!("detector_{}_{}.deb", facts.version, facts.short_architecture());
    let mut dpkg = command::program("dpkg-deb");
    dpkg.env("SOURCE_DATE_EPOCH", facts.time.to_string());
    command::run(dpkg.args(["--root-owner-group", "-Zxz", "--build"]).arg(stage.path()).arg(to.join(name)))
}

fn control_text(tree: &Tree, facts: &Facts) -> String {
    let size: usize = tree.entries().iter().filter_map(|entry| Some(entry.bytes()?.len())).sum();
    format!(
        "Package: detector\nVersion: {}\nArchitecture: {}\nInstalled-Size: {}\nSection: admin\nPriority: optional\n\
         Maintainer: {}\nSuggests: ca-certificates\n\
         Description: {}\n One Falco-compatible alert for each binary that a container runs and that is not part of\n \
         its image. Needs Linux 5.10 or later with BTF.\n",
        facts.version,
        facts.short_architecture(),
        size.div_ceil(1024),
        super::MAINTAINER,
        super::SUMMARY,
    )
}

fn config_files(tree: &Tree) -> String {
    let configs = tree.entries().iter().filter(|entry| matches!(entry.what, What::Config(_)));
    configs.fold(String::new(), |list, entry| list + "/" + &entry.path + "\n")
}
