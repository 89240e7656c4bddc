//! `roles/:name/revoke-sessions`: the break-glass. Every session of the IAM role that was issued before now is denied everything.

use std::sync::Arc;

use rolesanywhere::RoleArn;
use rolesanywhere::revocation::Policy;
use serde_json::{Map, json};
use vault_backend::{Answer, Ask, Fault, Field, Request, Route, Values};

use crate::Engine;
use crate::credentials::ledger::Meant;
use crate::ground::clock::{self, rfc3339};
use crate::ground::faults;
use crate::management::denial_policy::{self, Denied, Owner};

/// What a denial does not reach, in every answer.
pub(crate) const OUT_OF_REACH: &str = "sessions of other roles that were made with these (role chaining) are not reached: look for their AssumeRole in CloudTrail; IAM takes seconds, at times minutes, until a denial holds everywhere; another mount whose roles lead to the same IAM role goes on handing out what it keeps: ask it for the same";

/// The name of a role.
struct Named {
    name: String,
}

impl Ask for Named {
    const FIELDS: &'static [Field] = &[Field::string("name", "name of the role")];

    fn take(values: &Values) -> Result<Self, Fault> {
        Ok(Self { name: values.text("name")? })
    }
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("roles/{name}/revoke-sessions")
        .with_at_signs()
        .synopsis("Deny every session of the role's IAM role that was issued before now.")
        .description(
            "Writes an inline policy, iamra-<the mount's id>, into the IAM role: whatever was issued before now by AWS's clock is denied everything, also sessions that did not come from this mount. What is kept for the next caller ends too, so that whoever reads again goes on with a new session, and running SDKs do once they fetch credentials anew. Needs revocation_role_arn of the trust anchor of that account.\n\n`sessions` is how many of them this process has handed out; there may be more. A read that is under way meanwhile is refused with 503 and `SessionRevoked`, and one that begins waits for some seconds and gets a session that lives. The policy stays until the last of those sessions is over, 13 hours at most, and is deleted within an hour after.",
        )
        .update(revoke)
}

async fn revoke(engine: Arc<Engine>, request: Request, ask: Named) -> Result<Answer, Fault> {
    engine.active_only()?;
    let role = engine.store.role(&ask.name).await?.ok_or_else(|| faults::no_role(&ask.name))?;
    let work = Box::pin(revoke_all(&engine, Owner::of(&request), &role.role_arn));
    let Revoked { policy_name, sessions, denied } = engine.until_closed(work).await?;
    let shown = Map::from_iter([
        ("role_arn".to_owned(), json!(role.role_arn)),
        ("policy_name".to_owned(), json!(policy_name)),
        ("sessions".to_owned(), json!(sessions)),
        ("issued_before".to_owned(), json!(denied.policy.issued_before().map(rfc3339))),
        ("seen_at_iam".to_owned(), json!(denied.is_seen)),
    ]);
    Ok(denied.unnoted.into_iter().fold(Answer::data(shown), Answer::warn).warn(OUT_OF_REACH))
}

/// What was done to an IAM role.
pub(crate) struct Revoked {
    pub(crate) policy_name: String,
    /// Living ones that this process handed out; there may be more.
    pub(crate) sessions: usize,
    pub(crate) denied: Denied,
}

/// Denies every session of the IAM role, and ends what is kept of them.
///
/// Reads that are under way get nothing, and those that begin wait until AWS's clock is past the moment and what is kept has ended: nobody
/// is handed a session that is denied, or one that was made before this and is not. Denials of single sessions are older sessions all the
/// same, and leave the document to this one.
pub(crate) async fn revoke_all(
    engine: &Arc<Engine>,
    owner: Owner<'_>,
    role: &RoleArn,
) -> Result<Revoked, Fault> {
    let (mut iam, aws) = denial_policy::revoker(engine, owner, role).await?;
    // what is not ours is left alone
    iam.read().await?;
    let held = engine.ledger.hold(Meant::IamRole(role.clone()));
    let sessions = engine.ledger.of_iam_role(clock::now(), role).len();
    let mut policy = Policy::default();
    policy.deny_issued_before(aws.latest());
    if let Some(moment) = policy.issued_before() {
        aws.wait_past(moment).await;
    }
    let ended = role.clone();
    engine.sessions.forget(move |key| key.parts().call.role == ended);
    drop(held);
    let denied = iam.write(policy).await?;
    engine.metrics.revoked();
    Ok(Revoked { policy_name: iam.policy_name.clone(), sessions, denied })
}
