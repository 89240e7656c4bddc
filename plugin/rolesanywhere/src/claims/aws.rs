//! One HTTP answer, given to every request of one call.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

use super::one_short_line;
use crate::{
    ApiOperation, AssumeRole, CallError, Client, CreateSession, Credentials, Error, ExposeSecret as _,
    Identity, ProfileArn, RoleArn, SecretString, Session, SessionDuration, Settings, Transport,
    TransportError, TrustAnchorArn,
};

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const BUDGET: Duration = Duration::from_secs(15);
/// The longest wait that an answer may cause.
const MAX_PAUSE: Duration = Duration::from_hours(1);
/// Stands for a secret in the kept inputs; no text of ours may hold it. Its slash is not valid in a request id, the only text of
/// a header that is passed on.
const CANARY: &str = "cAnAry/";

/// An answer of AWS or a proxy: a line `<call> <status>`, header lines, an empty line and the body.
///
/// Every call ends within its budget. A session that is accepted is the requested one. An error is one short line, holds no
/// secret, and asks for a wait of an hour at most.
pub fn aws_answer(input: &[u8]) {
    let Some((call, answer)) = read(input) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime without I/O").block_on(async {
        let began = Instant::now();
        make(call, &answer).await;
        assert!(began.elapsed() <= BUDGET + Duration::from_millis(1), "{call:?}: {:?}", began.elapsed());
    });
}

#[derive(Clone, Copy, Debug)]
enum CallName {
    CreateSession,
    Probe,
    Signed(ApiOperation),
}

impl CallName {
    fn named(name: &str) -> Option<Self> {
        match name {
            "CreateSession" => Some(Self::CreateSession),
            "Probe" => Some(Self::Probe),
            _ => ApiOperation::ALL.into_iter().find(|known| known.name() == name).map(Self::Signed),
        }
    }
}

async fn make(call: CallName, answer: &Response<Bytes>) {
    let client = Client::with_transport(&Settings::default(), Arc::new(Always(answer.clone())));
    let client = client.expect("the default settings are in their bounds");
    match call {
        CallName::CreateSession => match client.create_session(&IDENTITY, &ASKED, || NOW, BUDGET).await {
            Ok(session) => fits(&session),
            Err(error) => check_error(&error, &error.to_string(), answer),
        },
        CallName::Probe => {
            let reached = client.probe(ASKED.trust_anchor.region(), || NOW, BUDGET).await;
            assert_eq!(reached.expect("any answer is an answer").status, answer.status().as_u16());
        }
        CallName::Signed(operation) => sign(operation, &client, answer).await,
    }
}

async fn sign(operation: ApiOperation, client: &Client, answer: &Response<Bytes>) {
    let signed_client = client.signed_client(credentials(), || NOW, BUDGET);
    let CreateSession { trust_anchor, profile, role, .. } = &*ASKED;
    match operation {
        ApiOperation::GetCallerIdentity => {
            refused(signed_client.get_caller_identity(trust_anchor.region()).await, answer);
        }
        ApiOperation::GetTrustAnchor => refused(signed_client.get_trust_anchor(trust_anchor).await, answer),
        ApiOperation::UpdateTrustAnchor => {
            let bundle = [vector(CERTIFICATE)];
            refused(signed_client.update_trust_anchor(trust_anchor, &bundle).await, answer);
        }
        ApiOperation::AssumeRole => {
            let request = AssumeRole {
                role: role.clone(),
                session_name: "0a".to_owned(),
                duration: AssumeRole::MAX_DURATION,
                external_id: None,
                session_policy: None,
                session_policy_arns: Vec::new(),
                tags: BTreeMap::new(),
                transitive_tag_keys: Vec::new(),
            };
            refused(signed_client.assume_role(trust_anchor.region(), &request).await, answer);
        }
        ApiOperation::GetProfile => refused(signed_client.get_profile(profile).await, answer),
        ApiOperation::GetRole => refused(signed_client.get_role(role).await, answer),
        ApiOperation::ListRolePolicies => refused(signed_client.list_role_policies(role).await, answer),
        ApiOperation::GetRolePolicy => refused(signed_client.get_role_policy(role, "denials").await, answer),
        ApiOperation::PutRolePolicy => {
            refused(signed_client.put_role_policy(role, "denials", "{}").await, answer);
        }
        ApiOperation::DeleteRolePolicy => {
            refused(signed_client.delete_role_policy(role, "denials").await, answer);
        }
    }
}

fn refused<T>(outcome: Result<T, CallError>, answer: &Response<Bytes>) {
    if let Err(error) = outcome {
        check_error(&error.cause, &error.to_string(), answer);
    }
}

fn fits(session: &Session) {
    let left = session.expiration - NOW;
    assert!(left.is_positive() && left <= time::Duration::minutes(12 * 60 + 15), "{left}");
    assert!(session.assumed_role_arn.starts_with("arn:aws:sts::111122223333:assumed-role/demo/"));
    assert!(
        !session.secret_access_key.expose_secret().is_empty()
            && !session.session_token.expose_secret().is_empty()
    );
    let shown = format!("{session:?}");
    for secret in [&session.secret_access_key, &session.session_token] {
        let secret = secret.expose_secret();
        assert!(!secret.starts_with(CANARY) || !shown.contains(secret), "a secret is shown: {shown}");
    }
}

/// Checks the text of an error: it may repeat AWS's own words of a refusal, and nothing of an answer that claims success.
fn check_error(error: &Error, shown: &str, answer: &Response<Bytes>) {
    one_short_line(shown);
    if let Error::Throttled { retry_after: Some(wait), .. } = error {
        assert!(*wait <= MAX_PAUSE, "{wait:?}");
    }
    if answer.status().is_success() {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

fn read(input: &[u8]) -> Option<(CallName, Response<Bytes>)> {
    let (head, body) = match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (input, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let (name, status) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let call = CallName::named(name)?;
    let mut answer = Response::builder().status(status.parse::<u16>().ok()?);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        answer = answer.header(name, HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?);
    }
    Some((call, answer.body(Bytes::copy_from_slice(body)).ok()?))
}

#[derive(Debug)]
struct Always(Response<Bytes>);

#[async_trait]
impl Transport for Always {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Ok(self.0.clone())
    }
}

const CERTIFICATE: &str = include_str!("../../tests/vectors/ecdsa-p256/certificate.pem");

fn vector(text: &str) -> Vec<u8> {
    pem::parse(text).expect("a vector is PEM").into_contents()
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let key = vector(include_str!("../../tests/vectors/ecdsa-p256/key.pem"));
    Identity::new(vector(CERTIFICATE), Vec::new(), &key).expect("a vector is an identity")
});

static ASKED: LazyLock<CreateSession> = LazyLock::new(|| {
    let arn = "an ARN";
    let trust_anchor: TrustAnchorArn =
        "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a".parse().expect(arn);
    let profile: ProfileArn = "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().expect(arn);
    let role: RoleArn = "arn:aws:iam::111122223333:role/demo".parse().expect(arn);
    let instance_properties = BTreeMap::new();
    let duration = SessionDuration::DEFAULT;
    CreateSession { trust_anchor, profile, role, duration, role_session_name: None, instance_properties }
});

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "ASIAEXAMPLEEXAMPLE12".to_owned(),
        secret_access_key: SecretString::from("secret"),
        session_token: Some(SecretString::from("token")),
    }
}
