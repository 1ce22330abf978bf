//! A day of noise against the real rule engine: records of 450 drops of 6 causes and of 20 attacks become alerts, `suggest`
//! makes exceptions of the noise, and the same records run once more with them. What is left must be the attacks, all of
//! them. The rooms of their own have such days, too; here nothing stands in for the engine.

#[path = "synthetic/mod.rs"]
#[expect(dead_code, reason = "whole events are for other tests")]
mod synthetic;

use std::{collections::BTreeSet, path::Path, process::Command, sync::Arc};

use detector::{
    event::{Account, Container, ContainerId, ContainerMetadata, Metadata, MetadataState, Names, Runtime},
    recording::Recorder,
};
use detector_common::record::exec::SectionKind;
use serde_json::{Value, json};
use synthetic::{CLOCK, CONTAINER, Record, ancestors, leaf_first};

/// What an exception can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Traits {
    image: &'static str,
    path: String,
    parent: &'static str,
    above: &'static str,
    user: &'static str,
}

const fn traits(
    image: &'static str,
    path: String,
    parent: &'static str,
    above: &'static str,
    user: &'static str,
) -> Traits {
    Traits { image, path, parent, above, user }
}

/// Numbers that look like chance and are the same on every run.
fn number(seed: u64) -> u64 {
    (seed ^ 0x51ed_270b).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

fn letters(seed: u64) -> String {
    format!("{:08x}", number(seed) >> 32)
}

/// The noise of a day: the alert with this number.
fn noise(at: u64) -> Traits {
    let (n, one) = (number(at), |many: &[&'static str]| {
        many[usize::try_from(number(at + 7) % many.len() as u64).unwrap_or(0)]
    });
    match at % 6 {
        0 => {
            let browser = one(&["chromium", "firefox"]);
            let path = format!("/opt/ms-playwright/{browser}-{}/bin/{browser}", 1_000 + n % 400);
            traits("registry.example/e2e", path, "node", "npm", "pwuser")
        }
        1 => {
            let path = format!("/var/lib/dpkg/info/{}.{}", letters(at), one(&["postinst", "prerm"]));
            traits("registry.example/ci/base", path, "dpkg", "apt-get", "root")
        }
        2 => {
            let path = format!("/tmp/go-build{}/b{:03}/exe/main", n % 1_000_000_000, n % 300);
            traits("registry.example/ci/go", path, "go", "bash", "root")
        }
        3 => {
            let path = format!("/opt/agent/{}.{}.0/bin/agentd", n % 3, n % 20);
            traits("vendor.example/agent", path, "updater", "tini", "agent")
        }
        4 => {
            let path = format!("/builds/shop-{}/target/debug/deps/it-{}", n % 4, letters(at));
            traits("registry.example/ci/rust", path, "cargo", "sh", "root")
        }
        _ => traits(
            "registry.example/shop",
            "/usr/local/bin/migrate".to_owned(),
            "entrypoint.sh",
            "tini",
            "shop",
        ),
    }
}

/// Each has much in common with a cause of the noise, and differs from it by what an attack differs by.
fn attacks() -> Vec<Traits> {
    let noise = |kind: u64| noise(6_000 + kind);
    let mut all = Vec::new();
    for kind in 0..6 {
        let known = noise(kind);
        // Another file, by the same program as the same user in the same image.
        all.push(Traits { path: format!("/dev/shm/{}", letters(kind)), ..known.clone() });
        // A file at the very place of the noise, by a shell below a service.
        all.push(Traits { parent: "sh", above: "nginx", ..known.clone() });
        // The same in an image that has no such noise.
        all.push(Traits { image: "registry.example/payments", ..known });
    }
    // Beside the noise, by another name; and the noise of another user.
    all.push(Traits { path: "/usr/local/bin/migrate2".to_owned(), ..noise(5) });
    all.push(Traits { user: "www-data", ..noise(3) });
    all
}

fn record(traits: &Traits) -> (Record, Vec<u8>) {
    let parts: Vec<&str> = traits.path.split('/').filter(|part| !part.is_empty()).collect();
    let name = parts.last().copied().unwrap_or_default();
    let mut record = Record::drop_in_docker()
        .with(SectionKind::Filename, traits.path.as_bytes())
        .with(SectionKind::Interp, traits.path.as_bytes())
        .with(SectionKind::ExePath, &leaf_first(&parts))
        .with(SectionKind::Argv, format!("{}\0", traits.path).as_bytes())
        .with(SectionKind::Ancestors, &ancestors(&[traits.parent, traits.above, "containerd-shim"]));
    record.fixed.task.comm = [0; 16];
    let comm = &name.as_bytes()[..name.len().min(15)];
    record.fixed.task.comm[..comm.len()].copy_from_slice(comm);
    let uid = if traits.user == "root" { 0 } else { 1_000 };
    record.fixed.credentials.euid = uid;
    let facts = ContainerMetadata {
        name: Some("c".to_owned()),
        image: Some(format!("{}:1", traits.image)),
        image_repository: Some(traits.image.to_owned()),
        image_tag: Some("1".to_owned()),
        ..ContainerMetadata::new(CONTAINER, Runtime::Docker)
    };
    let container = Container {
        id: ContainerId::named(CONTAINER, Runtime::Docker),
        metadata: Metadata { facts: Some(Arc::new(facts)), state: MetadataState::Complete },
    };
    let account = Account { name: traits.user.into(), home: "/".into(), shell: b"/bin/sh".to_vec() };
    let names = Names { user: Some(account), ..Names::default() };
    (record, json!({"container": container, "names": names, "ancestors": []}).to_string().into_bytes())
}

fn write_recording(path: &Path, all: &[Traits]) {
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(&mut bytes).expect("memory takes all");
    for traits in all {
        let (record, context) = record(traits);
        recorder.add(CLOCK.boot_at_ns, &record.bytes(), &context).expect("memory takes all");
    }
    std::fs::write(path, bytes).expect("the folder is ours");
}

fn detector(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_detector"))
        .args(arguments)
        .output()
        .expect("the agent's program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn paths(alerts: &str) -> Vec<String> {
    let path = |line: &str| {
        let alert: Value = serde_json::from_str(line).expect("an alert is JSON");
        alert["output_fields"]["proc.exepath"].as_str().unwrap_or_default().to_owned()
    };
    alerts.lines().map(path).collect()
}

#[test]
fn the_attacks_are_near_the_noise() {
    let noise: Vec<Traits> = (0..450).map(noise).collect();
    let attacks = attacks();
    assert_eq!(attacks.len(), 20);
    for attack in &attacks {
        let shared = |known: &Traits| {
            [
                known.image == attack.image,
                known.path.rsplit_once('/').map(|path| path.0)
                    == attack.path.rsplit_once('/').map(|path| path.0),
                known.parent == attack.parent,
                known.above == attack.above,
                known.user == attack.user,
            ]
            .into_iter()
            .filter(|same| *same)
            .count()
        };
        assert!(noise.iter().map(shared).max() >= Some(2), "{attack:?}");
        assert!(noise.iter().all(|known| known != attack), "{attack:?}");
    }
}

#[test]
fn what_is_left_of_the_day_is_the_attacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let stock = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/falco_rules.yaml");
    let noise: Vec<Traits> = (0..450).map(noise).collect();
    // The attacks lie among the noise, not behind it.
    let attacks = attacks();
    let mut day = noise.clone();
    for (number, attack) in attacks.iter().enumerate() {
        day.insert(number * 20, attack.clone());
    }
    write_recording(Path::new(&at("noise.rec")), &noise);
    write_recording(Path::new(&at("day.rec")), &day);

    let alerts = detector(&["replay", &at("noise.rec"), "-o", "json_output=true", "-r", stock]);
    assert_eq!(alerts.lines().count(), 450);
    std::fs::write(at("noise.json"), &alerts).expect("the folder is ours");
    let proposal = detector(&["suggest", &at("noise.json"), "-r", stock]);
    std::fs::write(at("mine.yaml"), &proposal).expect("the folder is ours");
    let proposed = proposal.lines().filter(|line| line.trim_start().starts_with("- name: ")).count();
    assert!((1..=6).contains(&proposed), "{proposal}");

    let without = detector(&["replay", &at("day.rec"), "-o", "json_output=true", "-r", stock]);
    assert_eq!(without.lines().count(), 470, "every attack fires while there are no exceptions");
    let left =
        detector(&["replay", &at("day.rec"), "-o", "json_output=true", "-r", stock, "-r", &at("mine.yaml")]);
    let expected: Vec<String> = attacks.into_iter().map(|attack| attack.path).collect();
    assert_eq!(paths(&left), expected, "{proposal}");

    // Exceptions by image alone, as one writes them in a hurry, silence attacks of this day: it is a test of something.
    let images: BTreeSet<&str> = noise.iter().map(|traits| traits.image).collect();
    let careless = format!(
        "- list: known_drop_and_execute_containers\n  items: [{}]\n  override: {{items: append}}\n",
        images.into_iter().collect::<Vec<_>>().join(", ")
    );
    std::fs::write(at("careless.yaml"), careless).expect("the folder is ours");
    let left = detector(&[
        "replay",
        &at("day.rec"),
        "-o",
        "json_output=true",
        "-r",
        stock,
        "-r",
        &at("careless.yaml"),
    ]);
    assert_eq!(left.lines().count(), 6, "only what came in another image is left");
}
