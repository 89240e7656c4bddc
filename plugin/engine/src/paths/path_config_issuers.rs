//! `config/issuers`: which issuer signs for roles that name none. A write is the switch of a rotation.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use vault_backend::{Change, Fault, Field, Request, Response, Route, quote};

use crate::engine::Engine;
use crate::ground::clock;
use crate::issuers::{Issuers, Loaded, RotationPhase};
use crate::records::issuer::DEFAULT_ISSUER;
use crate::records::issuer::{IssuerState, IssuersConfig};
use crate::store::{Ends, ISSUERS_CONFIG, Store};

const FIELDS: &[Field] = &[
    Field::string("default", "id or name of the issuer").required(),
    Field::bool("force", "do not ask the trust anchors that the engine manages whether they hold it")
        .default_text("false"),
];

/// It has no `exists`, so Vault takes every write as an update, and policies need no `create`.
pub(crate) fn route() -> Route<Engine> {
    Route::at("config/issuers")
        .synopsis("The issuer that signs for roles that name none.")
        .description(include_str!("../help/config-issuers.md"))
        .read(read)
        .change(FIELDS, change)
}

/// The id of the default issuer, null if there is none, with a warning if it nears its end.
async fn read(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    let snapshot = engine.snapshot().await?;
    let issuers = &snapshot.issuers;
    let expiry = issuers.find(DEFAULT_ISSUER).and_then(|current| current.issuer.expiry_warning(clock::now()));
    let answer = answer(issuers.default.as_deref());
    Ok(expiry.into_iter().fold(answer, |answer, warning| answer.warn(warning.to_string())))
}

/// Makes another issuer the default. The one before becomes `previous` and goes on signing for roles that name it.
///
/// # Errors
/// The caller's fault if there is no such issuer, or if it is expired or compromised. The operator's fault if it is disabled, or
/// if a managed trust anchor does not hold it yet and `force` is absent. AWS's refusal if an anchor could not be asked.
async fn change(engine: Arc<Engine>, request: Request, change: Change) -> Result<Response, Fault> {
    let before = engine.store().issuers_config().await?.default;
    if let DefaultIssuer { default: Some(next), force: false } = asked(&change, before.as_deref())? {
        // Before the lock, because AWS may take its time. The change is applied to what the lock shows then.
        Box::pin(check_held(&engine, &next, &request.mount_point)).await?;
    }
    let writer = engine.store().write().await;
    let issuers = Issuers::load(&writer).await?;
    // Read again under the lock: a PATCH of nothing keeps the default, whichever it is by now.
    let Some(wanted) = asked(&change, issuers.default.as_deref())?.default else {
        return Ok(answer(None));
    };
    let found = issuers
        .find(&wanted)
        .ok_or_else(|| Fault::caller(format!("default: there is no issuer {}", quote(&wanted))))?;
    let id = found.record.id.as_str();
    if issuers.is_default(id) {
        // Storage has this already, but the cache may not: an earlier write may have landed although its answer was lost.
        writer.changed(ISSUERS_CONFIG);
        return Ok(answer(Some(id)));
    }
    check_signs(&issuers, found, &request.mount_point)?;
    let config = IssuersConfig { default: Some(id.to_owned()), previous: issuers.default.clone() };
    let before = issuers.default.clone().unwrap_or_default();
    // Only roles that follow the default get new sessions. Those that name the previous issuer keep theirs.
    let ends = Ends::Followers { issuer: &before, roles: &followers(&writer).await? };
    writer.put_issuers_config(&config, ends).await?;
    Ok(switched(&issuers, found, &request.mount_point))
}

/// The document that a change makes of the default.
struct DefaultIssuer {
    /// Id or name. None if there is no default and the change names none.
    default: Option<String>,
    /// The trust anchors are not asked.
    force: bool,
}

/// Applies `change` to the default that is stored, because a PATCH may name only one of the two fields.
fn asked(change: &Change, default: Option<&str>) -> Result<DefaultIssuer, Fault> {
    let values = change.onto(Some(&json!({ "default": default })))?;
    Ok(DefaultIssuer { default: values.string("default")?, force: values.bool("force")?.unwrap_or(false) })
}

/// Asks every managed trust anchor whether it holds the issuer called `reference`. Asks nobody if that is the default already, or
/// if there is no such issuer: [`change`] refuses that one itself.
///
/// # Errors
/// Those of `require_held`, and a fault to try again later if the mount closes meanwhile.
async fn check_held(engine: &Arc<Engine>, reference: &str, mount_point: &str) -> Result<(), Fault> {
    let snapshot = engine.snapshot().await?;
    match snapshot.issuers.find(reference).filter(|found| !snapshot.issuers.is_default(&found.record.id)) {
        Some(next) => {
            engine.lifecycle.until_closed(Box::pin(engine.anchors.require_held(next, mount_point))).await
        }
        None => Ok(()),
    }
}

/// Refuses a default that can sign nothing.
///
/// # Errors
/// The operator's fault if it is disabled, because a write enables it; the caller's if it is compromised or expired, because
/// nothing mends that.
fn check_signs(issuers: &Issuers, found: &Loaded, mount_point: &str) -> Result<(), Fault> {
    let label = found.record.label();
    match issuers.phase(found, clock::now()) {
        RotationPhase::Disabled => Err(Fault::operator(format!("default: the issuer {label:?} is disabled"))
            .cure(format!("vault write {mount_point}issuer/{label} disabled=false"))),
        RotationPhase::Compromised => Err(Fault::caller(format!(
            "default: the key of the issuer {label:?} is compromised: it no longer signs"
        ))),
        RotationPhase::Expired => Err(Fault::caller(format!("default: the issuer {label:?} has expired"))),
        RotationPhase::Current | RotationPhase::Next | RotationPhase::Previous => Ok(()),
    }
}

/// The response after a switch. It warns that every trust anchor must hold the bundle, and names the issuer to retire, if that
/// one is still enabled.
fn switched(before: &Issuers, to: &Loaded, mount_point: &str) -> Response {
    let answer = answer(Some(&to.record.id));
    let previous = before.find(DEFAULT_ISSUER).filter(|loaded| loaded.record.state == IssuerState::Enabled);
    let Some(previous) = previous else { return answer };
    answer.warn(format!(
        "every trust anchor must hold {mount_point}trust-bundle, or reads fail from now on; when reads succeed, retire the previous issuer: vault write {mount_point}issuer/{} disabled=true",
        previous.record.label()
    ))
}

fn answer(default: Option<&str>) -> Response {
    Response::data(Map::from_iter([("default".to_owned(), Value::from(default))]))
}

/// The roles that follow the default, by name. Their cached sessions end with the switch.
async fn followers(store: &Store) -> Result<HashSet<String>, Fault> {
    let following = store.roles().await?.into_iter().filter(|(_, role)| role.issuer_ref == DEFAULT_ISSUER);
    Ok(following.map(|(name, _)| name).collect())
}
