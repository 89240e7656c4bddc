//! The service-account token that a pod sends, and what it says of the pod.
//!
//! The agent verifies no signature and decides nothing by a claim: Vault does, with the Kubernetes API behind it. The claims choose
//! which engine role is asked for, end the life of a cached answer, and are shown in logs.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::refusal::Refusal;

/// The longest token that is taken, in bytes. Projected tokens have 1 to 2 KiB.
pub const MAX_TOKEN: usize = 8 * 1024;

/// The longest name of a namespace, a DNS label (RFC 1123).
const MAX_LABEL: usize = 63;
/// The longest name of a service account or a pod, a DNS subdomain (RFC 1123).
const MAX_SUBDOMAIN: usize = 253;

/// A token in the form of a JWT, unverified. `Debug` hides it, and its memory is overwritten when it is dropped.
#[derive(Clone, Debug)]
pub struct PodToken(SecretString);

impl PodToken {
    /// The token of an `Authorization` header: the JWT alone, as SDKs send what is in
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    ///
    /// # Errors
    /// It is empty, longer than [`MAX_TOKEN`], or no JWT.
    pub fn from_header(value: &[u8]) -> Result<PodToken, Refusal> {
        if value.is_empty() {
            return Err(missing());
        }
        if value.len() > MAX_TOKEN {
            let message = format!("the token has {} bytes, at most {MAX_TOKEN} are taken", value.len());
            return Err(Refusal::lasting(400, "TokenTooLong", message));
        }
        let text = std::str::from_utf8(value).ok().filter(|text| is_jwt(text)).ok_or_else(malformed)?;
        Ok(PodToken(text.into()))
    }

    /// What tells this token from every other: its SHA-256.
    pub fn digest(&self) -> TokenDigest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.expose().as_bytes()).as_ref());
        TokenDigest(bytes)
    }

    /// What the token says. A payload that is not the JSON of a service-account token says nothing.
    pub fn claims(&self) -> Claims {
        let payload = self.expose().split('.').nth(1).unwrap_or_default();
        let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).unwrap_or_default());
        serde_json::from_slice(&json).map(Payload::into_claims).unwrap_or_default()
    }

    /// The token itself, for Vault alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A request without a token.
pub fn missing() -> Refusal {
    Refusal::lasting(
        401,
        "TokenMissing",
        "no token in the Authorization header: set AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE to the projected service-account token",
    )
}

fn malformed() -> Refusal {
    let message = "the Authorization header is not a JWT alone: the agent takes the projected service-account token as it is, without \
                   `Bearer` and without a line break";
    Refusal::lasting(400, "TokenMalformed", message)
}

/// Three parts of base64url, none of them empty (RFC 7515, section 7.1).
fn is_jwt(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest with these bytes.
    pub fn new(bytes: [u8; 32]) -> TokenDigest {
        TokenDigest(bytes)
    }
}

/// The first four bytes, enough to tell two tokens apart in a log.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a token says of its pod, unverified. Names that Kubernetes would not give are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// Its service account.
    pub service_account: Option<String>,
    /// Its name.
    pub pod: Option<String>,
    /// Whom the token is for.
    pub audiences: Vec<String>,
    /// When the token ends.
    pub expiration: Option<OffsetDateTime>,
}

impl Claims {
    /// `<namespace>/<service account>`, where the token names both.
    pub fn account(&self) -> Option<String> {
        Some(format!("{}/{}", self.namespace.as_ref()?, self.service_account.as_ref()?))
    }
}

/// The claims of a service-account token
/// (<https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>).
#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    aud: Audience,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default, rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

/// RFC 7519, section 4.1.3: one text, or a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Audience::Several(Vec::new())
    }
}

#[derive(Default, Deserialize)]
struct Kubernetes {
    namespace: Option<String>,
    serviceaccount: Option<Named>,
    pod: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Payload {
    fn into_claims(self) -> Claims {
        let Payload { aud, exp, kubernetes } = self;
        let subdomain =
            |named: Option<Named>| named.map(|named| named.name).filter(|name| is_subdomain(name));
        let audiences = match aud {
            Audience::One(audience) => vec![audience],
            Audience::Several(audiences) => audiences,
        };
        Claims {
            namespace: kubernetes.namespace.filter(|name| name.len() <= MAX_LABEL && is_label(name)),
            service_account: subdomain(kubernetes.serviceaccount),
            pod: subdomain(kubernetes.pod),
            audiences,
            expiration: exp.and_then(whole_seconds),
        }
    }
}

/// A `NumericDate` (RFC 7519, section 2), which may have a fraction. None beyond what a calendar holds.
fn whole_seconds(seconds: f64) -> Option<OffsetDateTime> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 becomes its bound, which is no date"
    )]
    OffsetDateTime::from_unix_timestamp(seconds as i64).ok()
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= MAX_SUBDOMAIN && name.split('.').all(is_label)
}

fn is_label(name: &str) -> bool {
    let is_end =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    fn token(payload: &Value) -> PodToken {
        let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload.to_string()));
        PodToken::from_header(text.as_bytes()).unwrap()
    }

    fn code(header: &[u8]) -> String {
        PodToken::from_header(header).unwrap_err().code.into_owned()
    }

    #[test]
    fn a_projected_token_names_its_pod() {
        let claims = token(&json!({
            "aud": ["iamra"], "exp": 1_767_355_200,
            "kubernetes.io": {
                "namespace": "payments", "serviceaccount": { "name": "api.v2", "uid": "u" }, "pod": { "name": "api-0", "uid": "p" },
            },
        }))
        .claims();

        assert_eq!(claims.account().unwrap(), "payments/api.v2");
        assert_eq!((claims.pod.unwrap().as_str(), claims.audiences), ("api-0", vec!["iamra".to_owned()]));
        assert_eq!(claims.expiration, Some(datetime!(2026-01-02 12:00 UTC)));
    }

    #[test]
    fn names_that_kubernetes_would_not_give_are_left_out() {
        for name in ["", "../config", "a/b", "A", "a b", "a\n", "-a", "a-", "a..b", &"a".repeat(254)] {
            let claims =
                token(&json!({ "kubernetes.io": { "namespace": name, "serviceaccount": { "name": name } } }))
                    .claims();

            assert_eq!((claims.namespace, claims.service_account), (None, None), "{name:?}");
        }
    }

    #[test]
    fn a_namespace_has_no_dot() {
        let claims =
            token(&json!({ "kubernetes.io": { "namespace": "a.b", "serviceaccount": { "name": "a.b" } } }))
                .claims();

        assert_eq!((claims.namespace, claims.service_account.as_deref()), (None, Some("a.b")));
    }

    #[test]
    fn what_is_no_token_is_refused_by_its_fault() {
        let long = format!("e30.{}.c2ln", "a".repeat(MAX_TOKEN));

        assert_eq!(code(b""), "TokenMissing");
        assert_eq!(code(long.as_bytes()), "TokenTooLong");
        for text in [
            "Bearer e30.e30.c2ln",
            "e30.e30",
            "e30..c2ln",
            "e30.e30.c2ln.x",
            "e30.e30.c2ln\n",
            "hvs.CAES",
            "é.é.é",
        ] {
            assert_eq!(code(text.as_bytes()), "TokenMalformed", "{text:?}");
        }
    }

    #[test]
    fn two_tokens_that_differ_in_one_character_have_two_digests() {
        let of = |text: &str| PodToken::from_header(text.as_bytes()).unwrap().digest();

        assert_eq!(of("a.b.c"), of("a.b.c"));
        assert_ne!(of("a.b.c"), of("a.b.d"));
    }

    #[test]
    fn debug_shows_no_token() {
        let token = token(&json!({ "aud": "iamra" }));

        assert!(!format!("{token:?} {:?}", token.digest()).contains("c2ln"));
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in ".{0,200}", exp in any::<f64>()) {
            let text = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(&payload));
            if let Ok(token) = PodToken::from_header(text.as_bytes()) {
                let _ = token.claims();
            }
            let _ = whole_seconds(exp);
        }
    }
}
