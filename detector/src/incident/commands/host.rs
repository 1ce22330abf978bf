//! The process itself, by its id on the host.

use super::{Commands, container, step};
use crate::incident::{Facts, Sentence, time_words};

pub(super) fn add(facts: &Facts<'_>, commands: &mut Commands) {
    let Some(pid) = facts.pid().filter(|pid| pid.value > 1) else {
        let all = "The process id is unknown: the alert does not have proc.pid.";
        commands.note(Sentence::default().unknown(all));
        return;
    };
    let from = [pid.from.as_slice()];
    let (p, check) = (pid.value, &mut commands.check);
    let again = match facts.event_time() {
        Some(time) => Sentence::new("Whether the process still runs; ids are used again, so a start after ")
            .fact(&time.map(time_words::moment))
            .words(" means another one."),
        None => Sentence::new(
            "Whether the process still runs; ids are used again, so compare its start with the alert.",
        ),
    };
    step(check, again, &from, format!("ps -o pid,ppid,lstart,user,args -p {p}"));
    step(
        check,
        Sentence::new("Its open files and connections."),
        &from,
        format!("ls -l /proc/{p}/fd; cat /proc/{p}/net/tcp"),
    );
    let name = container(facts).map_or_else(|| p.to_string(), |id| id.value.chars().take(12).collect());
    step(
        &mut commands.keep,
        Sentence::new("The executed file itself, also when it was deleted, as long as the process lives."),
        &from,
        format!("cp /proc/{p}/exe ./sample-{name}-{p}"),
    );
    step(
        &mut commands.contain,
        Sentence::new("Stops only this process; reversible with kill -CONT."),
        &from,
        format!("kill -STOP {p}"),
    );
}
