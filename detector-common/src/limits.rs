//! Every bound, once. The verifier needs bounded loops and copies; users need to know where things are cut.

/// Bytes of argv (all arguments with their terminating NULs) that a record carries. Falco keeps the same amount.
pub const ARGV_BYTES: usize = 4096;
/// Bytes of the environment that a record carries when a rule asks for it.
pub const ENV_BYTES: usize = 4096;
/// Bytes of one path component including its NUL (`NAME_MAX` + 1).
pub const COMPONENT_BYTES: usize = 256;
/// Components of a path that are walked before it is marked truncated.
pub const PATH_COMPONENTS: usize = 64;
/// The same for paths beside the point (ancestors' executed files, standard descriptors): there are many of them, and
/// the verifier looks at every step of each.
pub const SIDE_PATH_COMPONENTS: usize = 32;
/// Bytes that one walked path may take in a record (`PATH_MAX`).
pub const PATH_BYTES: usize = 4096;
/// Components of a cgroup path that are walked, from the leaf.
pub const CGROUP_COMPONENTS: usize = 16;
/// Bytes of the file name given to execve, and of the interpreter's name.
pub const FILENAME_BYTES: usize = 1024;
/// Ancestors that a record carries, from the parent upwards.
pub const ANCESTORS: usize = 20;
/// Ancestors, from the parent upwards, of which a record carries the path of the executed file.
pub const ANCESTOR_EXES: usize = 8;
/// Words of the bitmap of open descriptors that are counted: 64 descriptors each. A process with a larger table has
/// an unknown number of them.
pub const FD_WORDS: usize = 64;
/// Bytes of a task's comm, including the NUL (`TASK_COMM_LEN`).
pub const COMM_BYTES: usize = 16;
/// Extents of a user namespace's id map that are looked at (`UID_GID_MAP_MAX_BASE_EXTENTS`); the kernel keeps
/// longer maps elsewhere, and then the inner id is unknown.
pub const ID_MAP_EXTENTS: usize = 5;
/// Bytes for the variable part of a record. One per-CPU scratch value (fixed part and this) stays below the
/// kernel's bound of 32 KiB for per-CPU map values.
pub const TAIL_BYTES: usize = 24 * 1024;
/// Execs that the first copy of the program can have marked as seen at a time; see the kernel side's `mark`.
pub const MARKS: u32 = 1024;
/// Mappings of which is remembered that they were reported, where a rule asks for mappings: one for each file and process;
/// of the oldest it is forgotten.
pub const MAPPINGS: u32 = 4096;
/// Scripts of execs that are under way, where a rule asks for scripts.
pub const SCRIPTS: u32 = 1024;
/// Files whose last writer is remembered, where a rule asks for writers; the oldest are forgotten.
pub const WRITERS: u32 = 8192;
/// Containers with writers of which is remembered what their cgroups are called, in [`WRITER_HIERARCHIES`] hierarchies each; the
/// oldest are forgotten.
pub const WRITER_CONTAINERS: u32 = 1024;
/// Hierarchies in which a writer's cgroup is looked at.
pub const WRITER_HIERARCHIES: usize = 2;
/// Bytes of the name of a writer's cgroup that are remembered, with the NUL: engines' names have up to 86.
pub const WRITER_CGROUP_BYTES: usize = 96;
/// Bytes of a writer's arguments that are remembered.
pub const WRITER_ARGV_BYTES: usize = 128;
/// Bytes of the name of a writer's program that are remembered, with the NUL.
pub const WRITER_NAME_BYTES: usize = 32;
/// Bytes of the ring buffer between kernel and agent.
pub const RING_BYTES: u32 = 4 * 1024 * 1024;
/// Terms that the rules are boiled down to for the kernel's filter: a disjunction of so many conjunctions.
pub const FILTER_TERMS: usize = 8;
