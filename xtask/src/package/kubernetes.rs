//! The Helm chart, packed as `helm package` packs it, and the plain manifest.
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use tar::{Builder, EntryType, Header};

use super::Facts;
use super::tree::{gzip, names, read};
use crate::workspace::Workspace;

pub(super) fn write(workspace: &Workspace, facts: &Facts, to: &Path) -> Result<()> {
    let sources = workspace.root().join("packaging");
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, &sources.join("helm/detector"), "detector", facts.time)?;
    let archive = tar.into_inner().context("cannot end the chart's archive")?;
    let path = to.join(format!("detector-chart-{}.tgz", facts.version));
    fs::write(&path, gzip(&archive)?).with_context(|| format!("cannot write {}", path.display()))?;
    let path = to.join("detector-daemonset.yaml");
    fs::write(&path, read(&sources.join("kubernetes/detector.yaml"))?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn add(tar: &mut Builder<Vec<u8>>, folder: &Path, name: &str, time: u64) -> Result<()> {
    for entry in names(folder)? {
        let (path, name) = (folder.join(&entry), format!("{name}/{entry}"));
        if path.is_dir() {
            add(tar, &path, &name, time)?;
            continue;
        }
        let bytes = read(&path)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(time);
        header.set_size(u64::try_from(bytes.len())?);
        tar.append_data(&mut header, &name, bytes.as_slice())
            .with_context(|| format!("cannot add {name} to the chart"))?;
    }
    Ok(())
}
