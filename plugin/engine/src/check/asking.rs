//! Calls CreateSession as `creds` does: with a fresh certificate, after all other reads, and without caching the session.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rolesanywhere::Error;
use sessions::{FailureDomain, Freshness, Rank, Reply, SessionRequest, Sharing};
use vault_backend::{Fault, Request};

use super::subject::{PATIENCE, PlannedCall, Subject};
use crate::credentials::grant::turn;
use crate::credentials::issued::Issued;
use crate::credentials::key::{KeyParts, SessionKey};
use crate::credentials::outcome;
use crate::credentials::recipe::{AttemptError, Origin, Recipe};
use crate::credentials::service::Credentials;
use crate::snapshot::Snapshot;

/// What a check asks AWS for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The mount's config and issuers, of the same moment as the plan.
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) subject: Subject<'a>,
    /// The certificate and the call.
    pub(super) plan: &'a PlannedCall<'a>,
}

/// How CreateSession ended.
pub(super) enum Asked {
    /// AWS gave a session. Nobody receives it, and it expires by itself.
    Issued(Arc<Issued>),
    /// AWS refused, or the network failed.
    Refused(Error),
    /// The engine failed before AWS answered, as when the quota left no turn in time.
    Failed(Fault),
    /// Nobody was asked, for this reason.
    Not(NotAsked),
}

/// Why CreateSession was not called, or a link not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// The endpoint was not reached.
    Unreached,
    /// The caller can have no certificate of this role. Such a caller may ask again and again, so AWS is asked nothing at all.
    Stranger,
    /// An earlier link is broken.
    Broken,
}

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreached => "the endpoint was not reached",
            Self::Stranger => "the role gives this caller no session, so AWS was not asked",
            Self::Broken => "an earlier link is broken",
        })
    }
}

/// Numbers the checks of this process, so no two of them share a session or a failure.
static CHECKS: AtomicU64 = AtomicU64::new(0);

/// Calls CreateSession once, even if AWS refused the same call a moment ago, because the cause may have been cured since. It
/// waits for the quota behind all reads, [`PATIENCE`] in all.
pub(super) async fn ask(credentials: &Credentials, request: &Request, wanted: Wanted<'_>) -> Asked {
    let Wanted { snapshot, subject, plan } = wanted;
    let parts = KeyParts {
        role: subject.name.to_owned(),
        cluster: None,
        config: snapshot.config_version,
        issuer: plan.authority.record.id.clone(),
        call: plan.call.clone(),
        leaf: plan.order.leaf.clone(),
    };
    // No role's name has a slash, so neither cached sessions nor cached refusals of the role apply to a check, nor those of a
    // check to the role.
    let apart = format!("{}/{}", subject.name, CHECKS.fetch_add(1, Ordering::Relaxed));
    let key = SessionKey::new(KeyParts { role: apart.clone(), ..parts.clone() });
    // The recipe has the role's own key, because the session must be the one that a read would get.
    let recipe = Recipe {
        snapshot: Arc::clone(snapshot),
        key: SessionKey::new(parts),
        origin: Origin::of(request),
        metrics: Arc::clone(&credentials.metrics),
    };
    let refusal = Arc::new(Mutex::new(None));
    let spec = sessions::FlightSpec {
        scope: key.quota_scope(),
        failure_domain: FailureDomain::new(apart),
        requester: sessions::Requester::new(turn(request)),
        freshness: Freshness::Prefer,
        rank: Rank::Spare,
        duration: plan.order.duration.as_duration(),
        work: work(recipe, Arc::clone(&refusal)),
        epoch: credentials.sessions.epoch(),
    };
    let reply = credentials
        .sessions
        .get(SessionRequest { key, sharing: Sharing::Nobody, spec, deadline: PATIENCE })
        .await;
    match reply {
        Reply::Granted(grant) => Asked::Issued(grant.session),
        Reply::Denied { why, retry_in } => {
            let error = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
            error.map_or_else(|| Asked::Failed(outcome::fault(why, retry_in, PATIENCE)), Asked::Refused)
        }
    }
}

/// One attempt. On failure it stores AWS's own error in `refusal`, because the scheduler passes on only the engine's fault.
fn work(recipe: Recipe, refusal: Arc<Mutex<Option<Error>>>) -> sessions::Work<Arc<Issued>, Fault> {
    recipe.work_told(move |ended, _| match ended {
        Ok(issued) => {
            tracing::info!(serial = issued.serial, "issued a session for a check; no caller receives it");
        }
        Err(AttemptError::Aws(error)) => {
            *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        Err(AttemptError::Here(_)) => {}
    })
}
