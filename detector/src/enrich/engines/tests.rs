//! Asking engines that answer, hang, talk nonsense or are not there.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
    time::Instant,
};

use super::{
    EngineSockets, Engines, REST,
    cri_messages::{
        ContainerName, ContainerStatus, ContainerStatusResponse, ImageSpec, PodName, PodNetwork,
        PodSandboxStatus, PodSandboxStatusResponse, VersionResponse,
    },
    socket::PATIENCE,
};
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

/// A runtime of Kubernetes that answers each method with this message, and does not know others.
fn runtime_of_kubernetes(path: &Path, answers: Vec<(&'static str, Vec<u8>)>) {
    let listener = UnixListener::bind(path).unwrap();
    let answers = Arc::new(answers);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = Arc::clone(&answers);
            let service = hyper::service::service_fn(move |question: hyper::Request<_>| {
                let _: &hyper::body::Incoming = question.body();
                let method = question.uri().path().rsplit('/').next().unwrap_or_default();
                let answer = answers.iter().find(|(name, _)| *name == method);
                let (status, message) = answer.map_or(("12", &[][..]), |(_, message)| ("0", message));
                let mut bytes = vec![0];
                bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
                bytes.extend_from_slice(message);
                let trailers = hyper::HeaderMap::from_iter([(
                    hyper::header::HeaderName::from_static("grpc-status"),
                    hyper::header::HeaderValue::from_static(status),
                )]);
                let body = Full::<bytes::Bytes>::from(bytes).with_trailers(async { Some(Ok(trailers)) });
                async { Ok::<_, std::convert::Infallible>(hyper::Response::new(body)) }
            });
            let server = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
            tokio::spawn(server.serve_connection(hyper_util::rt::TokioIo::new(stream), service));
        }
    });
}

#[tokio::test]
async fn cri_o_answers_at_its_usual_socket() {
    let world = World::new();
    let image = "f9263c105f39c3577b434fbc8358114ccd6f389f90042788f5a9e606842fdab9";
    let labels = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let container = ContainerStatus {
        id: ID.into(),
        metadata: Some(ContainerName { name: "web".into() }),
        created_at: 5,
        started_at: 7,
        image: Some(ImageSpec { image: "quay.io/a/b:2".into(), ..ImageSpec::default() }),
        image_ref: "quay.io/a/b@sha256:dd".into(),
        labels: labels(&[("app", "shop")]),
        mounts: Vec::new(),
        image_id: image.into(),
    };
    let info = r#"{"sandboxID": "sand", "pid": 71, "privileged": true, "runtimeSpec": {"linux": {}}}"#;
    let container = ContainerStatusResponse { status: Some(container), info: labels(&[("info", info)]) };
    let sandbox = PodSandboxStatus {
        id: "sand".into(),
        metadata: Some(PodName { name: "web-1".into(), uid: "u-1".into(), namespace: "shop".into() }),
        network: Some(PodNetwork { ip: "192.0.2.7".into() }),
        labels: labels(&[("tier", "front")]),
    };
    let sandbox = PodSandboxStatusResponse { status: Some(sandbox), info: labels(&[]) };
    std::fs::create_dir_all(world.folder.path().join("run/crio")).unwrap();
    runtime_of_kubernetes(
        &world.folder.path().join("run/crio/crio.sock"),
        vec![
            ("Version", VersionResponse { runtime_name: "cri-o".into() }.encode_to_vec()),
            ("ContainerStatus", container.encode_to_vec()),
            ("PodSandboxStatus", sandbox.encode_to_vec()),
        ],
    );
    // All that is known before is what its cgroup is called.
    let id = ContainerId::named(ID, Runtime::CriO);
    let found = Found { id: id.clone(), facts: None, why: MissingReason::NotFound, route: None };
    let completed = world.engines.complete(found).await;
    assert_eq!((&completed.id, completed.state()), (&id, MetadataState::Complete));
    let facts = completed.facts.unwrap();
    assert_eq!(
        (facts.name.as_deref(), facts.image_repository.as_deref()),
        (Some("web"), Some("quay.io/a/b"))
    );
    assert_eq!((facts.image_tag.as_deref(), facts.image_id.as_deref()), (Some("2"), Some(image)));
    assert_eq!((facts.image_digest.as_deref(), facts.privileged), (Some("sha256:dd"), Some(true)));
    assert_eq!((facts.ip.as_deref(), facts.started_ns), (Some("192.0.2.7"), Some(7)));
    let pod = facts.pod.as_ref().unwrap();
    assert_eq!((pod.name.as_deref(), pod.namespace.as_deref()), (Some("web-1"), Some("shop")));
    assert_eq!((pod.uid.as_deref(), pod.sandbox_id.as_deref()), (Some("u-1"), Some("sand")));
}
