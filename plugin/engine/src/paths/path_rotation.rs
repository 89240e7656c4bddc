//! `rotation`: shows how far the mount is on the way from one CA to another, what trust anchors must hold, and the next step.

use std::sync::Arc;

use serde_json::json;
use vault_backend::{Fault, Request, Response, Route};

use crate::engine::Engine;
use crate::ground::clock::{self, rfc3339};
use crate::issuers::{self, Loaded, Rotation};

/// A read alone: the commands of a rotation are on other paths, and `next_step` names them.
pub(crate) fn route() -> Route<Engine> {
    Route::at("rotation")
        .synopsis("The state of the mount's rotation from one CA to another, and the next step.")
        .description(include_str!("../help/rotation.md"))
        .read(read)
}

/// The state of the rotation. It asks no AWS: whether anchors hold the bundle is what was seen at the last look.
///
/// # Errors
/// The operator's fault if more issuers are enabled than an anchor can hold; storage's.
async fn read(engine: Arc<Engine>, request: Request, (): ()) -> Result<Response, Fault> {
    let (snapshot, now) = (engine.snapshot().await?, clock::now());
    let rotation = Rotation::of(&snapshot.issuers, now);
    let bundle = snapshot.issuers.trust_bundle(now, &request.mount_point)?;
    let label = |loaded: Option<&Loaded>| loaded.map(|loaded| loaded.record.label().to_owned());
    let roles = engine.store().roles().await?;
    let previous = rotation.previous();
    let of_previous =
        previous.map_or_else(Vec::new, |previous| issuers::roles_naming(&roles, &previous.record));
    let is_held = engine.anchors.are_held(&snapshot, &roles, &request.mount_point);
    let answer = Response::json(&json!({
        "state": rotation.state(),
        "current": label(rotation.current()),
        "current_not_after": rotation.current().map(|current| rfc3339(current.issuer.not_after())),
        "next": label(rotation.next()),
        "previous": label(rotation.previous()),
        "roles_of_previous": &of_previous,
        "trust_bundle": bundle,
        "next_step": rotation.next_step(&request.mount_point, &of_previous, is_held),
    }))?;
    let expiry = rotation.current().and_then(|current| current.issuer.expiry_warning(now));
    Ok(expiry.into_iter().fold(answer, |answer, warning| answer.warn(warning.to_string())))
}
