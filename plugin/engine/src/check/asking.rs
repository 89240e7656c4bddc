//! Calls CreateSession as `creds` does: with a fresh certificate, after all other reads, and without caching the session.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rolesanywhere::Error;
use sessions::{Cause, FailureDomain, Freshness, Rank, Reply, Requester};
use vault_backend::{Fault, Request};

use super::subject::{CheckedRole, PATIENCE, PlannedCall};
use crate::credentials::grant::turn;
use crate::credentials::issued::Issued;
use crate::credentials::outcome;
use crate::credentials::planned_session::{PlannedSession, Reuse, SessionTerms, Sharers};
use crate::credentials::recipe::{AttemptError, Origin};
use crate::credentials::service::Credentials;
use crate::snapshot::Snapshot;

/// What a check asks AWS for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The mount's config and issuers, of the same moment as the plan.
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) subject: CheckedRole<'a>,
    /// The certificate and the call.
    pub(super) plan: &'a PlannedCall<'a>,
}

/// How CreateSession ended.
pub(super) enum CallOutcome {
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

/// Calls CreateSession once, even if AWS refused the same call a moment ago, because the cause may have been cured since. It
/// waits for the quota behind all reads, [`PATIENCE`] in all. Neither the role's cached sessions nor its cached refusals apply to
/// a check, nor those of a check to the role.
pub(super) async fn ask(credentials: &Credentials, request: &Request, wanted: Wanted<'_>) -> CallOutcome {
    let Wanted { snapshot, subject, plan: PlannedCall { authority, spec, .. } } = wanted;
    let sharers = Sharers {
        role: subject.name.to_owned(),
        cluster: None,
        failure_domain: FailureDomain::new(subject.name),
    };
    // now, and not when the snapshot was read: a change of the role must not end a check
    let epoch = credentials.sessions.epoch();
    let planned = PlannedSession::new(sharers, spec.clone(), authority, snapshot, epoch);
    let terms = SessionTerms {
        origin: Origin::of(request),
        requester: Requester::new(turn(request)),
        reuse: Reuse::Nothing,
        freshness: Freshness::Prefer,
        rank: Rank::Spare,
        deadline: PATIENCE,
    };
    let refusal = Arc::new(Mutex::new(None));
    match credentials.session(&planned, terms, note_refusal(Arc::clone(&refusal))).await {
        Reply::Granted(grant) => CallOutcome::Issued(grant.session),
        Reply::Denied { why, retry_in } => {
            let error = refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
            error.map_or_else(
                || CallOutcome::Failed(outcome::fault(why, retry_in, PATIENCE)),
                CallOutcome::Refused,
            )
        }
    }
}

/// Observes the one attempt. On failure it stores AWS's own error in `refusal`, because the scheduler passes on only the engine's
/// fault.
fn note_refusal(refusal: Arc<Mutex<Option<Error>>>) -> impl Fn(&Result<Issued, AttemptError>, Cause) {
    move |made, _| match made {
        Ok(issued) => {
            tracing::info!(serial = issued.serial, "issued a session for a check; no caller receives it");
        }
        Err(AttemptError::Aws(error)) => {
            *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        Err(AttemptError::Here(_)) => {}
    }
}
