//! Asking engines that answer, hang, talk nonsense or are not there.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    time::Instant,
};

use super::{EngineSockets, Engines, REST, socket::PATIENCE};
use crate::{
    enrich::{
        disk::{Found, Route},
        trouble::{Trouble, Troubles},
    },
    event::{ContainerId, ContainerMetadata, MetadataState, MissingReason, Runtime},
};

const ID: &str = "3b2c1d4e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff001";

/// A socket that answers each question by its path, or hangs; counts the questions.
fn server(path: &Path, answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(path).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, answer) = (Arc::clone(&asked), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut question = vec![0; 4096];
                let length = stream.read(&mut question).await.unwrap();
                let question = String::from_utf8_lossy(&question[..length]).into_owned();
                let path = question.split(' ').nth(1).unwrap_or_default();
                match answer(path) {
                    Some(body) => {
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                        stream.write_all((head + &body).as_bytes()).await.unwrap();
                    }
                    None => tokio::time::sleep(Duration::from_secs(3600)).await,
                }
            });
        }
    });
    asked
}

struct World {
    folder: tempfile::TempDir,
    engines: Engines,
    troubles: Arc<Troubles>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("run/podman")).unwrap();
        let troubles = Arc::<Troubles>::default();
        let engines = Engines::new(EngineSockets::below(folder.path()), Arc::clone(&troubles));
        Self { folder, engines, troubles }
    }

    fn docker(&self) -> PathBuf {
        self.folder.path().join("run/docker.sock")
    }
}

/// What the disk tells of a container of Docker before its network is there.
fn found(runtime: Runtime) -> Found {
    let mut facts = ContainerMetadata::new(ID, runtime);
    facts.name = Some("of the disk".into());
    let id = ContainerId::named(ID, runtime);
    Found { id, facts: Some(Arc::new(facts)), why: MissingReason::Source, route: None }
}

fn docker_answer(path: &str) -> Option<String> {
    if path == format!("/containers/{ID}/json") {
        let rest = r#""Config": {"Image": "x/bb:1"}, "NetworkSettings": {"IPAddress": "172.17.0.2"}}"#;
        return Some(format!(r#"{{"Id": "{ID}", "Name": "/web", "Image": "sha256:aa", {rest}"#));
    }
    (path == "/images/sha256:aa/json").then(|| r#"{"RepoDigests": ["x/bb@sha256:dd"]}"#.to_owned())
}

#[tokio::test]
async fn an_engine_fills_what_the_disk_does_not_have() {
    let world = World::new();
    server(&world.docker(), docker_answer);
    let completed = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!(completed.state(), MetadataState::Complete);
    let facts = completed.facts.unwrap();
    assert_eq!((facts.ip.as_deref(), facts.name.as_deref()), (Some("172.17.0.2"), Some("web")));
    assert_eq!(facts.image_digest.as_deref(), Some("sha256:dd"));
}

#[tokio::test]
async fn what_is_not_there_changes_nothing() {
    let world = World::new();
    for runtime in [Runtime::Docker, Runtime::Podman, Runtime::Containerd, Runtime::CriO, Runtime::Lxc] {
        let before = found(runtime);
        assert_eq!(world.engines.complete(before.clone()).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_hangs_is_asked_once_and_then_left_alone_for_a_while() {
    let world = World::new();
    let asked = server(&world.docker(), |_| None);
    let start = Instant::now();
    let first = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!(first.why, MissingReason::Unreadable);
    assert_eq!(first.facts.unwrap().name.as_deref(), Some("of the disk"));
    assert!(start.elapsed() >= PATIENCE);
    let start = Instant::now();
    let second = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!((second.why, start.elapsed()), (MissingReason::Unreadable, Duration::ZERO));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(REST).await;
    let _ = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(world.troubles.of(Trouble::EngineSilent), 3);
}

#[tokio::test]
async fn nonsense_is_named_as_the_reason() {
    let world = World::new();
    server(&world.docker(), |_| Some("[{".to_owned()));
    let completed = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!(completed.why, MissingReason::Garbage);
    assert!(completed.state().to_string().starts_with("partial:garbage:"));
    assert_eq!(world.troubles.of(Trouble::EngineGarbage), 1);
}

#[tokio::test]
async fn a_socket_that_was_replaced_is_the_new_one() {
    let world = World::new();
    std::fs::write(world.docker(), "no socket at all").unwrap();
    assert_eq!(world.engines.complete(found(Runtime::Docker)).await.facts, found(Runtime::Docker).facts);
    assert_eq!(world.troubles.of(Trouble::EngineRefused), 1);
    std::fs::remove_file(world.docker()).unwrap();
    server(&world.docker(), docker_answer);
    let completed = world.engines.complete(found(Runtime::Docker)).await;
    assert_eq!(completed.facts.unwrap().name.as_deref(), Some("web"));
}

#[tokio::test]
async fn labels_of_a_megabyte_are_left_out() {
    let world = World::new();
    server(&world.docker(), |path| {
        let labels = format!("{{\"giant\": \"{}\", \"app\": \"shop\"}}", "x".repeat(1 << 20));
        docker_answer(path)
            .map(|text| text.replace("\"Image\": \"x/bb:1\"", &format!("\"Labels\": {labels}")))
    });
    let facts = world.engines.complete(found(Runtime::Docker)).await.facts.unwrap();
    assert_eq!((facts.labels.as_ref().unwrap().len(), facts.cut_labels), (1, 1));
    assert_eq!(facts.labels.as_ref().unwrap()["app"], "shop");
}

/// A service of the Podman of user 1000 that knows the container.
fn podman_of_1000(world: &World) {
    let folder = world.folder.path().join("run/user/1000/podman");
    std::fs::create_dir_all(&folder).unwrap();
    server(&folder.join("podman.sock"), |path| {
        (path == format!("/v4.0.0/libpod/containers/{ID}/json")).then(|| {
            let state = r#""State": {"Pid": 71}"#;
            format!(
                r#"{{"Id": "{ID}", "Name": "pweb", "Image": "aa", "ImageName": "localhost/y/bb:2", {state}}}"#
            )
        })
    });
}

#[tokio::test]
async fn a_service_of_rootless_podman_is_asked_about_its_users_containers() {
    let world = World::new();
    podman_of_1000(&world);
    let found = Found { route: Some(Route::User(1000)), ..found(Runtime::Podman) };
    let facts = world.engines.complete(found).await.facts.unwrap();
    assert_eq!((facts.name.as_deref(), facts.image_tag.as_deref()), (Some("pweb"), Some("2")));
    assert_eq!(world.engines.first_process_of(1000, ID).await, Some(71));
    assert_eq!(world.engines.first_process_of(1000, "../x").await, None);
}

#[tokio::test]
async fn a_users_service_is_not_believed_about_containers_of_others() {
    let world = World::new();
    podman_of_1000(&world);
    for route in [None, Some(Route::User(1001))] {
        let found = Found { route, ..found(Runtime::Podman) };
        assert_eq!(world.engines.complete(found.clone()).await, found);
    }
}
