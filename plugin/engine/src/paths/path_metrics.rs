//! `metrics`: the mount's metrics for Prometheus.

use std::sync::Arc;

use vault_backend::{Fault, Raw, Request, Response, Route};

use crate::engine::Engine;
use crate::ground::clock;
use crate::paths::exposition::{self, CONTENT_TYPE, Gauges};

/// The path takes a token, although it shows no secret, ARN, role or identity.
pub(crate) fn route() -> Route<Engine> {
    Route::at("metrics")
        .synopsis("Metrics for Prometheus: sessions, calls to AWS, queue, cache and issuers of this mount.")
        .description(
            "OpenMetrics text, raw. A read needs a token that allows it. The text holds no secret, ARN, role or identity. Counters begin at zero with each process of the plugin, so with each failover, upgrade and reload. By hand, read it with curl or -format=raw.",
        )
        .read(read)
}

/// The metrics as text. A performance standby makes no sessions, and its zeros would stand beside the active node's numbers, so
/// it has Vault forward the request.
///
/// # Errors
/// A fault that has Vault forward the request if this node is a standby.
async fn read(engine: Arc<Engine>, _request: Request, (): ()) -> Result<Response, Fault> {
    engine.lifecycle.active_only()?;
    let snapshot = engine.snapshot().await?;
    let gauges = Gauges {
        counts: engine.credentials.sessions.counts(),
        hops: engine.credentials.hops.counts(),
        limits: snapshot.config.limits(),
        issuers: &snapshot.issuers,
        backlog: engine.credentials.ledger.backlog(clock::now()),
        anchors: engine.anchors.in_sync(&snapshot.issuers),
    };
    let text = exposition::text(&engine.credentials.metrics, &gauges).map_err(Fault::bug)?;
    Ok(Response::raw(Raw::ok(CONTENT_TYPE, text).no_store()))
}
