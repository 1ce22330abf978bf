//! The web server: `/healthz`, `/versions`, `/metrics`. On a thread of its own, so that it can say that the rest stands
//! still.
//!
//! Every answer about the agent is asked of its main loop, the one that reads the ring buffer. No answer in time is an
//! answer, too.

mod routes;
mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{error, info};
use routes::Routes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, mpsc, oneshot},
};

use super::Figures;
pub use tls::WebTlsError;

/// Connections that are served at a time; more of them wait.
const CONNECTIONS: usize = 32;
/// How long a client may take to say what it wants.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a connection may live.
const CONNECTION_TIME: Duration = Duration::from_secs(300);
/// Wait after a connection could not be taken: mostly there are no file descriptors left.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);

/// `webserver` and what of `metrics` concerns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// Where it listens.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// Path of the answer about the agent's health.
    pub healthz: String,
    /// `/metrics` is answered.
    pub metrics: bool,
    /// PEM file with key and certificate, for TLS.
    pub certificate: Option<PathBuf>,
}

/// Why the web server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address.
    #[error("cannot listen at {address}: {source}; set webserver.listen_port, or webserver.enabled=false")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] WebTlsError),
    /// The system gave no thread.
    #[error("cannot start the thread of the web server: {0}")]
    Thread(#[source] io::Error),
}

/// A question to the main loop; it answers with its figures.
pub type Question = oneshot::Sender<Figures>;

/// Counts the running containers by coverage; may take as long as a look at every process takes.
pub type Containers = Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// The running server; dropping it ends it.
pub struct WebServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Starts to listen. `versions` is the answer to `/versions`; questions go to `ask`, and `containers` is asked
    /// for `/metrics`.
    pub fn start(
        settings: &WebSettings,
        versions: String,
        ask: mpsc::Sender<Question>,
        containers: Containers,
    ) -> Result<Self, WebError> {
        let tls = settings.certificate.as_deref().map(tls::acceptor).transpose()?;
        let wanted = SocketAddr::new(settings.address, settings.port);
        let failed = |source| WebError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let routes = Arc::new(Routes {
            healthz: settings.healthz.clone(),
            metrics: settings.metrics,
            versions,
            ask,
            containers,
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WebError::Thread)?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("web".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, tls, routes) => {}
                }
            });
        });
        let thread = thread.map_err(WebError::Thread)?;
        let scheme = if settings.certificate.is_some() { "https" } else { "http" };
        info!("web server: {scheme}://{address}{}", settings.healthz);
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; the port is the one that the system chose when 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It is gone already if this fails.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, routes: Arc<Routes>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return error!("web server: {error}; it has stopped"),
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_WAIT).await;
            continue;
        };
        let (routes, tls) = (Arc::clone(&routes), tls.clone());
        tokio::spawn(async move {
            let talk = async {
                match tls {
                    None => converse(stream, routes).await,
                    Some(tls) => {
                        let shaken = tokio::time::timeout(REQUEST_TIME, tls.accept(stream)).await;
                        if let Ok(Ok(stream)) = shaken {
                            converse(stream, routes).await;
                        }
                    }
                }
            };
            let _ = tokio::time::timeout(CONNECTION_TIME, talk).await;
            drop(place);
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, routes: Arc<Routes>) {
    let service = service_fn(move |request| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, std::convert::Infallible>(routes.answer(&request).await) }
    });
    // A client that talks nonsense or leaves is no concern of ours.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
