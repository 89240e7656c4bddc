//! `UpdateTrustAnchor` of Roles Anywhere's own API, as a trust anchor's owner calls it, signed as AWS requires.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/API_UpdateTrustAnchor.html>

use serde_json::json;

use crate::sts::{self, Call, Credentials, StsError};

/// The id of the key that may do that at a [`crate::Stage`]'s AWS.
pub(crate) const KEY_ID: &str = "AKIAOWNEROFANCHORS00";
pub(crate) const SECRET_KEY: &str = "owner-of-anchors-in-an-emulated-aws";

/// Replaces the bundle of the anchor with this id. The error is AWS's refusal: of a third certificate, or of one that is not a CA.
pub(crate) async fn update(endpoint: &str, region: &str, id: &str, pem: &str) -> Result<(), StsError> {
    let source = json!({ "sourceType": "CERTIFICATE_BUNDLE", "sourceData": { "x509CertificateData": pem } });
    let body = json!({ "source": source }).to_string();
    let url = format!("{}/trustanchor/{id}", endpoint.trim_end_matches('/'));
    let owner =
        Credentials { access_key: KEY_ID.to_owned(), secret_key: SECRET_KEY.to_owned(), session_token: None };
    let (method, content_type, service) = ("PATCH", "application/json", "rolesanywhere");
    let call = Call { method, url: &url, content_type, body: &body, service, region, now: sts::now() };
    let request = reqwest::Request::try_from(call.signed(&owner)?)?;
    let response = sts::client(None)?.execute(request).await?;
    let status = response.status().as_u16();
    if status == 200 { Ok(()) } else { Err(StsError::Refused { status, body: response.text().await? }) }
}
