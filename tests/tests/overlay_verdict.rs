//! The verdict table: everything that can happen to a file of an overlay, and what the agent must call it. The layout of
//! the overlay's inode differs between kernels, so this table is what runs on each of them.

use std::fmt::Write as _;

use detector_tests::{BareContainer, Facts, agent_for, marker, program_copy};

/// One line: what happens to `$F`, an image file of its own, and the file that is then executed.
struct Row {
    happens: &'static str,
    executed: &'static str,
    /// `drop.origin` of the one alert; none: no alert.
    origin: Option<&'static str>,
}

const fn row(happens: &'static str, executed: &'static str, origin: Option<&'static str>) -> Row {
    Row { happens, executed, origin }
}

const NEW: Option<&str> = Some("new");
/// Of an overlay that the container's processes mount themselves: its layers say nothing about the image.
const FOREIGN: Option<&str> = Some("foreign_overlay");
const MODIFIED: Option<&str> = Some("modified");
const METADATA: Option<&str> = Some("metadata_only");

const PLAIN: [Row; 22] = [
    row("", "$F", None),
    row("echo x > ${F}-neighbour", "$F", None),
    row("ln -s $F $F-link", "$F-link", None),
    row("$F first; $F second", "$F", None),
    row("cat $F > /dev/null", "$F", None),
    row("cp $F /$N", "/$N", NEW),
    row("cp $F $F-copy", "$F-copy", NEW),
    row("mkdir -p /opt/$N/deep; cp $F /opt/$N/deep/x", "/opt/$N/deep/x", NEW),
    row("cp $F $F-a; mv $F-a $F-b", "$F-b", NEW),
    row("cp $F $F-a; mkdir /$N; mv $F-a /$N/b", "/$N/b", NEW),
    row("cp $F $F-a; ln $F-a $F-b", "$F-b", NEW),
    row("cp $F $F-a; mv $F-a $F", "$F", NEW),
    row("cp $F /tmp/$N; rm $F; cp /tmp/$N $F", "$F", NEW),
    row("cp $F $F-a; $F-a exit; chmod 700 $F-a", "$F-a", NEW),
    row("chmod 700 $F", "$F", MODIFIED),
    row("chown 1000 $F", "$F", MODIFIED),
    row("touch $F", "$F", MODIFIED),
    row("echo x >> $F", "$F", MODIFIED),
    row("cat /bin/probe > $F", "$F", MODIFIED),
    row("ln $F $F-b", "$F-b", MODIFIED),
    row("mv $F $F-b", "$F-b", MODIFIED),
    // The inode is in the kernel's cache as an image file, and the same inode changes its layer.
    row("$F first; chmod 700 $F", "$F", MODIFIED),
];

const METACOPY: [Row; 7] = [
    row("", "$F", None),
    row("cp $F /$N", "/$N", NEW),
    row("chmod 700 $F", "$F", METADATA),
    row("chown 1000 $F", "$F", METADATA),
    row("touch $F", "$F", METADATA),
    row("chmod 700 $F; echo x >> $F", "$F", MODIFIED),
    row("mv $F $F-b", "$F-b", METADATA),
];

/// Overlays inside the container, and file systems that are none.
const MOUNTS: [Row; 3] = [
    row("mkdir /$N; busybox mount -t tmpfs none /$N; cp $F /$N/x", "/$N/x", None),
    row(
        "mkdir /$N; busybox mount -t tmpfs none /$N; mkdir /$N/u /$N/w /$N/m; \
         busybox mount -t overlay -o lowerdir=/etc,upperdir=/$N/u,workdir=/$N/w none /$N/m; cp $F /$N/m/x",
        "/$N/m/x",
        FOREIGN,
    ),
    row(
        "mkdir /$N; busybox mount -t tmpfs none /$N; mkdir /$N/u /$N/w /$N/m; \
         busybox mount -t overlay -o lowerdir=/usr/bin,upperdir=/$N/u,workdir=/$N/w none /$N/m; touch /$N/m/${F##*/}",
        "/$N/m/${F##*/}",
        FOREIGN,
    ),
];

/// The argument by which the run of a row is known.
fn run(base: &str, index: usize) -> String {
    format!("{base}-run-{index}-")
}

/// Runs all rows in one container, then compares each.
fn check(case: &str, container: &BareContainer, rows: &[Row]) {
    let Some(agent) = agent_for(case) else { return };
    let base = marker("verdict");
    let quiet = format!("{base}-quiet");
    let mut script = String::new();
    for (index, row) in rows.iter().enumerate() {
        let image_file = format!("usr/bin/{base}-{index}");
        program_copy::copy(&container.lower().join("bin/probe"), &container.lower().join(&image_file));
        let happens = if row.happens.is_empty() { ":" } else { row.happens };
        // The run is known by its argument: the name of the file is in runs that must stay quiet, too.
        let run = if row.origin.is_some() { run(&base, index) } else { quiet.clone() };
        let _ = writeln!(
            script,
            "(N={base}-{index}; F=/{image_file}; {{ {happens}; }} > /dev/null; {} {run})",
            row.executed
        );
    }
    let facts = Facts::parse_all(&container.sh(&script).ok());
    assert_eq!(facts.len(), rows.len(), "some file did not run: {facts:?}");
    let mut wrong = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (Some(expected), run) = (row.origin, run(&base, index)) else { continue };
        let what = format!("the alert about `{}` and then {}", row.happens, row.executed);
        let alert = agent.expect_alert(&what, |alert| alert.mentions(&run));
        let found = alert.text("drop.origin");
        if found != expected {
            wrong.push(format!("`{}` then {}: {found}, not {expected}", row.happens, row.executed));
        }
    }
    agent.expect_quiet(&quiet);
    assert!(wrong.is_empty(), "wrong verdicts:\n{}", wrong.join("\n"));
}

#[test]
fn of_a_plain_overlay() {
    check("of_a_plain_overlay", &BareContainer::new(), &PLAIN);
}

#[test]
fn of_an_overlay_that_copies_metadata_alone() {
    let container = BareContainer::new().mount_option("metacopy=on");
    check("of_an_overlay_that_copies_metadata_alone", &container, &METACOPY);
}

#[test]
fn of_other_file_systems_inside_the_container() {
    check("of_other_file_systems_inside_the_container", &BareContainer::new(), &MOUNTS);
}
