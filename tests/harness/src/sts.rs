//! `GetCallerIdentity` at an STS endpoint: who holds some credentials. Signed with Signature Version 4 by `aws-sigv4`.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::{Certificate, Client};
use serde_json::Value;

const FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Temporary credentials as `creds/:role` returns them.
#[derive(Clone)]
pub struct Credentials {
    /// The key id, `ASIA…`; not a secret.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token; long-lived keys have none.
    pub session_token: Option<String>,
}

impl Credentials {
    /// Takes them from the `data` of an answer, or from the whole document that `vault read -format=json` prints.
    pub fn from_vault(document: &Value) -> Result<Credentials, StsError> {
        let data = if document["data"].is_object() { &document["data"] } else { document };
        let text = |key: &'static str| data[key].as_str().map(str::to_owned).ok_or(StsError::Missing(key));
        Ok(Credentials {
            access_key: text("access_key")?,
            secret_key: text("secret_key")?,
            session_token: Some(text("session_token")?),
        })
    }

    fn keys(&self) -> Keys {
        Keys::new(&self.access_key, &self.secret_key, self.session_token.clone(), None, "vault")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// The caller, as STS names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session name>`.
    pub arn: String,
    /// The account of 12 digits.
    pub account: String,
    /// `<role id>:<session name>`.
    pub user_id: String,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum StsError {
    /// The credentials are not complete.
    #[error("no {0} in the credentials")]
    Missing(&'static str),
    /// The request could not be signed or the endpoint is not a URL.
    #[error("the request cannot be signed: {0}")]
    Signing(String),
    /// There was no answer.
    #[error("no answer: {0}")]
    Transport(#[from] reqwest::Error),
    /// STS answered, but not with an identity.
    #[error("status {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}

/// Signs `GetCallerIdentity` for `endpoint` and `region` and sends it. `ca_pem`, if given, is the only trusted CA.
pub async fn caller_identity(
    endpoint: &str,
    region: &str,
    ca_pem: Option<&str>,
    credentials: &Credentials,
) -> Result<CallerIdentity, StsError> {
    let url = format!("{}/", endpoint.trim_end_matches('/'));
    let call = Call {
        method: "POST",
        url: &url,
        content_type: CONTENT_TYPE,
        body: FORM,
        service: "sts",
        region,
        now: now(),
    };
    let request = reqwest::Request::try_from(call.signed(credentials)?)?;
    let response = client(ca_pem)?.execute(request).await?;
    let status = response.status().as_u16();
    let body = response.text().await?;
    read(&body).filter(|_| status == 200).ok_or(StsError::Refused { status, body })
}

/// A call for `aws-sigv4` to sign.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a str,
    /// The signing name: `sts`, `rolesanywhere`.
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) now: SystemTime,
}

impl Call<'_> {
    /// The call as a signed request.
    pub(crate) fn signed(&self, credentials: &Credentials) -> Result<http::Request<String>, StsError> {
        let cannot = |error: &dyn fmt::Display| StsError::Signing(error.to_string());
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(self.url)
            .header("content-type", self.content_type)
            .body(self.body.to_owned())
            .map_err(|error| cannot(&error))?;
        let identity = credentials.keys().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| cannot(&error))?
            .into();
        let headers = [("content-type", self.content_type)].into_iter();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable = SignableRequest::new(self.method, self.url, headers, body);
        let (instructions, _) = sign(signable.map_err(|error| cannot(&error))?, &params)
            .map_err(|error| cannot(&error))?
            .into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

pub(crate) fn client(ca_pem: Option<&str>) -> Result<Client, StsError> {
    let certificates = ca_pem.map(|pem| Certificate::from_pem(pem.as_bytes())).transpose()?;
    Ok(Client::builder().no_proxy().tls_certs_only(certificates).build()?)
}

fn read(xml: &str) -> Option<CallerIdentity> {
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    Some(CallerIdentity { arn: element("Arn")?, account: element("Account")?, user_id: element("UserId")? })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature is dated by the real clock; nothing here is a plugin's"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_printed_secret_and_its_bare_data_give_the_same_credentials() {
        let data = json!({ "access_key": "ASIA1", "secret_key": "s", "session_token": "t" });

        let bare = Credentials::from_vault(&data).unwrap();
        let whole = Credentials::from_vault(&json!({ "data": data })).unwrap();

        assert_eq!((bare.access_key, bare.secret_key), (whole.access_key, whole.secret_key));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Credentials::from_vault(&json!({ "access_key": "ASIA1" })).unwrap_err();

        assert_eq!(error.to_string(), "no secret_key in the credentials");
    }

    #[test]
    fn debug_shows_the_key_id_alone() {
        let data = json!({ "access_key": "ASIA1", "secret_key": "hush", "session_token": "quiet" });

        let shown = format!("{:?}", Credentials::from_vault(&data).unwrap());

        assert!(shown.contains("ASIA1") && !shown.contains("hush") && !shown.contains("quiet"));
    }

    #[test]
    fn the_signature_covers_host_and_token() {
        let keys = Credentials {
            access_key: "ASIA1".into(),
            secret_key: "s".into(),
            session_token: Some("t".into()),
        };

        let (url, content_type) = ("http://127.0.0.1:1/", CONTENT_TYPE);
        let (region, now) = ("eu-central-1", SystemTime::UNIX_EPOCH);
        let call = Call { method: "POST", url, content_type, body: FORM, service: "sts", region, now };
        let request = call.signed(&keys).unwrap();

        let header = request.headers()["authorization"].to_str().unwrap();
        assert!(header.contains("Credential=ASIA1/19700101/eu-central-1/sts/aws4_request"), "{header}");
        assert!(header.contains("host;x-amz-date;x-amz-security-token"), "{header}");
    }

    #[test]
    fn an_identity_is_read_from_the_answer_of_sts() {
        let xml = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>a</Arn><UserId>u</UserId>\
                   <Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";

        let who = read(xml).unwrap();

        assert_eq!((who.arn.as_str(), who.account.as_str(), who.user_id.as_str()), ("a", "1", "u"));
        assert_eq!(read("<html>"), None);
    }
}
