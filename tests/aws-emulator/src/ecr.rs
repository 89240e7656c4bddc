//! ECR `GetAuthorizationToken`: the user and the password with which a container runtime pulls from a private registry.
//!
//! The token of AWS opens every registry that the caller may pull from, for 12 hours. Here nothing opens a registry: a registry beside the
//! emulator takes the password that the state names.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    access::{self, Asked},
    caller::{Caller, ECR},
    create_session::random,
    http::{Call, Reply},
    rules::{Kind, Refusal, Rule},
    sigv4::Authorization,
    variation::Variation,
    world::{Inner, World},
};

const OPERATION: &str = "GetAuthorizationToken";
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// The user in every token.
const USER: &str = "AWS";
/// The life of a token.
const LIFE: Duration = Duration::hours(12);
/// Members of `registryIds`.
const MAX_REGISTRY_IDS: usize = 10;

/// The operation of a call to ECR, with `-` for one that is not emulated; none for a call to another service.
pub(crate) fn operation(call: &Call) -> Option<&'static str> {
    let operation = call.header("x-amz-target")?.strip_prefix(TARGET)?;
    Some(if operation == OPERATION { OPERATION } else { "-" })
}

/// Answers in AWS's order: signature, operation, parameters, permission. `already_over`: the token ended a minute ago.
pub(crate) fn answer(world: &World, call: &Call, already_over: bool) -> Result<Reply, Refusal> {
    let inner = world.lock();
    let caller = Caller::identify(&inner, call, "ecr", ECR)?;
    if operation(call) != Some(OPERATION) {
        let target = call.header("x-amz-target").unwrap_or_default();
        return Err(Refusal::new(Rule::EcrOperation, target));
    }
    let registries = registries(call)?;
    let region = region(call, &inner);
    permit(&inner, &caller, &region)?;
    let end = if already_over { inner.now() - Duration::minutes(1) } else { inner.now() + LIFE };
    let own = vec![inner.state.account.clone()];
    let tokens = registries.unwrap_or(own).into_iter().map(|account| token(&inner, &account, &region, end));
    let body = json!({ "authorizationData": tokens.collect::<Vec<_>>() });
    Ok(Reply::new(200, CONTENT_TYPE, body.to_string()))
}

/// The JSON protocol's error: its type is in the body, at times with the namespace of AWS's own framework.
pub(crate) fn refusal(refusal: &Refusal, variation: Variation) -> Reply {
    let row = refusal.rule.row();
    let namespace = if variation.suffixed_type() { "com.amazon.coral.service#" } else { "" };
    // written by the layer in front of the service, which spells the member otherwise
    let member = if row.kind == Kind::AccessDeniedException { "Message" } else { "message" };
    let mut body = json!({ "__type": format!("{namespace}{:?}", row.kind) });
    body[member] = refusal.message.clone().into();
    Reply::new(row.status, CONTENT_TYPE, body.to_string())
}

/// The `registryIds` of a body, which AWS has deprecated: the token opens the same registries with and without.
fn registries(call: &Call) -> Result<Option<Vec<String>>, Refusal> {
    if call.header("content-type") != Some(CONTENT_TYPE) {
        return Err(Refusal::member(Rule::EcrBody, "the content type is not application/x-amz-json-1.1"));
    }
    let body: Map<String, Value> = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::member(Rule::EcrBody, &error.to_string()))?;
    if let Some(unknown) = body.keys().find(|member| *member != "registryIds") {
        return Err(Refusal::member(Rule::EcrMember, unknown));
    }
    match body.get("registryIds") {
        None | Some(Value::Null) => Ok(None),
        Some(ids) => account_ids(ids).map(Some),
    }
}

fn account_ids(ids: &Value) -> Result<Vec<String>, Refusal> {
    let wrong =
        |constraint: &str| Refusal::new(Rule::EcrRegistryIds, ids.to_string()).fill("constraint", constraint);
    let ids = ids.as_array().ok_or_else(|| Refusal::member(Rule::EcrBody, "registryIds must be a list"))?;
    if !(1..=MAX_REGISTRY_IDS).contains(&ids.len()) {
        return Err(wrong("must have length between 1 and 10"));
    }
    let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let account = |id: &Value| id.as_str().filter(is_account).map(str::to_owned);
    let accounts: Option<Vec<_>> = ids.iter().map(account).collect();
    accounts.ok_or_else(|| wrong("must satisfy regular expression '[0-9]{12}'"))
}

/// The signed scope names it, and it is one of the state's.
fn region(call: &Call, inner: &Inner) -> String {
    Authorization::of(call)
        .map_or_else(|| inner.state.region.clone(), |authorization| authorization.scope.region)
}

fn permit(inner: &Inner, caller: &Caller, region: &str) -> Result<(), Refusal> {
    let asked = Asked {
        action: format!("ecr:{OPERATION}"),
        resource: "*".to_owned(),
        named: "*".to_owned(),
        region: region.to_owned(),
        boundary: None,
    };
    access::decide(inner, caller, &asked)
        .map_err(|denial| denial.refusal(Rule::EcrDenied, &caller.arn(&inner.state.account), &asked))
}

fn token(inner: &Inner, account: &str, region: &str, end: OffsetDateTime) -> Value {
    let own = || BASE64_STANDARD.encode(random::<120>());
    let password = inner.state.registry_password.clone().unwrap_or_else(own);
    json!({
        "authorizationToken": BASE64_STANDARD.encode(format!("{USER}:{password}")),
        // seconds with a fraction, as the JSON protocol writes a time
        "expiresAt": (end - OffsetDateTime::UNIX_EPOCH).as_seconds_f64(),
        "proxyEndpoint": format!("https://{account}.dkr.ecr.{region}.amazonaws.com"),
    })
}
