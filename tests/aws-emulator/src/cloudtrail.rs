//! The answered calls as events of `CloudTrail`, for tests of what reads them.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>,
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/logging-using-cloudtrail.html>
//!
//! AWS documents no example of `CreateSession`: `responseElements` is the answer without its secrets, as of every other call.
//! A call whose reply was lost has no event here.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::{
    clock, ecr,
    http::{Call, Reply},
    iam, management,
    query::Parameters,
    route::Fate,
    sigv4::Authorization,
    world::{Inner, LiveSession, World},
};

/// Calls kept; older ones are dropped.
const LIMIT: usize = 10_000;

/// What AWS writes in place of a secret.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// The trail of one account.
pub(crate) type Trail = VecDeque<AnsweredCall>;

/// A call with its reply, until somebody asks for events.
pub(crate) struct AnsweredCall {
    at: String,
    region: String,
    call: Call,
    reply: Reply,
}

/// Notes a call that was answered.
pub(crate) fn note(world: &World, call: &Call, fate: &Fate) {
    let Fate::Reply(reply) = fate else { return };
    let mut inner = world.lock();
    let at = clock::seconds(inner.now());
    if inner.trail.len() == LIMIT {
        inner.trail.pop_front();
    }
    let region = world.region().unwrap_or(&inner.state.region).to_owned();
    inner.trail.push_back(AnsweredCall { at, region, call: call.clone(), reply: reply.clone() });
}

/// The console's export: `{"Records":[…]}`.
pub(crate) fn records(inner: &Inner) -> Value {
    json!({ "Records": inner.trail.iter().map(|answered| event(inner, answered)).collect::<Vec<_>>() })
}

fn event(inner: &Inner, answered: &AnsweredCall) -> Value {
    let AnsweredCall { at, region, call, reply } = answered;
    let (service, operation) = operation(call);
    let signer = signer(inner, call);
    let request_id = reply.headers.iter().find(|(name, _)| *name == "x-amzn-requestid");
    let is_refused = reply.status >= 400;
    json!({
        "eventVersion": "1.11",
        "userIdentity": signer.map_or_else(|| unsigned(inner, call), |session| identity(inner, &session)),
        "eventTime": at,
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": operation,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": call.header("user-agent").unwrap_or_default(),
        "errorCode": is_refused.then(|| error_code(reply)),
        "requestParameters": request_parameters(call),
        "responseElements": if is_refused { Value::Null } else { response_elements(reply, &operation) },
        "requestID": request_id.map(|(_, id)| id),
        "eventID": request_id.map(|(_, id)| id),
        "readOnly": operation.starts_with("Get") || operation.starts_with("List"),
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": inner.state.account,
        "eventCategory": "Management",
    })
}

/// The service and the operation of a call.
fn operation(call: &Call) -> (&'static str, String) {
    if let (Some(operation), "/") = (ecr::operation(call), call.path.as_str()) {
        return ("ecr", operation.to_owned());
    }
    if call.path != "/" {
        return ("rolesanywhere", management::operation(call).to_owned());
    }
    let parameters = Parameters::of(call);
    let service = if parameters.first("Version") == iam::VERSION { "iam" } else { "sts" };
    (service, parameters.first("Action").to_owned())
}

/// The session that signed a call; none for a long-lived key and for a certificate.
fn signer(inner: &Inner, call: &Call) -> Option<LiveSession> {
    inner.session(&Authorization::of(call)?.key_id)
}

fn identity(inner: &Inner, session: &LiveSession) -> Value {
    let (role_id, _) = session.shown.user_id.split_once(':').unwrap_or_default();
    let identity = &session.shown.source_identity;
    json!({
        "type": "AssumedRole",
        "principalId": session.shown.user_id,
        "arn": session.shown.assumed_role_arn,
        "accountId": inner.state.account,
        "accessKeyId": session.shown.access_key_id,
        "sessionContext": {
            "sessionIssuer": { "type": "Role", "principalId": role_id, "arn": session.role_arn,
                "accountId": inner.state.account },
            "attributes": { "creationDate": session.shown.issued_at, "mfaAuthenticated": "false" },
            "sourceIdentity": (!identity.is_empty()).then_some(identity),
        },
    })
}

fn unsigned(inner: &Inner, call: &Call) -> Value {
    match management::operation(call) {
        "CreateSession" => json!({ "type": "Unknown", "principalId": "", "accountId": inner.state.account }),
        _ => json!({ "type": "IAMUser", "accountId": inner.state.account, "userName": "management" }),
    }
}

/// The type of a refusal: in a header, or in a document of XML.
fn error_code(reply: &Reply) -> String {
    let header = reply.headers.iter().find(|(name, _)| *name == "x-amzn-errortype");
    let code = header.map(|(_, kind)| kind.split(':').next().unwrap_or_default().to_owned());
    code.or_else(|| element(reply, "Code")).unwrap_or_default()
}

/// The text of an element of XML.
fn element(reply: &Reply, name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.body);
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
}

fn request_parameters(call: &Call) -> Value {
    if call.path == "/" {
        let parameters = Parameters::of(call);
        let named = |name: &str| Some(parameters.first(name)).filter(|value| !value.is_empty());
        return json!({ "roleArn": named("RoleArn"), "roleSessionName": named("RoleSessionName") });
    }
    serde_json::from_slice(&call.body).unwrap_or(Value::Null)
}

/// The answer without its secrets. Calls that only read have none.
fn response_elements(reply: &Reply, operation: &str) -> Value {
    match operation {
        "CreateSession" => {
            let mut answer: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            for secret in ["secretAccessKey", "sessionToken"] {
                if let Some(value) = answer.pointer_mut(&format!("/credentialSet/0/credentials/{secret}")) {
                    *value = HIDDEN.into();
                }
            }
            answer
        }
        "AssumeRole" => {
            let element = |name: &str| element(reply, name);
            json!({
                "credentials": { "accessKeyId": element("AccessKeyId"), "expiration": element("Expiration"), "sessionToken": HIDDEN },
                "assumedRoleUser": { "assumedRoleId": element("AssumedRoleId"), "arn": element("Arn") },
                "sourceIdentity": element("SourceIdentity"),
            })
        }
        _ => Value::Null,
    }
}
