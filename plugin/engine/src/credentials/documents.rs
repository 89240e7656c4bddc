//! A session written as AWS tools read it: the container-credentials and `credential_process` documents, the shared credentials file.

use rolesanywhere::Session;
use serde::Serialize;
use vault_backend::Fault;

use crate::ground::clock::rfc3339;

/// The JSON document of a container-credentials endpoint (AWS SDKs and Tools Reference Guide, "Container credential provider").
/// Its names differ from `credential_process`: SDKs want `Token`, and no `Version`.
pub(crate) fn container_document(session: &Session, account_id: &str) -> Result<Vec<u8>, Fault> {
    let document = ContainerDocument {
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose(),
        token: session.session_token.expose(),
        expiration: rfc3339(session.expiration),
        account_id,
    };
    serde_json::to_vec(&document).map_err(Fault::bug)
}

/// The JSON document that `credential_process` prints (AWS SDKs and Tools Reference Guide, "Process credential provider").
pub(crate) fn process_document(session: &Session, account_id: &str) -> String {
    let document = ProcessDocument {
        version: 1,
        access_key_id: &session.access_key_id,
        secret_access_key: session.secret_access_key.expose(),
        session_token: session.session_token.expose(),
        expiration: rfc3339(session.expiration),
        account_id,
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The `[default]` profile of a shared credentials file. No SDK reads an expiry from it.
pub(crate) fn shared_file(session: &Session) -> String {
    format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        session.access_key_id,
        session.secret_access_key.expose(),
        session.session_token.expose(),
    )
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDocument<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    account_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProcessDocument<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: String,
    account_id: &'a str,
}
