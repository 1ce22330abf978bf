//! How little the kernel sends for the conditions that rules have.

use super::engine;

/// What the conditions of exec rules cost: as little as the kernel can tell.
#[test]
fn filters_are_as_narrow_as_the_kernel_can_tell() {
    let described = |conditions: &[&str]| {
        let conditions: Vec<String> = conditions.iter().map(|&condition| condition.to_owned()).collect();
        engine(&conditions).filter().describe()
    };
    let cases: &[(&[&str], &str)] = &[
        (&["evt.type = execve and container.id != host"], "in a container"),
        (&["container.id != host and proc.tty != 0 and proc.name = sh"], "in a container, with a terminal"),
        (&["proc.is_exe_from_memfd=true"], "from a memfd"),
        (
            &["container.id = host and proc.is_exe_lower_layer=true"],
            "on an overlay, not from the upper layer",
        ),
        (&["proc.name = x"], "every exec"),
        (&["evt.num=0 and proc.name = x"], "nothing: no rule can match an exec"),
        (
            &["proc.is_exe_from_memfd=true", "container.id != host and drop.origin in (new, modified)"],
            "from a memfd; or in a container, from the upper layer",
        ),
        (&["not (container.id = host or proc.tty = 0)"], "in a container, with a terminal"),
        (
            &["container.id != host and drop.kind = exec_map and drop.origin in (new, memfd)"],
            "mapped executable: in a container, from the upper layer; or mapped executable: in a container, from a memfd",
        ),
        // What the process has executed says nothing about what it maps.
        (&["drop.kind = exec_map and proc.is_exe_upper_layer=true"], "mapped executable: every exec"),
        (&["container.id != host and drop.kind = script"], "in a container, of a script"),
        (
            &["container.id != host and drop.script.origin in (new, modified)"],
            "in a container, of no script, of an interpreter; or in a container, of a script, that is not known to be the \
             image's",
        ),
        (
            &["container.id != host and drop.origin in (tmpfs, volume)"],
            "in a container, on a tmpfs; or in a container, not on an overlay, not from a memfd, not on a tmpfs, not on \
             the container's root",
        ),
        (&["drop.origin = foreign_overlay"], "in a container, on an overlay, not on the container's root"),
    ];
    for (conditions, filter) in cases {
        assert_eq!(described(conditions), *filter, "{conditions:?}");
    }
}
