//! Which container a process was in that has written a file: its namespaces and the names of its cgroups, as they were then,
//! against what is known of containers now. It may be gone.

use super::{cgroup_name::claim, container_id::Identifier, proc_stat::TICK_NS};
use crate::event::{Cgroup, Cgroups, ContainerId, Dropper, ExecEvent, Whereabouts};

/// Fills in the container of the event's writer. That of the event must be known as well as it ever will be.
pub(super) fn fill(event: &mut ExecEvent, identifier: &Identifier) {
    let own = &event.container.id;
    let Some(dropper) = event.dropper.as_deref_mut() else { return };
    dropper.container = match dropper.whereabouts {
        None => None,
        Some(Whereabouts::Host) => Some(ContainerId::Host),
        Some(Whereabouts::OtherContainer) => named(dropper, identifier),
        Some(Whereabouts::SameContainer) => {
            // Containers of one pod may share their processes: by these alone they are one.
            let other = named(dropper, identifier).filter(|id| differs(id, own));
            if other.is_some() && dropper.mnt_ns != event.namespaces.mnt {
                dropper.whereabouts = Some(Whereabouts::OtherContainer);
                other
            } else {
                Some(own.clone()).filter(|id| *id != ContainerId::Unknown)
            }
        }
    };
}

/// Whether both are named, and not alike.
fn differs(one: &ContainerId, other: &ContainerId) -> bool {
    match (one, other) {
        (ContainerId::Named { id, .. }, ContainerId::Named { id: other, .. }) => id != other,
        _ => false,
    }
}

fn named(dropper: &Dropper, identifier: &Identifier) -> Option<ContainerId> {
    if dropper.pidns_level == 0 {
        return None;
    }
    let since = dropper.pidns_start_boot_ns / TICK_NS;
    let by_cgroup = || dropper.cgroups.iter().find_map(|name| by_name(name));
    identifier.called(dropper.mnt_ns, since).or_else(by_cgroup)
}

/// By the last part of the path of a cgroup.
fn by_name(name: &[u8]) -> Option<ContainerId> {
    let mut path = vec![b'/'];
    path.extend_from_slice(name);
    let claim = claim(&Cgroups(vec![Cgroup { controller: "", path, complete: false }]))?;
    Some(ContainerId::Named { id: claim.id, runtime: claim.runtime })
}

#[cfg(test)]
mod tests {
    use super::{Identifier, TICK_NS, fill};
    use crate::{
        enrich::sample::host,
        event::{ContainerId, Dropper, ExecEvent, Runtime, Whereabouts},
    };

    const OWN: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";
    const OTHER: &str = "9c2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff002";
    const SINCE: u64 = 50;

    fn event(whereabouts: Option<Whereabouts>, mnt_ns: u32, cgroups: &[&str]) -> ExecEvent {
        let mut event = host();
        event.container.id = ContainerId::named(OWN, Runtime::Docker);
        event.namespaces.mnt = 7;
        event.dropper = Some(Box::new(Dropper {
            whereabouts,
            mnt_ns,
            pidns_level: 1,
            pidns_start_boot_ns: SINCE * TICK_NS + 3,
            cgroups: cgroups.iter().map(|name| name.as_bytes().to_vec()).collect(),
            ..Dropper::default()
        }));
        event
    }

    /// Where the writer is, and in which container.
    fn found(mut event: ExecEvent, identifier: &Identifier) -> (Option<Whereabouts>, Option<String>) {
        fill(&mut event, identifier);
        let dropper = event.dropper.unwrap();
        (dropper.whereabouts, dropper.container.and_then(|id| Some(id.full()?.into_owned())))
    }

    #[test]
    fn a_writer_is_named_by_its_namespaces_or_by_its_cgroups() {
        use Whereabouts::{Host, OtherContainer, SameContainer};
        let mut identifier = Identifier::default();
        identifier.learn_of_running(9, SINCE, OTHER, Runtime::Containerd);
        let scope = format!("cri-containerd-{OTHER}.scope");
        let (own, other) = (Some(OWN.to_owned()), Some(OTHER.to_owned()));
        for (whereabouts, mnt, cgroups, expected) in [
            (None, 9, vec![], (None, None)),
            (Some(Host), 9, vec![], (Some(Host), Some("host".to_owned()))),
            (Some(SameContainer), 7, vec![], (Some(SameContainer), own.clone())),
            (Some(OtherContainer), 9, vec![], (Some(OtherContainer), other.clone())),
            // It has ended before anybody learned of it.
            (Some(OtherContainer), 8, vec![&*scope], (Some(OtherContainer), other.clone())),
            (Some(OtherContainer), 8, vec!["docker.service", OTHER], (Some(OtherContainer), other.clone())),
            (Some(OtherContainer), 8, vec!["app.service"], (Some(OtherContainer), None)),
            (Some(OtherContainer), 8, vec![], (Some(OtherContainer), None)),
        ] {
            assert_eq!(found(event(whereabouts, mnt, &cgroups), &identifier), expected, "{mnt} {cgroups:?}");
        }
    }

    #[test]
    fn containers_that_share_their_processes_are_told_apart() {
        let identifier = Identifier::default();
        let (own, other) = (format!("docker-{OWN}.scope"), format!("docker-{OTHER}.scope"));
        let same =
            |mnt, cgroup: &str| found(event(Some(Whereabouts::SameContainer), mnt, &[cgroup]), &identifier);
        assert_eq!(same(8, &other), (Some(Whereabouts::OtherContainer), Some(OTHER.to_owned())));
        // A mount namespace that was made in there.
        assert_eq!(same(8, &own), (Some(Whereabouts::SameContainer), Some(OWN.to_owned())));
        assert_eq!(same(7, &other), (Some(Whereabouts::SameContainer), Some(OWN.to_owned())));
    }

    #[test]
    fn a_number_of_an_earlier_namespace_names_nobody() {
        let mut identifier = Identifier::default();
        identifier.learn_of_running(9, SINCE + 1, OTHER, Runtime::Docker);
        let found = found(event(Some(Whereabouts::OtherContainer), 9, &[]), &identifier);
        assert_eq!(found, (Some(Whereabouts::OtherContainer), None));
    }

    #[test]
    fn what_could_not_be_told_of_the_event_is_no_container_of_its_writer() {
        let mut event = event(Some(Whereabouts::SameContainer), 7, &[]);
        event.container.id = ContainerId::Unknown;
        assert_eq!(found(event, &Identifier::default()), (Some(Whereabouts::SameContainer), None));
    }
}
