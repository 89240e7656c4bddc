//! The signer of a call: a management key of the state, or a session issued here.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    clock,
    create_session::user_id,
    http::Call,
    policy::{Fact, Facts},
    rules::{Refusal, Rule},
    sigv4::{self, Authorization, Wrong},
    state::State,
    world::{Inner, LiveSession},
};

/// The signer.
#[derive(Clone)]
pub(crate) enum Caller {
    Session(Box<LiveSession>),
    /// An IAM user.
    User(User),
}

/// The user who owns all management keys.
#[derive(Clone)]
pub(crate) struct User {
    access_key_id: String,
    /// `None`: everything is allowed.
    pub(crate) policies: Option<BTreeMap<String, Value>>,
}

/// A service's errors for the ways in which a caller is not known.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    pub(crate) unsigned: Rule,
    pub(crate) incomplete: Rule,
    pub(crate) token: Rule,
    pub(crate) expired: Rule,
    pub(crate) signature: Rule,
}

/// STS and IAM.
pub(crate) const QUERY_API: Names = Names {
    unsigned: Rule::StsUnsigned,
    incomplete: Rule::StsIncomplete,
    token: Rule::StsToken,
    expired: Rule::StsExpired,
    signature: Rule::StsSignature,
};

/// Roles Anywhere's management API.
pub(crate) const ROLES_ANYWHERE: Names = Names {
    unsigned: Rule::ManagementUnsigned,
    incomplete: Rule::ManagementSignature,
    token: Rule::ManagementKeyUnknown,
    expired: Rule::ManagementExpired,
    signature: Rule::ManagementSignature,
};

/// ECR.
pub(crate) const ECR: Names = Names {
    unsigned: Rule::EcrUnsigned,
    incomplete: Rule::EcrSignature,
    token: Rule::EcrToken,
    expired: Rule::EcrExpired,
    signature: Rule::EcrSignature,
};

impl Caller {
    /// Checks key, token, signature and expiration, in this order.
    pub(crate) fn identify(
        inner: &Inner,
        call: &Call,
        service: &str,
        names: Names,
    ) -> Result<Caller, Refusal> {
        let header = call.header("authorization");
        let header = header.ok_or_else(|| Refusal::new(names.unsigned, "no Authorization"))?;
        let authorization =
            Authorization::parse(header).map_err(|reason| Refusal::new(names.incomplete, reason))?;
        let (state, now) = (&inner.state, inner.now());
        let regions = regions(state, service);
        let verify = |secret: &str| {
            sigv4::verify_hmac(call, &authorization, secret, &regions, service, now)
                .map_err(|Wrong::Signature(reason)| Refusal::new(names.signature, reason))
        };
        if let Some(key) = state.management_keys.iter().find(|key| key.access_key_id == authorization.key_id)
        {
            verify(&key.secret_access_key)?;
            let access_key_id = key.access_key_id.clone();
            return Ok(Caller::User(User { access_key_id, policies: key.policies.clone() }));
        }
        let session = inner.session(&authorization.key_id);
        let session = session.ok_or_else(|| Refusal::new(names.token, "no such access key"))?;
        check_token(call, &authorization, &session, names)?;
        verify(&session.credentials.secret_access_key)?;
        if session.credentials.expiration <= now {
            return Err(Refusal::new(names.expired, format!("ended {}", session.shown.expiration)));
        }
        Ok(Caller::Session(Box::new(session)))
    }

    /// Its ARN, as in `GetCallerIdentity` and refusals.
    pub(crate) fn arn(&self, account: &str) -> String {
        match self {
            Caller::Session(session) => session.shown.assumed_role_arn.clone(),
            Caller::User(_) => format!("arn:aws:iam::{account}:user/management"),
        }
    }

    /// `<RoleId>:<session name>`, or the user's id.
    pub(crate) fn user_id(&self) -> String {
        match self {
            Caller::Session(session) => user_id(&session.role_arn, &session.shown.session_name),
            Caller::User(user) => user.access_key_id.replace("AKIA", "AIDA"),
        }
    }

    /// The facts about the caller that conditions may test.
    pub(crate) fn facts(&self, state: &State, now: OffsetDateTime) -> Facts {
        let facts = Facts::default()
            .with(Fact::UserId, self.user_id())
            .with(Fact::PrincipalAccount, &state.account)
            .with(Fact::ResourceAccount, &state.account)
            .with(Fact::CurrentTime, clock::seconds(now));
        match self {
            Caller::User(_) => facts
                .with(Fact::PrincipalType, "User")
                .with(Fact::UserName, "management")
                .with(Fact::PrincipalArn, self.arn(&state.account)),
            Caller::Session(session) => {
                let identity = Some(session.shown.source_identity.clone());
                let facts = facts
                    .with(Fact::PrincipalType, "AssumedRole")
                    .with(Fact::PrincipalArn, &session.role_arn)
                    .with(Fact::TokenIssueTime, &session.shown.issued_at)
                    .with_some(Fact::SourceIdentity, identity.filter(|identity| !identity.is_empty()));
                facts.with_tags(session.shown.tags.clone())
            }
        }
    }
}

/// IAM of the partition `aws` is in one region; STS also answers for its global endpoint, and ECR for further regions of the state.
fn regions<'a>(state: &'a State, service: &str) -> Vec<&'a str> {
    match service {
        "iam" => vec!["us-east-1"],
        "sts" => vec![state.region.as_str(), "us-east-1"],
        "ecr" => [&state.region].into_iter().chain(&state.ecr_regions).map(String::as_str).collect(),
        _ => vec![state.region.as_str()],
    }
}

/// The token must be the session's own, and must be signed like every `x-amz-` header.
fn check_token(
    call: &Call,
    authorization: &Authorization,
    session: &LiveSession,
    names: Names,
) -> Result<(), Refusal> {
    let name = "x-amz-security-token";
    if call.header(name) != Some(session.credentials.session_token.as_str()) {
        return Err(Refusal::new(names.token, "the security token is missing or another session's"));
    }
    if authorization.signed_headers.iter().any(|header| header == name) {
        return Ok(());
    }
    Err(Refusal::new(names.signature, format!("{name} is not signed")))
}
