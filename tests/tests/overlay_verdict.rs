//! The verdict table: everything that can happen to a file of an overlay, and what the agent must call it. The layout of
//! the overlay's inode differs between kernels, so this table is what runs on each of them.

use std::fmt::Write as _;
use std::fs;

use detector_tests::{BareContainer, Facts, agent_for, marker};

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
        NEW,
    ),
    row(
        "mkdir /$N; busybox mount -t tmpfs none /$N; mkdir /$N/u /$N/w /$N/m; \
         busybox mount -t overlay -o lowerdir=/usr/bin,upperdir=/$N/u,workdir=/$N/w none /$N/m; touch /$N/m/${F##*/}",
        "/$N/m/${F##*/}",
        MODIFIED,
    ),
];

/// Runs all rows in one container, then compares each.
fn check(case: &str, container: &BareContainer, rows: &[Row]) {
    let Some(agent) = agent_for(case) else { return };
    let rows: Vec<(String, &Row)> = rows.iter().map(|row| (marker("verdict"), row)).collect();
    let mut script = String::new();
    for (name, row) in &rows {
        let image_file = format!("usr/bin/file-{name}");
        fs::copy(container.lower().join("bin/probe"), container.lower().join(&image_file)).expect("a copy");
        // In a shell of its own; the marker is an argument, because the file's name is in runs that must stay quiet.
        let happens = if row.happens.is_empty() { ":" } else { row.happens };
        let _ = writeln!(
            script,
            "(N={name}; F=/{image_file}; {{ {happens}; }} > /dev/null; {} {name}-run)",
            row.executed
        );
    }
    let facts = Facts::parse_all(&container.sh(&script).ok());
    assert_eq!(facts.len(), rows.len(), "some file did not run: {facts:?}");
    let mut wrong = Vec::new();
    for (name, row) in &rows {
        let run = format!("{name}-run");
        let found = match row.origin {
            // An alert that does not come is found out by the deadline of the harness.
            Some(_) => agent.expect_alert(&run, |alert| alert.mentions(&run)).text("drop.origin").to_owned(),
            None => continue,
        };
        if Some(found.as_str()) != row.origin {
            wrong.push(format!("`{}` then {}: {found}, not {:?}", row.happens, row.executed, row.origin));
        }
    }
    let quiet: Vec<String> =
        rows.iter().filter(|(_, row)| row.origin.is_none()).map(|(name, _)| format!("{name}-run")).collect();
    for run in &quiet {
        agent.expect_quiet(run);
    }
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
