//! STS: `GetCallerIdentity` (who signed this, with a session issued here or with a management key?) and `AssumeRole`.
//!
//! Unlike AWS, `GetCallerIdentity` obeys a Deny in the caller's policies, so that a test sees a revoked session refused. It needs no Allow.

mod assume_role;

use crate::{
    access::{self, Asked, Denial},
    caller::{Caller, QUERY_API},
    http::{Call, Reply},
    query::{self, Parameters, escape},
    rules::{Refusal, Rule},
    world::{Inner, World},
};

const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A request to STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    GetCallerIdentity,
    AssumeRole,
}

impl Action {
    /// In the one version of the API.
    pub(crate) fn of(parameters: &Parameters) -> Result<Action, Refusal> {
        match (parameters.first("Action"), parameters.first("Version")) {
            ("GetCallerIdentity", VERSION) => Ok(Action::GetCallerIdentity),
            ("AssumeRole", VERSION) => Ok(Action::AssumeRole),
            (action, version) => {
                let refusal = Refusal::new(Rule::StsAction, format!("Action={action} Version={version}"));
                Err(refusal.fill("action", action).fill("version", version))
            }
        }
    }

    /// Its name in the log, and its outcome if it succeeds.
    pub(crate) fn entry(self) -> (&'static str, &'static str) {
        match self {
            Action::GetCallerIdentity => ("GetCallerIdentity", "answered"),
            Action::AssumeRole => ("AssumeRole", "issued"),
        }
    }
}

/// Answers a call whose action is known.
pub(crate) fn answer(world: &World, call: &Call, action: Action, request_id: &str) -> Result<Reply, Refusal> {
    let (name, _) = action.entry();
    let result = match action {
        Action::GetCallerIdentity => {
            let inner = world.lock();
            let caller = Caller::identify(&inner, call, "sts", QUERY_API)?;
            not_denied(&inner, &caller)?;
            identity(&inner, &caller)
        }
        Action::AssumeRole => assume_role::answer(world, call)?,
    };
    Ok(query::response(NAMESPACE, name, &result, request_id))
}

pub(crate) fn refusal(refusal: &Refusal, request_id: &str) -> Reply {
    query::refusal(NAMESPACE, refusal, request_id)
}

fn not_denied(inner: &Inner, caller: &Caller) -> Result<(), Refusal> {
    let asked = Asked {
        action: "sts:GetCallerIdentity".to_owned(),
        resource: "*".to_owned(),
        named: String::new(),
        region: inner.state.region.clone(),
        boundary: None,
    };
    match access::decide(inner, caller, &asked) {
        Err(denial @ Denial::Explicit(_)) => {
            Err(denial.refusal(Rule::StsDenied, &caller.arn(&inner.state.account), &asked))
        }
        _ => Ok(()),
    }
}

fn identity(inner: &Inner, caller: &Caller) -> String {
    let account = &inner.state.account;
    format!(
        "    <Arn>{}</Arn>\n    <UserId>{}</UserId>\n    <Account>{}</Account>\n",
        escape(&caller.arn(account)),
        escape(&caller.user_id()),
        escape(account),
    )
}
