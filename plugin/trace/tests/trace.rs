//! Files as AWS and Vault write them, joined.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

use proptest::prelude::*;
use serde_json::{Value, json};
use trace::{HexSerial, Moment, Selection, SessionHolder, TimeSpan, Trace, TraceReport, TracedSession};

const KEY: &str = "ASIAIOSFODNN7EXAMPLE";
const HOP: &str = "ASIAI44QH8DHBEXAMPLE";
const NAME: &str = "4f0c6a11d2e34b5f8a907b1c2d3e4f50";
const SERIAL: &str = "4f:0c:6a:11:d2:e3:4b:5f:8a:90:7b:1c:2d:3e:4f:50";

fn create_session(name: &str) -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": "2026-11-30T12:00:00Z", "eventSource": "rolesanywhere.amazonaws.com",
        "eventName": "CreateSession", "awsRegion": "eu-central-1", "sourceIPAddress": "192.0.2.1", "eventID": "event-1",
        "userIdentity": { "type": "Unknown" },
        "requestParameters": { "roleArn": "arn:aws:iam::111122223333:role/app" },
        "responseElements": {
            "subjectArn": "arn:aws:rolesanywhere:eu-central-1:111122223333:subject/41cl0bae-6783-40d4-ab20-65dc5d922e45",
            "credentialSet": [{
                "roleArn": "arn:aws:iam::111122223333:role/app", "sourceIdentity": "CN=prod.payments.api",
                "assumedRoleUser": { "arn": format!("arn:aws:sts::111122223333:assumed-role/app/{name}"),
                    "assumedRoleId": format!("AROAIDPPEZS35WEXAMPLE:{name}") },
                "credentials": { "accessKeyId": KEY, "expiration": "2026-11-30T13:00:00Z" },
            }],
        },
    })
}

fn identity(key: &str, role: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": format!("AROAIDPPEZS35WEXAMPLE:{NAME}"), "accessKeyId": key,
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{NAME}"),
        "sessionContext": { "sourceIdentity": "CN=prod.payments.api",
            "sessionIssuer": { "type": "Role", "arn": format!("arn:aws:iam::111122223333:role/{role}") } },
    })
}

fn call(key: &str, at: &str, action: &str) -> Value {
    json!({
        "eventTime": at, "eventSource": "s3.amazonaws.com", "eventName": action, "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7", "userIdentity": identity(key, "app"), "responseElements": null,
    })
}

fn assume_role() -> Value {
    json!({
        "eventTime": "2026-11-30T12:00:05Z", "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
        "awsRegion": "eu-central-1", "eventID": "event-2", "userIdentity": identity(KEY, "app"),
        "requestParameters": { "roleArn": "arn:aws:iam::444455556666:role/far", "roleSessionName": NAME },
        "responseElements": {
            "credentials": { "accessKeyId": HOP, "expiration": "Nov 30, 2026, 1:00:05 PM", "sessionToken": "hidden" },
            "assumedRoleUser": { "arn": format!("arn:aws:sts::444455556666:assumed-role/far/{NAME}") },
            "sourceIdentity": "CN=prod.payments.api",
        },
    })
}

/// An answered read, of the service account `name`.
fn audited(request: &str, name: &str, path: &str, data: &Value) -> Value {
    json!({
        "time": "2026-11-30T12:00:01.5Z", "type": "response",
        "auth": { "entity_id": format!("entity-of-{name}"), "display_name": format!("kubernetes-payments-{name}"),
            "metadata": { "service_account_name": name, "service_account_namespace": "payments" } },
        "request": { "id": request, "path": format!("iamra/{path}"), "mount_point": "iamra/", "operation": "read",
            "remote_address": "10.42.0.7" },
        "response": { "data": data },
    })
}

fn creds(access_key: &str) -> Value {
    json!({ "serial_number": SERIAL, "access_key": access_key, "source_identity": "CN=prod.payments.api", "secret_key": "hmac-sha256:00" })
}

fn logged(request: &str) -> Value {
    json!({
        "@timestamp": "2026-11-30T12:00:01.000000Z", "@level": "info", "@message": "served a shared session", "role": "app",
        "path": "container/app", "serial": SERIAL, "source_identity": "CN=prod.payments.api", "request_id": request,
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect::<Vec<_>>().concat()
}

fn of_key(key: &str) -> Selection {
    Selection { access_keys: vec![key.to_owned()], ..Selection::default() }
}

fn report(selection: Selection, files: &[&str]) -> TraceReport {
    let mut trace = Trace::new(selection);
    for (number, text) in files.iter().enumerate() {
        trace.read(&format!("file {number}"), text.as_bytes()).unwrap();
    }
    trace.report()
}

fn the_session(selection: Selection, files: &[&str]) -> TracedSession {
    let report = report(selection, files);
    assert_eq!(report.sessions.len(), 1, "{report:#?}");
    report.sessions.into_iter().next().unwrap()
}

fn service_accounts(session: &TracedSession) -> Vec<&str> {
    session.holders.iter().map(|holder| holder.service_account.as_deref().unwrap_or("-")).collect()
}

fn why(session: &TracedSession, what: &str) -> String {
    let of_session = session.missing.iter();
    let missing = of_session.chain(session.holders.iter().flat_map(|holder| &holder.missing));
    let said: Vec<_> = missing
        .filter(|missing| missing.what == what)
        .map(|missing| format!("{} {}", missing.why, missing.cure.as_deref().unwrap_or_default()))
        .collect();
    said.join("\n")
}

#[test]
fn a_call_in_cloudtrail_leads_to_the_service_account() {
    let trail = lines(&[
        create_session(NAME),
        call(KEY, "2026-11-30T12:10:00Z", "PutObject"),
        call(KEY, "2026-11-30T12:05:00Z", "GetObject"),
    ]);
    let audit = lines(&[audited("request-1", "api", "creds/app", &creds("hmac-sha256:00"))]);

    let session = the_session(of_key(KEY), &[&trail, &audit]);

    let SessionHolder { namespace, service_account, entity_id, role, requests, joined_by, .. } =
        &session.holders[0];
    assert_eq!((namespace.as_deref(), service_account.as_deref()), (Some("payments"), Some("api")));
    assert_eq!((entity_id.as_deref(), role.as_deref()), (Some("entity-of-api"), Some("app")));
    assert_eq!((requests[0].id.as_str(), joined_by.as_str()), ("request-1", "the serial number"));
    let calls = session.calls.unwrap();
    assert_eq!((calls.first.action.as_str(), calls.last.action.as_str()), ("s3 GetObject", "s3 PutObject"));
    assert_eq!(session.made.unwrap().region.as_deref(), Some("eu-central-1"));
}

#[test]
fn each_name_of_a_session_leads_to_it() {
    let trail = lines(&[create_session(NAME)]);
    let audit = lines(&[audited("request-1", "api", "creds/app", &creds(KEY))]);
    let selections = [
        of_key(KEY),
        Selection { serials: vec![HexSerial::parse(NAME).unwrap()], ..Selection::default() },
        Selection { serials: vec![HexSerial::parse(SERIAL).unwrap()], ..Selection::default() },
        Selection { source_identities: vec!["CN=prod.payments.api".to_owned()], ..Selection::default() },
        Selection::default(),
    ];

    for selection in selections {
        assert_eq!(service_accounts(&the_session(selection, &[&trail, &audit])), ["api"]);
    }
}

#[test]
fn a_shared_session_lists_each_holder_with_its_requests() {
    let audit = lines(&[
        audited("request-1", "api", "creds/app", &creds(KEY)),
        audited("request-2", "worker", "creds/app", &creds(KEY)),
        audited("request-3", "api", "creds/app", &creds(KEY)),
    ]);

    let session = the_session(of_key(KEY), &[&audit]);

    assert_eq!(service_accounts(&session), ["api", "worker"]);
    let ids: Vec<_> = session.holders[0].requests.iter().map(|request| request.id.as_str()).collect();
    assert_eq!(ids, ["request-1", "request-3"]);
}

#[test]
fn a_session_that_was_made_with_another_one_belongs_to_its_caller() {
    let trail = lines(&[create_session(NAME), assume_role(), call(HOP, "2026-11-30T12:06:00Z", "GetObject")]);
    let audit = lines(&[audited("request-1", "api", "creds/app", &creds(KEY))]);

    let session = the_session(of_key(HOP), &[&trail, &audit]);

    assert_eq!(service_accounts(&session), ["api"]);
    assert_eq!(session.made.unwrap().chained_from.as_deref(), Some(KEY));
    assert_eq!(session.role_arn.as_deref(), Some("arn:aws:iam::444455556666:role/far"));
    assert_eq!(the_session(of_key(KEY), &[&trail, &audit]).chained_to, [HOP]);
}

#[test]
fn an_access_key_in_clear_tells_apart_two_sessions_of_one_serial() {
    let trail = lines(&[create_session(NAME), assume_role()]);
    let audit = lines(&[
        audited("request-1", "near", "creds/app", &creds(KEY)),
        audited("request-2", "far", "creds/far", &creds(HOP)),
    ]);

    assert_eq!(service_accounts(&the_session(of_key(KEY), &[&trail, &audit])), ["near"]);
    assert_eq!(service_accounts(&the_session(of_key(HOP), &[&trail, &audit])), ["far"]);
}

#[test]
fn a_session_with_a_name_of_its_own_is_joined_by_the_access_key() {
    let trail = lines(&[create_session("my-name")]);
    let in_clear = lines(&[audited("request-1", "api", "creds/app", &creds(KEY))]);
    let hashed = lines(&[audited("request-1", "api", "creds/app", &creds("hmac-sha256:00"))]);

    let session = the_session(of_key(KEY), &[&trail, &in_clear]);
    let unknown = the_session(of_key(KEY), &[&trail, &hashed]);

    assert_eq!(
        (service_accounts(&session), session.holders[0].joined_by.as_str()),
        (vec!["api"], "the access key")
    );
    assert!(unknown.holders.is_empty());
    let why = why(&unknown, "audit entry");
    assert!(why.contains("access_key is HMACed in the reads of the mount iamra/ (1)"), "{why}");
    assert!(why.contains("vault secrets tune -audit-non-hmac-response-keys=access_key"), "{why}");
}

#[test]
fn a_document_is_joined_by_the_line_of_the_plugin() {
    let trail = lines(&[create_session(NAME)]);
    let audit =
        lines(&[audited("request-1", "api", "container/app", &json!({ "http_raw_body": "hmac-sha256:00" }))]);
    let log = lines(&[logged("request-1")]);

    let session = the_session(of_key(KEY), &[&trail, &audit, &log]);
    let unknown = the_session(of_key(KEY), &[&trail, &audit]);

    assert_eq!(service_accounts(&session), ["api"]);
    assert_eq!(session.holders[0].joined_by, "the request id in the plugin's log");
    let why = why(&unknown, "audit entry");
    assert!(
        why.contains("reads of iamra/container/app (1) show one HMAC") && why.contains("give Vault's log"),
        "{why}"
    );
}

#[test]
fn a_line_of_the_plugin_without_its_audit_entry_says_which_request_is_missing() {
    let session = the_session(Selection::default(), &[&lines(&[logged("request-9")])]);

    assert_eq!(session.holders[0].requests[0].id, "request-9");
    assert!(why(&session, "audit entry").contains("is of the request request-9"), "{session:#?}");
}

#[test]
fn the_log_of_the_node_agent_names_the_pod() {
    let audit = lines(&[audited("request-1", "api", "creds/app", &creds(KEY))]);
    let agent = lines(&[json!({
        "time": "2026-11-30T12:00:02.000000Z", "level": "info", "message": "answered a session", "namespace": "payments",
        "service_account": "api", "pod": "api-7c9-x2x", "role": "app", "access_key_id": KEY, "login_id": "login-1",
    })]);

    assert!(why(&the_session(of_key(KEY), &[&audit]), "pod").contains("Vault knows the service account"));
    assert_eq!(the_session(of_key(KEY), &[&audit, &agent]).holders[0].pods, ["api-7c9-x2x"]);
}

#[test]
fn what_no_file_has_is_said_with_its_reason() {
    let trail = lines(&[create_session(NAME)]);
    let other = lines(&[audited(
        "request-1",
        "api",
        "creds/app",
        &json!({ "serial_number": "01:02", "access_key": "ASIAOTHER" }),
    )]);

    let alone = the_session(of_key(KEY), &[&trail]);
    let beside = the_session(of_key(KEY), &[&trail, &other]);

    assert!(why(&alone, "audit entry").contains("no audit log of Vault was given"), "{alone:#?}");
    assert!(why(&alone, "call").contains("no event from 2026-11-30T12:00:00Z"), "{alone:#?}");
    assert!(
        why(&beside, "audit entry").contains("no read of credentials from 2026-11-30T12:00:01.5Z"),
        "{beside:#?}"
    );
    assert_eq!(report(of_key("ASIANOBODY"), &[&trail]).not_found, ["access key ASIANOBODY"]);
}

#[test]
fn a_session_of_nobody_here_is_not_taken_for_one() {
    let mut person = call("ASIAPERSON", "2026-11-30T12:00:00Z", "GetObject");
    person["userIdentity"]["arn"] = json!("arn:aws:sts::111122223333:assumed-role/admin/jane");
    let trail = lines(&[person]);

    let session = the_session(of_key("ASIAPERSON"), &[&trail]);

    assert!(why(&session, "certificate").contains("no serial number"), "{session:#?}");
    assert!(report(Selection::default(), &[&trail]).sessions.is_empty());
}

#[test]
fn a_span_has_the_calls_within_it_and_the_sessions_that_were_made_before() {
    let trail = lines(&[
        create_session(NAME),
        call(KEY, "2026-11-30T12:05:00Z", "GetObject"),
        call(KEY, "2026-11-30T12:30:00Z", "PutObject"),
    ]);
    let within = |from: &str, to: &str| {
        let moment = |text| Some(Moment::parse(text).unwrap());
        let span = TimeSpan { from: moment(from), to: moment(to) };
        report(Selection { span, ..Selection::default() }, &[&trail]).sessions
    };

    let late = within("2026-11-30T12:20:00Z", "2026-11-30T12:40:00Z");

    assert_eq!(late[0].calls.as_ref().unwrap().first.action, "s3 PutObject");
    assert!(late[0].made.is_some());
    assert!(within("2026-11-30T12:40:00Z", "2026-11-30T12:50:00Z").is_empty());
}

#[test]
fn a_value_that_a_caller_chose_moves_no_cursor() {
    let mut read = audited("request-1", "api", "creds/app", &creds(KEY));
    read["auth"]["display_name"] = json!("\u{1b}[2Jmine\n  holder 2 of 2\u{202e}");

    let text = report(of_key(KEY), &[&lines(&[read])]).to_string();

    assert!(text.contains(r"\u{1b}[2Jmine\n  holder 2 of 2\u{202e}"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn json_has_every_request_and_every_reason() {
    let audit = lines(&[audited("request-1", "api", "creds/app", &creds(KEY))]);

    let json = serde_json::to_value(report(of_key(KEY), &[&audit])).unwrap();

    let session = &json["sessions"][0];
    assert_eq!(session["serial_number"], SERIAL);
    assert_eq!(session["holders"][0]["requests"][0]["id"], "request-1");
    assert_eq!(session["missing"][0]["what"], "origin");
    assert_eq!(json["files"][0]["kinds"], json!(["Vault's audit log"]));
}

/// Whether `value` came in the console's list, one to a line, or over several lines.
fn written(values: &[Value], form: u8) -> String {
    match form % 3 {
        0 => lines(values),
        1 => json!({ "Records": values }).to_string(),
        _ => values.iter().map(|value| format!("{value:#}\n")).collect::<Vec<_>>().concat(),
    }
}

proptest! {
    #[test]
    fn the_order_and_the_form_of_files_change_no_answer(
        order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        forms in prop::collection::vec(any::<u8>(), 4),
    ) {
        let files = [
            vec![create_session(NAME), call(KEY, "2026-11-30T12:05:00Z", "GetObject")],
            vec![assume_role(), call(HOP, "2026-11-30T12:06:00Z", "GetObject")],
            vec![audited("request-1", "api", "creds/app", &creds(KEY)),
                audited("request-2", "worker", "container/app", &json!({ "http_raw_body": "hmac-sha256:00" }))],
            vec![logged("request-2")],
        ];
        let in_order: Vec<_> = files.iter().map(|values| lines(values)).collect();
        let expected = report(Selection::default(), &in_order.iter().map(String::as_str).collect::<Vec<_>>());

        let shuffled: Vec<_> = order.iter().map(|at| written(&files[*at], forms[*at])).collect();
        let said = report(Selection::default(), &shuffled.iter().map(String::as_str).collect::<Vec<_>>());

        prop_assert_eq!(said.sessions, expected.sessions);
    }

    #[test]
    fn no_line_stops_the_run(
        noise in prop::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..200),
        cut in 0_usize..900,
    ) {
        let event = create_session(NAME).to_string();
        let cut = &event.as_bytes()[..cut.min(event.len() - 1)];
        let file = [event.as_bytes(), &noise, cut, event.as_bytes()].join(&b'\n');
        let mut trace = Trace::new(of_key(KEY));

        trace.read("file", file.as_slice()).unwrap();

        let report = trace.report();
        prop_assert_eq!((report.sessions.len(), report.files[0].known), (1, 2));
        prop_assert!(report.skipped.count <= 2);
    }

    #[test]
    fn a_value_of_another_type_is_a_skipped_line_and_no_more(path in 0_usize..8, value in prop_oneof![Just(json!(1)), Just(json!([])), Just(json!({})), Just(json!(null))]) {
        let pointers = ["/eventTime", "/eventSource", "/awsRegion", "/userIdentity", "/responseElements",
            "/responseElements/credentialSet", "/responseElements/credentialSet/0/credentials", "/responseElements/credentialSet/0/credentials/accessKeyId"];
        let mut event = create_session(NAME);
        *event.pointer_mut(pointers[path]).unwrap() = value;
        let text = lines(&[call(KEY, "2026-11-30T12:05:00Z", "GetObject"), event]);
        let mut trace = Trace::new(of_key(KEY));

        trace.read("file", text.as_bytes()).unwrap();

        prop_assert_eq!(trace.report().sessions.len(), 1);
    }
}
