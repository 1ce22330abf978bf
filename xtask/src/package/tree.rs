//! The files that every package installs, named once.
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};

use crate::workspace::Workspace;

/// An installed file or folder.
pub(super) struct Entry {
    /// Without the leading `/`.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) what: What,
}

pub(super) enum What {
    Folder,
    File(Vec<u8>),
    /// A file that belongs to the administrator once it is installed.
    Config(Vec<u8>),
}

impl Entry {
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match &self.what {
            What::Folder => None,
            What::File(bytes) | What::Config(bytes) => Some(bytes),
        }
    }
}

/// All of them; a folder comes before what is in it.
pub(super) struct Tree(Vec<Entry>);

impl Tree {
    /// What the workspace and the freshly made manual in `package` give.
    pub(super) fn of_agent(workspace: &Workspace, package: &Path) -> Result<Self> {
        let mut tree = Self(Vec::new());
        let (root, manual) = (workspace.root(), package.join("man"));
        tree.file("usr/bin/detector", 0o755, read(&workspace.agent())?);
        tree.file(
            "usr/lib/systemd/system/detector.service",
            0o644,
            read(&root.join("packaging/systemd/detector.service"))?,
        );
        tree.file("usr/share/doc/detector/changelog.gz", 0o644, gzip(&read(&root.join("CHANGELOG.md"))?)?);
        tree.file("usr/share/doc/detector/copyright", 0o644, read(&root.join("packaging/copyright"))?);
        for page in names(&manual)? {
            let text = gzip(&read(&manual.join(&page))?)?;
            tree.file(&format!("usr/share/man/man8/{page}.gz"), 0o644, text);
        }
        for (name, place) in [
            ("detector.bash", "usr/share/bash-completion/completions/detector"),
            ("_detector", "usr/share/zsh/vendor-completions/_detector"),
            ("detector.fish", "usr/share/fish/vendor_completions.d/detector.fish"),
        ] {
            tree.file(place, 0o644, read(&package.join("completions").join(name))?);
        }
        tree.add(
            "etc/detector/detector.yaml",
            0o644,
            What::Config(read(&root.join("packaging/config/detector.yaml"))?),
        );
        let rules = root.join("detector/rules");
        for name in
            names(&rules)?.iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "yaml"))
        {
            tree.add(&format!("etc/detector/{name}"), 0o644, What::Config(read(&rules.join(name))?));
        }
        tree.add("etc/detector/config.d", 0o755, What::Folder);
        tree.add("etc/detector/rules.d", 0o755, What::Folder);
        Ok(tree)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Puts all of it below a folder, for tools that pack folders.
    pub(super) fn unpack(&self, to: &Path) -> Result<()> {
        for entry in &self.0 {
            let path = to.join(&entry.path);
            let done = match entry.bytes() {
                None => fs::create_dir_all(&path),
                Some(bytes) => {
                    path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes))
                }
            };
            done.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode)))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.add(path, mode, What::File(bytes));
    }

    fn add(&mut self, path: &str, mode: u32, what: What) {
        self.0.push(Entry { path: path.to_owned(), mode, what });
    }
}

/// Gzip without name and time: the same bytes each time.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    out.write_all(bytes).and_then(|()| out.finish()).context("cannot compress")
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
