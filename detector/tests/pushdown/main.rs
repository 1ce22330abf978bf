//! The kernel's filter never hides what a rule wants: whatever the loaded conditions, an exec that one of them matches
//! passes it. Conditions are compiled from rule files by the real catalogue; execs are situations, which give both
//! what the kernel side's predicates say and the record that it would send.
//!
//! Size: the situations, the conditions and what both give belong together; each is a list.

mod narrow;
#[path = "../synthetic/mod.rs"]
#[expect(dead_code, reason = "whole records are for other tests")]
mod synthetic;

use std::sync::LazyLock;

use detector::{
    decode::glimpse,
    event::{self, ExecEvent},
    rules::{
        Catalog, Engine, KernelFilter, RuleChoice,
        files::RuleFile,
        resolve::{LoadOptions, load},
    },
};
use detector_common::{
    exe_flags,
    record::exec::{Origin, SectionKind, Subject, known},
    settings::{FilterTerm, predicate},
};
use proptest::{
    prelude::{ProptestConfig, Strategy, prop, prop_oneof, proptest},
    sample::select,
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use synthetic::{CONTAINER, OVERLAY_MAGIC, Record, leaf_first};
use zerocopy::{FromZeros as _, IntoBytes as _};

const TMPFS_MAGIC: u64 = 0x0102_1994;
const EXT4_MAGIC: u64 = 0xef53;
const HOST_MNT: u32 = 4_026_531_841;

/// Where the executed file lives, and what of that the kernel side could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On an overlay whose inode could not be read.
    OverlayUnreadable,
    Lower,
    /// `Unknown` where the flags behind the upper dentry could not be read.
    Upper(Origin),
    Memfd,
    Tmpfs,
    Disk,
}

/// What the kernel side could tell about the root of the mount namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NsRoot {
    Unreadable,
    /// The same directory as the host's.
    OfTheHost,
    /// The file is on it.
    Own,
    /// The file is on something mounted below it.
    OwnAndElsewhere,
}

/// How the exec came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Plain,
    /// A script that was not seen before its exec, and what was found out about it afterwards.
    Script(Option<event::Origin>),
    /// A script that was seen, on the root of its mount namespace or not.
    SeenScript(Origin, bool),
    /// An interpreter, with a script of the image, and a dropped one.
    Interpreter(Option<event::Origin>),
}

/// An exec, as far as the filter can know about it. `None` = the kernel side could not read it.
#[derive(Clone, Debug)]
struct Situation {
    place: Place,
    pidns_level: Option<u32>,
    mnt: Option<u32>,
    host_mnt: Option<u32>,
    overlay_root: Option<bool>,
    ns_root: NsRoot,
    run: Run,
    tty: Option<u32>,
    cgroup: &'static [&'static str],
}

impl Situation {
    /// `Executable::predicates` of the kernel side.
    fn of_file(&self) -> u32 {
        match self.place {
            Place::OverlayUnreadable => predicate::OVERLAY | predicate::LAYER_UNKNOWN,
            Place::Lower => predicate::OVERLAY,
            Place::Upper(_) => predicate::OVERLAY | predicate::UPPER_LAYER,
            Place::Memfd => predicate::MEMFD,
            Place::Tmpfs => predicate::TMPFS,
            Place::Disk => 0,
        }
    }

    /// `task::predicates` of the kernel side: only what some term looks at.
    fn of_task(&self, terms: &[FilterTerm]) -> u32 {
        let looks_at = |bit| terms.iter().any(|term| term.mask & bit != 0);
        let mut facts = 0;
        if looks_at(predicate::CONTAINER_LIKE) && self.container_like() {
            facts |= predicate::CONTAINER_LIKE;
        }
        let at_home = matches!(self.ns_root, NsRoot::Own | NsRoot::OfTheHost);
        if looks_at(predicate::FOREIGN) && !at_home {
            facts |= predicate::FOREIGN;
        }
        if looks_at(predicate::SCRIPT) && matches!(self.run, Run::Script(_) | Run::SeenScript(..)) {
            facts |= predicate::SCRIPT;
            if looks_at(predicate::IMAGE_SCRIPT) && self.run == Run::SeenScript(Origin::Image, true) {
                facts |= predicate::IMAGE_SCRIPT;
            }
        }
        if looks_at(predicate::INTERPRETER) && matches!(self.run, Run::Interpreter(_)) {
            facts |= predicate::INTERPRETER;
        }
        if looks_at(predicate::TTY) && self.tty != Some(0) {
            facts |= predicate::TTY;
        }
        facts
    }

    /// `namespaces::container_like`: what cannot be read counts as yes.
    fn container_like(&self) -> bool {
        match (self.pidns_level, self.mnt, self.host_mnt) {
            (Some(0), Some(own), Some(host)) => own != host,
            _ => true,
        }
    }

    /// What `capture::exec` would send of it.
    fn record(&self) -> Record {
        let mut record = Record::blank()
            .with(SectionKind::Argv, b"/bin/x\0-a\0")
            .with(SectionKind::CgroupUnified, &leaf_first(self.cgroup));
        let fixed = &mut record.fixed;
        let (magic, origin, flags) = match self.place {
            Place::OverlayUnreadable => (OVERLAY_MAGIC, Origin::Unknown, 0),
            Place::Lower => (OVERLAY_MAGIC, Origin::Image, exe_flags::EXE_LOWER_LAYER),
            Place::Upper(origin) => (OVERLAY_MAGIC, origin, exe_flags::EXE_UPPER_LAYER),
            Place::Memfd => (TMPFS_MAGIC, Origin::Memfd, exe_flags::EXE_FROM_MEMFD),
            Place::Tmpfs => (TMPFS_MAGIC, Origin::Tmpfs, 0),
            Place::Disk => (EXT4_MAGIC, Origin::NotOverlay, 0),
        };
        fixed.exe.sb_magic = magic;
        fixed.exe.origin = origin as u8;
        fixed.exe.flags = flags;
        fixed.known = known::WRITABLE;
        if self.place != Place::OverlayUnreadable {
            fixed.known |= known::LAYER;
        }
        if let Some(tty) = self.tty {
            fixed.task.tty = tty;
            fixed.known |= known::TTY;
        }
        if let Some(overlay) = self.overlay_root {
            (fixed.exe.root_dev, fixed.exe.root_sb_magic) =
                (41, if overlay { OVERLAY_MAGIC } else { EXT4_MAGIC });
            fixed.known |= known::ROOT;
        }
        fixed.task.pidns_level = self.pidns_level.unwrap_or(0);
        fixed.namespaces.mnt = self.mnt.unwrap_or(0);
        fixed.namespaces.host_mnt = self.host_mnt.unwrap_or(0);
        fixed.exe.dev = 41;
        fixed.known |= match self.ns_root {
            NsRoot::Unreadable => 0,
            NsRoot::OfTheHost => known::NS_ROOT,
            NsRoot::Own => known::NS_ROOT | known::OWN_NS_ROOT | known::ON_NS_ROOT,
            NsRoot::OwnAndElsewhere => known::NS_ROOT | known::OWN_NS_ROOT,
        };
        fixed.exe.ns_root_dev = if self.ns_root == NsRoot::Own { 41 } else { 7 };
        if matches!(self.run, Run::Script(_) | Run::SeenScript(..)) {
            record = record.with(SectionKind::Filename, b"./x.sh").with(SectionKind::Interp, b"/bin/sh");
        }
        if let Run::SeenScript(origin, at_home) = self.run {
            let mut subject = Subject::new_zeroed();
            subject.known = known::LAYER | known::NS_ROOT | known::OWN_NS_ROOT | known::ON_NS_ROOT;
            subject.file.origin = origin as u8;
            subject.file.sb_magic = OVERLAY_MAGIC;
            subject.file.dev = 41;
            subject.file.ns_root_dev = if at_home { 41 } else { 7 };
            record = record.with(SectionKind::Subject, subject.as_bytes());
        }
        record
    }

    /// The event of that record, with what is found out about scripts.
    fn event(&self) -> ExecEvent {
        let mut event = self.record().event();
        let seen = event.script_file.as_ref().map(|seen| seen.origin);
        let found = match self.run {
            Run::Interpreter(origin) => origin.map(|origin| (origin, true)),
            Run::Script(origin) => origin.map(|origin| (origin, false)),
            Run::SeenScript(..) => seen.map(|origin| (origin, false)),
            Run::Plain => None,
        };
        if let Some((origin, by_argument)) = found {
            let script = event::Script {
                path: b"/tmp/x.sh".to_vec(),
                source: event::ScriptSource::Path,
                by_argument,
                origin,
                ino: Ok(7),
                content: Err(event::Gap::Gone),
                identical_to_image: Err(event::Gap::Gone),
            };
            let nothing = event::Examination::missing(event::Gap::Gone);
            event.examination = Some(Box::new(event::Examination { script: Some(script), ..nothing }));
        }
        event
    }
}

/// `filter::possible` of the kernel side.
fn possible(terms: &[FilterTerm], facts: u32, decided: u32) -> bool {
    let decided = if facts & predicate::LAYER_UNKNOWN != 0 {
        decided & !(predicate::OVERLAY | predicate::UPPER_LAYER)
    } else {
        decided
    };
    terms.iter().any(|term| facts & term.mask & decided == term.value & decided)
}

/// Both looks of `sched_process_exec`: at the file alone, then at the task as well.
fn is_sent(filter: &KernelFilter, situation: &Situation) -> bool {
    let of_file = situation.of_file();
    possible(&filter.terms, of_file, predicate::OF_FILE)
        && possible(&filter.terms, of_file | situation.of_task(&filter.terms), u32::MAX)
}

/// One rule for each condition, and one that never matches: when all others are skipped because they can only be about
/// other events, there still is an engine.
fn engine(conditions: &[String]) -> Engine {
    let rule = |(index, condition): (usize, &String)| {
        format!(
            "- rule: r{index}\n  desc: d\n  condition: >\n    {condition}\n  output: x\n  priority: INFO\n"
        )
    };
    let never = "evt.type = execve and evt.num=0".to_owned();
    let text: String = conditions.iter().chain([&never]).enumerate().map(rule).collect();
    let files = [RuleFile::from_bytes("r.yaml", text.into_bytes())];
    let report = load(&files, &Catalog::default(), &LoadOptions::default());
    match RuleChoice::default().engine(report, "evt.time") {
        Ok(engine) => engine,
        Err(error) => panic!("{conditions:?}: {error}"),
    }
}

fn matches(engine: &Engine, event: &ExecEvent) -> bool {
    let mut any = false;
    engine.evaluate(event, |_| any = true);
    any
}

/// Checks about what the filter knows, in the ways that people write them, and about what it does not know.
const CHECKS: &[&str] = &[
    "proc.is_exe_upper_layer=true",
    "proc.is_exe_upper_layer = false",
    "proc.is_exe_upper_layer != true",
    "proc.is_exe_upper_layer in (true, false)",
    "proc.is_exe_upper_layer exists",
    "proc.is_exe_lower_layer=true",
    "proc.is_exe_lower_layer=false",
    "proc.is_exe_from_memfd=true",
    "proc.is_exe_from_memfd != true",
    "container.id=host",
    "container.id != host",
    "container.id in (host)",
    "container.id in (host, unknown)",
    "container.id startswith h",
    "container.id contains o",
    "container.id = 3b2c1d4e5f60",
    "container.id exists",
    "tolower(container.id) = host",
    "len(container.id) = 4",
    "container.full_id != host",
    "container.name = host",
    "container.type != host",
    "proc.tty=0",
    "proc.tty != 0",
    "proc.tty > 0",
    "proc.tty >= 0",
    "proc.tty < 34817",
    "proc.tty in (0, 34816)",
    "proc.tty exists",
    "proc.tty = val(evt.num)",
    "evt.num=0",
    "evt.num = 0",
    "evt.num > 0",
    "evt.num=1",
    "evt.type=execve",
    "evt.type in (execve, execveat)",
    "evt.type in (open, openat)",
    "evt.type != execve",
    "syscall.type = execve",
    "evt.dir=<",
    "evt.dir=>",
    "evt.category = process",
    "evt.source = syscall",
    "evt.res=SUCCESS",
    "evt.res != SUCCESS",
    "evt.failed=true",
    "evt.rawres >= 0",
    "evt.rawres < 0",
    "drop.origin = image",
    "drop.origin != image",
    "drop.origin in (new, modified)",
    "drop.origin = metadata_only",
    "drop.origin startswith m",
    "drop.origin endswith d",
    "drop.origin in (tmpfs, not_overlay)",
    "drop.origin = unknown",
    "drop.origin exists",
    "drop.origin = volume",
    "drop.origin = foreign_overlay",
    "drop.origin in (foreign_overlay, new)",
    "drop.origin != foreign_overlay",
    "drop.kind = exec",
    "drop.kind = script",
    "drop.kind != script",
    "drop.kind = interpreter_arg",
    "drop.kind in (interpreter_arg, exec_map)",
    "drop.kind = exec_map",
    "drop.script.origin = new",
    "drop.script.origin in (image, new)",
    "drop.script.origin exists",
    "drop.script.path startswith /tmp",
    "toupper(drop.origin) = NEW",
    "proc.is_exe_writable=true",
    "evt.arg.flags contains EXE_UPPER_LAYER",
    "evt.arg.flags contains EXE_LOWER_LAYER",
    "proc.exe = /bin/x",
    "proc.exe = /bin/y",
    "proc.aname = sh",
    "container.image.repository in (a, b)",
    "fd.name startswith /etc",
];

fn condition() -> impl Strategy<Value = String> {
    select(CHECKS).prop_map(str::to_owned).prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" and "))),
            prop::collection::vec(inner, 2..4).prop_map(|any| format!("({})", any.join(" or "))),
        ]
    })
}

fn conditions() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(condition(), 1..4)
}

/// Every situation, with the event that it gives.
fn situations() -> &'static [(Situation, ExecEvent)] {
    static ALL: LazyLock<Vec<(Situation, ExecEvent)>> = LazyLock::new(|| {
        let uppers = [Origin::New, Origin::Modified, Origin::MetadataOnly, Origin::Unknown].map(Place::Upper);
        let others = [Place::OverlayUnreadable, Place::Lower, Place::Memfd, Place::Tmpfs, Place::Disk];
        let cgroups: [&[&str]; 3] = [&["x.service"], &["docker", CONTAINER], &["lxc.payload.host"]];
        // An own root of the mount namespace is only in another mount namespace than the host's.
        let namespaces = [
            (Some(HOST_MNT), Some(HOST_MNT), NsRoot::OfTheHost),
            (Some(HOST_MNT), Some(HOST_MNT), NsRoot::Unreadable),
            (Some(4_026_532_000), Some(HOST_MNT), NsRoot::Own),
            (Some(4_026_532_000), Some(HOST_MNT), NsRoot::OwnAndElsewhere),
            (None, Some(HOST_MNT), NsRoot::Own),
            (Some(HOST_MNT), None, NsRoot::Unreadable),
        ];
        let runs = [
            Run::Plain,
            Run::Script(None),
            Run::Script(Some(event::Origin::Image)),
            Run::Script(Some(event::Origin::New)),
            Run::SeenScript(Origin::Image, true),
            Run::SeenScript(Origin::Image, false),
            Run::SeenScript(Origin::New, true),
            Run::Interpreter(None),
            Run::Interpreter(Some(event::Origin::Image)),
            Run::Interpreter(Some(event::Origin::New)),
        ];
        let mut all = Vec::new();
        for place in uppers.into_iter().chain(others) {
            for pidns_level in [None, Some(0), Some(1)] {
                for ((mnt, host_mnt, ns_root), run) in
                    namespaces.into_iter().flat_map(|ns| runs.map(move |run| (ns, run)))
                {
                    for tty in [None, Some(0), Some(34_816)] {
                        for (overlay_root, cgroup) in [None, Some(true), Some(false)].into_iter().zip(cgroups)
                        {
                            let situation = Situation {
                                place,
                                pidns_level,
                                mnt,
                                host_mnt,
                                overlay_root,
                                ns_root,
                                run,
                                tty,
                                cgroup,
                            };
                            let event = situation.event();
                            all.push((situation, event));
                        }
                    }
                }
            }
        }
        all
    });
    &ALL
}

/// What came of the situations of one set of rules.
#[derive(Clone, Copy, Default)]
struct Seen {
    matched: u32,
    kept_back: u32,
}

/// Checks every `stride`-th situation, from `start`.
#[track_caller]
fn check(conditions: &[String], start: usize, stride: usize) -> Seen {
    let engine = engine(conditions);
    let filter = engine.filter();
    let mut seen = Seen::default();
    for (situation, event) in situations().iter().skip(start).step_by(stride) {
        let sent = is_sent(filter, situation);
        seen.kept_back += u32::from(!sent);
        if !matches(&engine, event) {
            continue;
        }
        seen.matched += 1;
        assert!(sent, "kept back: {conditions:?}\n{situation:?}\nthe kernel sends: {}", filter.describe());
        if let Some(seen) = glimpse(&situation.record().bytes()) {
            let passes = filter.may_pass(seen.predicates, seen.decided);
            assert!(passes, "not replayed: {conditions:?}\n{situation:?}\n{}", filter.describe());
        }
        if situation.place != Place::OverlayUnreadable {
            let predicates = situation.of_file() | situation.of_task(&filter.terms);
            assert!(filter.passes(predicates), "{conditions:?}\n{situation:?}\n{}", filter.describe());
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_rule_matches_is_sent(conditions in conditions(), start in 0..31_usize) {
        check(&conditions, start, 31);
    }
}

#[test]
fn each_check_alone_and_denied() {
    for &condition in CHECKS {
        check(&[condition.to_owned()], 0, 1);
        check(&[format!("not {condition}")], 0, 1);
    }
}

/// The property would hold, too, for a filter that sends everything, and for rules that match nothing.
#[test]
fn the_property_is_about_something() {
    let mut runner = TestRunner::deterministic();
    let (mut matching, mut keeping_back, mut both) = (0, 0, 0);
    for _ in 0..100 {
        let conditions = match conditions().new_tree(&mut runner) {
            Ok(tree) => tree.current(),
            Err(reason) => panic!("nothing to draw: {reason}"),
        };
        let seen = check(&conditions, 0, 31);
        matching += u32::from(seen.matched > 0);
        keeping_back += u32::from(seen.kept_back > 0);
        both += u32::from(seen.matched > 0 && seen.kept_back > 0);
    }
    assert!(both >= 10, "of 100 sets of rules {matching} matched, {keeping_back} kept back, {both} did both");
}
