//! Entries of Vault's audit log.
//!
//! <https://developer.hashicorp.com/vault/docs/audit/schema>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::fact::{Legible, LogFact, VaultCaller, VaultRead};
use crate::moment::Moment;
use crate::serial::HexSerial;

/// The first parts of the engine's paths that answer with credentials.
const CREDENTIAL_PATHS: [&str; 3] = ["creds", "sts", "container"];

/// How Vault marks a value that it replaced.
const HMAC: &str = "hmac-sha256:";

/// The facts of one entry: none, unless it is an answered read of credentials.
///
/// # Errors
/// A field of every entry is missing, or of another type.
pub(crate) fn facts(entry: Value) -> Result<Vec<LogFact>, String> {
    let entry: AuditEntry = serde_json::from_value(entry)
        .map_err(|error| format!("is not an entry of Vault's audit log: {error}"))?;
    let at = Moment::parse(&entry.time).map_err(|error| format!("time: {error}"))?;
    Ok(entry.read(at).map(LogFact::Read).into_iter().collect())
}

#[derive(Deserialize)]
struct AuditEntry {
    time: String,
    r#type: String,
    auth: Option<AuditAuth>,
    request: AuditRequest,
    response: Option<AuditResponse>,
}

#[derive(Default, Deserialize)]
struct AuditAuth {
    entity_id: Option<String>,
    display_name: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct AuditRequest {
    id: Option<String>,
    path: Option<String>,
    mount_point: Option<String>,
    remote_address: Option<String>,
}

#[derive(Deserialize)]
struct AuditResponse {
    data: Option<BTreeMap<String, Value>>,
}

impl AuditEntry {
    fn read(self, at: Moment) -> Option<VaultRead> {
        let data = self.response.filter(|_| self.r#type == "response")?.data?;
        let AuditRequest { id, path, mount_point, remote_address } = self.request;
        let (mount, path) = (mount_point?, path?);
        let path = path.strip_prefix(&mount)?.to_owned();
        let is_document = data.contains_key("http_raw_body");
        let has_credentials = is_document || data.contains_key("serial_number");
        let first = path.split('/').next().unwrap_or_default();
        if !has_credentials || !CREDENTIAL_PATHS.contains(&first) {
            return None;
        }
        Some(VaultRead {
            at,
            request_id: id?,
            mount,
            path,
            address: remote_address.filter(|address| !address.is_empty()),
            serial: legible(&data, "serial_number", |text| HexSerial::parse(text).ok()),
            access_key: legible(&data, "access_key", |text| Some(text.to_owned())),
            source_identity: legible(&data, "source_identity", |text| Some(text.to_owned())).clear().cloned(),
            is_document,
            caller: self.auth.unwrap_or_default().caller(),
        })
    }
}

impl AuditAuth {
    /// The caller: Kubernetes auth writes the service account into the token's metadata.
    ///
    /// <https://developer.hashicorp.com/vault/docs/auth/kubernetes>
    fn caller(self) -> VaultCaller {
        let metadata = self.metadata.unwrap_or_default();
        let named = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
        VaultCaller {
            entity_id: self.entity_id.filter(|id| !id.is_empty()),
            display_name: self.display_name.filter(|name| !name.is_empty()),
            namespace: named("service_account_namespace"),
            service_account: named("service_account_name"),
        }
    }
}

fn legible<T>(data: &BTreeMap<String, Value>, key: &str, read: impl Fn(&str) -> Option<T>) -> Legible<T> {
    match data.get(key).and_then(Value::as_str) {
        Some(text) if text.starts_with(HMAC) => Legible::Hashed,
        Some(text) => read(text).map_or(Legible::Absent, Legible::Clear),
        None => Legible::Absent,
    }
}
