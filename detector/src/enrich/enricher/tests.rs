//! The whole stage on a host made for the test: files on disk, threads and the waiting.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::{EnrichConfig, Enricher};
use crate::{
    enrich::sample::{container, host},
    event::{ContainerId, ExecEvent, MetadataState, Runtime},
};

const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A host with one container of Docker whose process 4711 is in mount namespace 7.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let config = json!({"Name": "/web", "Config": {"Image": "x/bb:1.2"}, "Image": "sha256:aa"});
        write(root, &format!("var/lib/docker/containers/{ID}/config.v2.json"), &config.to_string());
        write(root, &format!("var/lib/docker/containers/{ID}/hostconfig.json"), r#"{"NetworkMode": "none"}"#);
        let list = json!({"Repositories": {"x/bb": {"x/bb:1.2": "sha256:aa"}}});
        write(root, "var/lib/docker/image/overlay2/repositories.json", &list.to_string());
        write(root, "etc/passwd", "alice:x:1000:1000::/home/alice:/bin/zsh\n");
        write(root, "c/etc/passwd", "web:x:1000:33::/var/www:/bin/sh\n");
        write(root, "c/etc/group", "www:x:33:\n");
        fs::create_dir_all(root.join("proc/4711/ns")).unwrap();
        symlink("mnt:[7]", root.join("proc/4711/ns/mnt")).unwrap();
        symlink(root.join("c"), root.join("proc/4711/root")).unwrap();
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn enricher(&self, change: impl FnOnce(&mut EnrichConfig)) -> Enricher {
        let mut config = EnrichConfig::below(self.folder.path());
        // A limit for failures: nothing here takes that long.
        config.wait = Duration::from_secs(20);
        change(&mut config);
        Enricher::new(config).unwrap()
    }
}

fn event(path: &str) -> ExecEvent {
    let mut event = container(7, path);
    (event.credentials.euid, event.credentials.egid) = (1000, 33);
    event.credentials.inner = Some((1000, 33));
    event
}

fn user(event: &ExecEvent) -> Option<&[u8]> {
    event.names.user.as_ref().map(|user| user.name.as_slice())
}

async fn through(enricher: &mut Enricher, event: ExecEvent) -> ExecEvent {
    match enricher.offer(event) {
        Some(event) => event,
        None => enricher.next().await,
    }
}

#[tokio::test]
async fn a_container_gets_metadata_and_names_and_the_next_event_need_not_wait() {
    let world = World::new();
    let mut enricher = world.enricher(|_| ());
    let first = through(&mut enricher, event(&format!("/docker/{ID}"))).await;
    assert_eq!(first.container.id, ContainerId::named(ID, Runtime::Docker));
    assert_eq!(first.container.metadata.state, MetadataState::Complete);
    assert_eq!(first.container.facts().unwrap().name.as_deref(), Some("web"));
    assert_eq!((user(&first), first.names.group.as_deref()), (Some(&b"web"[..]), Some(&b"www"[..])));
    assert_eq!((enricher.stats().held, enricher.stats().complete), (1, 1));
    // Everything is gone, and still known.
    fs::remove_dir_all(world.path("var")).unwrap();
    fs::remove_dir_all(world.path("proc")).unwrap();
    let again = enricher.offer(event(&format!("/docker/{ID}"))).expect("it is known at once");
    assert_eq!(again.container.metadata, first.container.metadata);
    assert_eq!(user(&again), Some(&b"web"[..]));
    assert_eq!(enricher.waiting(), 0);
}

#[tokio::test]
async fn a_process_of_the_host_has_names_and_no_container() {
    let world = World::new();
    let mut enricher = world.enricher(|_| ());
    let mut on_host = host();
    on_host.credentials.inner = Some((1000, 1000));
    let event = through(&mut enricher, on_host).await;
    assert_eq!(event.container.id, ContainerId::Host);
    assert_eq!(event.container.metadata.state, MetadataState::Complete);
    assert_eq!(user(&event), Some(&b"alice"[..]));
    assert_eq!((enricher.stats().complete, enricher.stats().partial.len()), (0, 0), "only containers count");
}

#[tokio::test]
async fn a_hidden_process_gets_the_container_of_its_namespaces() {
    let world = World::new();
    let mut enricher = world.enricher(|_| ());
    let _ = through(&mut enricher, event(&format!("/docker/{ID}"))).await;
    let hidden = through(&mut enricher, event("/innocent")).await;
    assert_eq!(hidden.container.id, ContainerId::named(ID, Runtime::Docker));
    assert_eq!(hidden.container.facts().unwrap().name.as_deref(), Some("web"));
}

#[tokio::test]
async fn what_nobody_knows_comes_out_and_says_so() {
    let world = World::new();
    let mut enricher = world.enricher(|_| ());
    let unnamed = through(&mut enricher, event("/")).await;
    assert_eq!(unnamed.container.id, ContainerId::Namespace(7));
    assert_eq!(unnamed.container.metadata.state.to_string(), "partial:unnamed");
    let unknown = through(&mut enricher, event(&format!("/docker/{}", ID.replace('3', "4")))).await;
    assert_eq!(unknown.container.metadata.state.to_string(), "partial:not_found");
    let partial = enricher.stats().partial;
    assert_eq!((partial["unnamed"], partial["not_found"]), (1, 1));
}

#[tokio::test]
async fn without_room_an_event_goes_on_and_is_counted() {
    let world = World::new();
    let mut enricher = world.enricher(|config| config.room = 1);
    assert!(enricher.offer(event(&format!("/docker/{ID}"))).is_none());
    let second = ExecEvent { credentials: event("/").credentials, ..container(8, "/") };
    let second = enricher.offer(second).expect("there is no room");
    assert_eq!(second.container.metadata.state.to_string(), "partial:overflow");
    assert_eq!(user(&second), None);
    assert_eq!(enricher.stats().partial["overflow"], 1);
    assert_eq!(enricher.next().await.container.metadata.state, MetadataState::Complete);
}

#[tokio::test]
async fn a_file_system_that_hangs_costs_the_bound_and_the_rest_is_there() {
    let world = World::new();
    // The lookups never answer: all threads are taken by jobs that hang, as on a FUSE file system whose server sleeps.
    let mut enricher = world.enricher(|config| config.wait = Duration::from_secs(2));
    let (_keep, hang) = std::sync::mpsc::channel::<()>();
    let hang = std::sync::Arc::new(std::sync::Mutex::new(hang));
    for _ in 0..super::INSIDE_THREADS_AT_MOST {
        let hang = std::sync::Arc::clone(&hang);
        enricher.inside_threads.try_run(move || drop(hang.lock().map(|hang| hang.recv()))).unwrap();
    }
    let late = through(&mut enricher, event(&format!("/docker/{ID}"))).await;
    assert_eq!(user(&late), None);
    assert_eq!(late.container.facts().unwrap().name.as_deref(), Some("web"), "other threads read this");
    assert_eq!(late.container.metadata.state, MetadataState::Complete);
    assert_eq!(enricher.stats().troubles["users_late"], 1);
}

#[tokio::test]
async fn a_container_that_hangs_holds_up_no_other_and_in_the_end_not_even_itself() {
    let world = World::new();
    let mut enricher = world.enricher(|config| config.wait = Duration::from_millis(300));
    let docker = || event(&format!("/docker/{ID}"));
    // Its lookup has been begun and does not end.
    let judgement = enricher.identifier.recognise(&docker());
    let first = enricher.holder.hold(
        super::Key::of(&docker(), &judgement.id),
        super::Released {
            event: docker(),
            found: None,
            users: None,
            examined: None,
            late: super::Wanted::default(),
        },
    );
    let question = super::Question {
        ticket: first.unwrap(),
        event: Box::new(docker()),
        judgement,
        pin: None,
        wanted: super::Wanted::default(),
    };
    let owner = super::Owner::of(&docker());
    let _ = enricher.shared.turns.join(owner, question);
    let _hangs = enricher.shared.turns.take(owner);
    let mut on_host = host();
    on_host.credentials.inner = Some((1000, 1000));
    assert!(enricher.offer(docker()).is_none());
    assert!(enricher.offer(on_host).is_none());
    assert_eq!(user(&enricher.next().await), Some(&b"alice"[..]), "the host's does not wait for it");
    while enricher.waiting() > 0 {
        let _ = enricher.next().await;
    }
    assert_eq!(enricher.stats().troubles["users_late"], 1);
    let later = enricher.offer(docker()).expect("it does not wait again for what hangs");
    assert_eq!((user(&later), enricher.stats().troubles["lookup_refused"]), (None, 1));
    assert_eq!(later.container.metadata.state, MetadataState::Complete);
}

#[tokio::test]
async fn events_of_one_container_keep_their_order_also_when_the_later_has_all_it_needs() {
    let world = World::new();
    let mut enricher = world.enricher(|_| ());
    let mut numbers = Vec::new();
    for number in 0..40 {
        // Some wait for names that nobody has read yet, some for none at all.
        let mut event = ExecEvent { number, ..event(&format!("/docker/{ID}")) };
        if number % 2 == 1 {
            event.credentials.inner = None;
            event.credentials.user_ns_level = 1;
        }
        numbers.extend(enricher.offer(event).map(|event| event.number));
        tokio::task::yield_now().await;
    }
    while enricher.waiting() > 0 {
        numbers.push(enricher.next().await.number);
    }
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn all_events_come_out_once() {
    let world = World::new();
    let mut enricher = world.enricher(|config| config.room = 64);
    let mut numbers = Vec::new();
    for number in 0..200 {
        let path = format!("/docker/{ID}{}", if number % 3 == 0 { "" } else { "/sub" });
        if let Some(event) = enricher.offer(ExecEvent { number, ..event(&path) }) {
            numbers.push(event.number);
        }
    }
    while enricher.waiting() > 0 {
        numbers.push(enricher.next().await.number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn labels_of_a_megabyte_are_left_out_and_counted() {
    let world = World::new();
    let labels = json!({"giant": "x".repeat(1 << 20), "app": "shop"});
    let config =
        json!({"Name": "/web", "Config": {"Image": "x/bb:1.2", "Labels": labels}, "Image": "sha256:aa"});
    let path = format!("var/lib/docker/containers/{ID}/config.v2.json");
    write(world.folder.path(), &path, &config.to_string());
    let mut enricher = world.enricher(|_| ());
    let event = through(&mut enricher, event(&format!("/docker/{ID}"))).await;
    let facts = event.container.facts().unwrap();
    assert_eq!((facts.labels.as_ref().unwrap().len(), facts.cut_labels), (1, 1));
    assert_eq!(enricher.stats().troubles["labels_cut"], 1);
}
