//! `container/:role`: the container-credentials document, which every AWS SDK fetches and renews by itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sessions::Freshness;
use vault_backend::{Fault, Field, Raw, Request, Response, Route};

use crate::credentials::documents;
use crate::credentials::grant::CredentialRequest;
use crate::engine::Engine;
use crate::ground::faults;
use crate::paths::named::OfRole;

/// The bound of one read, chosen by the clients that wait for it.
///
/// | client | gives up after | then |
/// | --- | --- | --- |
/// | JavaScript, Java | 1 s | asks again, 4 or 6 times in all |
/// | botocore | 2 s | asks again, 3 times in all |
/// | Rust, Go | 5 s, not at all | |
/// | Vault Agent's listener | never: it does not stop when the SDK hangs up | asks again on 5xx, unless it is told not to |
///
/// The bound is just under botocore's. The 15 s of `creds` would serve only Go. Under one second, botocore, Rust and Go would
/// fail too whenever AWS, or the first TLS connection to it, takes a little longer. A client that hangs up finds the session made
/// when it asks again.
///
/// An AWS that throttles is reported at once. An AWS that gives no answer is asked twice more while an attempt can begin in this
/// time: of an AWS that fails three calls in ten, one cold read in forty notices.
const PATIENCE: Duration = Duration::from_millis(1800);

/// The exact media type: Go's SDK reads an error's `code` and `message` under no other.
const JSON: &str = "application/json";

/// The keys of the document. SDKs define them, so they differ from those of `creds`.
const ANSWER: &[Field] = &[
    Field::string("AccessKeyId", "id of the access key"),
    Field::string("SecretAccessKey", "secret access key").sensitive(),
    Field::string("Token", "session token").sensitive(),
    Field::string(
        "Expiration",
        "when the session ends, RFC 3339 in UTC; SDKs fetch the document again before it",
    ),
    Field::string("AccountId", "account of the IAM role, that of target_role_arn if the role has one"),
];

/// Failures have a form of their own too, because SDKs do not read Vault's `errors`.
pub(crate) fn route() -> Route<Engine> {
    Route::at("container/{role}")
        .with_at_signs()
        .synopsis("AWS credentials of a role in the form that AWS SDKs fetch themselves.")
        .description(include_str!("../help/container-role.md"))
        .answers(ANSWER)
        .read(container)
        .render_errors_with(failure)
}

/// The credentials, without a lease. A session past its half-life is good enough, because SDKs may hang up before AWS gives a new
/// one, and that one is made meanwhile.
///
/// # Errors
/// Those of `Credentials::grant`, in JSON for SDKs.
async fn container(engine: Arc<Engine>, request: Request, ask: OfRole) -> Result<Response, Fault> {
    let wanted =
        CredentialRequest { role: &ask.role, ttl: None, freshness: Freshness::StaleOk, patience: PATIENCE };
    let granted = engine.credentials.grant(&request, wanted).await?;
    let session = &granted.grant.session.session;
    let document = documents::container_document(session, granted.role_arn().account())?;
    Ok(Response::raw(Raw::ok(JSON, document).no_store()))
}

/// An error as SDKs show it. Caches must not store it, or an SDK would see it after the cause is gone.
fn failure(fault: &Fault) -> Raw {
    let body = json!({ "code": faults::code(fault), "message": fault.to_string() });
    Raw::failure(fault, JSON, body.to_string()).no_store()
}
