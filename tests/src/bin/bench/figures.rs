//! The list of figures, one file each.

mod burst;
mod container_spawn;
mod host_spawn;
mod kernel_cost;
mod latency;
mod replay;
mod resources;
mod start;
mod workload;

use crate::Outcome;
use crate::results::Report;
use crate::stage::Stage;

/// One figure.
pub(crate) struct Figure {
    /// As given on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) take: fn(&Stage) -> Outcome<Report>,
}

/// All figures, in the order in which they are taken.
pub(crate) const FIGURES: &[Figure] = &[
    Figure { name: "spawn", title: "spawn+wait of a static no-op on the host", take: host_spawn::take },
    Figure {
        name: "container",
        title: "spawn+wait in a container: a file of the image, and a dropped one",
        take: container_spawn::take,
    },
    Figure { name: "kernel", title: "in-kernel cost per exec, by BPF statistics", take: kernel_cost::take },
    Figure {
        name: "latency",
        title: "from the kernel's exec time stamp to the line read from the agent",
        take: latency::take,
    },
    Figure {
        name: "burst",
        title: "as many drops as possible, and drops hidden in a flood",
        take: burst::take,
    },
    Figure { name: "resources", title: "memory, CPU time and wake-ups of the agent", take: resources::take },
    Figure { name: "start", title: "start of the agent to armed hooks", take: start::take },
    Figure { name: "replay", title: "events per second through user space", take: replay::take },
    Figure {
        name: "workload",
        title: "real work, and system calls that do not concern the agent",
        take: workload::take,
    },
];
