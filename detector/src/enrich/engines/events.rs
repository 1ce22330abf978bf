//! What engines tell by themselves when containers start or change: Docker and Podman as lines of JSON, containerd (also
//! under Kubernetes) and CRI-O as messages of gRPC. Only a few kinds of events are asked for: health checks would otherwise wake
//! the agent all day.

use std::path::Path;

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message;
use serde::Deserialize;

use super::socket::{EngineError, GRPC_PREFIX, Stream, stream_call, stream_get};

/// Bytes of one event that are read.
const EVENT_BYTES: usize = 1 << 20;

/// How an engine speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::enrich) enum Dialect {
    Docker,
    Podman,
    Containerd,
    /// Kubernetes' interface, for runtimes that have no other.
    Cri,
}

/// A container that started, or of which something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::enrich) struct News {
    pub(in crate::enrich) id: String,
    /// containerd: its namespace.
    pub(in crate::enrich) namespace: Option<String>,
    /// Its first process, where the event tells.
    pub(in crate::enrich) pid: Option<u32>,
}

/// Kinds of container events that are asked for. `{"event":[...],"type":["container","network"]}`, as a query.
const DOCKER_QUERY: &str = "filters=%7B%22event%22%3A%5B%22create%22%2C%22start%22%2C%22restart%22%2C%22rename%22%2C\
    %22update%22%2C%22connect%22%2C%22disconnect%22%5D%2C%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D";
const PODMAN_QUERY: &str = "stream=true&filters=%7B%22event%22%3A%5B%22start%22%2C%22restart%22%2C%22rename%22%5D%2C\
    %22type%22%3A%5B%22container%22%5D%7D";
/// Made comes before the container's first exec.
const CONTAINERD_TOPICS: [&str; 3] =
    [r#"topic=="/tasks/create""#, r#"topic=="/tasks/start""#, r#"topic=="/containers/update""#];

#[derive(Clone, PartialEq, Message)]
struct SubscribeRequest {
    #[prost(string, repeated, tag = "1")]
    filters: Vec<String>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `containerd.services.events.v1.Envelope`
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(string, tag = "3")]
    topic: String,
    #[prost(message, optional, tag = "4")]
    event: Option<Any>,
}

/// `containerd.events.TaskCreate`
#[derive(Clone, PartialEq, Message)]
struct TaskCreate {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(uint32, tag = "6")]
    pid: u32,
}

/// `containerd.events.TaskStart`
#[derive(Clone, PartialEq, Message)]
struct TaskStart {
    #[prost(string, tag = "1")]
    container_id: String,
    #[prost(uint32, tag = "2")]
    pid: u32,
}

/// `runtime.v1.GetEventsRequest`
#[derive(Clone, PartialEq, Message)]
struct GetEventsRequest {}

/// `runtime.v1.ContainerEventResponse`
#[derive(Clone, PartialEq, Message)]
struct ContainerEvent {
    #[prost(string, tag = "1")]
    container_id: String,
    /// 0 created, 1 started, 2 stopped, 3 deleted.
    #[prost(int32, tag = "2")]
    kind: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DockerEvent {
    #[serde(rename = "Type")]
    kind: String,
    id: String,
    #[serde(rename = "Actor")]
    actor: Actor,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes")]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    /// Of events of networks.
    container: String,
}

/// Events as they come.
pub(in crate::enrich) struct Events {
    dialect: Dialect,
    stream: Stream,
    bytes: BytesMut,
}

impl Events {
    /// Asks an engine to tell.
    pub(in crate::enrich) async fn of(socket: &Path, dialect: Dialect) -> Result<Self, EngineError> {
        let stream = match dialect {
            Dialect::Docker => stream_get(socket, &format!("/events?{DOCKER_QUERY}")).await?,
            Dialect::Podman => stream_get(socket, &format!("/v4.0.0/libpod/events?{PODMAN_QUERY}")).await?,
            Dialect::Containerd => {
                let ask = SubscribeRequest { filters: CONTAINERD_TOPICS.map(str::to_owned).to_vec() };
                stream_call(socket, "/containerd.services.events.v1.Events/Subscribe", &ask).await?
            }
            Dialect::Cri => {
                let method = "/runtime.v1.RuntimeService/GetContainerEvents";
                stream_call(socket, method, &GetEventsRequest {}).await?
            }
        };
        Ok(Self { dialect, stream, bytes: BytesMut::new() })
    }

    /// The next of interest; an error is the end.
    pub(in crate::enrich) async fn next(&mut self) -> Result<News, EngineError> {
        loop {
            let taken = match self.dialect {
                Dialect::Docker | Dialect::Podman => take_line(&mut self.bytes)?,
                Dialect::Containerd => take_message(&mut self.bytes, of_containerd)?,
                Dialect::Cri => take_message(&mut self.bytes, of_cri)?,
            };
            match taken {
                Taken::News(news) => return Ok(news),
                Taken::Other => {}
                Taken::More => {
                    let frame = frame(&mut self.stream.body).await?;
                    self.bytes.extend_from_slice(&frame);
                }
            }
        }
    }
}

async fn frame(body: &mut Incoming) -> Result<bytes::Bytes, EngineError> {
    loop {
        let ended = || EngineError::Garbage("the stream has ended".to_owned());
        let frame = body.frame().await.ok_or_else(ended)??;
        if let Ok(data) = frame.into_data() {
            return Ok(data);
        }
    }
}

/// What was taken from the bytes so far.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    News(News),
    /// Something that is of no interest.
    Other,
    /// Nothing: more bytes are needed.
    More,
}

fn take_line(bytes: &mut BytesMut) -> Result<Taken, EngineError> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() > EVENT_BYTES { Err(EngineError::TooLarge) } else { Ok(Taken::More) };
    };
    let line = bytes.split_to(end + 1);
    if line.trim_ascii().is_empty() {
        return Ok(Taken::Other);
    }
    let event: DockerEvent =
        serde_json::from_slice(&line).map_err(|error| EngineError::Garbage(error.to_string()))?;
    let id = match event.kind.as_str() {
        "network" => event.actor.attributes.container,
        _ if event.actor.id.is_empty() => event.id,
        _ => event.actor.id,
    };
    Ok(if id.is_empty() { Taken::Other } else { Taken::News(News { id, namespace: None, pid: None }) })
}

fn take_message(
    bytes: &mut BytesMut,
    read: impl Fn(&[u8]) -> Result<Taken, prost::DecodeError>,
) -> Result<Taken, EngineError> {
    let Some(prefix) = bytes.first_chunk::<GRPC_PREFIX>() else { return Ok(Taken::More) };
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if prefix[0] != 0 || length > EVENT_BYTES {
        return Err(EngineError::TooLarge);
    }
    if bytes.len() < GRPC_PREFIX + length {
        return Ok(Taken::More);
    }
    bytes.advance(GRPC_PREFIX);
    let message = bytes.split_to(length);
    read(&message).map_err(|error| EngineError::Garbage(error.to_string()))
}

fn of_containerd(message: &[u8]) -> Result<Taken, prost::DecodeError> {
    let envelope = Envelope::decode(message)?;
    let Some(event) = envelope.event else { return Ok(Taken::Other) };
    let (id, pid) = match envelope.topic.as_str() {
        "/tasks/create" => {
            let task = TaskCreate::decode(event.value.as_slice())?;
            (task.container_id, task.pid)
        }
        "/tasks/start" => {
            let task = TaskStart::decode(event.value.as_slice())?;
            (task.container_id, task.pid)
        }
        // Its id has the same number in all events of containers.
        "/containers/update" => (TaskStart::decode(event.value.as_slice())?.container_id, 0),
        _ => return Ok(Taken::Other),
    };
    if id.is_empty() {
        return Ok(Taken::Other);
    }
    Ok(Taken::News(News { id, namespace: Some(envelope.namespace), pid: Some(pid).filter(|pid| *pid > 0) }))
}

fn of_cri(message: &[u8]) -> Result<Taken, prost::DecodeError> {
    let event = ContainerEvent::decode(message)?;
    // Of one that stopped nothing is read: it is what it was.
    let lives = matches!(event.kind, 0 | 1) && !event.container_id.is_empty();
    Ok(if lives {
        Taken::News(News { id: event.container_id, namespace: None, pid: None })
    } else {
        Taken::Other
    })
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, BytesMut};
    use prost::Message as _;

    use super::{
        Any, ContainerEvent, EVENT_BYTES, EngineError, Envelope, News, Taken, TaskCreate, TaskStart,
        of_containerd, of_cri, take_line,
    };

    fn take_message(bytes: &mut BytesMut) -> Result<Taken, EngineError> {
        super::take_message(bytes, of_containerd)
    }

    fn news(id: &str, namespace: Option<&str>, pid: Option<u32>) -> Taken {
        Taken::News(News { id: id.into(), namespace: namespace.map(str::to_owned), pid })
    }

    fn line(text: &str) -> Result<Taken, String> {
        take_line(&mut BytesMut::from(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_of_docker_and_podman_are_read() {
        let docker =
            r#"{"status":"start","id":"abc","Type":"container","Action":"start","Actor":{"ID":"abc"}}"#;
        assert_eq!(line(&format!("{docker}\n")), Ok(news("abc", None, None)));
        let network =
            r#"{"Type":"network","Action":"connect","Actor":{"ID":"n","Attributes":{"container":"abc"}}}"#;
        assert_eq!(line(&format!("{network}\n")), Ok(news("abc", None, None)));
        assert_eq!(line("{\"Type\":\"container\",\"id\":\"abc\"}\n"), Ok(news("abc", None, None)));
        assert_eq!(line("{}\n"), Ok(Taken::Other));
        assert_eq!(line("\r\n"), Ok(Taken::Other));
        assert_eq!(line(docker), Ok(Taken::More), "no end yet");
        assert!(line("[{\n").is_err());
        assert!(line(&"x".repeat(EVENT_BYTES + 1)).is_err(), "a line without end");
    }

    fn message(topic: &str, event: Vec<u8>) -> BytesMut {
        let event = Some(Any { value: event });
        framed(&Envelope { namespace: "k8s.io".into(), topic: topic.into(), event }.encode_to_vec())
    }

    fn framed(message: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(message.len()).unwrap());
        bytes.extend_from_slice(message);
        bytes
    }

    #[test]
    fn messages_of_containerd_are_read() {
        let created = TaskCreate { container_id: "abc".into(), pid: 71 }.encode_to_vec();
        let started = TaskStart { container_id: "abc".into(), pid: 71 }.encode_to_vec();
        let mut bytes = message("/tasks/create", created);
        bytes.extend_from_slice(&message("/tasks/start", started.clone()));
        bytes.extend_from_slice(&message("/containers/update", started.clone()));
        bytes.extend_from_slice(&message("/images/create", started));
        for want in [
            news("abc", Some("k8s.io"), Some(71)),
            news("abc", Some("k8s.io"), Some(71)),
            news("abc", Some("k8s.io"), None),
            Taken::Other,
            Taken::More,
        ] {
            assert_eq!(take_message(&mut bytes).unwrap(), want);
        }
    }

    #[test]
    fn messages_of_cri_o_are_read() {
        let mut bytes = BytesMut::new();
        for kind in 0..4 {
            let event = ContainerEvent { container_id: "abc".into(), kind };
            bytes.extend_from_slice(&framed(&event.encode_to_vec()));
        }
        bytes.extend_from_slice(&framed(&[]));
        // Made and started; not stopped, not deleted; nothing.
        for want in [
            news("abc", None, None),
            news("abc", None, None),
            Taken::Other,
            Taken::Other,
            Taken::Other,
            Taken::More,
        ] {
            assert_eq!(super::take_message(&mut bytes, of_cri).unwrap(), want);
        }
        assert!(super::take_message(&mut framed(&[0x0a, 0x7f]), of_cri).is_err());
    }

    #[test]
    fn messages_that_make_no_sense_are_errors() {
        assert!(take_message(&mut BytesMut::from(&b"\x00\x7f\xff\xff\xff"[..])).is_err(), "giant");
        assert!(take_message(&mut BytesMut::from(&b"\x01\x00\x00\x00\x00"[..])).is_err(), "compressed");
        assert!(take_message(&mut BytesMut::from(&b"\x00\x00\x00\x00\x02\xff\xff"[..])).is_err());
        assert!(take_message(&mut message("/tasks/start", vec![0xff; 7])).is_err());
        assert_eq!(take_message(&mut BytesMut::from(&b"\x00\x00"[..])).unwrap(), Taken::More);
    }
}
