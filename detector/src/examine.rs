//! Looks at the file itself, after the exec: what it holds, whether the image has the same, and what an interpreter was
//! told to run. Work on files of containers may hang, so it runs in threads of its own, and everything has a bound. What
//! could not be found out says why.
//!
//! ```text
//! event -> examiner -> place (the container, by a process of it that still lives: one of the event, or a neighbour)
//!                        |-> layers -> content, elf -> samples
//!                        `-> told_to_run
//! ```

mod content;
mod elf;
mod examiner;
mod layers;
mod mount_table;
mod neighbour;
mod place;
mod samples;
mod told_to_run;

pub use examiner::Examiner;
pub use samples::{SampleError, SampleSettings, Samples};
