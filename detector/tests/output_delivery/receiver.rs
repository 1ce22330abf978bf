//! An HTTP receiver on loopback that does what it is told, well or badly. It reads requests strictly: anything that
//! is not one POST with a length and a body of that length fails the test that started it.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What to do with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, further header lines, and a body.
    Status(u16, &'static str, &'static str),
    /// Reads the request and never answers.
    Silence,
    /// Reads the request and closes the connection.
    Close,
    /// Closes the connection within the request.
    CloseEarly,
    /// Says 200 and a length, and closes within the body.
    CloseWithinAnswer,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// As text; what is none has replacement characters.
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

type Judge = dyn Fn(&Request) -> (u16, String) + Send + Sync;

struct Shared {
    script: Mutex<VecDeque<Reply>>,
    /// What happens when the script is over.
    judge: Box<Judge>,
    requests: Mutex<Vec<Request>>,
    accepted: Mutex<Vec<Request>>,
    faults: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: Mutex<HashMap<usize, TcpStream>>,
    over: AtomicBool,
}

/// A running receiver.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::scripted([])
    }

    /// Follows the script, then takes everything.
    pub(crate) fn scripted(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), script, None, Box::new(|_| (200, String::new())))
    }

    /// On an address where one was before.
    pub(crate) fn again(address: SocketAddr) -> Self {
        Self::on(address, [], None, Box::new(|_| (200, String::new())))
    }

    /// Behind TLS.
    pub(crate) fn secure(config: Arc<ServerConfig>) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), [], Some(config), Box::new(|_| (200, String::new())))
    }

    /// Answers as the judge says.
    pub(crate) fn judging(judge: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), [], None, Box::new(judge))
    }

    fn on(
        address: SocketAddr,
        script: impl IntoIterator<Item = Reply>,
        tls: Option<Arc<ServerConfig>>,
        judge: Box<Judge>,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into_iter().collect()),
            judge,
            requests: Mutex::default(),
            accepted: Mutex::default(),
            faults: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &theirs, tls.as_ref()));
        Self { address, shared, thread: Some(thread) }
    }

    /// An address where nobody listens now, and the next receiver can.
    pub(crate) fn nowhere() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in?a=b", self.address)
    }

    /// Bodies that were answered with 200, in their order.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.shared.accepted.lock().unwrap().iter().map(|request| request.body.clone()).collect()
    }

    /// The requests that were answered with 200, in their order.
    pub(crate) fn accepted_requests(&self) -> Vec<Request> {
        self.shared.accepted.lock().unwrap().clone()
    }

    /// All whole requests.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; connections that are open break.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for (_, stream) in self.shared.open.lock().unwrap().drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let faults = self.shared.faults.lock().unwrap();
        if !std::thread::panicking() {
            assert!(faults.is_empty(), "requests that are none: {faults:?}");
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        let stream = stream.unwrap();
        let number = shared.connections.fetch_add(1, Ordering::Relaxed);
        shared.open.lock().unwrap().insert(number, stream.try_clone().unwrap());
        let shared = Arc::clone(shared);
        let tls = tls.cloned();
        std::thread::spawn(move || {
            match tls {
                None => serve(BufReader::new(stream), &shared),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(BufReader::new(StreamOwned::new(connection, stream)), &shared);
                }
            }
            // Closed for good only with the last descriptor.
            shared.open.lock().unwrap().remove(&number);
        });
    }
}

fn serve<S: Read + Write>(mut stream: BufReader<S>, shared: &Shared) {
    loop {
        let reply = shared.script.lock().unwrap().front().cloned();
        if matches!(reply, Some(Reply::CloseEarly)) {
            let mut some = [0; 10];
            if stream.get_mut().read(&mut some).is_ok_and(|size| size > 0) {
                shared.script.lock().unwrap().pop_front();
            }
            return;
        }
        let request = match read_request(&mut stream) {
            Ok(Some(request)) => request,
            // A connection that ends between requests, or that the test broke.
            Ok(None) => return,
            Err(error) => {
                if error.kind() == io::ErrorKind::Unsupported {
                    shared.faults.lock().unwrap().push(error.to_string());
                }
                return;
            }
        };
        shared.requests.lock().unwrap().push(request.clone());
        let reply = shared.script.lock().unwrap().pop_front();
        let (status, headers, body) = match reply {
            Some(Reply::Silence) => {
                let _ = stream.read(&mut [0]);
                return;
            }
            Some(Reply::Close | Reply::CloseEarly) => return,
            Some(Reply::CloseWithinAnswer) => {
                shared.accepted.lock().unwrap().push(request);
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                return;
            }
            Some(Reply::Status(status, headers, body)) => (status, headers, body.to_owned()),
            None => {
                let (status, body) = (shared.judge)(&request);
                (status, "", body)
            }
        };
        if status == 200 {
            shared.accepted.lock().unwrap().push(request);
        }
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} Reason\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        if stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    // A kind that neither sockets nor TLS have.
    let bad = |text: String| io::Error::new(io::ErrorKind::Unsupported, text);
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let words: Vec<&str> = first.trim_end().split(' ').collect();
    let ["POST", target, "HTTP/1.1"] = words[..] else { return Err(bad(format!("request line {first:?}"))) };
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some(line) = line.strip_suffix("\r\n") else { return Err(bad(format!("header {line:?}"))) };
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").ok_or_else(|| bad(format!("header {line:?}")))?;
        if headers.insert(name.to_lowercase(), value.to_owned()).is_some() {
            return Err(bad(format!("header twice: {line:?}")));
        }
    }
    let length = headers.get("content-length").and_then(|value| value.parse().ok());
    let mut bytes = vec![0; length.ok_or_else(|| bad(format!("no length: {headers:?}")))?];
    stream.read_exact(&mut bytes)?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    let is_binary = headers.get("content-type").is_some_and(|kind| kind == "application/x-protobuf");
    if !is_binary && body.as_bytes() != bytes {
        return Err(bad(format!("no UTF-8: {body}")));
    }
    Ok(Some(Request { target: target.to_owned(), headers, body, bytes }))
}
