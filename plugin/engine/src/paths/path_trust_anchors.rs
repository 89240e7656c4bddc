//! `trust-anchors` and `trust-anchors/:name`: which anchors the engine manages, and with which IAM roles.

use std::sync::Arc;

use serde_json::{Map, json};
use vault_backend::{Change, Fault, Field, Request, Response, Route};

use crate::engine::Engine;
use crate::paths::named::Named;
use crate::records::managed_anchor::ManagedAnchor;
use crate::store::Writer;

/// The name of an entry, which a sync takes too.
pub(crate) const NAME: Field = Field::string("name", "the operator's name for the trust anchor");

const FIELDS: &[Field] = &[
    NAME,
    Field::string(
        "trust_anchor_arn",
        "ARN of the trust anchor; it holds this mount's issuers and no other mount's",
    )
    .required(),
    Field::string(
        "profile_arn",
        "ARN of the profile for the engine's own sessions, of the anchor's region and account",
    )
    .required(),
    Field::string(
        "management_role_arn",
        "IAM role that may read the anchor and update its bundle; default: none, and the bundle is managed by hand",
    ),
    Field::string(
        "revocation_role_arn",
        "IAM role that may write the inline policy that denies sessions, for the IAM roles of this account; default: none",
    ),
    Field::string(
        "check_role_arn",
        "IAM role that may read anchor, profile and trust policies for check/<role>; default: none",
    ),
];

pub(crate) fn list_route() -> Route<Engine> {
    Route::at("trust-anchors").synopsis("The trust anchors that the engine manages.").list_all(list)
}

pub(crate) fn route() -> Route<Engine> {
    Route::at("trust-anchors/{name}")
        .synopsis("A trust anchor that the engine manages, and the IAM roles with which it does so.")
        .description(include_str!("../help/trust-anchors-name.md"))
        .read(read)
        .change(FIELDS, change)
        .delete(delete)
        .exists(exists)
}

/// Whether the entry is there: by this Vault tells `create` from `update` in policies.
async fn exists(engine: Arc<Engine>, request: Request) -> Result<bool, Fault> {
    Ok(engine.store().managed_anchor(request.parameter("name")).await?.is_some())
}

/// The names, each with the anchor's ARN.
async fn list(engine: Arc<Engine>, _request: Request) -> Result<Response, Fault> {
    let mut arns = Map::new();
    for (name, anchor) in engine.store().managed_anchors().await? {
        arns.insert(name, json!({ "trust_anchor_arn": anchor.trust_anchor_arn }));
    }
    Ok(Response::list_with_info(arns.keys().cloned().collect(), arns))
}

/// The entry; 404 if there is none.
async fn read(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    match engine.store().managed_anchor(&ask.name).await? {
        Some(anchor) => Response::json(&anchor),
        None => Ok(Response::not_found()),
    }
}

/// Stores an entry. Nothing is done at AWS: the next tick of Vault syncs the anchor.
///
/// # Errors
/// A fault if anchor and profile are not of one region and account, or an IAM role is of another account; those of [`store`].
async fn change(engine: Arc<Engine>, _request: Request, change: Change) -> Result<Response, Fault> {
    let name = change.path.text("name")?;
    let writer = engine.store().write().await;
    let stored = writer.managed_anchor(&name).await?;
    let anchor = ManagedAnchor::from_values(&change.onto(stored.as_ref())?)?;
    store(&writer, &name, anchor).await
}

/// Stores the entry, unless it is stored already.
///
/// # Errors
/// The caller's fault if another entry has the same anchor: one anchor has one manager.
async fn store(writer: &Writer, name: &str, anchor: ManagedAnchor) -> Result<Response, Fault> {
    let known = writer.managed_anchors().await?;
    let twin = known
        .iter()
        .find(|(other, there)| other != name && there.trust_anchor_arn == anchor.trust_anchor_arn);
    if let Some((other, _)) = twin {
        return Err(Fault::caller(format!(
            "trust_anchor_arn: {} is already managed by trust-anchors/{other}",
            anchor.trust_anchor_arn
        )));
    }
    if !known.iter().any(|(there, stored)| there == name && *stored == anchor) {
        writer.put_managed_anchor(name, &anchor).await?;
    }
    Ok(Response::no_content())
}

/// Deletes the entry. The anchor at AWS stays as it is, and a person must manage it from then on. Succeeds if there is none.
async fn delete(engine: Arc<Engine>, _request: Request, ask: Named) -> Result<Response, Fault> {
    let writer = engine.store().write().await;
    writer.delete_managed_anchor(&ask.name).await?;
    // After the deletion: metrics and rotation must not go on telling of an anchor that nobody looks at.
    engine.anchors.keep(|name| name != ask.name);
    Ok(Response::no_content())
}
