//! A session in the forms that AWS tools read: the container-credentials document, the `credential_process` document, and the
//! shared credentials file. All of them contain the secrets in the clear.

use rolesanywhere::{ExposeSecret as _, Session};
use serde::Serialize;
use vault_backend::Fault;

use crate::ground::clock::rfc3339;

/// The JSON document of a container-credentials endpoint (AWS SDKs and Tools Reference Guide, "Container credential provider").
/// Its names differ from those of `credential_process`: SDKs expect `Token`, and no `Version`.
///
/// # Errors
/// A bug of ours if the document cannot be written.
pub(crate) fn container_document(session: &Session, account_id: &str) -> Result<Vec<u8>, Fault> {
    let document = ContainerDocument {
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose_secret(),
        token: session.session_token.expose_secret(),
        expiration: rfc3339(session.expiration),
        account_id,
    };
    serde_json::to_vec(&document).map_err(Fault::bug)
}

/// The JSON document that `credential_process` prints (AWS SDKs and Tools Reference Guide, "Process credential provider"),
/// version 1.
///
/// It is empty if serde cannot write it, which text and numbers never cause.
pub(crate) fn process_document(session: &Session, account_id: &str) -> String {
    let document = ProcessDocument {
        version: 1,
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose_secret(),
        session_token: session.session_token.expose_secret(),
        expiration: rfc3339(session.expiration),
        account_id,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The `[default]` profile of a shared credentials file. It states no expiration, because no SDK reads one from it.
pub(crate) fn shared_file(session: &Session) -> String {
    format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        session.access_key_id,
        session.secret_access_key.expose_secret(),
        session.session_token.expose_secret(),
    )
}

/// The names of its fields are those of the wire, in Pascal case.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDocument<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    /// RFC 3339 in UTC. SDKs refresh before it.
    expiration: String,
    account_id: &'a str,
}

/// The names of its fields are those of the wire, in Pascal case.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessDocument<'a> {
    /// Must be 1, as the guide says.
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
    account_id: &'a str,
}
