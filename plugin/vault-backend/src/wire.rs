//! Conversion between protobuf and the domain's types, and the one table from fault to wire.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::pb;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::backend::SpecialPaths;
use crate::bounds;
use crate::fault::{Blame, Fault};
use crate::request::{Call, Incoming, Mount, Operation, Request};
use crate::response::{Body, Lease, LeaseEnd, Raw, Response};

/// Go's zero time in Unix seconds. Vault replaces it with the true issue time, but requires a value.
const GO_ZERO_TIME: i64 = -62_135_596_800;

/// `ProtoError` types of Vault's SDK (`sdk/plugin/pb/translation.go`). The status of each was measured.
pub(crate) mod error_type {
    /// The text unchanged: 500, or a forward if it is the read-only text.
    pub(crate) const UNKNOWN: u32 = 0;
    /// 400 on an existence check.
    pub(crate) const USER: u32 = 1;
    /// 500 "internal error" on an existence check.
    pub(crate) const INTERNAL: u32 = 2;
    /// The status in `err_code`.
    pub(crate) const CODED: u32 = 3;
    /// 405.
    pub(crate) const UNSUPPORTED_OPERATION: u32 = 5;
    /// 404.
    pub(crate) const UNSUPPORTED_PATH: u32 = 6;
}

/// Reads a request from Vault to `mount`.
pub(crate) fn incoming(mount: Mount, wire: pb::Request) -> Result<Incoming, Fault> {
    let call = call(&wire.operation);
    let operation = match call {
        Call::Route(operation) => operation,
        _ => Operation::Read,
    };
    bounds::check_body(&wire.data)?;
    let data = object(&wire.data)?;
    let lease = wire.secret.as_ref().map(lease_end).transpose()?;
    Ok(Incoming { call, request: request(mount, operation, wire), data, lease })
}

/// The request without its body.
pub(crate) fn request(mount: Mount, operation: Operation, wire: pb::Request) -> Request {
    let headers = wire.headers.into_iter().map(|(name, values)| (name, values.header));
    Request {
        id: wire.id,
        mount_point: wire.mount_point,
        mount_accessor: wire.mount_accessor,
        mount_type: wire.mount_type,
        entity_id: Some(wire.entity_id).filter(|id| !id.is_empty()),
        display_name: wire.display_name,
        client_token_accessor: wire.client_token_accessor,
        token_mark: Some(wire.client_token).filter(|token| !token.is_empty()).map(mark),
        unauthenticated: wire.unauthenticated,
        headers: headers.collect(),
        remote_addr: wire.connection.map(|connection| connection.remote_addr).filter(|addr| !addr.is_empty()),
        wrap_ttl: wire.wrap_info.map(|wrap| nanoseconds(wrap.ttl)).filter(|ttl| !ttl.is_zero()),
        parameters: BTreeMap::new(),
        ..Request::new(mount, operation, wire.path)
    }
}

/// A mark of a token, which Vault has already salted and hashed.
fn mark(token: String) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one(token)
}

fn call(operation: &str) -> Call {
    match operation {
        "create" => Call::Route(Operation::Create),
        "read" => Call::Route(Operation::Read),
        "update" => Call::Route(Operation::Update),
        "patch" => Call::Route(Operation::Patch),
        "delete" => Call::Route(Operation::Delete),
        "list" => Call::Route(Operation::List),
        "help" => Call::Help,
        "revoke" => Call::Revoke,
        "renew" => Call::Renew,
        "rollback" => Call::Rollback,
        _ => Call::Unsupported,
    }
}

/// Parses JSON; no text and `null` are an empty object.
fn object(text: &str) -> Result<Map<String, Value>, Fault> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Fault::caller("the body is not a JSON object")),
        Err(_) => Err(Fault::caller("the body is not JSON")),
    }
}

fn lease_end(secret: &pb::Secret) -> Result<LeaseEnd, Fault> {
    let options = secret.lease_options.unwrap_or_default();
    let known = options.issue_time.filter(|at| at.seconds != GO_ZERO_TIME);
    let issued = known.and_then(|at| OffsetDateTime::from_unix_timestamp(at.seconds).ok());
    Ok(LeaseEnd { internal: object(&secret.internal_data)?, issued, ttl: nanoseconds(options.ttl) })
}

/// Go's `time.Duration`; a negative one counts as zero.
fn nanoseconds(span: i64) -> Duration {
    Duration::from_nanos(u64::try_from(span).unwrap_or(0))
}

fn go_duration(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// The reply to Vault about the outcome of `call`.
pub(crate) fn reply(call: Call, outcome: Result<Response, Fault>) -> pb::HandleRequestReply {
    match outcome.and_then(|answer| response(call, answer)) {
        Ok(response) => pb::HandleRequestReply { response, err: None },
        Err(fault) => refusal(&fault),
    }
}

/// The reply to Vault about a fault: a response that is an error, or an error, and never both, because both together
/// lose the status.
pub(crate) fn refusal(fault: &Fault) -> pb::HandleRequestReply {
    match fault.blame() {
        Blame::Caller | Blame::Operator | Blame::Refused => {
            let data = json!({ "error": fault.to_string() }).to_string();
            pb::HandleRequestReply {
                response: Some(pb::Response { data, ..pb::Response::default() }),
                err: None,
            }
        }
        _ => pb::HandleRequestReply { response: None, err: Some(error(fault)) },
    }
}

/// A fault as an error alone.
pub(crate) fn error(fault: &Fault) -> pb::ProtoError {
    match fault.blame() {
        Blame::ReadOnly => proto_error(error_type::UNKNOWN, fault),
        Blame::UnknownPath => proto_error(error_type::UNSUPPORTED_PATH, fault),
        Blame::WrongOperation => proto_error(error_type::UNSUPPORTED_OPERATION, fault),
        Blame::Caller | Blame::Operator | Blame::Refused | Blame::NotThere | Blame::Later | Blame::Bug => {
            pb::ProtoError { err_code: i64::from(fault.status()), ..proto_error(error_type::CODED, fault) }
        }
    }
}

/// A fault of an existence check, where only a caller's error keeps its text and becomes a 400.
pub(crate) fn existence_error(fault: &Fault) -> pb::ProtoError {
    match fault.blame() {
        Blame::Caller | Blame::Operator | Blame::Refused => proto_error(error_type::USER, fault),
        Blame::NotThere | Blame::Later | Blame::Bug => proto_error(error_type::INTERNAL, fault),
        Blame::ReadOnly | Blame::UnknownPath | Blame::WrongOperation => error(fault),
    }
}

fn proto_error(err_type: u32, fault: &Fault) -> pb::ProtoError {
    pb::ProtoError { err_type, err_msg: fault.to_string(), err_code: 0 }
}

/// No response is 404 for a read and 204 for a write.
fn response(call: Call, answer: Response) -> Result<Option<pb::Response>, Fault> {
    let Response { body, warnings } = answer;
    let (data, secret) = match body {
        Body::NotFound if call.writes() => return Err(Fault::not_there()),
        Body::NotFound => return Ok(None),
        Body::NoContent if warnings.is_empty() => return Ok(None),
        Body::NoContent => (Value::Null, None),
        Body::Data { map, lease } => (Value::Object(map), lease.map(|lease| secret(&lease))),
        Body::Raw(raw) => (raw_data(&raw), None),
        Body::MisplacedLease => return Err(Fault::bug("a lease was put on an answer without data")),
    };
    Ok(Some(pb::Response { data: data.to_string(), secret, warnings, ..pb::Response::default() }))
}

fn secret(lease: &Lease) -> pb::Secret {
    let options = pb::LeaseOptions {
        ttl: go_duration(lease.safe_ttl()),
        renewable: false,
        increment: 0,
        issue_time: Some(prost_types::Timestamp { seconds: GO_ZERO_TIME, nanos: 0 }),
        max_ttl: lease.max_ttl.map_or(0, go_duration),
    };
    let internal_data = Value::Object(lease.internal.clone()).to_string();
    pb::Secret { lease_options: Some(options), internal_data, lease_id: String::new() }
}

/// Always encodes in base64, because Vault decodes any body that happens to be base64.
fn raw_data(raw: &Raw) -> Value {
    let mut data = json!({
        "http_raw_body": STANDARD.encode(&raw.body),
        "http_status_code": raw.status,
    });
    if !raw.content_type.is_empty() {
        data["http_content_type"] = raw.content_type.into();
    }
    if let Some(cache_control) = raw.cache_control {
        data["http_raw_cache_control"] = cache_control.into();
    }
    data
}

/// The special paths for Vault.
pub(crate) fn special_paths(special: &SpecialPaths) -> pb::Paths {
    let owned = |paths: &[&str]| paths.iter().map(ToString::to_string).collect();
    pb::Paths {
        root: owned(&special.root),
        unauthenticated: owned(&special.unauthenticated),
        local_storage: owned(&special.local_storage),
        seal_wrap_storage: owned(&special.seal_wrap_storage),
        ..pb::Paths::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;
    use crate::system::SystemView;

    const READ: Call = Call::Route(Operation::Read);

    fn mount() -> Mount {
        Mount::in_memory(Storage::in_memory(), SystemView::fake(crate::FakeSystemView::default()))
    }

    #[test]
    fn a_body_of_null_is_an_empty_one() {
        let wire =
            pb::Request { operation: "read".to_owned(), data: "null".to_owned(), ..pb::Request::default() };

        let incoming = incoming(mount(), wire).unwrap();

        assert!(incoming.data.is_empty());
        assert_eq!(incoming.call, Call::Route(Operation::Read));
    }

    #[test]
    fn a_token_is_told_from_others_and_is_not_kept() {
        let asked_with = |token: &str| {
            let wire = pb::Request { client_token: token.to_owned(), ..pb::Request::default() };
            request(mount(), Operation::Read, wire)
        };

        assert_eq!(asked_with("one").token_mark, asked_with("one").token_mark);
        assert_ne!(asked_with("one").token_mark, asked_with("two").token_mark);
        assert_eq!(asked_with("").token_mark, None);
    }

    #[test]
    fn a_body_beyond_its_bound_is_the_callers_fault() {
        let data = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
        let wire = pb::Request { operation: "update".to_owned(), data, ..pb::Request::default() };

        let fault = incoming(mount(), wire).unwrap_err();

        assert_eq!((fault.blame(), fault.status()), (Blame::Caller, 400));
    }

    #[test]
    fn faults_of_the_caller_become_an_error_response() {
        let reply = reply(READ, Err(Fault::caller("ttl: 5 is too short")));

        assert_eq!(reply.response.unwrap().data, r#"{"error":"ttl: 5 is too short"}"#);
        assert!(reply.err.is_none());
    }

    #[test]
    fn later_is_a_coded_503_and_a_bug_a_500_without_its_detail() {
        let later = reply(READ, Err(Fault::later("busy"))).err.unwrap();
        let bug = reply(READ, Err(Fault::bug("the detail"))).err.unwrap();

        assert_eq!((later.err_type, later.err_code), (error_type::CODED, 503));
        assert_eq!(
            (bug.err_type, bug.err_code, bug.err_msg.as_str()),
            (error_type::CODED, 500, "internal error")
        );
    }

    #[test]
    fn a_read_only_node_says_vaults_exact_words() {
        let error = reply(READ, Err(Fault::read_only())).err.unwrap();

        assert_eq!(error.err_msg, "cannot write to readonly storage");
        assert_eq!(error.err_type, error_type::UNKNOWN);
    }

    #[test]
    fn a_lease_of_nothing_becomes_a_second() {
        let answer = Response::data(Map::new()).lease(Lease::of(Duration::ZERO));

        let secret = reply(READ, Ok(answer)).response.unwrap().secret.unwrap();

        let options = secret.lease_options.unwrap();
        assert_eq!(options.ttl, 1_000_000_000);
        assert!(options.issue_time.is_some());
        assert_eq!(secret.internal_data, "{}");
    }

    #[test]
    fn a_lease_on_a_raw_answer_is_a_bug() {
        let answer = Response::raw(Raw::ok("text/plain", "x")).lease(Lease::of(Duration::from_secs(9)));

        let error = reply(READ, Ok(answer)).err.unwrap();

        assert_eq!(error.err_code, 500);
    }

    #[test]
    fn a_raw_body_travels_as_base64() {
        let response =
            reply(READ, Ok(Response::raw(Raw::ok("text/plain", "abcd").no_store()))).response.unwrap();

        let data: Value = serde_json::from_str(&response.data).unwrap();
        assert_eq!(data["http_raw_body"], "YWJjZA==");
        assert_eq!(data["http_status_code"], 200);
        assert_eq!(data["http_raw_cache_control"], "no-store");
    }

    #[test]
    fn a_write_to_what_is_absent_is_not_taken_for_a_success() {
        let error = reply(Call::Route(Operation::Patch), Ok(Response::not_found())).err.unwrap();

        assert_eq!((error.err_type, error.err_code), (error_type::CODED, 404));
    }

    #[test]
    fn an_existence_check_keeps_the_text_of_a_callers_fault_only() {
        assert_eq!(existence_error(&Fault::caller("no such thing")).err_type, error_type::USER);
        assert_eq!(existence_error(&Fault::later("busy")).err_type, error_type::INTERNAL);
        assert_eq!(existence_error(&Fault::read_only()).err_msg, "cannot write to readonly storage");
    }

    #[test]
    fn vaults_words_for_a_request_become_ours() {
        let wire = pb::Request {
            id: "r-1".to_owned(),
            operation: "revoke".to_owned(),
            mount_point: "hello/".to_owned(),
            entity_id: "e-1".to_owned(),
            secret: Some(pb::Secret {
                internal_data: r#"{"role":"x"}"#.to_owned(),
                lease_options: Some(pb::LeaseOptions {
                    ttl: 2_000_000_000,
                    issue_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
                    ..pb::LeaseOptions::default()
                }),
                ..pb::Secret::default()
            }),
            ..pb::Request::default()
        };

        let incoming = incoming(mount(), wire).unwrap();

        let lease = incoming.lease.unwrap();
        assert_eq!((incoming.call, lease.ttl), (Call::Revoke, Duration::from_secs(2)));
        assert_eq!(
            (&lease.internal["role"], lease.issued.unwrap().unix_timestamp()),
            (&json!("x"), 1_700_000_000)
        );
        assert_eq!(
            (incoming.request.mount_label(), incoming.request.entity_id.as_deref()),
            ("hello/", Some("e-1"))
        );
    }

    #[test]
    fn nothing_is_no_response_unless_it_warns() {
        assert!(reply(READ, Ok(Response::no_content())).response.is_none());

        let warned = reply(READ, Ok(Response::no_content().warn("mind"))).response.unwrap();

        assert_eq!(warned.data, "null");
        assert_eq!(warned.warnings, ["mind"]);
    }
}
