//! What is answered at which path.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::{Containers, Question};
use crate::telemetry::{Figures, ProcessFigures, SelftestState};

/// How long the main loop may take to answer: below the second that probes wait by default.
const PATIENCE: Duration = Duration::from_millis(800);
/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The paths and what stands behind them.
pub(super) struct Routes {
    pub(super) healthz: String,
    pub(super) metrics: bool,
    pub(super) versions: String,
    pub(super) ask: mpsc::Sender<Question>,
    pub(super) containers: Containers,
}

impl Routes {
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal =
                response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
            refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match request.uri().path() {
            path if path == self.healthz => self.health().await,
            "/versions" => response(StatusCode::OK, JSON, self.versions.clone()),
            "/metrics" if self.metrics => match self.figures().await {
                Some(mut figures) => {
                    figures.containers = self.count_containers().await;
                    response(StatusCode::OK, EXPOSITION, figures.exposition(&ProcessFigures::now()))
                }
                None => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{SILENT}\n")),
            },
            _ => response(StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned()),
        }
    }

    async fn health(&self) -> Response<Full<Bytes>> {
        match self.figures().await.map(|figures| figures.selftest.state) {
            // With Falco's blank: probes compare.
            Some(SelftestState::NotYet | SelftestState::Passed) => {
                response(StatusCode::OK, JSON, "{\"status\": \"ok\"}".to_owned())
            }
            // Not ill, and not known to be well: whoever reads more than the status shall see that.
            Some(SelftestState::Unproven(reason)) => well_but(&format!("nothing could be proven: {reason}")),
            Some(SelftestState::NotAllowed(reason)) => well_but(&reason),
            Some(SelftestState::Blind(reason)) => {
                ill(&format!("the self-test found the agent blind: {reason}"))
            }
            None => ill(SILENT),
        }
    }

    /// Beside the thread that answers, so that nobody who asks for the agent's health waits.
    async fn count_containers(&self) -> Vec<(&'static str, u64)> {
        let count = Arc::clone(&self.containers);
        tokio::task::spawn_blocking(move || count()).await.unwrap_or_default()
    }

    /// What the main loop says about itself, if it does so in time.
    async fn figures(&self) -> Option<Figures> {
        let (answer, figures) = oneshot::channel();
        let asked = async {
            self.ask.send(answer).await.ok()?;
            figures.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
    }
}

const SILENT: &str = "the loop that reads the ring buffer does not answer";

fn well_but(selftest: &str) -> Response<Full<Bytes>> {
    let selftest = json!(selftest);
    response(StatusCode::OK, JSON, format!("{{\"status\": \"ok\", \"selftest\": {selftest}}}"))
}

fn ill(reason: &str) -> Response<Full<Bytes>> {
    response(
        StatusCode::SERVICE_UNAVAILABLE,
        JSON,
        json!({ "status": "failed", "reason": reason }).to_string(),
    )
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
