//! Ids of functions and of type names: what a program that attaches through BTF is told instead of an address.

use super::{kind::Kind, types::Btf};

impl Btf<'_> {
    /// Id of the kernel's own function of that name, if it has been described; only asked for BTF that stands alone.
    #[must_use]
    pub fn function_id(&self, name: &str) -> Option<u32> {
        self.id_of(Kind::Func, name)
    }

    /// Id of the typedef of that name; a tracepoint has one, `btf_trace_` and its own name.
    #[must_use]
    pub fn typedef_id(&self, name: &str) -> Option<u32> {
        self.id_of(Kind::Typedef, name)
    }

    /// A walk over all types: what is asked for once or not at all is not indexed.
    fn id_of(&self, kind: Kind, name: &str) -> Option<u32> {
        let last = u32::try_from(self.type_count()).ok()?;
        (1..=last).find(|&id| {
            self.type_at(id)
                .is_some_and(|found| found.head.kind == kind && self.is_named(found.head.name, name))
        })
    }
}
