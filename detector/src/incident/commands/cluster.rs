//! `kubectl`, for a container whose pod is known.

use super::{Commands, step};
use crate::incident::{Facts, Sentence, shell, time_words};

/// Label that sets a pod apart.
const LABEL: &str = "detector-quarantine";

pub(super) fn add(facts: &Facts<'_>, commands: &mut Commands) {
    let (Some(namespace), Some(pod)) = (facts.text("k8s.ns.name"), facts.text("k8s.pod.name")) else {
        return;
    };
    let (Some(ns), Some(name)) = (shell::name(&namespace.value), shell::name(&pod.value)) else {
        let note = Sentence::new(
            "The names of namespace and pod have letters that such names cannot have: no kubectl commands.",
        );
        commands.note(note.because(&namespace.from).because(&pod.from));
        return;
    };
    let from = [namespace.from.as_slice(), pod.from.as_slice()];
    let check = &mut commands.check;
    step(
        check,
        Sentence::new("State of the pod, its node and its events."),
        &from,
        format!("kubectl -n {ns} describe pod {name}"),
    );
    step(
        check,
        Sentence::new("Who made the pod: the fields ownerReferences, managedFields and annotations."),
        &from,
        format!("kubectl -n {ns} get pod {name} -o yaml --show-managed-fields"),
    );
    let container = facts.text("container.name").filter(|name| shell::name(&name.value).is_some());
    if let (Some(container), Some(time)) = (container, facts.event_time()) {
        let since = time_words::argument(time.value.saturating_sub(600_000_000_000));
        step(
            check,
            Sentence::new("What the container wrote from ten minutes before the alert on."),
            &[from[0], from[1], &container.from, &time.from],
            format!("kubectl -n {ns} logs {name} -c {} --timestamps --since-time={since}", container.value),
        );
    }
    let contain = &mut commands.contain;
    step(
        contain,
        Sentence::new("Marks the pod, so that the policy below finds it."),
        &from,
        format!("kubectl -n {ns} label pod {name} {LABEL}=true --overwrite"),
    );
    step(
        contain,
        Sentence::new(
            "Cuts marked pods off from the network, where the cluster's network plugin enforces policies.",
        ),
        &from,
        format!(
            "kubectl -n {ns} apply -f - <<'EOF'\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {LABEL}\nspec:\n  podSelector:\n    matchLabels:\n      {LABEL}: \"true\"\n  policyTypes: [Ingress, Egress]\nEOF"
        ),
    );
    step(
        contain,
        Sentence::new(
            "Ends the pod, after evidence was kept; whatever owns it may start another from the same image.",
        ),
        &from,
        format!("kubectl -n {ns} delete pod {name} --grace-period=0 --force"),
    );
}
