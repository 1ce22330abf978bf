//! One question over the unix socket of an engine, bounded in time and bytes. Each question has a connection of its own:
//! a daemon that was restarted, and a socket that was replaced, need no care.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::Incoming,
    client::conn::{http1, http2},
    header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, TE},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;

use crate::event::MissingReason;

/// Bytes of an answer that are read.
pub(super) const ANSWER_BYTES: usize = 8 << 20;
/// How long a whole question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Flags and length before a message of gRPC.
pub(super) const GRPC_PREFIX: usize = 5;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::enrich) enum EngineError {
    /// Nobody listens.
    #[error("cannot connect to {}: {source}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{} does not answer", .0.display())]
    Silent(PathBuf),
    /// It does not know the container.
    #[error("it knows no such container")]
    Unknown,
    /// It has no events to tell, by its version or its configuration.
    #[error("it does not tell events")]
    Mute,
    /// The answer is too long.
    #[error("the answer is longer than {ANSWER_BYTES} bytes")]
    TooLarge,
    /// The answer cannot be understood.
    #[error("the answer cannot be understood: {0}")]
    Garbage(String),
}

impl EngineError {
    /// What an alert says about it.
    pub(in crate::enrich) const fn reason(&self) -> MissingReason {
        match self {
            Self::Connect { .. } | Self::Silent(_) => MissingReason::Unreadable,
            Self::Unknown | Self::Mute => MissingReason::NotFound,
            Self::TooLarge => MissingReason::TooLarge,
            Self::Garbage(_) => MissingReason::Garbage,
        }
    }

    /// Whether there is no socket.
    pub(in crate::enrich) fn is_missing(&self) -> bool {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::Connect { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
    }

    /// Whether there is no engine, or it does not have the container: others may.
    pub(super) fn is_absence(&self) -> bool {
        use std::io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
        match self {
            Self::Unknown => true,
            Self::Connect { source, .. } => {
                matches!(source.kind(), NotFound | ConnectionRefused | NotADirectory)
            }
            _ => false,
        }
    }

    /// Whether the engine itself is in trouble, and should be left alone for a while.
    pub(super) const fn is_trouble(&self) -> bool {
        !matches!(self, Self::Unknown | Self::Mute | Self::Connect { .. })
    }
}

impl From<hyper::Error> for EngineError {
    fn from(error: hyper::Error) -> Self {
        Self::Garbage(error.to_string())
    }
}

async fn bounded<T>(
    socket: &Path,
    question: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let answer = tokio::time::timeout(PATIENCE, question).await;
    answer.unwrap_or_else(|_| Err(EngineError::Silent(socket.to_path_buf())))
}

async fn connect(socket: &Path) -> Result<TokioIo<UnixStream>, EngineError> {
    let stream = UnixStream::connect(socket).await;
    stream.map(TokioIo::new).map_err(|source| EngineError::Connect { socket: socket.to_path_buf(), source })
}

async fn read(body: Incoming) -> Result<(Bytes, HeaderMap), EngineError> {
    let collected = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            EngineError::TooLarge
        } else {
            EngineError::Garbage(error.to_string())
        }
    })?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok((collected.to_bytes(), trailers))
}

/// `GET path` of an engine that speaks HTTP; the answer must be JSON.
pub(super) async fn get<T: for<'a> serde::Deserialize<'a>>(
    socket: &Path,
    path: &str,
) -> Result<T, EngineError> {
    bounded(socket, async {
        let (mut sender, connection) = http1::handshake(connect(socket).await?).await?;
        // Ends with the question: dropping the sender closes the connection.
        let connection = AbortOnDrop(tokio::spawn(connection));
        let request = Request::get(path)
            .header(HOST, "localhost")
            .body(Full::<Bytes>::default())
            .map_err(|error| EngineError::Garbage(error.to_string()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let (bytes, _) = read(response.into_body()).await?;
        drop(connection);
        match status {
            StatusCode::OK => {
                serde_json::from_slice(&bytes).map_err(|error| EngineError::Garbage(error.to_string()))
            }
            StatusCode::NOT_FOUND => Err(EngineError::Unknown),
            other => Err(EngineError::Garbage(format!("status {other}"))),
        }
    })
    .await
}

/// Ends a connection's task when the question is given up.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One call of gRPC with one message each way. `namespace`: containerd's.
pub(super) async fn call<Q: Message, A: Message + Default>(
    socket: &Path,
    method: &str,
    namespace: Option<&str>,
    question: &Q,
) -> Result<A, EngineError> {
    bounded(socket, async {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), connect(socket).await?).await?;
        let connection = AbortOnDrop(tokio::spawn(connection));
        let mut request = Request::post(format!("http://localhost{method}"))
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(Full::new(frame(question)))
            .map_err(|error| EngineError::Garbage(error.to_string()))?;
        if let Some(value) = namespace.and_then(|name| HeaderValue::from_str(name).ok()) {
            request.headers_mut().insert("containerd-namespace", value);
        }
        let response = sender.send_request(request).await?;
        let headers = response.headers().clone();
        let (bytes, trailers) = read(response.into_body()).await?;
        drop(connection);
        // The status stands in the trailers, or in the headers when there is nothing else.
        let status = trailers.get("grpc-status").or_else(|| headers.get("grpc-status"));
        match status.and_then(|status| status.to_str().ok()) {
            Some("0") => {}
            // NOT_FOUND. UNKNOWN is what containerd's CRI answers for ids that it does not have.
            Some("5" | "2") => return Err(EngineError::Unknown),
            other => return Err(EngineError::Garbage(format!("gRPC status {other:?}"))),
        }
        unframe(&bytes)
    })
    .await
}

/// An answer without end.
pub(super) struct Stream {
    pub(super) body: Incoming,
    /// The connection lives as long as somebody listens.
    _connection: Box<dyn Send>,
}

/// `GET path`, whose answer goes on and on. That it begins is bounded in time.
pub(super) async fn stream_get(socket: &Path, path: &str) -> Result<Stream, EngineError> {
    bounded(socket, async {
        let (mut sender, connection) = http1::handshake(connect(socket).await?).await?;
        let connection = AbortOnDrop(tokio::spawn(connection));
        let request = Request::get(path)
            .header(HOST, "localhost")
            .body(Full::<Bytes>::default())
            .map_err(|error| EngineError::Garbage(error.to_string()))?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(EngineError::Garbage(format!("status {}", response.status())));
        }
        Ok(Stream { body: response.into_body(), _connection: Box::new((sender, connection)) })
    })
    .await
}

/// One message there, many back. A server of gRPC may send nothing at all before its first message, so only the
/// connection is bounded in time.
pub(super) async fn stream_call<Q: Message>(
    socket: &Path,
    method: &str,
    question: &Q,
) -> Result<Stream, EngineError> {
    let (mut sender, connection) = bounded(socket, async {
        let handshake = http2::handshake(TokioExecutor::new(), connect(socket).await?).await?;
        Ok(handshake)
    })
    .await?;
    let connection = AbortOnDrop(tokio::spawn(connection));
    let request = Request::post(format!("http://localhost{method}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(frame(question)))
        .map_err(|error| EngineError::Garbage(error.to_string()))?;
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(EngineError::Garbage(format!("status {}", response.status())));
    }
    // A status instead of a stream: 12 where the method is not known, 0 where it is switched off (CRI-O's default).
    match response.headers().get("grpc-status").map(|status| status.to_str()) {
        None => {}
        Some(Ok("0" | "12")) => return Err(EngineError::Mute),
        Some(other) => return Err(EngineError::Garbage(format!("gRPC status {other:?}"))),
    }
    Ok(Stream { body: response.into_body(), _connection: Box::new((sender, connection)) })
}

/// A message with its prefix: not compressed, length.
fn frame(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut bytes = BytesMut::with_capacity(GRPC_PREFIX + encoded.len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    bytes.put_slice(&encoded);
    bytes.freeze()
}

fn unframe<A: Message + Default>(bytes: &[u8]) -> Result<A, EngineError> {
    let garbage = |text: &str| EngineError::Garbage(text.to_owned());
    let (prefix, message) =
        bytes.split_at_checked(GRPC_PREFIX).ok_or_else(|| garbage("no message in the answer"))?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    if prefix[0] != 0 || usize::try_from(length).ok() != Some(message.len()) {
        return Err(garbage("compressed or cut message"));
    }
    A::decode(message).map_err(|error| EngineError::Garbage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixListener,
    };

    use super::{EngineError, call, get};
    use crate::event::MissingReason;

    /// A socket whose server writes these bytes to whoever connects, and then waits (`None`: says nothing at all).
    fn server(answer: Option<Vec<u8>>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut question = [0; 1024];
                    let _ = stream.read(&mut question).await;
                    match answer {
                        Some(answer) => {
                            let _ = stream.write_all(&answer).await;
                        }
                        None => tokio::time::sleep(Duration::from_secs(3600)).await,
                    }
                });
            }
        });
        (folder, path)
    }

    fn http(status: &str, body: &str) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body.as_bytes()].concat()
    }

    async fn ask(answer: Option<Vec<u8>>) -> Result<serde_json::Value, EngineError> {
        let (_folder, path) = server(answer);
        get(&path, "/containers/x/json").await
    }

    #[tokio::test]
    async fn an_answer_is_read() {
        assert_eq!(ask(Some(http("200 OK", "{\"a\": 1}"))).await.unwrap()["a"], 1);
        assert!(matches!(ask(Some(http("404 Not Found", "{}"))).await, Err(EngineError::Unknown)));
    }

    #[tokio::test]
    async fn garbage_is_an_error_and_no_panic() {
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'x'; 1 << 20]].concat();
        for answer in [
            http("200 OK", "{"),
            http("200 OK", ""),
            http("500 Oops", "{}"),
            b"\0\xff\xfe".to_vec(),
            Vec::new(),
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec(),
            endless,
        ] {
            let error = ask(Some(answer)).await.unwrap_err();
            assert_eq!(error.reason(), MissingReason::Garbage, "{error}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        let body = format!("\"{}\"", "x".repeat(9 << 20));
        let error = ask(Some(http("200 OK", &body))).await.unwrap_err();
        assert!(matches!(error, EngineError::TooLarge), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_hangs_costs_its_bound() {
        let error = ask(None).await.unwrap_err();
        assert!(matches!(error, EngineError::Silent(_)), "{error}");
        let (_folder, path) = server(None);
        let error = call::<String, String>(&path, "/x/Y", None, &String::new()).await.unwrap_err();
        assert!(matches!(error, EngineError::Silent(_)), "{error}");
    }

    #[tokio::test]
    async fn nobody_listens() {
        let error = get::<()>(&PathBuf::from("/nowhere/s"), "/").await.unwrap_err();
        assert!(matches!(error, EngineError::Connect { .. }));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "no socket").unwrap();
        let error = get::<()>(&folder.path().join("s"), "/").await.unwrap_err();
        assert!(matches!(error, EngineError::Connect { .. }));
    }

    #[tokio::test]
    async fn what_is_no_grpc_is_an_error() {
        for answer in [Some(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Some(Vec::new()), Some(vec![0; 100])] {
            let (_folder, path) = server(answer);
            let error = call::<String, String>(&path, "/x/Y", None, &String::new()).await.unwrap_err();
            assert_eq!(error.reason(), MissingReason::Garbage, "{error}");
        }
    }
}
