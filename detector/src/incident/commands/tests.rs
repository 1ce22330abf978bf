//! Commands against alerts of each engine, and against hostile values.

use std::process::Command;

use serde_json::{Value, json};

use super::{Commands, Engine};
use crate::incident::{AlertReader, Execution, Facts};

fn execution(fields: &Value) -> Execution {
    let text =
        json!({"rule": "R", "time": "2024-10-05T12:03:22.123456789Z", "output_fields": fields}).to_string();
    let first = AlertReader::new("in", text.as_bytes()).next_alert().unwrap().unwrap();
    Execution { first, count: 1, last_ns: None }
}

fn commands(fields: &Value, told: Option<Engine>) -> Commands {
    Commands::of(&Facts::of(&execution(fields)), told)
}

fn lines(commands: &Commands) -> Vec<String> {
    [&commands.check, &commands.keep, &commands.contain]
        .into_iter()
        .flatten()
        .map(|step| step.command.clone())
        .collect()
}

fn of(kind: &str) -> Value {
    json!({"container.id": "0123456789ab", "container.type": kind, "proc.exepath": "/tmp/x y", "proc.pid": 4711,
        "container.image": "registry.example/web:1"})
}

#[test]
fn each_engine_has_its_own() {
    for (kind, expected) in [
        ("docker", "docker cp '0123456789ab:/tmp/x y' ./sample-0123456789ab"),
        (
            "docker",
            "docker logs --timestamps --since 2024-10-05T11:53:22Z --until 2024-10-05T12:13:22Z 0123456789ab",
        ),
        (
            "podman",
            "podman container checkpoint --leave-running --export checkpoint-0123456789ab.tar.gz 0123456789ab",
        ),
        ("cri-o", "crictl inspect 0123456789ab"),
        ("containerd", "ctr -n \"$NS\" tasks pause \"$CID\""),
        ("lxc", "lxc-freeze -n 0123456789ab"),
        ("systemd-nspawn", "machinectl terminate 0123456789ab"),
        ("docker", "cp /proc/4711/exe ./sample-0123456789ab-4711"),
    ] {
        let found = lines(&commands(&of(kind), None));
        assert!(found.iter().any(|line| line == expected), "{kind}: {found:#?}");
    }
}

#[test]
fn what_is_not_known_is_asked_for_and_not_guessed() {
    let unknown = json!({"container.id": "0123456789ab"});
    let found = commands(&unknown, None);
    assert!(found.notes[0].text().contains("does not say which engine"), "{found:?}");
    let asked = lines(&found);
    assert!(asked[0].starts_with("for e in docker podman nerdctl crictl;"), "{asked:?}");
    assert!(asked.contains(&"\"$E\" pause 0123456789ab".to_owned()), "{asked:?}");
    assert!(asked.iter().all(|line| !line.starts_with("docker") && !line.starts_with("podman")), "{asked:?}");
    assert!(
        lines(&commands(&unknown, Some(Engine::Docker)))
            .iter()
            .any(|line| line == "docker pause 0123456789ab")
    );
    assert!(lines(&commands(&json!({}), None)).is_empty());
    let host = commands(&json!({"container.id": "host"}), None);
    assert!(host.notes[0].text().contains("on the host"));
}

#[test]
fn an_image_is_named_with_its_tag_or_not_at_all() {
    let mut fields = json!({"container.id": "0123456789ab", "container.type": "docker", "container.image.repository": "shop/web"});
    assert!(!lines(&commands(&fields, None)).iter().any(|line| line.contains("history")));
    fields["container.image.tag"] = json!("1.2");
    assert!(lines(&commands(&fields, None)).contains(&"docker history --no-trunc shop/web:1.2".to_owned()));
}

#[test]
fn a_pod_gets_kubectl() {
    let mut fields = of("containerd");
    fields["k8s.ns.name"] = json!("shop");
    fields["k8s.pod.name"] = json!("web-1");
    fields["container.name"] = json!("web");
    let found = lines(&commands(&fields, None));
    assert!(found.contains(
        &"kubectl -n shop logs web-1 -c web --timestamps --since-time=2024-10-05T11:53:22Z".to_owned()
    ));
}

/// Every text that an alert can have, in the commands of every engine.
#[test]
fn hostile_values_give_no_command_or_a_harmless_one() {
    let hostile = ["$(touch /tmp/pwned)", "a;reboot", "-v", "x\u{202e}y", "`id`", "a\nb", "' || reboot '"];
    let whole: Value = serde_json::from_str(include_str!("../../report/everything.json")).unwrap();
    let whole = whole["output_fields"].as_object().unwrap().clone();
    let texts: Vec<&String> =
        whole.iter().filter(|(_, value)| value.is_string()).map(|(name, _)| name).collect();
    for kind in [
        json!("docker"),
        json!("podman"),
        json!("nerdctl"),
        json!("cri-o"),
        json!("containerd"),
        json!("lxc"),
        Value::Null,
    ] {
        for (value, field) in hostile.iter().flat_map(|value| texts.iter().map(move |field| (value, field))) {
            let mut fields = Value::Object(whole.clone());
            fields["container.type"] = kind.clone();
            fields[field.as_str()] = json!(value);
            for line in lines(&commands(&fields, None)) {
                let outside_quotes: String = line.replace("'\\''", "").split('\'').step_by(2).collect();
                assert!(
                    !outside_quotes.contains("pwned") && !outside_quotes.contains("reboot"),
                    "{field}: {line}"
                );
                assert!(!outside_quotes.contains("`id`") && !line.contains('\u{202e}'), "{field}: {line}");
            }
        }
    }
}

#[test]
fn every_command_is_one_that_a_shell_can_parse() {
    for kind in ["docker", "podman", "nerdctl", "cri", "containerd", "lxc", "systemd-nspawn", ""] {
        let mut fields = of(kind);
        fields["k8s.ns.name"] = json!("shop");
        fields["k8s.pod.name"] = json!("web-1");
        fields["proc.exepath"] = json!("/tmp/it's $HOME `x`");
        for line in lines(&commands(&fields, None)) {
            let checked = Command::new("sh").arg("-n").arg("-c").arg(&line).status().unwrap();
            assert!(checked.success(), "{line}");
        }
    }
}
