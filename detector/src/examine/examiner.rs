//! One event's files: opened as early as possible, held against what the kernel saw, read, compared with the image.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsStr,
    fs::File,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    content::{self, Stamp},
    layers::Layers,
    mount_table,
    neighbour::Neighbours,
    place::{Place, path_of},
    samples::Samples,
    told_to_run::{Told, told_to_run},
};
use crate::event::{
    Content, Examination, ExecEvent, ExecutedFile, FileMount, Finding, Gap, Origin, Script, ScriptSource,
};

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
    neighbours: Neighbours,
    samples: OnceLock<Samples>,
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
            neighbours: Neighbours::default(),
            samples: OnceLock::new(),
        }
    }

    /// From now on copies of what is looked at are kept here, and everything is looked at. The first call counts.
    pub fn keep_samples(&self, samples: Samples) {
        let _ = self.samples.set(samples);
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether anything is looked at, and also what interpreters are told to run by their arguments and on their standard
    /// input.
    pub fn want(&self, wanted: bool, interpreters: bool) {
        self.wanted.store(wanted || self.samples.get().is_some(), Ordering::Relaxed);
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
        let place = Place::of(event, &self.proc, &self.neighbours);
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
        let looked = self.told(event).map(|told| self.script(event, told, place.as_ref(), layers.as_ref()));
        let (script, sample) = looked.map_or_else(
            || (None, executed.and_then(|mut file| self.sample(&mut file, &content, identical_to_image))),
            |(script, sample)| (Some(script), sample),
        );
        Examination { content, identical_to_image, mount, script, sample }
    }

    /// What is known all the same where the files could not be looked at, for this reason: a script that the kernel side has
    /// seen, by the name that was executed.
    #[must_use]
    pub fn missing(event: &ExecEvent, why: Gap) -> Examination {
        let script = event.script_file.as_deref().and_then(|seen| {
            Some(Script {
                path: event.process.filename.clone()?,
                source: ScriptSource::Kernel,
                by_argument: false,
                origin: seen.origin,
                ino: Ok(seen.ino),
                content: Err(why),
                identical_to_image: Err(why),
            })
        });
        Examination { script, ..Examination::missing(why) }
    }

    /// By its path in the container. Whoever can rename files there could put another one in its place: the times
    /// have to be those that the kernel saw.
    fn by_path(event: &ExecEvent, place: Option<&Place>) -> Finding<File> {
        let seen = event.subject();
        let path = seen.path.as_ref().filter(|path| path.complete).ok_or(Gap::Gone)?;
        let file = place.ok_or(Gap::Gone)?.open(&path_from(&path.bytes))?;
        if is_file(&file, seen) { Ok(file) } else { Err(Gap::Replaced) }
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

    /// Keeps a copy, unless the image has the same.
    fn sample(
        &self,
        file: &mut File,
        content: &Finding<Content>,
        identical: Finding<bool>,
    ) -> Finding<Vec<u8>> {
        let samples = self.samples.get().filter(|_| identical != Ok(true)).ok_or(Gap::NotAsked)?;
        samples.keep(file, content.as_ref().map_err(|gap| *gap)?).map(|path| bytes(&path))
    }

    /// What it is told to run, and where the copy of that is.
    fn script(
        &self,
        event: &ExecEvent,
        told: Told,
        place: Option<&Place>,
        layers: Option<&Layers>,
    ) -> (Script, Finding<Vec<u8>>) {
        let by_argument = !matches!(told, Told::Script(_));
        let seen = event.script_file.as_deref().filter(|_| !by_argument);
        let source = if seen.is_some() { ScriptSource::Kernel } else { ScriptSource::Path };
        let named = match told {
            Told::Stdin(name) => {
                let script = Script {
                    path: name,
                    source: ScriptSource::Stdin,
                    by_argument,
                    origin: Origin::Unknown,
                    ino: Err(Gap::NotRegular),
                    // There is no file to look at.
                    content: Err(Gap::NotAsked),
                    identical_to_image: Err(Gap::NotAsked),
                };
                return (script, Err(Gap::NotRegular));
            }
            Told::Script(path) | Told::Argument(path) | Told::FileOnStdin(path) => path,
        };
        let path = absolute(event, &named);
        let unknown = |why| {
            let script = Script {
                path: path.as_deref().map_or_else(|| named.clone(), bytes),
                source,
                by_argument,
                origin: seen.map_or(Origin::Unknown, |seen| seen.origin),
                ino: seen.map(|seen| seen.ino).ok_or(why),
                content: Err(why),
                identical_to_image: Err(why),
            };
            (script, Err(why))
        };
        let (Some(path), Some(place)) = (path.as_deref(), place) else { return unknown(Gap::Gone) };
        let mut file = match place.open(path) {
            Ok(file) => file,
            Err(gap) => return unknown(gap),
        };
        if let Some(seen) = seen
            && !is_file(&file, seen)
        {
            return unknown(Gap::Replaced);
        }
        let resolved = path_of(&file);
        let paths = || [resolved.clone(), Some(path.to_path_buf())].into_iter().flatten();
        let origin = seen.map_or_else(|| origin_of(place, &file, layers, paths()), |seen| seen.origin);
        let content = self.content(&mut file);
        let identical_to_image = self.identical(&content, origin, layers, paths());
        let is_image = if origin == Origin::Image { Ok(true) } else { identical_to_image };
        let sample = self.sample(&mut file, &content, is_image);
        let script = Script {
            path: bytes(path),
            source,
            by_argument,
            origin,
            ino: file.metadata().map(|data| data.ino()).map_err(|_| Gap::Unreadable),
            identical_to_image,
            content,
        };
        (script, sample)
    }
}

/// Whether an open file is the one that the kernel side has seen, unchanged.
fn is_file(file: &File, seen: &ExecutedFile) -> bool {
    let Ok(data) = file.metadata() else { return false };
    let changed = u64::try_from(i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec()));
    data.ino() == seen.ino
        && data.len() == seen.size
        && seen.ctime_ns.is_some_and(|ctime| Ok(ctime) == changed)
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
