//! A Kubernetes pod without Kubernetes: the calls that a kubelet makes, over a runtime's socket. The numbers of the
//! messages' fields are those of `runtime.v1`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;

use crate::engine::cgroup_hierarchies;
use crate::process::DEADLINE;

/// `NamespaceMode.NODE`: a network of its own would need network plugins.
const NODE: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxSandbox {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security_context: Option<SandboxSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(btree_map = "string, string", tag = "6")]
    labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxSandbox>,
}

#[derive(Clone, PartialEq, Message)]
struct RunSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<SandboxConfig>,
}

/// A request or an answer that is one id.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Empty {}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "3")]
    namespace_options: Option<NamespaceOption>,
}

#[derive(Clone, PartialEq, Message)]
struct LinuxContainer {
    #[prost(message, optional, tag = "2")]
    security_context: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Id>,
    #[prost(message, optional, tag = "2")]
    image: Option<Id>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(btree_map = "string, string", tag = "9")]
    labels: BTreeMap<String, String>,
    #[prost(message, optional, tag = "15")]
    linux: Option<LinuxContainer>,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    pod_sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<SandboxConfig>,
}

/// A running pod; stopped and removed on drop.
pub struct Pod {
    socket: PathBuf,
    sandbox: String,
    container: String,
    cgroup: String,
}

impl Pod {
    /// Makes the sandbox and one container, and starts it.
    #[track_caller]
    #[must_use]
    pub fn run(
        socket: &Path,
        name: &str,
        namespace: &str,
        container: &str,
        (image, command): (&str, &[&str]),
    ) -> Self {
        let metadata =
            Metadata { name: name.into(), uid: format!("uid-{name}"), namespace: namespace.into() };
        // Made by the kubelet, and removed by it.
        let cgroup = format!("/kubepods/pod{name}");
        let options = NamespaceOption { network: NODE, pid: 1 };
        let labels = |more: &[(&str, &str)]| {
            let kubelet = [
                ("io.kubernetes.pod.name", name),
                ("io.kubernetes.pod.namespace", namespace),
                ("app", "shop"),
            ];
            let all = kubelet.iter().chain(more);
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let sandbox_config = SandboxConfig {
            metadata: Some(metadata),
            labels: labels(&[]),
            linux: Some(LinuxSandbox {
                cgroup_parent: cgroup.clone(),
                security_context: Some(SandboxSecurity { namespace_options: Some(options.clone()) }),
            }),
        };
        let ask = RunSandbox { config: Some(sandbox_config.clone()) };
        let sandbox = call::<_, Id>(socket, "RunPodSandbox", &ask).id;
        let mut pod = Self { socket: socket.to_path_buf(), sandbox, container: String::new(), cgroup };
        let config = ContainerConfig {
            metadata: Some(Id { id: container.into() }),
            image: Some(Id { id: image.into() }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            labels: labels(&[("io.kubernetes.container.name", container)]),
            linux: Some(LinuxContainer {
                security_context: Some(ContainerSecurity { namespace_options: Some(options) }),
            }),
        };
        let ask = CreateContainer {
            pod_sandbox_id: pod.sandbox.clone(),
            config: Some(config),
            sandbox_config: Some(sandbox_config),
        };
        pod.container = call::<_, Id>(socket, "CreateContainer", &ask).id;
        let _: Empty = call(socket, "StartContainer", &Id { id: pod.container.clone() });
        pod
    }

    /// Id of the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> &str {
        &self.sandbox
    }

    /// Id of the container.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            if let Err(error) = try_call::<_, Empty>(&self.socket, method, &Id { id: self.sandbox.clone() }) {
                eprintln!("{method} of the pod {}: {error}", self.sandbox);
            }
        }
        for hierarchy in cgroup_hierarchies() {
            let _ = fs::remove_dir(hierarchy.join(self.cgroup.trim_start_matches('/')));
        }
    }
}

#[track_caller]
fn call<Q: Message, A: Message + Default>(socket: &Path, method: &str, question: &Q) -> A {
    match try_call(socket, method, question) {
        Ok(answer) => answer,
        Err(error) => panic!("{method}: {error}"),
    }
}

/// One call of gRPC.
fn try_call<Q: Message, A: Message + Default>(
    socket: &Path,
    method: &str,
    question: &Q,
) -> Result<A, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async {
        let stream = TokioIo::new(UnixStream::connect(socket).await?);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        let encoded = question.encode_to_vec();
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(encoded.len())?.to_be_bytes());
        body.extend_from_slice(&encoded);
        let request = Request::post(format!("http://localhost/runtime.v1.RuntimeService/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let headers = response.headers().clone();
        let collected = response.into_body().collect().await?;
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let status = trailers.get("grpc-status").or_else(|| headers.get("grpc-status"));
        if status.is_none_or(|status| status != "0") {
            return Err(format!(
                "{status:?} {:?}",
                trailers.get("grpc-message").or_else(|| headers.get("grpc-message"))
            )
            .into());
        }
        let bytes = collected.to_bytes();
        Ok(A::decode(bytes.get(5..).unwrap_or_default())?)
    };
    runtime.block_on(async { tokio::time::timeout(DEADLINE + Duration::from_secs(10), answer).await })?
}
