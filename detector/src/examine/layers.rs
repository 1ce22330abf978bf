//! The layers of a container's overlay as folders of the host: what of a path is the image's, and what was written
//! later.

use std::{
    ffi::{CString, OsString},
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStringExt,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::Mode,
};

use crate::event::Origin;

/// Layers that are looked through; the kernel takes 500.
const MOST: usize = 500;
/// Folders that engines give layers relative to, when all their paths are too long for a mount's options.
const BASES: [&str; 2] = ["/var/lib/docker/overlay2", "/var/lib/containers/storage/overlay"];

/// The folders of an overlay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) upper: Option<PathBuf>,
    /// The topmost first.
    pub(super) lower: Vec<PathBuf>,
}

/// What a layer has under a path.
enum Entry {
    File(File),
    /// Something else, or a mark that layers below are hidden.
    Hides,
    Nothing,
}

impl Layers {
    /// From the options of the overlay's superblock, where its mounter's root is seen at `host_root`.
    pub(super) fn parse(options: &[u8], host_root: &Path) -> Self {
        let mut layers = Self::default();
        for option in split(options, b',') {
            let Some(equals) = option.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (&option[..equals], &option[equals + 1..]);
            match name {
                b"upperdir" => layers.upper = place(&unescaped(value), host_root),
                b"lowerdir" => {
                    let parts = split(value, b':');
                    layers.lower.extend(
                        parts.iter().take(MOST).filter_map(|part| place(&unescaped(part), host_root)),
                    );
                }
                b"lowerdir+" | b"datadir+" if layers.lower.len() < MOST => {
                    layers.lower.extend(place(value, host_root));
                }
                _ => {}
            }
        }
        layers
    }

    /// The image's file under a path of the overlay, which must have no links in it. `None` = it has none.
    pub(super) fn image_file(&self, path: &Path) -> Option<File> {
        for layer in &self.lower {
            match entry(layer, path) {
                Entry::File(file) => return Some(file),
                Entry::Hides => return None,
                Entry::Nothing => {}
            }
        }
        None
    }

    /// Where a regular file of the overlay comes from, by its path.
    pub(super) fn origin(&self, path: &Path) -> Origin {
        let Some(upper) = &self.upper else {
            return if self.image_file(path).is_some() { Origin::Image } else { Origin::Unknown };
        };
        match entry(upper, path) {
            Entry::File(file) if has_attribute(&file, "metacopy") => Origin::MetadataOnly,
            Entry::File(_) if self.image_file(path).is_some() => Origin::Modified,
            Entry::File(_) => Origin::New,
            Entry::Nothing if self.image_file(path).is_some() => Origin::Image,
            Entry::Hides | Entry::Nothing => Origin::Unknown,
        }
    }
}

/// `\` takes the meaning from what follows it.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, byte) in text.iter().enumerate() {
        if *byte == separator && !escaped {
            parts.push(&text[start..index]);
            start = index + 1;
        }
        escaped = *byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut escaped = false;
    for byte in text {
        if *byte == b'\\' && !escaped {
            escaped = true;
            continue;
        }
        escaped = false;
        bytes.push(*byte);
    }
    bytes
}

fn place(path: &[u8], host_root: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    if let Ok(relative) = path.strip_prefix("/") {
        return Some(host_root.join(relative));
    }
    let based = BASES.iter().map(|base| host_root.join(&base[1..]).join(&path));
    based.into_iter().find(|path| path.exists())
}

/// Links inside a layer are the container's: none is followed.
fn below(folder: &OwnedFd, path: &Path, flags: OFlag) -> Result<File, nix::Error> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(folder, path, how).map(File::from)
}

fn entry(layer: &Path, path: &Path) -> Entry {
    let path = path.strip_prefix("/").unwrap_or(path);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(folder) = open(layer, flags, Mode::empty()) else { return Entry::Nothing };
    // First only the name: a whiteout is a device, and devices are not opened.
    match below(&folder, path, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
        Ok(found) => {
            match found.metadata() {
                Ok(data) if data.is_file() => below(&folder, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
                    .map_or(Entry::Hides, |file| match file.metadata() {
                        Ok(data) if data.is_file() => Entry::File(file),
                        _ => Entry::Hides,
                    }),
                _ => Entry::Hides,
            }
        }
        Err(nix::Error::ENOENT | nix::Error::ENOTDIR) if hides_from_above(&folder, path) => Entry::Hides,
        Err(nix::Error::ENOENT) => Entry::Nothing,
        Err(_) => Entry::Hides,
    }
}

/// Whether a folder on the way is opaque, was renamed, or is none at all in this layer: then nothing of that path is to be
/// seen from below.
fn hides_from_above(folder: &OwnedFd, path: &Path) -> bool {
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
    above.reverse();
    for path in above {
        let Ok(found) = below(folder, path, OFlag::O_PATH | OFlag::O_NOFOLLOW) else { return false };
        match found.metadata() {
            Ok(data) if data.is_dir() => {
                if has_attribute(&found, "opaque") || has_attribute(&found, "redirect") {
                    return true;
                }
            }
            Ok(data) => return data.file_type().is_char_device() && data.rdev() == 0 || !data.is_dir(),
            Err(_) => return false,
        }
    }
    false
}

/// Overlayfs keeps its marks below `trusted.`, or below `user.` in a user namespace.
fn has_attribute(file: &File, name: &str) -> bool {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(path) = CString::new(path) else { return false };
    ["trusted.overlay.", "user.overlay."].iter().any(|space| {
        let Ok(name) = CString::new(format!("{space}{name}")) else { return false };
        // SAFETY: both are terminated strings, and of the value only the size is asked for.
        unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) >= 0 }
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read,
        os::unix::fs::symlink,
        path::{Path, PathBuf},
    };

    use super::Layers;
    use crate::event::Origin;

    #[test]
    fn options_become_folders_of_the_host() {
        let layers = Layers::parse(
            b"rw,relatime,lowerdir=/var/a:/var/with\\:colon:/var/b,upperdir=/u,workdir=/w,xino=off",
            Path::new("/host"),
        );
        let lower = ["/host/var/a", "/host/var/with:colon", "/host/var/b"].map(PathBuf::from);
        assert_eq!((layers.upper.as_deref(), layers.lower), (Some(Path::new("/host/u")), lower.to_vec()));
        let newer = Layers::parse(b"rw,lowerdir+=/a,lowerdir+=/b,datadir+=/c", Path::new("/"));
        assert_eq!(newer.lower, ["/a", "/b", "/c"].map(PathBuf::from));
        assert!(Layers::parse(b"rw,lowerdir=relative/nowhere", Path::new("/")).lower.is_empty());
    }

    fn layers(folder: &Path) -> Layers {
        for name in ["upper", "top", "bottom"] {
            fs::create_dir_all(folder.join(name).join("bin")).unwrap();
        }
        Layers { upper: Some(folder.join("upper")), lower: vec![folder.join("top"), folder.join("bottom")] }
    }

    #[test]
    fn the_topmost_layer_with_the_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let layers = layers(folder.path());
        fs::write(folder.path().join("bottom/bin/x"), "old").unwrap();
        fs::write(folder.path().join("top/bin/x"), "new").unwrap();
        let mut text = String::new();
        layers.image_file(Path::new("/bin/x")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "new");
        assert!(layers.image_file(Path::new("/bin/y")).is_none());
    }

    #[test]
    fn origins_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let layers = layers(folder.path());
        for file in ["bottom/bin/image", "bottom/bin/both", "upper/bin/both", "upper/bin/own"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        for (path, origin) in [
            ("/bin/image", Origin::Image),
            ("/bin/both", Origin::Modified),
            ("/bin/own", Origin::New),
            ("/bin/none", Origin::Unknown),
            ("/bin", Origin::Unknown),
        ] {
            assert_eq!(layers.origin(Path::new(path)), origin, "{path}");
        }
    }

    #[test]
    fn links_in_layers_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let layers = layers(folder.path());
        fs::write(folder.path().join("secret"), "of the host").unwrap();
        symlink(folder.path().join("secret"), folder.path().join("bottom/bin/link")).unwrap();
        symlink(folder.path(), folder.path().join("top/way")).unwrap();
        assert!(layers.image_file(Path::new("/bin/link")).is_none());
        assert!(layers.image_file(Path::new("/way/secret")).is_none());
        assert!(layers.image_file(Path::new("/../secret")).is_none());
    }

    #[test]
    fn what_stands_in_a_folders_place_hides_what_is_below() {
        let folder = tempfile::tempdir().unwrap();
        let layers = layers(folder.path());
        fs::create_dir(folder.path().join("bottom/opt")).unwrap();
        fs::write(folder.path().join("bottom/opt/x"), "hidden").unwrap();
        fs::write(folder.path().join("top/opt"), "a file now").unwrap();
        assert!(layers.image_file(Path::new("/opt/x")).is_none());
    }
}
