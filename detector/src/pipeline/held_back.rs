//! What makes alerts repeats of each other, and how those that were held back are told.

use crate::{
    alert::Alert,
    event::{ContainerId, ExecEvent, lossy},
    format::InternalAlert,
    throttle::{Facts, Group, SameFile, Summary},
};

/// The group of an alert: same rule, same container, same file. `None` where the container or the file is not known.
pub(super) fn group(alert: &Alert, event: &ExecEvent) -> Option<(Group, Facts)> {
    let container = match &event.container.id {
        ContainerId::Unknown => return None,
        known => known.full()?.into_owned(),
    };
    let script = event.script();
    let path = match script {
        Some(script) => &script.path,
        None => &event.file.path.as_ref()?.bytes,
    };
    let content = script.map_or_else(
        || event.finding(|found| found.content.as_ref()).ok(),
        |script| script.content.as_ref().ok(),
    );
    let sha256 = content.map(|content| content.sha256.clone());
    let facts = event.container.facts();
    let pod = facts.and_then(|facts| facts.pod.as_ref());
    let shown = vec![
        ("container.id", event.container.id.short().map(std::borrow::Cow::into_owned)),
        ("container.image.repository", facts.and_then(|facts| facts.image_repository.clone())),
        ("container.name", facts.and_then(|facts| facts.name.clone())),
        ("drop.path", Some(lossy(path).into_owned())),
        ("drop.sha256", sha256.clone()),
        ("k8s.ns.name", pod.and_then(|pod| pod.namespace.clone())),
        ("k8s.pod.name", pod.and_then(|pod| pod.name.clone())),
    ];
    let size = script.is_none().then_some(event.file.size);
    let file = sha256.map_or_else(|| SameFile::Path(path.clone(), size), SameFile::Content);
    Some((Group { rule: alert.rule.name.clone(), container, file }, shown))
}

/// The message, as severe as what it is about.
pub(super) fn alert(summary: &Summary, time_ns: u64) -> InternalAlert {
    match summary {
        Summary::Repeats { rule, priority, facts, count, over } => {
            let seconds = over.as_secs();
            let output = format!(
                "{count} more alert{} of the rule `{rule}` in {seconds} s, about the same file in the same container",
                if *count == 1 { "" } else { "s" }
            );
            let alert = InternalAlert::new("detector internal: repeats", *priority, output, time_ns)
                .with("count", *count)
                .with("rule", rule.as_str())
                .with("seconds", seconds);
            facts.iter().fold(alert, |alert, (name, value)| alert.with(*name, value.clone()))
        }
        Summary::BeyondRate { rule, priority, count } => {
            let output = format!(
                "{count} alert{} of the rule `{rule}` held back: more than throttle.rate allows",
                if *count == 1 { "" } else { "s" }
            );
            InternalAlert::new("detector internal: rate", *priority, output, time_ns)
                .with("count", *count)
                .with("rule", rule.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{alert, group};
    use crate::{
        alert::{Alert, AlertRule, Priority},
        event::{
            ContainerId, Content, Examination, ExecEvent, FileMount, Gap, Origin, Script, ScriptSource,
            example,
        },
        format::internal_json,
        throttle::{SameFile, Summary},
    };

    fn of(event: &ExecEvent) -> Option<SameFile> {
        let rule = AlertRule {
            name: "R".to_owned(),
            priority: Priority::Critical,
            source: "syscall".to_owned(),
            tags: Vec::new(),
            output: Vec::new(),
            fields: Vec::new(),
        };
        let alert = Alert { rule: Arc::new(rule), time_ns: 0, values: Vec::new(), computed: Vec::new() };
        group(&alert, event).map(|(group, _)| group.file)
    }

    fn content(sha256: &str) -> Content {
        Content { sha256: sha256.to_owned(), size: 1, entropy: 1.0, elf: None }
    }

    #[test]
    fn a_file_is_the_same_by_its_content_or_else_by_its_path() {
        let mut event = example::exec();
        let size = event.file.size;
        assert_eq!(of(&event), Some(SameFile::Path(b"/tmp/dropped".to_vec(), Some(size))));
        let found = Examination {
            content: Ok(content("ab")),
            identical_to_image: Err(Gap::NotAsked),
            mount: Ok(FileMount { point: b"/".to_vec(), kind: "overlay".to_owned() }),
            script: None,
            sample: Err(Gap::NotAsked),
        };
        event.examination = Some(Box::new(found.clone()));
        assert_eq!(of(&event), Some(SameFile::Content("ab".to_owned())));
        // Two scripts that one interpreter runs are two files.
        let script = Script {
            path: b"/tmp/x.sh".to_vec(),
            source: ScriptSource::Kernel,
            by_argument: false,
            origin: Origin::New,
            ino: Ok(7),
            content: Err(Gap::Timeout),
            identical_to_image: Err(Gap::Timeout),
        };
        event.examination = Some(Box::new(Examination { script: Some(script), ..found }));
        assert_eq!(of(&event), Some(SameFile::Path(b"/tmp/x.sh".to_vec(), None)));
    }

    #[test]
    fn without_a_known_container_or_file_there_is_no_group() {
        let mut event = example::exec();
        event.container.id = ContainerId::Unknown;
        assert_eq!(of(&event), None);
        let mut event = example::exec();
        event.file.path = None;
        assert_eq!(of(&event), None);
    }

    #[test]
    fn summaries_are_alerts_that_falcos_receivers_take() {
        let facts = vec![("container.id", Some("c1".to_owned())), ("k8s.pod.name", None)];
        let summary = Summary::Repeats {
            rule: "R".to_owned(),
            priority: Priority::Critical,
            facts,
            count: 7,
            over: Duration::from_millis(60_400),
        };
        assert_eq!(
            internal_json(&alert(&summary, 1_728_129_802_000_000_001), "h"),
            "{\"hostname\":\"h\",\"output\":\"7 more alerts of the rule `R` in 60 s, about the same file in the same \
             container\",\"output_fields\":{\"container.id\":\"c1\",\"count\":7,\"k8s.pod.name\":null,\"rule\":\"R\",\
             \"seconds\":60},\"priority\":\"Critical\",\"rule\":\"detector internal: repeats\",\"source\":\
             \"internal\",\"time\":\"2024-10-05T12:03:22.000000001Z\"}"
        );
        let summary = Summary::BeyondRate { rule: "R".to_owned(), priority: Priority::Notice, count: 1 };
        let alert = alert(&summary, 0);
        assert_eq!(alert.output, "1 alert of the rule `R` held back: more than throttle.rate allows");
        assert_eq!((alert.priority, &alert.fields["count"]), (Priority::Notice, &1.into()));
    }
}
