//! `ecr:GetAuthorizationToken`: the signed request, and what ECR's answer to it says. No I/O, and the clock is an argument.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use std::fmt::Display;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use url::Url;
use zeroize::Zeroizing;

use super::registry::Registry;
use crate::vault::Session;
use crate::vault::wire::Received;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
/// No `registryIds`: AWS has deprecated them, because a token opens every registry that its caller may pull from.
const BODY: &[u8] = b"{}";

/// A signature dated further from AWS's clock than this is refused; AWS allows five minutes.
const CLOSE: time::Duration = time::Duration::minutes(4);

/// A registry's user and password.
#[derive(Clone, Debug)]
pub(super) struct RegistryLogin {
    /// `AWS`.
    pub(super) user: String,
    /// Opens every registry that the session may pull from.
    pub(super) password: SecretString,
    /// When the password ends, by AWS's clock.
    pub(super) ends: OffsetDateTime,
    /// When AWS answered, by its own clock; by the node's where AWS does not say.
    pub(super) answered: OffsetDateTime,
}

impl RegistryLogin {
    /// How long the kubelet may keep it: half of what is left of the password and of the session that asked for it, whichever ends first.
    /// So a pull that begins at the last moment still has the other half, and a service account whose role was taken away keeps its login
    /// no longer than its session.
    pub(super) fn cacheable(&self, session_ends: OffsetDateTime) -> Duration {
        let left = self.ends.min(session_ends) - self.answered;
        Duration::try_from(left).unwrap_or_default() / 2
    }
}

/// Why ECR gave no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLogin {
    /// It may pass by itself: throttled, an error of AWS's, no answer.
    #[error("{0}")]
    Passing(String),
    /// The signature is dated wrong; this is AWS's time.
    #[error("ECR refuses a signature that is dated by its own clock, {0}")]
    ClockOff(OffsetDateTime),
    /// Somebody must change something.
    #[error("{0}")]
    Lasting(String),
}

/// The signed request for a registry's login, at `endpoint`, dated `at`.
///
/// # Errors
/// The parts make no request that can be signed.
pub(super) fn request(
    endpoint: &Url,
    region: &str,
    session: &Session,
    at: OffsetDateTime,
) -> Result<Request<Bytes>, NoLogin> {
    let cannot = |error: &dyn Display| NoLogin::Lasting(format!("the call of ECR cannot be signed: {error}"));
    let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
    let mut request = Request::builder().method("POST").uri(endpoint.as_str());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(Bytes::from_static(BODY)).map_err(|error| cannot(&error))?;
    let identity = credentials(session).into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("ecr")
        .time(at.into())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| cannot(&error))?
        .into();
    let signable =
        SignableRequest::new("POST", endpoint.as_str(), headers.into_iter(), SignableBody::Bytes(BODY))
            .map_err(|error| cannot(&error))?;
    let (instructions, _) = sign(signable, &params).map_err(|error| cannot(&error))?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// `Credentials` redacts itself in `Debug` and overwrites its memory.
fn credentials(session: &Session) -> Credentials {
    Credentials::new(
        session.access_key_id.clone(),
        session.secret_access_key.expose_secret(),
        Some(session.session_token.expose_secret().to_owned()),
        None,
        "vault",
    )
}

/// What an answer says, seen at `now` by the node's clock.
///
/// # Errors
/// ECR refused, or something that is not ECR answered.
pub(super) fn read(
    answer: &Received,
    registry: &Registry,
    now: OffsetDateTime,
) -> Result<RegistryLogin, NoLogin> {
    if answer.status != 200 {
        return Err(refusal(answer, registry, now));
    }
    let foreign = || {
        let text = "what answered is not ECR, but perhaps a proxy on the way to it";
        NoLogin::Lasting(format!("the answer for {} has no authorization token: {text}", registry.host()))
    };
    let GetAuthorizationToken { authorization_data } =
        serde_json::from_slice(&answer.body).map_err(|_| foreign())?;
    let data = authorization_data.into_iter().next().ok_or_else(foreign)?;
    let decoded =
        Zeroizing::new(STANDARD.decode(data.authorization_token.expose_secret()).map_err(|_| foreign())?);
    let decoded = std::str::from_utf8(&decoded).map_err(|_| foreign())?;
    let (user, password) = decoded.split_once(':').ok_or_else(foreign)?;
    let answered = answer.date.unwrap_or(now);
    let ends = instant(data.expires_at).ok_or_else(foreign)?;
    Ok(RegistryLogin { user: user.to_owned(), password: password.into(), ends, answered })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetAuthorizationToken {
    authorization_data: Vec<AuthorizationData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationData {
    authorization_token: SecretString,
    /// Seconds since 1970, with a fraction.
    expires_at: f64,
}

/// None beyond what a calendar holds.
fn instant(seconds: f64) -> Option<OffsetDateTime> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 becomes its bound, which is no date"
    )]
    OffsetDateTime::from_unix_timestamp(seconds as i64).ok()
}

/// The error of the JSON protocol; AWS spells `message` in both ways.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default, rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

fn refusal(answer: &Received, registry: &Registry, now: OffsetDateTime) -> NoLogin {
    let ErrorBody { kind, message } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let (host, region) = (registry.host(), registry.region());
    let said = format!("ECR gives no login for {host}: {} {kind}: {}", answer.status, shortened(&message));
    let off = answer.date.filter(|date| (*date - now).abs() > CLOSE);
    match (kind, off) {
        ("InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestExpired", Some(date)) => {
            NoLogin::ClockOff(date)
        }
        ("ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded", _) => {
            NoLogin::Passing(said)
        }
        ("AccessDeniedException", _) => NoLogin::Lasting(format!(
            "{said}; allow the IAM role of this service account ecr:GetAuthorizationToken on \"*\""
        )),
        ("UnrecognizedClientException", _) => NoLogin::Lasting(format!(
            "{said}; AWS says so too where the account has not enabled the region {region}"
        )),
        ("ExpiredTokenException", _) => {
            NoLogin::Lasting(format!("{said}; compare the clocks of this node and of Vault"))
        }
        _ if answer.status == 429 || answer.status >= 500 => NoLogin::Passing(said),
        _ => NoLogin::Lasting(said),
    }
}

/// Enough of a message to know it by.
fn shortened(message: &str) -> String {
    const MOST: usize = 400;
    message.chars().filter(|character| !character.is_control()).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;
    use crate::clock::{Deadline, Moment};

    const NOW: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

    fn registry() -> Registry {
        Registry::of_image("111122223333.dkr.ecr.eu-central-1.amazonaws.com/app").unwrap()
    }

    fn session() -> Session {
        let now = Moment { monotonic: Duration::ZERO, wall: NOW };
        Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret-key".into(),
            session_token: "session-token".into(),
            account_id: None,
            expiration: NOW,
            ends: Deadline::at(NOW, now),
        }
    }

    fn answer(status: u16, body: &Value) -> Received {
        received(status, Some(NOW), body.to_string().into_bytes())
    }

    fn received(status: u16, date: Option<OffsetDateTime>, body: Vec<u8>) -> Received {
        Received { status, is_json: true, date, retry_after: None, body: Zeroizing::new(body) }
    }

    fn error(status: u16, kind: &str, member: &str) -> NoLogin {
        read(&answer(status, &json!({ "__type": kind, member: "what AWS says" })), &registry(), NOW)
            .unwrap_err()
    }

    #[test]
    fn the_request_is_signed_for_ecr_of_the_registrys_region() {
        let registry = registry();

        let request = request(registry.endpoint(), "eu-central-1", &session(), NOW).unwrap();

        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let authorization = header("authorization");
        assert!(
            authorization.contains("Credential=ASIAEXAMPLE/20260102/eu-central-1/ecr/aws4_request"),
            "{authorization}"
        );
        assert!(authorization.contains("x-amz-security-token;x-amz-target"), "{authorization}");
        assert_eq!(header("x-amz-target"), "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
        assert_eq!(header("x-amz-date"), "20260102T120000Z");
        assert_eq!(request.uri(), "https://api.ecr.eu-central-1.amazonaws.com/");
    }

    #[test]
    fn user_and_password_are_read_from_the_token() {
        let end = NOW.unix_timestamp() + 43_200;
        let data = json!({ "authorizationToken": STANDARD.encode("AWS:pass:word"), "expiresAt": end, "proxyEndpoint": "https://x" });

        let login = read(&answer(200, &json!({ "authorizationData": [data] })), &registry(), NOW).unwrap();

        assert_eq!((login.user.as_str(), login.password.expose_secret()), ("AWS", "pass:word"));
        assert_eq!(login.ends - login.answered, time::Duration::hours(12));
        assert!(!format!("{login:?}").contains("pass:word"));
    }

    #[test]
    fn the_kubelet_keeps_a_login_for_half_of_what_ends_first() {
        let hours = |hours| NOW + time::Duration::hours(hours);
        let login = |ends| RegistryLogin { user: String::new(), password: "".into(), ends, answered: NOW };

        assert_eq!(login(hours(12)).cacheable(hours(1)), Duration::from_secs(1800));
        assert_eq!(login(hours(1)).cacheable(hours(12)), Duration::from_secs(1800));
        assert_eq!(login(hours(12)).cacheable(hours(-1)), Duration::ZERO);
        assert_eq!(login(hours(-1)).cacheable(hours(1)), Duration::ZERO);
    }

    #[test]
    fn refusals_are_told_apart_by_who_can_cure_them() {
        let lasting =
            |error: NoLogin, word: &str| matches!(error, NoLogin::Lasting(text) if text.contains(word));
        let passing =
            |error: NoLogin| matches!(error, NoLogin::Passing(text) if text.contains("what AWS says"));

        assert!(lasting(error(400, "AccessDeniedException", "Message"), "what AWS says; allow the IAM role"));
        assert!(lasting(
            error(400, "com.amazon.coral.service#AccessDeniedException", "Message"),
            "allow the IAM role"
        ));
        assert!(lasting(
            error(400, "UnrecognizedClientException", "message"),
            "enabled the region eu-central-1"
        ));
        assert!(lasting(error(400, "ExpiredTokenException", "message"), "compare the clocks"));
        assert!(lasting(error(400, "InvalidParameterException", "message"), "400 InvalidParameterException"));
        assert!(passing(error(400, "ThrottlingException", "message")));
        assert!(passing(error(500, "ServerException", "message")));
        assert!(passing(error(429, "", "message")));
    }

    #[test]
    fn a_signature_is_dated_wrong_only_if_aws_has_another_time() {
        let wrong = json!({ "__type": "InvalidSignatureException", "message": "Signature expired" });
        let an_hour_ago = NOW - time::Duration::hours(1);

        assert_eq!(read(&answer(400, &wrong), &registry(), an_hour_ago).unwrap_err(), NoLogin::ClockOff(NOW));
        assert!(matches!(read(&answer(400, &wrong), &registry(), NOW), Err(NoLogin::Lasting(_))));
    }

    #[test]
    fn what_is_not_ecrs_answer_is_refused_and_not_repeated() {
        let token = |text: &str| {
            json!({ "authorizationData": [{ "authorizationToken": text, "expiresAt": 1 }] }).to_string()
        };
        for body in [
            "<html><body>secret sign in</body></html>".to_owned(),
            "{\"authorizationData\":[{\"authorizationToken\":\"secret".to_owned(),
            String::new(),
            "{\"authorizationData\":[]}".to_owned(),
            token("no base64!"),
            token(&STANDARD.encode("no colon, secret")),
        ] {
            let answer = received(200, None, body.clone().into_bytes());

            let error = read(&answer, &registry(), NOW).unwrap_err();

            assert!(
                matches!(&error, NoLogin::Lasting(text) if text.contains("not ECR") && !text.contains("secret")),
                "{body}: {error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 200_u16..600, body in prop::collection::vec(any::<u8>(), 0..200), seconds in any::<f64>()) {
            let answer = received(status, None, body);
            let _ = read(&answer, &registry(), NOW);
            let _ = instant(seconds);
        }
    }
}
