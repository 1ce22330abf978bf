//! From cgroup names, namespaces and the root file system to the container's identity. A cgroup name alone does not
//! make a container: host processes can live in cgroups whose names look like ids, and a process can move itself to a
//! cgroup with an innocent name. So the namespaces decide whether it is one, and the name, or what the same namespaces
//! were called before, decides which.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use super::{
    cgroup_name::{Claim, Strength, claim},
    subject::pid_namespace_since,
};
use crate::event::{ContainerId, ExecEvent, Runtime};

/// `OVERLAYFS_SUPER_MAGIC`
const OVERLAY_MAGIC: u64 = 0x794c_7630;
/// Places that are remembered; the oldest is forgotten first. A container has two.
const PLACES: usize = 8192;

/// Whose process it is, by this event alone.
#[must_use]
pub fn identify(event: &ExecEvent) -> ContainerId {
    Identifier::default().judge(event).id
}

/// An identity, and whether more should be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) id: ContainerId,
    /// Nobody but a runtime could have given this id; otherwise another source may know better.
    pub(super) certain: bool,
}

/// Something that belongs to one container only, as long as its pid namespace lives: the kernel uses the numbers of
/// namespaces and devices again, so the start of the pid namespace's first process is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// Its mount namespace.
    Mounts(u32, u64),
    /// The device of its overlay root, also when the process made a mount namespace of its own.
    Root(u32, u64),
}

/// Tells containers apart, and remembers what a container was called when one of its processes hides the name.
#[derive(Debug, Default)]
pub struct Identifier {
    host_root: Option<u32>,
    remembered: HashMap<Place, (String, Runtime)>,
    order: VecDeque<Place>,
}

impl Identifier {
    /// `host_root`: device of the host's root file system, `major << 20 | minor`. With it, services of a host whose own
    /// root is an overlay (live systems, images) are not taken for containers.
    #[must_use]
    pub fn new(host_root: Option<u32>) -> Self {
        Self { host_root, ..Self::default() }
    }

    /// Whose process it is. Events of one container help with later ones.
    pub fn identify(&mut self, event: &ExecEvent) -> ContainerId {
        self.recognise(event).id
    }

    /// As [`Identifier::identify`], with how sure that is.
    pub(super) fn recognise(&mut self, event: &ExecEvent) -> Judgement {
        let judgement = self.judge(event);
        match &judgement.id {
            ContainerId::Named { id, runtime } if judgement.certain => {
                self.learn(event, id, *runtime);
                return judgement;
            }
            // In the pid namespace of the host a number can have belonged to an earlier container: better than no name
            // at all, worse than any.
            ContainerId::Named { .. } if event.process.pidns_level == 0 => return judgement,
            ContainerId::Host | ContainerId::Unknown => return judgement,
            ContainerId::Named { .. } | ContainerId::Namespace(_) => {}
        }
        let remembered = self.places(event).into_iter().find_map(|place| self.remembered.get(&place));
        match remembered {
            Some((id, runtime)) => Judgement { id: ContainerId::named(id.clone(), *runtime), certain: true },
            None => judgement,
        }
    }

    /// Remembers what the container of this event is called.
    pub(super) fn learn(&mut self, event: &ExecEvent, id: &str, runtime: Runtime) {
        for place in self.places(event) {
            self.remember(place, id, runtime);
        }
    }

    /// Remembers what the container in this mount namespace is called; `since` as in [`pid_namespace_since`].
    pub(super) fn learn_of_running(&mut self, mnt: u32, since: u64, id: &str, runtime: Runtime) {
        self.remember(Place::Mounts(mnt, since), id, runtime);
    }

    fn remember(&mut self, place: Place, id: &str, runtime: Runtime) {
        if self.remembered.insert(place, (id.to_owned(), runtime)).is_some() {
            return;
        }
        self.order.push_back(place);
        if self.order.len() > PLACES
            && let Some(oldest) = self.order.pop_front()
        {
            self.remembered.remove(&oldest);
        }
    }

    /// What the container in this mount namespace is called, where that is remembered; `since` as in
    /// [`pid_namespace_since`].
    pub(super) fn called(&self, mnt: u32, since: u64) -> Option<ContainerId> {
        let (id, runtime) = self.remembered.get(&Place::Mounts(mnt, since))?;
        Some(ContainerId::named(id.clone(), *runtime))
    }

    /// What there is of this event to know its container by.
    fn places(&self, event: &ExecEvent) -> Vec<Place> {
        let since = pid_namespace_since(event);
        let mut places = Vec::with_capacity(2);
        if event.namespaces.mnt != 0 && event.namespaces.mnt != event.namespaces.host_mnt {
            places.push(Place::Mounts(event.namespaces.mnt, since));
        }
        if let Some(device) = self.own_root(event) {
            places.push(Place::Root(device, since));
        }
        places
    }

    /// The device of an overlay root that is not the host's. Services of the host may have a mount namespace of their
    /// own; what they do not have is this.
    fn own_root(&self, event: &ExecEvent) -> Option<u32> {
        let (device, magic) = event.file.root?;
        (magic == OVERLAY_MAGIC && Some(device) != self.host_root).then_some(device)
    }

    pub(super) fn judge(&self, event: &ExecEvent) -> Judgement {
        let namespaces = event.namespaces;
        let claim = claim(&event.cgroups);
        let certain = |id| Judgement { id, certain: true };
        let named = |claim: Claim| Judgement {
            certain: claim.strength == Strength::Certain,
            id: ContainerId::Named { id: claim.id, runtime: claim.runtime },
        };
        let own_pids = event.process.pidns_level > 0;
        if namespaces.mnt == 0 || namespaces.host_mnt == 0 {
            // Nothing else to go by.
            return match claim {
                Some(claim) if claim.strength == Strength::Certain => named(claim),
                _ => Judgement { id: ContainerId::Unknown, certain: false },
            };
        }
        if namespaces.mnt == namespaces.host_mnt && !own_pids {
            return certain(ContainerId::Host);
        }
        let lives_apart = own_pids || self.own_root(event).is_some();
        match claim {
            Some(claim) if claim.strength == Strength::Certain || lives_apart => named(claim),
            _ if lives_apart => Judgement { id: ContainerId::Namespace(namespaces.mnt), certain: false },
            _ => certain(ContainerId::Host),
        }
    }
}
