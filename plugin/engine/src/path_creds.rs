//! `creds/:role` and `sts/:role`: the main job, AWS credentials for the caller under a lease.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vault_backend::{Answer, Ask, Fault, Field, Lease, Request, Route, Values};

use crate::Engine;
use crate::clock::rfc3339;
use crate::credentials;
use crate::lifetime;
use crate::session::{self, Granted, Wish};

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
    let wish = Wish { role: &ask.role, ttl: ask.ttl, patience: DEADLINE.into() };
    Ok(answer(&ask.role, session::grant(&engine, &request, wish).await?))
}

fn answer(name: &str, granted: Granted) -> Answer {
    let ttl = lifetime::lease(granted.issued.whole(), granted.remaining);
    let internal = Map::from_iter([
        ("role".to_owned(), Value::from(name)),
        ("serial".to_owned(), Value::from(granted.issued.serial.clone())),
    ]);
    let answer = Answer::data(data(&granted)).lease(Lease { ttl, max_ttl: None, internal });
    granted.issued.warnings.into_iter().fold(answer, Answer::warn)
}

fn data(granted: &Granted) -> Map<String, Value> {
    let Granted { role, order, issued, remaining } = granted;
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
