//! STS: `GetCallerIdentity` (who signed this, with a session issued here or with a management key?) and `AssumeRole`.

mod assume_role;

use time::OffsetDateTime;

use crate::{
    create_session::role_id,
    http::{Call, Reply},
    rules::{Refusal, Rule},
    sigv4::{self, Authorization, Wrong},
    state::State,
    world::{LiveSession, World},
};

const VERSION: &str = "2011-06-15";

/// What STS is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    GetCallerIdentity,
    AssumeRole,
}

impl Action {
    /// As a form or as a query, in the one version of the API.
    pub(crate) fn of(call: &Call) -> Result<Action, Refusal> {
        let pairs = parameters(call);
        let value = |name: &str| {
            pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
        };
        match (value("Action"), value("Version")) {
            ("GetCallerIdentity", VERSION) => Ok(Action::GetCallerIdentity),
            ("AssumeRole", VERSION) => Ok(Action::AssumeRole),
            (action, version) => {
                let refusal = Refusal::new(Rule::StsAction, format!("Action={action} Version={version}"));
                Err(refusal.fill("action", action).fill("version", version))
            }
        }
    }

    /// Its name in the log, and what has become of it when it succeeds.
    pub(crate) fn entry(self) -> (&'static str, &'static str) {
        match self {
            Action::GetCallerIdentity => ("GetCallerIdentity", "answered"),
            Action::AssumeRole => ("AssumeRole", "issued"),
        }
    }
}

/// Answers a call whose action is known.
pub(crate) fn answer(world: &World, call: &Call, action: Action, request_id: &str) -> Result<Reply, Refusal> {
    let (state, now) = {
        let inner = world.lock();
        (inner.state.clone(), inner.now())
    };
    let caller = Caller::identify(world, &state, call, now)?;
    let xml = match action {
        Action::GetCallerIdentity => caller.xml(&state, request_id),
        Action::AssumeRole => assume_role::answer(world, &state, &caller, &parameters(call), request_id)?,
    };
    Ok(Reply::new(200, "text/xml", xml))
}

fn parameters(call: &Call) -> Vec<(String, String)> {
    if call.method == "POST" { call.form_pairs() } else { call.query_pairs() }
}

enum Caller {
    Session(Box<LiveSession>),
    ManagementKey(String),
}

impl Caller {
    fn identify(world: &World, state: &State, call: &Call, now: OffsetDateTime) -> Result<Caller, Refusal> {
        let header = call
            .header("authorization")
            .ok_or_else(|| Refusal::new(Rule::StsUnsigned, "no Authorization"))?;
        let authorization =
            Authorization::parse(header).map_err(|reason| Refusal::new(Rule::StsIncomplete, reason))?;
        let unknown = |detail: &str| Refusal::new(Rule::StsToken, detail);
        let verify = |secret: &str| {
            let regions = [state.region.as_str(), "us-east-1"];
            sigv4::verify_hmac(call, &authorization, secret, &regions, "sts", now)
                .map_err(|Wrong::Signature(reason)| Refusal::new(Rule::StsSignature, reason))
        };
        if let Some(key) = state.management_keys.iter().find(|key| key.access_key_id == authorization.key_id)
        {
            verify(&key.secret_access_key)?;
            return Ok(Caller::ManagementKey(key.access_key_id.clone()));
        }
        let session =
            world.lock().session(&authorization.key_id).ok_or_else(|| unknown("no such access key"))?;
        check_token(call, &authorization, &session)?;
        verify(&session.credentials.secret_access_key)?;
        if session.credentials.expiration <= now {
            return Err(Refusal::new(Rule::StsExpired, format!("ended {}", session.shown.expiration)));
        }
        Ok(Caller::Session(Box::new(session)))
    }

    fn xml(&self, state: &State, request_id: &str) -> String {
        let account = &state.account;
        let (arn, user) = match self {
            Caller::Session(session) => {
                let shown = &session.shown;
                let user = format!("{}:{}", role_id(&session.role_arn), shown.session_name);
                (shown.assumed_role_arn.clone(), user)
            }
            Caller::ManagementKey(key) => (management_arn(account), key.replace("AKIA", "AIDA")),
        };
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\">\n  <GetCallerIdentityResult>\n    \
             <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    <Account>{}</Account>\n  </GetCallerIdentityResult>\n  \
             <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n</GetCallerIdentityResponse>\n",
            escape(&arn),
            escape(&user),
            escape(account),
        )
    }
}

/// The IAM user whose keys all management keys are.
fn management_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/management")
}

/// The token must be the session's own, and signed as every `x-amz-` header.
fn check_token(call: &Call, authorization: &Authorization, session: &LiveSession) -> Result<(), Refusal> {
    let name = "x-amz-security-token";
    if call.header(name) != Some(session.credentials.session_token.as_str()) {
        return Err(Refusal::new(Rule::StsToken, "the security token is missing or another session's"));
    }
    if authorization.signed_headers.iter().any(|header| header == name) {
        return Ok(());
    }
    Err(Refusal::new(Rule::StsSignature, format!("{name} is not signed")))
}

/// STS's error document.
pub(crate) fn refusal(refusal: &Refusal, request_id: &str) -> Reply {
    let row = refusal.rule.row();
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{:?}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n",
        row.kind,
        escape(&refusal.message),
    );
    Reply::new(row.status, "text/xml", body)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
