//! What a receiver of OTLP answers (OTLP/HTTP 1.x): which answers ask for another try, and what a 200 leaves out.

use prost::Message;

/// `collector.logs.v1.ExportLogsServiceResponse`
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `collector.logs.v1.ExportLogsPartialSuccess`
#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, which comes with 4xx and 5xx.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// What a receiver says with a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Success {
    /// It has the record. It may have a word to say about it.
    Whole(Option<String>),
    /// It does not want the record, and why.
    Rejected(String),
}

/// Reads the body of a 200. One that cannot be understood says nothing: the status has decided.
pub(super) fn success(body: &[u8]) -> Success {
    let Some(partial) = Response::decode(body).ok().and_then(|response| response.partial_success) else {
        return Success::Whole(None);
    };
    if partial.rejected_log_records > 0 {
        return Success::Rejected(partial.error_message);
    }
    Success::Whole(Some(partial.error_message).filter(|message| !message.is_empty()))
}

/// The receiver's words about a failure: those of its status message, or the body as it is.
pub(super) fn words(body: &[u8], content_type: Option<&str>) -> String {
    let status = content_type.is_some_and(|kind| kind.starts_with("application/x-protobuf"));
    let message = status.then(|| Status::decode(body).ok()).flatten().map(|status| status.message);
    message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

/// Whether the request shall be tried again: no other statuses than these.
pub(super) const fn is_for_now(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::{PartialSuccess, Response, Status, Success, is_for_now, success, words};

    fn body(rejected_log_records: i64, message: &str) -> Vec<u8> {
        let partial_success =
            Some(PartialSuccess { rejected_log_records, error_message: message.to_owned() });
        Response { partial_success }.encode_to_vec()
    }

    #[test]
    fn a_success_may_be_none() {
        assert_eq!(success(b""), Success::Whole(None));
        assert_eq!(success(&body(0, "")), Success::Whole(None));
        assert_eq!(
            success(&body(0, "use another name")),
            Success::Whole(Some("use another name".to_owned()))
        );
        assert_eq!(success(&body(1, "too old")), Success::Rejected("too old".to_owned()));
        assert_eq!(success(b"{\"partialSuccess\":{}}"), Success::Whole(None), "no protobuf");
    }

    #[test]
    fn failures_are_told_in_words() {
        let status = Status { message: "no such tenant".to_owned() }.encode_to_vec();
        assert_eq!(words(&status, Some("application/x-protobuf")), "no such tenant");
        assert_eq!(words(b"busy", Some("text/plain")), "busy");
        assert_eq!(words(b"\xff", Some("application/x-protobuf")), "\u{fffd}");
        assert_eq!(words(b"busy", None), "busy");
    }

    #[test]
    fn only_four_statuses_ask_for_another_try() {
        let asked: Vec<u16> = (200..600).filter(|status| is_for_now(*status)).collect();
        assert_eq!(asked, [429, 502, 503, 504]);
    }
}
