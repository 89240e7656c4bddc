//! The response about one issuer, which several paths give.

use serde_json::{Map, Value, json};
use vault_backend::{Fault, Response};

use crate::ground::clock::{self, rfc3339};
use crate::issuers::{self, Candidate, Issuers, Loaded};
use crate::management::bundle_plan::fingerprint;
use crate::records::issuer::IssuerState;
use crate::store::Writer;

/// Stores a new issuer and returns its fields, with the warnings of [`issuers::add`]. The caller holds the store's lock from the
/// checks on, so no other issuer takes the last place in between.
///
/// # Errors
/// Those of [`issuers::add`].
pub(crate) async fn added(writer: &Writer, candidate: Candidate<'_>) -> Result<Response, Fault> {
    let (loaded, warnings) = issuers::add(writer, candidate).await?;
    // After the write: whether the issuer is the default, and its state, depend on it.
    let issuers = Issuers::load(writer).await?;
    Ok(warnings.into_iter().fold(Response::data(described(&issuers, &loaded)), Response::warn))
}

/// The issuer's fields, with a warning if it nears its end.
pub(crate) fn shown(issuers: &Issuers, loaded: &Loaded) -> Response {
    let expiry = loaded.issuer.expiry_warning(clock::now());
    let answer = Response::data(described(issuers, loaded));
    expiry.into_iter().fold(answer, |answer, warning| answer.warn(warning.to_string()))
}

/// The fields of one issuer, without its private key. A change of an issuer reads the same fields back, so each name must be one
/// of the route's.
pub(crate) fn described(issuers: &Issuers, loaded: &Loaded) -> Map<String, Value> {
    let (record, issuer) = (&loaded.record, &loaded.issuer);
    let fields = json!({
        "issuer_id": record.id,
        "issuer_name": record.name,
        "is_default": issuers.is_default(&record.id),
        "state": issuers.phase(loaded, clock::now()).to_string(),
        "disabled": record.state == IssuerState::Disabled,
        "key_id": record.key_id,
        "key_type": issuer.key_spec().to_string(),
        "subject": issuer.subject_text(),
        "serial_number": issuer.serial().to_string(),
        "sha256_fingerprint": fingerprint(issuer.certificate_der()),
        "not_before": rfc3339(issuer.not_before()),
        "not_after": rfc3339(issuer.not_after()),
        "certificate": record.certificate_pem,
        "ca_chain": record.chain_pem,
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
