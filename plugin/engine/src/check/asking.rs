//! CreateSession as `creds` makes it: a fresh leaf, after all others, and nothing kept of it.

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

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) subject: Subject<'a>,
    pub(super) plan: &'a PlannedCall<'a>,
}

/// How it ended.
pub(super) enum Asked {
    /// A session, which nobody is given.
    Issued(Arc<Issued>),
    /// AWS or the network said no.
    Refused(Error),
    /// The engine itself did not come so far.
    Failed(Fault),
    /// Nobody was asked, for this reason.
    Not(NotAsked),
}

/// Why CreateSession was not called, or a link not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// The endpoint was not reached.
    Unreached,
    /// What is wrong is the caller's, who may ask again and again: AWS is asked nothing at all.
    Stranger,
    /// A link before it is broken.
    Broken,
}

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreached => "the endpoint was not reached",
            Self::Stranger => "this caller gets no session by this role, so that AWS was not asked",
            Self::Broken => "a link before it is broken",
        })
    }
}

/// Keeps two checks apart.
static CHECKS: AtomicU64 = AtomicU64::new(0);

/// Asks once more than AWS was asked before: what it refused a moment ago may have been mended since.
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
    // no role's name has a slash, so that neither sessions nor refusals of the role meet those of a check
    let apart = format!("{}/{}", subject.name, CHECKS.fetch_add(1, Ordering::Relaxed));
    let key = SessionKey::new(KeyParts { role: apart.clone(), ..parts.clone() });
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

/// One attempt, which leaves AWS's own words behind when it fails.
fn work(recipe: Recipe, refusal: Arc<Mutex<Option<Error>>>) -> sessions::Work<Arc<Issued>, Fault> {
    recipe.work_told(move |ended, _| match ended {
        Ok(issued) => {
            tracing::info!(serial = issued.serial, "issued a session for a check, which nobody is given");
        }
        Err(AttemptError::Aws(error)) => {
            *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        Err(AttemptError::Here(_)) => {}
    })
}
