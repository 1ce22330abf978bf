//! Ids of functions: what a program that attaches through BTF is told instead of an address.

use super::{kind::Kind, types::Btf};

impl Btf<'_> {
    /// Id of the kernel's own function of that name, if it has been described; only asked for BTF that stands alone.
    ///
    /// A walk over all types: functions are not indexed, as only `detector doctor` asks for any.
    #[must_use]
    pub fn function_id(&self, name: &str) -> Option<u32> {
        let last = u32::try_from(self.type_count()).ok()?;
        (1..=last).find(|&id| {
            self.type_at(id)
                .is_some_and(|found| found.head.kind == Kind::Func && self.is_named(found.head.name, name))
        })
    }
}
