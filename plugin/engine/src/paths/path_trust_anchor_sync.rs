//! `trust-anchors/:name/sync`: shows what differs between a trust anchor and the issuers, and mends it.

use std::sync::Arc;

use vault_backend::{Fault, Field, Params, Request, Response, Route, Values, quote};

use crate::credentials::grant;
use crate::engine::Engine;
use crate::management::anchor_task::{AnchorTask, Need};
use crate::paths::named::Named;
use crate::paths::path_trust_anchors::NAME;

/// A sync of one anchor.
struct Write {
    name: String,
    /// Changes nothing, as a read does.
    dry_run: bool,
}

impl Params for Write {
    const FIELDS: &'static [Field] =
        &[NAME, Field::bool("dry_run", "only show the changes, and make none").default_text("false")];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { name: values.text("name")?, dry_run: values.bool("dry_run")?.unwrap_or(false) })
    }
}

/// A read looks, a write mends. Policies can grant the one without the other.
pub(crate) fn route() -> Route<Engine> {
    Route::at("trust-anchors/{name}/sync")
        .synopsis("The difference between a trust anchor and the mount's issuers, and its repair.")
        .description(include_str!("../help/trust-anchors-name-sync.md"))
        .read(look)
        .update(write)
}

/// Shows the difference. Looks are bounded for each caller, because each takes calls of AWS's management API.
async fn look(engine: Arc<Engine>, request: Request, ask: Named) -> Result<Response, Fault> {
    let who = grant::turn(&request);
    let _look = engine.anchors.looks.begin(&who)?;
    answer(&engine, &request, &ask.name, true).await
}

/// Mends the difference. It takes no permit, so looks under way cannot keep an operator from it.
async fn write(engine: Arc<Engine>, request: Request, ask: Write) -> Result<Response, Fault> {
    answer(&engine, &request, &ask.name, ask.dry_run).await
}

/// Syncs the anchor and renders the report.
///
/// # Errors
/// The caller's fault if there is no such entry; those of `TrustAnchors::sync`.
async fn answer(
    engine: &Arc<Engine>,
    request: &Request,
    name: &str,
    dry_run: bool,
) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    let Some(anchor) = engine.store().managed_anchor(name).await? else {
        return Err(Fault::caller(format!("name: there is no trust anchor {}", quote(name))));
    };
    let at = AnchorTask { name, anchor: &anchor, mount_point: &request.mount_point, need: Need::Routine };
    let report = engine.lifecycle.until_closed(engine.anchors.sync(at, dry_run)).await?;
    let warnings = report.warnings();
    Ok(warnings.into_iter().fold(Response::data(report.shown()), Response::warn))
}
