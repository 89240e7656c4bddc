//! What the kubelet writes to stdin and reads from stdout: `credentialprovider.kubelet.k8s.io/v1`.
//!
//! <https://kubernetes.io/docs/reference/config-api/kubelet-credentialprovider.v1/>

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::login::RegistryLogin;
use super::registry::Registry;
use crate::failure::Failure;
use crate::token::{MAX_TOKEN, PodToken};

/// The one version that this provider speaks, and the only one in which the kubelet sends a service account's token.
const API_VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";
/// The longest request, in bytes: a token of 8 KiB, and the annotations that the kubelet's configuration names.
pub(super) const MAX_REQUEST: usize = 64 * 1024;

/// A `CredentialProviderRequest`. The kubelet may send annotations of the service account too; nothing here depends on them, because
/// Vault knows the service account by its name.
#[derive(Debug)]
pub(super) struct PullRequest {
    /// The image without tag and digest.
    pub(super) image: String,
    /// The token of the pod's service account, bound to the pod.
    pub(super) token: PodToken,
}

impl PullRequest {
    /// Reads what the kubelet wrote.
    ///
    /// # Errors
    /// It is longer than [`MAX_REQUEST`], no such request, of another version, or without a token.
    pub(super) fn read(json: &[u8]) -> Result<PullRequest, Failure> {
        if json.len() > MAX_REQUEST {
            return Err(Failure::new(format!("the request on stdin is longer than {MAX_REQUEST} bytes")));
        }
        let CredentialProviderRequest { api_version, kind, image, service_account_token } =
            serde_json::from_slice(json).map_err(|error| unreadable(&error))?;
        if api_version != API_VERSION {
            return Err(Failure::new(format!(
                "apiVersion {api_version:?} is not {API_VERSION:?}: set apiVersion: {API_VERSION} for this provider in the kubelet's \
                 CredentialProviderConfig"
            )));
        }
        if kind != "CredentialProviderRequest" {
            return Err(Failure::new(format!("kind {kind:?} is not \"CredentialProviderRequest\"")));
        }
        Ok(PullRequest { image, token: token(service_account_token)? })
    }
}

/// The kubelet writes other members too: annotations, and those of later versions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialProviderRequest {
    api_version: String,
    kind: String,
    image: String,
    #[serde(default)]
    service_account_token: Option<SecretString>,
}

/// Where it went wrong, and nothing of the request: its text has a token.
fn unreadable(error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    let text = format!("stdin has no CredentialProviderRequest in JSON: line {line}, column {column}");
    Failure::new(format!("{text}; the kubelet runs this command, not a person"))
}

fn token(text: Option<SecretString>) -> Result<PodToken, Failure> {
    let text = text.filter(|text| !text.expose_secret().is_empty()).ok_or_else(|| {
        Failure::new(
            "the request has no serviceAccountToken: set tokenAttributes in the kubelet's CredentialProviderConfig, with \
             serviceAccountTokenAudience: iamra and requireServiceAccount: true (Kubernetes 1.34, or 1.33 with the feature gate \
             KubeletServiceAccountTokenForCredentialProviders)",
        )
    })?;
    PodToken::from_header(text.expose_secret().as_bytes())
        .map_err(|_| Failure::new(format!("serviceAccountToken is no JWT of at most {MAX_TOKEN} bytes")))
}

/// The `CredentialProviderResponse` that gives a registry's login to the kubelet for `cached`, which is cut to whole seconds. The
/// kubelet keeps it for this registry, and where the provider's `cacheType` says so, for this service account alone.
///
/// # Errors
/// None that can happen: the parts are texts.
pub(super) fn response(
    registry: &Registry,
    login: &RegistryLogin,
    cached: Duration,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let password = login.password.expose_secret();
    let answer = CredentialProviderResponse {
        api_version: API_VERSION,
        kind: "CredentialProviderResponse",
        cache_key_type: "Registry",
        cache_duration: format!("{}s", cached.as_secs()),
        auth: BTreeMap::from([(registry.host(), AuthConfig { username: &login.user, password })]),
    };
    let json = serde_json::to_vec(&answer).map_err(|error| Failure::new(format!("the answer: {error}")))?;
    Ok(Zeroizing::new(json))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CredentialProviderResponse<'a> {
    api_version: &'static str,
    kind: &'static str,
    cache_key_type: &'static str,
    /// As Go writes a duration.
    cache_duration: String,
    auth: BTreeMap<&'a str, AuthConfig<'a>>,
}

#[derive(Serialize)]
struct AuthConfig<'a> {
    username: &'a str,
    password: &'a str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::*;

    const IMAGE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/app";

    fn request() -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": "CredentialProviderRequest", "image": IMAGE,
            "serviceAccountToken": "e30.e30.c2ln", "serviceAccountAnnotations": { "example.com/team": "payments" },
        })
    }

    fn refused(member: &str, value: &Value) -> String {
        let mut request = request();
        request[member] = value.clone();
        PullRequest::read(request.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_request_of_a_kubelet_names_image_and_token() {
        let request = PullRequest::read(request().to_string().as_bytes()).unwrap();

        assert_eq!((request.image.as_str(), request.token.expose()), (IMAGE, "e30.e30.c2ln"));
    }

    #[test]
    fn another_version_or_kind_is_refused_with_the_line_to_change() {
        let older = refused("apiVersion", &json!("credentialprovider.kubelet.k8s.io/v1beta1"));
        let answer = refused("kind", &json!("CredentialProviderResponse"));

        assert!(older.contains("v1beta1") && older.contains("set apiVersion"), "{older}");
        assert!(answer.contains("CredentialProviderResponse"), "{answer}");
    }

    #[test]
    fn a_request_without_a_token_says_which_setting_brings_it() {
        for absent in [Value::Null, json!("")] {
            let error = refused("serviceAccountToken", &absent);

            assert!(error.contains("tokenAttributes") && error.contains("1.34"), "{error}");
        }
    }

    #[test]
    fn a_token_that_is_no_jwt_is_refused_and_not_repeated() {
        for token in ["hvs.secret", "not a token", &"a".repeat(MAX_TOKEN + 1)] {
            let error = refused("serviceAccountToken", &json!(token));

            assert_eq!(error, "serviceAccountToken is no JWT of at most 8192 bytes");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let huge = format!("{{\"image\":\"{}\"}}", "a".repeat(10 << 20));
        for (text, word) in [
            ("<html><body>sign in</body></html>", "CredentialProviderRequest"),
            ("{\"apiVersion\":\"credentialprov", "CredentialProviderRequest"),
            ("", "CredentialProviderRequest"),
            ("[]", "CredentialProviderRequest"),
            (huge.as_str(), "longer than 65536 bytes"),
        ] {
            let error = PullRequest::read(text.as_bytes()).unwrap_err().to_string();

            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_answer_is_one_that_the_kubelet_takes() {
        let registry = Registry::of_image(IMAGE).unwrap();
        let login = RegistryLogin {
            user: "AWS".to_owned(),
            password: "secret".into(),
            ends: OffsetDateTime::UNIX_EPOCH,
            answered: OffsetDateTime::UNIX_EPOCH,
        };

        let json = response(&registry, &login, Duration::from_millis(1_800_900)).unwrap();

        let answer: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            answer,
            json!({
                "apiVersion": API_VERSION, "kind": "CredentialProviderResponse", "cacheKeyType": "Registry", "cacheDuration": "1800s",
                "auth": { "111122223333.dkr.ecr.eu-central-1.amazonaws.com": { "username": "AWS", "password": "secret" } },
            })
        );
    }

    proptest! {
        #[test]
        fn no_request_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = PullRequest::read(&bytes);
        }
    }
}
