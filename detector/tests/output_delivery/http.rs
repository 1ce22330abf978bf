//! HTTP without a spool: what is sent, and what each kind of answer leads to.

use std::{sync::Arc, time::Duration};

use detector::output::{HttpSettings, Line, OutputSettings, Outputs, StartError};

use crate::{
    counters, eventually, finish, names,
    receiver::{Receiver, Reply},
    send,
};

/// With waits that suit a test.
pub(crate) fn settings(url: &str) -> HttpSettings {
    HttpSettings {
        url: url.to_owned(),
        retry_initial: Duration::from_millis(5),
        retry_max: Duration::from_millis(50),
        ..HttpSettings::default()
    }
}

pub(crate) fn start(http: HttpSettings) -> Outputs {
    Outputs::start(&OutputSettings { http: Some(http), ..OutputSettings::default() }).unwrap()
}

#[test]
fn one_request_for_each_line_as_falco_sends_it() {
    let receiver = Receiver::start();
    let outputs = start(settings(&receiver.url()));
    outputs.send(&Arc::new(Line::new("{\"a\":\"ü\"}", 2, true)));
    outputs.send(&Arc::new(Line::new("12:00:00.0: Critical text", 2, false)));
    assert_eq!(finish(&outputs, "http").delivered, 2);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, "{\"a\":\"ü\"}", "without a newline");
    assert_eq!(requests[0].target, "/in?a=b");
    assert_eq!(requests[0].headers["content-type"], "application/json");
    assert_eq!(requests[0].headers["user-agent"], "falcosecurity/falco");
    assert_eq!(requests[0].headers["host"], receiver.address().to_string());
    assert_eq!(requests[1].headers["content-type"], "text/plain");
    assert_eq!(receiver.connections(), 1, "a connection is used again");
}

#[test]
fn the_user_agent_can_be_set() {
    let receiver = Receiver::start();
    let outputs = start(HttpSettings { user_agent: "me/1".to_owned(), ..settings(&receiver.url()) });
    send(&outputs, "line", 0..1);
    finish(&outputs, "http");
    assert_eq!(receiver.requests()[0].headers["user-agent"], "me/1");
}

#[test]
fn a_refusal_for_now_is_tried_again_in_order() {
    let busy = [
        Reply::Status(500, "", "broken"),
        Reply::Status(503, "Retry-After: 0\r\n", ""),
        Reply::Status(429, "Retry-After: 3600\r\n", "slow down"),
        Reply::Status(408, "", ""),
    ];
    let receiver = Receiver::scripted(busy);
    let outputs = start(settings(&receiver.url()));
    send(&outputs, "line", 0..20);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.retried), (20, 4));
    assert_eq!(receiver.accepted(), names("line", 0..20));
}

#[test]
fn a_refusal_for_good_costs_this_line_only() {
    for status in [400, 404, 413, 302] {
        let location = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
        let receiver =
            Receiver::scripted([Reply::Status(status, location, "Please send a valid request body")]);
        let outputs = start(settings(&receiver.url()));
        send(&outputs, "line", 0..3);
        let counters = finish(&outputs, "http");
        assert_eq!((counters.delivered, counters.rejected, counters.retried), (2, 1, 0), "{status}");
        assert_eq!(receiver.accepted(), names("line", 1..3));
    }
}

#[test]
fn connections_that_break_cost_nothing() {
    let script = [Reply::Close, Reply::CloseEarly, Reply::Close];
    let receiver = Receiver::scripted(script);
    let outputs = start(settings(&receiver.url()));
    // Longer than what the sockets take: the receiver is gone before all of it is sent.
    send(&outputs, &"x".repeat(5_000_000), 0..1);
    send(&outputs, "line", 1..4);
    assert_eq!(finish(&outputs, "http").delivered, 4);
    assert_eq!(receiver.accepted()[1..], names("line", 1..4));
}

#[test]
fn an_answer_that_breaks_off_is_an_answer() {
    let receiver = Receiver::scripted([Reply::CloseWithinAnswer]);
    let outputs = start(settings(&receiver.url()));
    send(&outputs, "line", 0..3);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.retried), (3, 0));
    assert_eq!(receiver.accepted(), names("line", 0..3), "none comes twice");
}

#[test]
fn a_receiver_that_hangs_is_given_up_and_tried_again() {
    let receiver = Receiver::scripted([Reply::Silence]);
    let outputs = start(HttpSettings { timeout: Duration::from_millis(300), ..settings(&receiver.url()) });
    send(&outputs, "line", 0..3);
    eventually("it is tried again", || counters(&outputs, "http").retried > 0);
    assert_eq!(finish(&outputs, "http").delivered, 3);
    assert_eq!(receiver.accepted(), names("line", 0..3));
}

#[test]
fn a_line_that_is_always_refused_does_not_stop_the_rest() {
    let receiver =
        Receiver::judging(|request| (if request.body == "line 0" { 500 } else { 200 }, String::new()));
    let outputs = start(HttpSettings { max_refusals: 4, ..settings(&receiver.url()) });
    send(&outputs, "line", 0..3);
    let counters = finish(&outputs, "http");
    assert_eq!((counters.delivered, counters.failed, counters.retried), (2, 1, 3));
    assert_eq!(receiver.accepted(), names("line", 1..3));
}

#[test]
fn a_receiver_that_is_down_and_back_gets_what_the_queue_holds() {
    let address = Receiver::nowhere();
    let outputs = start(HttpSettings { max_refusals: 1, ..settings(&format!("http://{address}/")) });
    send(&outputs, "line", 0..30);
    eventually("it is tried often", || counters(&outputs, "http").retried > 5);
    let receiver = Receiver::again(address);
    assert_eq!(finish(&outputs, "http").delivered, 30);
    assert_eq!(receiver.accepted(), names("line", 0..30));
}

#[test]
fn what_cannot_be_delivered_at_the_end_is_counted() {
    let outputs = start(settings(&format!("http://{}/", Receiver::nowhere())));
    send(&outputs, "line", 0..5);
    let flushed = outputs.flush(Duration::from_millis(100));
    assert_eq!((flushed.dropped, flushed.spooled), (5, 0));
    assert_eq!(counters(&outputs, "http").dropped_timeout, 5);
}

#[test]
fn a_reopen_makes_a_new_connection() {
    let receiver = Receiver::start();
    let outputs = start(settings(&receiver.url()));
    send(&outputs, "line", 0..1);
    eventually("it is there", || counters(&outputs, "http").delivered == 1);
    outputs.reopen();
    send(&outputs, "line", 1..2);
    finish(&outputs, "http");
    assert_eq!((receiver.connections(), receiver.accepted().len()), (2, 2));
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    for (url, part) in [
        ("", "no URL"),
        ("localhost:2801", "does not start with `http://HOST`"),
        ("ftp://host/", "does not start with"),
        ("/path", "does not start with"),
        ("http://ho st/", "no URL"),
    ] {
        let settings = OutputSettings { http: Some(settings(url)), ..OutputSettings::default() };
        let error = Outputs::start(&settings).err().unwrap_or_else(|| panic!("{url} is accepted"));
        assert!(matches!(error, StartError::Http { output: "http", .. }));
        assert!(error.to_string().contains(part), "{url}: {error}");
    }
    let http = HttpSettings { user_agent: "a\nb".to_owned(), ..settings("http://host/") };
    let settings = OutputSettings { http: Some(http), ..OutputSettings::default() };
    assert!(Outputs::start(&settings).is_err());
}
