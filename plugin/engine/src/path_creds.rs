//! `creds/:role` and `sts/:role`: the main job, AWS credentials for the caller under a lease.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vault_backend::{Answer, Ask, Fault, Field, Lease, Request, Route, Values};

use crate::Engine;
use crate::clock::{self, rfc3339};
use crate::credentials;
use crate::identity::Caller;
use crate::lifetime;
use crate::role::Role;
use crate::session::{self, Issued, Order};

/// The total time for one request, AWS's answers and retries included.
const DEADLINE: Duration = Duration::from_secs(15);

/// A role's credentials.
struct Creds {
    role: String,
    ttl: Option<Duration>,
}

impl Ask for Creds {
    const FIELDS: &'static [Field] = &[
        Field::string("role", "name of the role"),
        Field::duration(
            "ttl",
            "length of the session, 900 seconds or more, where the role allows callers to choose",
        ),
    ];

    fn take(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")?, ttl: values.duration("ttl")? })
    }
}

pub(crate) fn route(path: &'static str) -> Route<Engine> {
    Route::at(path)
        .synopsis("AWS credentials of a role, under a lease.")
        .description(
            "Each read issues a certificate for the caller, makes a Roles Anywhere session with it and forgets certificate and key. The lease is shorter than the session, is not renewable, and its end or revocation changes nothing at AWS: a session lives until its expiration. `credential_process` and `credentials_file` are finished texts for an Agent template.",
        )
        .read(creds)
        .update(creds)
}

async fn creds(engine: Arc<Engine>, request: Request, ask: Creds) -> Result<Answer, Fault> {
    engine.active_only()?;
    let work = tokio::time::timeout(DEADLINE, Box::pin(make(&engine, &request, &ask)));
    let late = || Fault::later(format!("no session within {} s; ask again", DEADLINE.as_secs()));
    engine.until_closed(async { work.await.unwrap_or_else(|_| Err(late())) }).await
}

async fn make(engine: &Engine, request: &Request, ask: &Creds) -> Result<Answer, Fault> {
    let name = &ask.role;
    let role = engine
        .store
        .role(name)
        .await?
        .ok_or_else(|| Fault::caller(format!("role: there is no role {name:?}")))?;
    let snapshot = engine.snapshot().await?;
    let authority = snapshot.issuers.require(&role.issuer_ref, &request.mount_point)?;
    let order = Order::new(&snapshot, name, &role, Caller::of(request), ask.ttl, &request.mount_point)?;
    let issued = session::create(&snapshot, authority, &role, &order, DEADLINE).await?;
    tracing::info!(
        role = name,
        serial = issued.serial,
        source_identity = issued.session.source_identity,
        expiration = rfc3339(issued.session.expiration),
        "issued a session"
    );
    answer(name, &role, &order, issued)
}

fn answer(name: &str, role: &Role, order: &Order, issued: Issued) -> Result<Answer, Fault> {
    let now = clock::now();
    let remaining = span(issued.session.expiration - now);
    if remaining.is_zero() {
        return Err(Fault::later(
            "AWS answered with a session that has expired already; check this machine's clock",
        ));
    }
    let ttl = lifetime::lease(span(issued.session.expiration - issued.began), remaining);
    let internal = Map::from_iter([
        ("role".to_owned(), Value::from(name)),
        ("serial".to_owned(), Value::from(issued.serial.clone())),
    ]);
    let answer =
        Answer::data(data(role, order, &issued, remaining)).lease(Lease { ttl, max_ttl: None, internal });
    Ok(issued.warnings.into_iter().fold(answer, Answer::warn))
}

fn data(role: &Role, order: &Order, issued: &Issued, remaining: Duration) -> Map<String, Value> {
    let session = &issued.session;
    let account = role.role_arn.account();
    let fields = json!({
        "access_key": session.access_key_id,
        "secret_key": session.secret_access_key.expose(),
        "session_token": session.session_token.expose(),
        "security_token": session.session_token.expose(),
        "arn": session.assumed_role_arn,
        "ttl": remaining.as_secs(),
        "expiration": rfc3339(session.expiration),
        "account_id": account,
        "region": role.region(&order.anchorage.trust_anchor),
        "role_arn": role.role_arn.to_string(),
        "source_identity": session.source_identity,
        "role_session_name": session.role_session_name,
        "serial_number": issued.serial,
        "credential_process": credentials::process_document(session, account),
        "credentials_file": credentials::shared_file(session),
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A span of whole seconds, zero when `left` is negative.
fn span(left: time::Duration) -> Duration {
    Duration::from_secs(u64::try_from(left.whole_seconds()).unwrap_or(0))
}
