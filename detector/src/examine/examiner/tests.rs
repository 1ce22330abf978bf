//! Files of this very process and of temporary folders, as if they were drops.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{Examiner, Layers, absolute};
use crate::event::{
    Examination, ExecEvent, ExecKind, ExecutedFile, Gap, Origin, Path as EventPath, Script, ScriptSource,
    example,
};

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

/// A script of this very process's mount namespace, which the kernel side has seen as `seen`.
fn script(path: &Path, seen: ExecutedFile) -> ExecEvent {
    let mut event = example::exec();
    event.process.pid = std::process::id();
    event.namespaces.mnt = u32::try_from(fs::metadata("/proc/self/ns/mnt").unwrap().ino()).unwrap();
    event.file.root = None;
    event.kind = ExecKind::Script;
    event.process.filename = Some(path.as_os_str().as_bytes().to_vec());
    event.script_file = Some(Box::new(seen));
    event
}

fn as_seen(path: &Path) -> ExecutedFile {
    let data = fs::metadata(path).unwrap();
    let changed = i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec());
    ExecutedFile {
        origin: Origin::Modified,
        ino: data.ino(),
        size: data.len(),
        ctime_ns: Some(u64::try_from(changed).unwrap()),
        ..ExecutedFile::default()
    }
}

#[test]
fn a_script_that_the_kernel_side_has_seen_is_read_where_it_is_still_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sh");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    let seen = as_seen(&path);
    let look = |seen: &ExecutedFile| examine(&script(&path, seen.clone())).script.unwrap();
    let found = look(&seen);
    assert_eq!((found.source, found.origin), (ScriptSource::Kernel, Origin::Modified));
    assert!(found.content.is_ok());
    for other in [
        ExecutedFile { ino: seen.ino + 1, ..seen.clone() },
        ExecutedFile { size: seen.size + 1, ..seen.clone() },
        ExecutedFile { ctime_ns: Some(1), ..seen.clone() },
        ExecutedFile { ctime_ns: None, ..seen },
    ] {
        let found = look(&other);
        assert_eq!(found.content, Err(Gap::Replaced), "{other:?}");
        assert_eq!((found.source, found.origin), (ScriptSource::Kernel, Origin::Modified));
        assert_eq!(found.ino, Ok(other.ino), "that of the script that ran");
    }
}

#[test]
fn where_a_script_comes_from_is_known_also_when_nobody_can_look() {
    let seen = ExecutedFile { origin: Origin::New, ino: 7, ..ExecutedFile::default() };
    let mut event = script(Path::new("./x.sh"), seen);
    (event.process.pid, event.namespaces.mnt) = (u32::MAX, 1);
    event.ancestors.clear();
    let check = |found: Option<Script>, why: Gap| {
        let found = found.unwrap();
        assert_eq!((found.source, found.origin), (ScriptSource::Kernel, Origin::New));
        assert_eq!((found.ino, found.content), (Ok(7), Err(why)));
    };
    check(examine(&event).script, Gap::Gone);
    check(Examiner::missing(&event, Gap::Timeout).script, Gap::Timeout);
    event.script_file = None;
    assert_eq!(Examiner::missing(&event, Gap::Timeout).script, None);
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
