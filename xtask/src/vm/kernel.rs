//! A kernel ready to boot: taken out of its packages once, kept in `target/vm/kernels`.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _};

use super::archive::Archive;
use super::kernel_choice::Release;
use crate::{apt, command};

/// What the guest may load; everything else that it needs is built into the cloud kernels.
const MODULES: [&str; 1] = ["overlay"];
/// What it may load where the packages have it: a kernel that is kept from before may lack it, and the case that needs it says
/// so.
const WHERE_THERE: [&str; 1] = ["binfmt_misc"];

/// A kernel on disk.
pub(super) struct Kernel {
    /// What `uname -r` will say.
    pub(super) release: String,
    folder: PathBuf,
}

impl Kernel {
    /// The cached kernel, or the one from the archive; the inner error is the archive's refusal.
    pub(super) fn get(archive: &Archive, release: &Release, cache: &Path) -> Result<Result<Self, String>> {
        let kernel = Self { release: release.name.clone(), folder: cache.join(&release.name) };
        if kernel.is_complete() {
            return Ok(Ok(kernel));
        }
        std::fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let work = tempfile::tempdir_in(cache).context("cannot create a folder for the packages")?;
        if let Err(refusal) = archive.download(&release.packages, work.path())? {
            return Ok(Err(refusal));
        }
        let tree = work.path().join("tree");
        for package in files_below(work.path()) {
            command::run(command::program("dpkg-deb").arg("-x").arg(&package).arg(&tree))?;
        }
        // Beside it and renamed, so that a folder of that name is always whole.
        let ready = work.path().join("ready");
        collect(&files_below(&tree), &ready)
            .with_context(|| format!("the packages of {} are not as expected", release.name))?;
        let _ = std::fs::remove_dir_all(&kernel.folder);
        std::fs::rename(&ready, &kernel.folder)
            .with_context(|| format!("cannot write {}", kernel.folder.display()))?;
        Ok(Ok(kernel))
    }

    /// The image that QEMU boots.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The modules with, for each one wanted, the order to load them in.
    pub(super) fn module_files(&self) -> Vec<PathBuf> {
        files_below(&self.folder.join("modules"))
    }

    fn is_complete(&self) -> bool {
        let wanted = |name: &&str| self.folder.join("modules").join(format!("{name}.order")).is_file();
        self.image().is_file() && MODULES.iter().all(wanted)
    }
}

/// Picks kernel and modules out of the unpacked packages.
fn collect(tree: &[PathBuf], to: &Path) -> Result<()> {
    let modules = to.join("modules");
    std::fs::create_dir_all(&modules).with_context(|| format!("cannot create {}", modules.display()))?;
    let is_image = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == "vmlinuz" || name.starts_with("vmlinuz-")
    };
    let image = tree.iter().find(is_image).context("no vmlinuz in them")?;
    std::fs::copy(image, to.join("vmlinuz")).context("cannot copy the kernel")?;
    for name in MODULES.into_iter().chain(WHERE_THERE) {
        let mut order = Vec::new();
        if let Err(error) = add_module(name, tree, &modules, &mut order) {
            if WHERE_THERE.contains(&name) {
                continue;
            }
            return Err(error);
        }
        let list = modules.join(format!("{name}.order"));
        std::fs::write(&list, order.join("\n"))
            .with_context(|| format!("cannot write {}", list.display()))?;
    }
    Ok(())
}

/// Copies a module and, before it, all that it depends on, as the module itself says.
fn add_module(name: &str, tree: &[PathBuf], to: &Path, order: &mut Vec<String>) -> Result<()> {
    let file = format!("{name}.ko");
    if order.contains(&file) {
        return Ok(());
    }
    let is_it = |path: &&PathBuf| {
        let found = path.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
        found.strip_suffix(".xz").unwrap_or(&found) == file.replace('-', "_")
    };
    let Some(path) = tree.iter().find(is_it) else {
        let list = tree.iter().find(|path| path.ends_with("modules.builtin"));
        let builtin = list.and_then(|list| std::fs::read_to_string(list).ok()).unwrap_or_default();
        if builtin.lines().any(|line| line.ends_with(&format!("/{file}"))) {
            return Ok(());
        }
        bail!("no module `{name}` in them, and it is not built in");
    };
    let ready = to.join(&file);
    if path.extension().is_some_and(|extension| extension == "xz") {
        apt::ensure(&["xz-utils"], "unpack kernel modules")?;
        let unpacked = std::fs::File::create(&ready).with_context(|| format!("cannot write {file}"))?;
        let status = command::program("xz").arg("-dc").arg(path).stdout(unpacked).status();
        anyhow::ensure!(status.context("cannot start xz")?.success(), "cannot unpack {}", path.display());
    } else {
        std::fs::copy(path, &ready).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    for needed in dependencies(&std::fs::read(&ready)?)? {
        add_module(&needed, tree, to, order)?;
    }
    order.push(file);
    Ok(())
}

/// The names after `depends=` in the module's own description.
fn dependencies(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module).context("a module is no object file")?;
    let section = file.section_by_name(".modinfo").context("a module does not describe itself")?;
    let text = String::from_utf8_lossy(section.data()?).into_owned();
    let list = text.split('\0').find_map(|field| field.strip_prefix("depends=")).unwrap_or_default();
    Ok(list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// All regular files below a folder, in a fixed order; none where there is no folder.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
