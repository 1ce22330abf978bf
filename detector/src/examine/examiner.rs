//! One event's files: opened as early as possible, held against what the kernel saw, read, compared with the image.

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsStr,
    fs::File,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    content::{self, Stamp},
    layers::Layers,
    mount_table,
    place::{Place, path_of},
    told_to_run::{Told, told_to_run},
};
use crate::event::{Content, Examination, ExecEvent, FileMount, Finding, Gap, Origin, Script, ScriptSource};

/// Files whose content is remembered.
const REMEMBERED: usize = 512;

/// Looks at files. Shared by threads; every call may take as long as reading a file takes.
#[derive(Debug)]
pub struct Examiner {
    /// Where the host's root file system is seen: `/` unless the agent is a container itself.
    host_root: PathBuf,
    wanted: AtomicBool,
    interpreters: AtomicBool,
    proc: PathBuf,
    remembered: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    contents: HashMap<Stamp, Content>,
    order: VecDeque<Stamp>,
}

impl Examiner {
    /// Looks at nothing before [`Self::want`]. `host_root`: where the host's root file system is seen.
    #[must_use]
    pub fn new(host_root: &Path) -> Self {
        Self {
            host_root: host_root.to_path_buf(),
            wanted: AtomicBool::new(false),
            interpreters: AtomicBool::new(false),
            proc: host_root.join("proc"),
            remembered: Mutex::default(),
        }
    }

    /// Whether anything is looked at, and also what interpreters are told to run by their arguments and on their standard
    /// input.
    pub fn want(&self, wanted: bool, interpreters: bool) {
        self.wanted.store(wanted, Ordering::Relaxed);
        self.interpreters.store(interpreters, Ordering::Relaxed);
    }

    fn told(&self, event: &ExecEvent) -> Option<Told> {
        told_to_run(event, self.interpreters.load(Ordering::Relaxed))
    }

    /// Whether there is something to look at. An image's own program that runs nothing else is known well enough.
    #[must_use]
    pub fn wants(&self, event: &ExecEvent) -> bool {
        self.wanted.load(Ordering::Relaxed)
            && (event.subject().origin != Origin::Image || self.told(event).is_some())
    }

    /// The executed file by its process, as long as that lives and has not executed another. A mapped file has no such name.
    pub fn open(&self, event: &ExecEvent) -> Finding<File> {
        if event.mapped.is_some() {
            return Err(Gap::Gone);
        }
        let link = self.proc.join(event.process.pid.to_string()).join("exe");
        let file = File::open(link).map_err(|_| Gap::Gone)?;
        let data = file.metadata().map_err(|_| Gap::Unreadable)?;
        if data.ino() == event.file.ino && data.len() == event.file.size { Ok(file) } else { Err(Gap::Gone) }
    }

    /// All that can be found out now. `by_process` is what [`Self::open`] answered.
    #[must_use]
    pub fn examine(&self, event: &ExecEvent, by_process: Finding<File>) -> Examination {
        let place = Place::of(event, &self.proc);
        let layers = place.as_ref().and_then(|place| self.layers(place));
        let mut executed = by_process.or_else(|gap| Self::by_path(event, place.as_ref()).map_err(|_| gap));
        let mount = match (&executed, &place) {
            (Ok(file), Some(place)) => place.mount_of(file).ok_or(Gap::Unreadable).map(|mount| FileMount {
                point: mount.point.as_os_str().as_bytes().to_vec(),
                kind: mount.kind.clone(),
            }),
            (Err(gap), _) => Err(*gap),
            (Ok(_), None) => Err(Gap::Gone),
        };
        let (content, identical_to_image) = if event.subject().origin == Origin::Image {
            (Err(Gap::NotAsked), Ok(true))
        } else {
            let content = match &mut executed {
                Ok(file) => self.content(file),
                Err(gap) => Err(*gap),
            };
            let found = executed.as_ref().ok().and_then(path_of);
            let seen =
                event.subject().path.as_ref().filter(|path| path.complete).map(|path| path_from(&path.bytes));
            let paths = [seen, found].into_iter().flatten();
            let same = self.identical(&content, event.subject().origin, layers.as_ref(), paths);
            (content, same)
        };
        let script = self.told(event).map(|told| self.script(event, told, place.as_ref(), layers.as_ref()));
        Examination { content, identical_to_image, mount, script }
    }

    /// By its path in the container. Whoever can rename files there could put another one in its place: the times
    /// have to be those that the kernel saw.
    fn by_path(event: &ExecEvent, place: Option<&Place>) -> Finding<File> {
        let seen = event.subject();
        let path = seen.path.as_ref().filter(|path| path.complete).ok_or(Gap::Gone)?;
        let file = place.ok_or(Gap::Gone)?.open(&path_from(&path.bytes))?;
        let data = file.metadata().map_err(|_| Gap::Unreadable)?;
        let changed = u64::try_from(i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec()));
        let same = data.ino() == seen.ino
            && data.len() == seen.size
            && seen.ctime_ns.is_some_and(|ctime| Ok(ctime) == changed);
        if same { Ok(file) } else { Err(Gap::Replaced) }
    }

    fn layers(&self, place: &Place) -> Option<Layers> {
        let root = mount_table::root(&place.mounts).filter(|mount| mount.is_overlay())?;
        Some(Layers::parse(&root.options, &self.host_root))
    }

    fn content(&self, file: &mut File) -> Finding<Content> {
        let stamp = Stamp::of(&file.metadata().map_err(|_| Gap::Unreadable)?);
        let memory = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory().contents.get(&stamp) {
            return Ok(known.clone());
        }
        let content = content::read(file)?;
        let mut memory = memory();
        if memory.contents.insert(stamp, content.clone()).is_none() {
            memory.order.push_back(stamp);
        }
        while memory.order.len() > REMEMBERED
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.contents.remove(&oldest);
        }
        Ok(content)
    }

    /// Whether the image has this content under one of the paths.
    fn identical(
        &self,
        content: &Finding<Content>,
        origin: Origin,
        layers: Option<&Layers>,
        paths: impl IntoIterator<Item = PathBuf>,
    ) -> Finding<bool> {
        if !matches!(origin, Origin::Image | Origin::New | Origin::Modified | Origin::MetadataOnly) {
            return Err(Gap::NoLayers);
        }
        let content = content.as_ref().map_err(|gap| *gap)?;
        let layers = layers.filter(|layers| !layers.lower.is_empty()).ok_or(Gap::NoLayers)?;
        for path in paths {
            let Some(mut image) = layers.image_file(&path) else { continue };
            let size = image.metadata().map_err(|_| Gap::Unreadable)?.len();
            if size == content.size && self.content(&mut image)?.sha256 == content.sha256 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn script(
        &self,
        event: &ExecEvent,
        told: Told,
        place: Option<&Place>,
        layers: Option<&Layers>,
    ) -> Script {
        let by_argument = !matches!(told, Told::Script(_));
        let named = match told {
            Told::Stdin(name) => {
                return Script {
                    path: name,
                    source: ScriptSource::Stdin,
                    by_argument,
                    origin: Origin::Unknown,
                    ino: Err(Gap::NotRegular),
                    // There is no file to look at.
                    content: Err(Gap::NotAsked),
                    identical_to_image: Err(Gap::NotAsked),
                };
            }
            Told::Script(path) | Told::Argument(path) | Told::FileOnStdin(path) => path,
        };
        let unknown = |why| Script {
            path: named.clone(),
            source: ScriptSource::Path,
            by_argument,
            origin: Origin::Unknown,
            ino: Err(why),
            content: Err(why),
            identical_to_image: Err(why),
        };
        let Some(path) = absolute(event, &named) else { return unknown(Gap::Gone) };
        let Some(place) = place else { return Script { path: bytes(&path), ..unknown(Gap::Gone) } };
        let mut file = match place.open(&path) {
            Ok(file) => file,
            Err(gap) => return Script { path: bytes(&path), ..unknown(gap) },
        };
        let resolved = path_of(&file);
        let paths = || [resolved.clone(), Some(path.clone())].into_iter().flatten();
        let origin = origin_of(place, &file, layers, paths());
        let content = self.content(&mut file);
        Script {
            path: bytes(&path),
            source: ScriptSource::Path,
            by_argument,
            origin,
            ino: file.metadata().map(|data| data.ino()).map_err(|_| Gap::Unreadable),
            identical_to_image: self.identical(&content, origin, layers, paths()),
            content,
        }
    }
}

/// Where an open file comes from, by its mount, and on the container's root by its layers.
fn origin_of(
    place: &Place,
    file: &File,
    layers: Option<&Layers>,
    mut paths: impl Iterator<Item = PathBuf>,
) -> Origin {
    let Some(mount) = place.mount_of(file) else { return Origin::Unknown };
    if mount_table::root(&place.mounts).is_some_and(|root| root.id == mount.id) {
        return match layers {
            Some(layers) => paths
                .map(|path| layers.origin(&path))
                .find(|origin| *origin != Origin::Unknown)
                .unwrap_or(Origin::Unknown),
            None => Origin::NotOverlay,
        };
    }
    // Exhausted here: only the root's paths count.
    let _ = paths.next();
    match mount.kind.as_str() {
        "tmpfs" | "ramfs" => Origin::Tmpfs,
        "overlay" => Origin::ForeignOverlay,
        _ => Origin::Volume,
    }
}

/// A path as it was given to the process, made absolute by its working directory.
fn absolute(event: &ExecEvent, named: &[u8]) -> Option<PathBuf> {
    let named = path_from(named);
    // By descriptor: there is no path.
    if named.starts_with("/dev/fd") || named.as_os_str().is_empty() {
        return None;
    }
    if named.is_absolute() {
        return Some(named);
    }
    let cwd = event.process.cwd.as_ref().filter(|cwd| cwd.complete)?;
    let mut path = path_from(&cwd.bytes);
    path.push(named.strip_prefix(".").unwrap_or(&named));
    Some(path)
}

fn path_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{ffi::OsStrExt, fs::MetadataExt},
        path::{Path, PathBuf},
    };

    use super::{Examiner, Layers, absolute};
    use crate::event::{Examination, ExecEvent, Gap, Origin, Path as EventPath, example};

    fn examiner() -> Examiner {
        let examiner = Examiner::new(Path::new("/"));
        examiner.want(true, true);
        examiner
    }

    fn examine(event: &ExecEvent) -> Examination {
        let examiner = examiner();
        examiner.examine(event, examiner.open(event))
    }

    /// This very process, as if it were a drop.
    fn own() -> ExecEvent {
        let mut event = example::exec();
        let exe = std::env::current_exe().unwrap();
        let data = fs::metadata(&exe).unwrap();
        event.process.pid = std::process::id();
        event.file.path = Some(EventPath { bytes: exe.as_os_str().as_bytes().to_vec(), complete: true });
        (event.file.ino, event.file.size) = (data.ino(), data.size());
        event
    }

    #[test]
    fn the_executed_file_is_read_by_its_process() {
        let found = examine(&own());
        let content = found.content.unwrap();
        assert_eq!(content.size, own().file.size);
        assert!(content.elf.is_some());
    }

    #[test]
    fn another_file_is_not_taken_for_it() {
        let mut event = own();
        event.file.ino += 1;
        assert_eq!(examine(&event).content, Err(Gap::Gone));
        event.process.pid = u32::MAX;
        assert_eq!(examine(&event).content, Err(Gap::Gone));
    }

    #[test]
    fn an_image_file_is_identical_without_a_look_and_nothing_is_wanted_of_it() {
        let mut event = own();
        event.file.origin = Origin::Image;
        event.process.arguments.area = b"x\0".to_vec();
        assert!(!examiner().wants(&event));
        assert_eq!(examine(&event).identical_to_image, Ok(true));
    }

    #[test]
    fn copies_of_the_image_are_identical_and_changed_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tool"), "from the image").unwrap();
        let layers = Layers { upper: None, lower: vec![folder.path().to_path_buf()] };
        let examiner = examiner();
        let verdict = |text: &str, path: &str| {
            let copy = folder.path().join("copy");
            fs::write(&copy, text).unwrap();
            let content = examiner.content(&mut fs::File::open(copy).unwrap());
            examiner.identical(&content, Origin::Modified, Some(&layers), [PathBuf::from(path)])
        };
        assert_eq!(verdict("from the image", "/tool"), Ok(true));
        assert_eq!(verdict("changed: same size"[..14].trim_end(), "/tool"), Ok(false));
        assert_eq!(verdict("another size altogether", "/tool"), Ok(false));
        assert_eq!(verdict("from the image", "/other"), Ok(false));
    }

    #[test]
    fn relative_names_start_in_the_working_directory() {
        let event = example::exec();
        let path = |named: &str| absolute(&event, named.as_bytes());
        assert_eq!(path("./x.sh").as_deref(), Some(Path::new("/tmp/x.sh")));
        assert_eq!(path("x.sh").as_deref(), Some(Path::new("/tmp/x.sh")));
        assert_eq!(path("/a/x.sh").as_deref(), Some(Path::new("/a/x.sh")));
        assert_eq!(path("/dev/fd/3"), None);
    }
}
