//! A reader for BTF, the kernel's own description of its types: enough of it to ask where a member lies, how big
//! a type is and what an enumerator's value is.
//!
//! Of our own because the answers decide what the hooks read in kernel memory: the readers at hand either hide
//! member offsets, cannot stack a module's BTF on the kernel's, or come under a licence that does not fit. One pass
//! over the types, no allocation per type. Everything in the input is an allegation: sections, ids, names and
//! nesting are checked where they are used, and work is bounded, so that no input makes it panic, hang or recurse
//! without end.
//!
//! Layout source: `include/uapi/linux/btf.h`. Native byte order only.

mod archive_file;
#[cfg(test)]
pub(crate) mod blob;
mod choice;
mod error;
mod functions;
mod header;
#[cfg(test)]
mod hostile_input;
mod kind;
mod members;
mod names;
mod record;
mod source;
mod types;

pub use choice::BtfChoice;
pub use error::{BtfError, LookupError};
pub use members::Member;
pub use source::{KERNEL_BTF, MAX_BTF_BYTES, read_kernel_btf};
pub use types::Btf;
