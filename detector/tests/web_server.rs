//! The web server, asked by a real client over loopback, with and without TLS.

#![expect(clippy::unwrap_used, reason = "a test whose server cannot start shall panic")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use detector::telemetry::{
    Figures, OutputFigures, RuleFigures, SelftestHealth, SelftestState, metric_names,
    web::{Question, WebServer, WebSettings},
};
use tokio::sync::mpsc;

/// A main loop that answers, or does not.
struct Loop {
    answers: Arc<AtomicBool>,
    health: Arc<SelftestHealth>,
    ask: mpsc::Sender<Question>,
}

impl Loop {
    fn start() -> Self {
        let (ask, mut questions) = mpsc::channel::<Question>(8);
        let (answers, health) = (Arc::new(AtomicBool::new(true)), Arc::new(SelftestHealth::default()));
        let (ours, theirs) = (Arc::clone(&answers), Arc::clone(&health));
        thread::spawn(move || {
            let mut unanswered = Vec::new();
            while let Some(question) = questions.blocking_recv() {
                if ours.load(Ordering::SeqCst) {
                    // The client may have given up.
                    let _ = question.send(figures(&theirs));
                } else {
                    unanswered.push(question);
                }
            }
        });
        Self { answers, health, ask }
    }
}

fn figures(health: &SelftestHealth) -> Figures {
    Figures {
        version: "1.2.3",
        hostname: "h\"1\\".to_owned(),
        now_ns: 3_000_000_000,
        started_ns: 1_000_000_000,
        records: 7,
        sent: 9,
        kernel: vec![("sent", 9), ("ring_full", 2)],
        lost: vec![("ring_full", 2)],
        rules: vec![RuleFigures {
            name: "Drop and execute new binary in container".to_owned(),
            priority: 2,
            source: "syscall".to_owned(),
            tags: vec!["PCI_DSS_11.5.1".to_owned(), "container".to_owned()],
            alerts: 5,
        }],
        outputs: vec![OutputFigures {
            name: "http",
            outcomes: vec![("delivered", 4), ("failed", 1)],
            ..OutputFigures::default()
        }],
        selftest: health.snapshot(),
        ..Figures::default()
    }
}

fn settings() -> WebSettings {
    WebSettings {
        address: [127, 0, 0, 1].into(),
        port: 0,
        healthz: "/healthz".to_owned(),
        metrics: true,
        certificate: None,
    }
}

fn start(settings: &WebSettings, agent: &Loop) -> WebServer {
    let versions = "{\"detector_version\":\"1.2.3\"}".to_owned();
    WebServer::start(settings, versions, agent.ask.clone(), Arc::new(two_containers)).unwrap()
}

fn two_containers() -> Vec<(&'static str, u64)> {
    vec![("yes", 2), ("no", 0)]
}

/// Status, content type and body.
fn get(server: &WebServer, path: &str) -> (u16, String, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut answer = agent.get(format!("http://{}{path}", server.address())).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn a_healthy_agent_is_told_as_falco_tells_it() {
    let agent = Loop::start();
    let server = start(&settings(), &agent);
    let expected = (200, "application/json".to_owned(), "{\"status\": \"ok\"}".to_owned());
    assert_eq!(get(&server, "/healthz"), expected);
    assert_eq!(get(&server, "/versions").2, "{\"detector_version\":\"1.2.3\"}");
    assert_eq!(get(&server, "/nothing").0, 404);
}

#[test]
fn a_main_loop_that_stands_still_is_not_healthy() {
    let agent = Loop::start();
    let server = start(&settings(), &agent);
    agent.answers.store(false, Ordering::SeqCst);
    let (status, _, body) = get(&server, "/healthz");
    assert_eq!(status, 503);
    assert!(body.contains("does not answer"), "{body}");
    assert_eq!(get(&server, "/metrics").0, 503);
    agent.answers.store(true, Ordering::SeqCst);
    assert_eq!(get(&server, "/healthz").0, 200);
}

#[test]
fn a_blind_agent_is_not_healthy_until_it_sees_again() {
    let agent = Loop::start();
    let server = start(&settings(), &agent);
    agent.health.ended(SelftestState::Blind("no record came".to_owned()), 10);
    let (status, _, body) = get(&server, "/healthz");
    assert_eq!(status, 503);
    assert!(body.contains("no record came"), "{body}");
    agent.health.ended(SelftestState::Passed, 20);
    assert_eq!(get(&server, "/healthz").0, 200);
}

#[test]
fn metrics_are_valid_exposition() {
    let agent = Loop::start();
    agent.health.ended(SelftestState::Passed, 20);
    let server = start(&settings(), &agent);
    let (status, kind, body) = get(&server, "/metrics");
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let lines = body.lines().map(|line| Ok(line.to_owned()));
    let parsed = prometheus_parse::Scrape::parse(lines).unwrap();
    let samples = body.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(parsed.samples.len(), samples, "every line is a sample: {body}");
    for metric in [&metric_names::RULE_MATCHES, &metric_names::OUTPUT_ALERTS, &metric_names::EVENTS] {
        assert!(
            parsed.samples.iter().any(|sample| sample.metric == metric.name),
            "{} in {body}",
            metric.name
        );
    }
    assert_families_stand_together(&body);
    promtool(&body);
    let rule = "falcosecurity_falco_rules_matches_total{priority=\"2\",rule_name=\"Drop and execute new binary in \
                container\",source=\"syscall\",tag_PCI_DSS_11_5_1=\"true\",tag_container=\"true\"} 5\n";
    assert!(body.contains(rule), "{body}");
    assert!(body.contains("detector_containers{coverage=\"yes\"} 2\n"), "{body}");
}

/// What strict parsers demand: help, type, then all samples of one metric, and never that metric again.
fn assert_families_stand_together(body: &str) {
    let mut seen = Vec::new();
    for line in body.lines() {
        let name = match line.strip_prefix("# ") {
            Some(comment) => comment.split(' ').nth(1),
            None => line.split(['{', ' ']).next(),
        };
        let name = name.unwrap().to_owned();
        if seen.last() != Some(&name) {
            assert!(line.starts_with("# HELP"), "{line} does not begin with its help");
            assert!(!seen.contains(&name), "{name} comes twice");
            seen.push(name);
        }
    }
}

/// Prometheus' own opinion, where `DETECTOR_PROMTOOL` names its program.
fn promtool(body: &str) {
    let Some(program) = std::env::var_os("DETECTOR_PROMTOOL") else { return };
    let mut child = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let finished = child.wait_with_output().unwrap();
    // It can be read (else the exit status is 1), and all that its taste minds are units in Falco's names.
    let complaints = String::from_utf8_lossy(&finished.stderr);
    let ours =
        complaints.lines().filter(|line| !line.starts_with("falcosecurity_") || !line.contains("base unit"));
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new(), "{body}");
    assert!(matches!(finished.status.code(), Some(0 | 3)), "{complaints}{body}");
}

#[test]
fn metrics_can_be_left_out() {
    let agent = Loop::start();
    let server = start(&WebSettings { metrics: false, ..settings() }, &agent);
    assert_eq!(get(&server, "/metrics").0, 404);
}

#[test]
fn only_reading_is_allowed_and_nonsense_ends_the_connection() {
    let agent = Loop::start();
    let server = start(&settings(), &agent);
    let say = |text: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(
        say("POST /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").starts_with("HTTP/1.1 405")
    );
    assert!(say("\0\0\0\0\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(get(&server, "/healthz").0, 200);
}

#[test]
fn a_port_that_is_taken_is_an_error_with_a_remedy() {
    let agent = Loop::start();
    let server = start(&settings(), &agent);
    let taken = WebSettings { port: server.address().port(), ..settings() };
    let error = WebServer::start(&taken, String::new(), agent.ask, Arc::new(two_containers))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("webserver.listen_port"), "{error}");
}

#[test]
fn tls_takes_one_file_with_key_and_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let file: PathBuf = folder.path().join("both.pem");
    std::fs::write(&file, format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem())).unwrap();
    let agent = Loop::start();
    let server = start(&WebSettings { certificate: Some(file.clone()), ..settings() }, &agent);
    let roots =
        ureq::tls::RootCerts::new_with_certs(&[
            ureq::tls::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
        ]);
    let tls = ureq::tls::TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(roots)
        .build();
    let client: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).proxy(None).build().into();
    let body = client
        .get(format!("https://{}/healthz", server.address()))
        .call()
        .unwrap()
        .body_mut()
        .read_to_string();
    assert_eq!(body.unwrap(), "{\"status\": \"ok\"}");

    std::fs::write(&file, made.cert.pem()).unwrap();
    let settings = WebSettings { certificate: Some(file), ..settings() };
    let error = WebServer::start(&settings, String::new(), agent.ask, Arc::new(two_containers));
    assert!(error.err().unwrap().to_string().contains("the key"), "the key is missing");
}
