//! `creds/:role` and `sts/:role`: the main job, AWS credentials for the caller under a lease.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::ExposeSecret as _;
use serde_json::{Map, Value, json};
use sessions::{CacheStatus, Freshness, Grant};
use vault_backend::{Fault, Field, Lease, Params, Request, Response, Route, Values};

use crate::credentials::documents;
use crate::credentials::grant::{CredentialRequest, Granted};
use crate::credentials::issued::Issued;
use crate::credentials::lifetime;
use crate::engine::Engine;
use crate::ground::clock::rfc3339;
use crate::paths::named::ROLE;
use crate::records::role_options::LeaseStyle;

/// The time for one read, with AWS's answers, retries and the wait for the quota.
const DEADLINE: Duration = Duration::from_secs(15);

/// A read of a role's credentials.
struct Creds {
    role: String,
    /// The session's length. None: the role's own. The role must allow callers to choose it.
    ttl: Option<Duration>,
}

impl Params for Creds {
    const FIELDS: &'static [Field] = &[
        ROLE,
        Field::duration(
            "ttl",
            "length of the session, 900 seconds or more, if the role lets callers choose it",
        ),
    ];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")?, ttl: values.duration("ttl")? })
    }
}

/// The names are those of Vault's aws engine where it has the same value, so its clients read this engine too.
const ANSWER: &[Field] = &[
    Field::string("access_key", "id of the access key"),
    Field::string("secret_key", "secret access key").sensitive(),
    Field::string("session_token", "session token; AWS refuses the two keys without it").sensitive(),
    Field::string(
        "security_token",
        "the session token again, under the name that Vault's aws engine also uses",
    )
    .sensitive(),
    Field::string("arn", "ARN of the session, as sts:GetCallerIdentity shows it"),
    Field::int(
        "ttl",
        "seconds until the session ends; with lease=static, seconds until the engine will have a new session, never 0",
    ),
    Field::string("expiration", "when the session ends, RFC 3339 in UTC"),
    Field::string("account_id", "account of the IAM role, that of target_role_arn if the role has one"),
    Field::string("region", "region of the role, or else of its trust anchor"),
    Field::string("role_arn", "ARN of the IAM role: target_role_arn if the role has one"),
    Field::string(
        "source_identity",
        "source identity of the session at AWS, CN=<the certificate's common name>",
    ),
    Field::string("role_session_name", "name of the session at AWS"),
    Field::string(
        "serial_number",
        "serial number of the session's certificate, or of the session that made it, hexadecimal with colons; revoke takes it",
    ),
    Field::string(
        "credential_process",
        "finished JSON document, as the credential_process of an AWS profile prints it",
    )
    .sensitive(),
    Field::string("credentials_file", "finished text of a shared credentials file, as its [default] profile")
        .sensitive(),
    Field::int("rotation_period", "half of the session's length in seconds; only with lease=static"),
    Field::string(
        "last_vault_rotation",
        "when the session was made, RFC 3339 in UTC; only with lease=static",
    ),
];

/// One route for both paths: `sts/` is the name that users of Vault's aws engine know.
pub(crate) fn route(path: &'static str) -> Route<Engine> {
    Route::at(path)
        .with_at_signs()
        .synopsis("AWS credentials of a role, under a lease.")
        .description(include_str!("../help/creds-role.md"))
        .answers(ANSWER)
        .read(creds)
        .update(creds)
}

/// The credentials for the caller.
///
/// # Errors
/// Those of `Credentials::grant`.
async fn creds(engine: Arc<Engine>, request: Request, ask: Creds) -> Result<Response, Fault> {
    let wanted =
        CredentialRequest { role: &ask.role, ttl: ask.ttl, freshness: Freshness::Prefer, patience: DEADLINE };
    Ok(answer(&ask.role, &engine.credentials.grant(&request, wanted).await?))
}

/// Renders a session under a lease or, for a role with `lease=static`, with the times that Vault's static roles give. Warnings of
/// the session, and of a renewal that failed, come with it.
fn answer(name: &str, granted: &Granted) -> Response {
    let Granted { role, grant, .. } = granted;
    let answer = match role.lease {
        LeaseStyle::Leased => Response::data(data(granted)).lease(lease(name, grant)),
        LeaseStyle::Static => {
            let mut data = data(granted);
            data.extend(rotation(grant));
            Response::data(data)
        }
    };
    grant.session.warnings.iter().cloned().chain(stale(grant)).fold(answer, Response::warn)
}

/// The lease ends before the session does, so Vault's agent fetches new credentials in time. `internal` goes to the engine's log
/// when the lease ends.
fn lease(name: &str, grant: &Grant<Arc<Issued>, Fault>) -> Lease {
    let ttl = lifetime::lease(grant.whole, grant.remaining);
    let internal = Map::from_iter([
        ("role".to_owned(), Value::from(name)),
        ("serial".to_owned(), Value::from(grant.session.serial.clone())),
    ]);
    Lease { ttl: Duration::from_secs(ttl.as_secs()), max_ttl: None, internal }
}

/// The keys of Vault's static roles, from which Agent's templates learn when to read again without a lease. They replace `ttl`.
fn rotation(grant: &Grant<Arc<Issued>, Fault>) -> Map<String, Value> {
    Map::from_iter([
        ("rotation_period".to_owned(), lifetime::rotation_period(grant.whole).into()),
        ("ttl".to_owned(), lifetime::until_renewal(grant.renewal_in, grant.remaining).into()),
        ("last_vault_rotation".to_owned(), rfc3339(grant.session.began).into()),
    ])
}

/// The warning with a session that is past its half-life because no new one could be made. None for any other.
fn stale(grant: &Grant<Arc<Issued>, Fault>) -> Option<String> {
    let CacheStatus::Stale(why) = &grant.cache_status else { return None };
    let minutes = grant.remaining.as_secs() / 60;
    Some(format!("this session has {minutes} minutes left, and AWS gave no new one: {why}"))
}

/// All keys of a response under a lease.
fn data(granted: &Granted) -> Map<String, Value> {
    let Granted { role, grant } = granted;
    let issued = &grant.session;
    let session = &issued.session;
    let (account, role_arn) = (granted.role_arn().account(), granted.role_arn().to_string());
    let fields = json!({
        "access_key": session.access_key_id,
        "secret_key": session.secret_access_key.expose_secret(),
        "session_token": session.session_token.expose_secret(),
        "security_token": session.session_token.expose_secret(),
        "arn": session.assumed_role_arn,
        "ttl": grant.remaining.as_secs(),
        "expiration": rfc3339(session.expiration),
        "account_id": account,
        "region": role.region(&issued.trust_anchor),
        "role_arn": role_arn,
        "source_identity": session.source_identity,
        "role_session_name": session.role_session_name,
        "serial_number": issued.serial,
        "credential_process": documents::process_document(session, account),
        "credentials_file": documents::shared_file(session),
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
