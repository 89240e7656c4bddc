//! `roles/:name/revoke-sessions`: the break-glass. It denies everything to every session of the IAM role that was issued before
//! now.

use std::sync::Arc;

use serde_json::{Map, json};
use vault_backend::{Fault, Field, Params, Request, Response, Route, Values};

use crate::engine::Engine;
use crate::ground::clock::rfc3339;
use crate::ground::faults;
use crate::incident::break_glass::OUT_OF_REACH;
use crate::incident::targets;
use crate::paths::owner::owner;

/// The role whose sessions end.
struct EndOf {
    /// The engine's role. The sessions of its IAM role end, whichever role of the engine made them.
    name: String,
}

impl Params for EndOf {
    const FIELDS: &'static [Field] = &[Field::string("name", "name of the role")];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { name: values.text("name")? })
    }
}

/// A path of its own, so a policy can grant the break-glass without writes of the role.
pub(crate) fn route() -> Route<Engine> {
    Route::at("roles/{name}/revoke-sessions")
        .with_at_signs()
        .synopsis("Deny every session of the role's IAM role that was issued before now.")
        .description(include_str!("../help/roles-name-revoke-sessions.md"))
        .update(revoke)
}

/// Ends all sessions of the IAM role that the role leads to now.
///
/// # Errors
/// The caller's fault if there is no such role; those of `Incidents::end_all`.
async fn revoke(engine: Arc<Engine>, request: Request, ask: EndOf) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    let role = engine.store().role(&ask.name).await?.ok_or_else(|| faults::no_role(&ask.name))?;
    let work = Box::pin(engine.incidents.end_all(owner(&request), &role.role_arn));
    let ended = engine.lifecycle.until_closed(work).await?;
    let mut shown = Map::from_iter([
        ("role_arn".to_owned(), json!(role.role_arn)),
        ("policy_name".to_owned(), json!(ended.policy_name)),
        ("sessions".to_owned(), json!(ended.sessions)),
        ("issued_before".to_owned(), json!(ended.denied.policy.issued_before().map(rfc3339))),
        ("seen_at_iam".to_owned(), json!(ended.denied.is_seen)),
    ]);
    if !ended.targets.is_empty() {
        shown.insert("target_policies".to_owned(), targets::policies(&ended.targets));
    }
    Ok(ended.warnings().fold(Response::data(shown), Response::warn).warn(OUT_OF_REACH))
}
