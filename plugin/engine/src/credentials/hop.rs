//! Makes the session of a hop: finds or makes the session of the role's own IAM role, and calls AssumeRole with it.
//!
//! The first session, the hub, stays inside and is shared and renewed as sessions without a hop are. Callers receive the hop's.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::{AssumeRole, CallError, Error, RetryBudget, Session, SessionDuration};
use sessions::{
    Cause, Departure, Epoch, FlightOutcome, FlightSpec, Freshness, Grant, Made, Rank, Reply, SessionRequest,
    Why,
};
use tokio::time::Instant;
use tracing::Instrument as _;
use vault_backend::Fault;

use crate::credentials::handed::Handed;
use crate::credentials::hop_key::HopKey;
use crate::credentials::issued::{HopOf, Issued};
use crate::credentials::lifetime;
use crate::credentials::outcome;
use crate::credentials::planned_session::{PlannedSession, Reuse, SessionMaker, SessionTerms};
use crate::credentials::recipe::{AttemptError, Origin};
use crate::credentials::service::Credentials;
use crate::ground::clock;
use crate::ground::faults;
use sessions::Requester;

/// A hub of this age whose hop AWS refuses may have been denied since it was made, so the next hop gets another one. A younger one
/// is kept: a target that admits nobody must not cost a CreateSession for each refusal.
const DOUBTFUL_AGE: time::Duration = time::Duration::minutes(5);

/// A hop that can be asked for.
pub(crate) struct PlannedHop {
    pub(crate) hub: Arc<PlannedSession>,
    pub(crate) key: HopKey,
    /// The hops' service denies a request whose data changed after this epoch.
    pub(crate) epoch: Epoch,
}

/// How the sessions of one hop are made.
struct HopRecipe {
    maker: SessionMaker,
    hub: Arc<PlannedSession>,
    call: AssumeRole,
    origin: Origin,
    requester: Requester,
    reuse: Reuse,
}

impl PlannedHop {
    pub(crate) fn new(hub: Arc<PlannedSession>, call: AssumeRole, epoch: Epoch) -> Self {
        let key = HopKey::new(hub.key.clone(), call);
        Self { hub, key, epoch }
    }
}

impl Credentials {
    /// Finds or makes the session of a hop within the deadline of `terms`. The reply is as of [`Self::session`].
    pub(crate) async fn hop(&self, planned: &PlannedHop, terms: SessionTerms) -> Reply<Arc<Issued>, Fault> {
        let SessionTerms { origin, requester, reuse, freshness, rank, deadline } = terms;
        let (Reuse::OfKey(sharing), key) = (reuse, planned.key.clone()) else {
            return Reply::Denied { why: Why::Lost, retry_in: Duration::ZERO };
        };
        let duration = key.call().duration.as_duration();
        let recipe = Arc::new(HopRecipe {
            maker: self.maker(),
            hub: Arc::clone(&planned.hub),
            call: key.call().clone(),
            origin,
            requester: requester.clone(),
            reuse,
        });
        let work = sessions::work(move |departure| {
            let recipe = Arc::clone(&recipe);
            let span = recipe.origin.span();
            async move { recipe.attempt(departure).await }.instrument(span)
        });
        let spec = FlightSpec { requester, freshness, rank, duration, work, epoch: planned.epoch };
        self.hops.get(SessionRequest { key, sharing, spec, deadline }).await
    }
}

impl HopRecipe {
    /// Finds or makes the hub, and calls AssumeRole once with it, at the STS of the departure's place.
    async fn attempt(&self, departure: Departure) -> FlightOutcome<Arc<Issued>, Fault> {
        let Departure { cause, place, limit } = departure;
        let hub = match self.find_hub(cause, limit).await {
            Ok(hub) => hub,
            Err(outcome) => return outcome,
        };
        match self.maker.metrics.watch_hop(self.assume(&hub, place)).await {
            Ok(session) => self.made(&hub, session, cause),
            Err(error) => {
                self.doubt(&hub.session, &error);
                failed(&error)
            }
        }
    }

    /// The first session, in the requester's turn, within a part of `limit`. A reason without an answer of AWS is for another attempt,
    /// and says nothing about the STS that this one would have asked.
    async fn find_hub(
        &self,
        cause: Cause,
        limit: Duration,
    ) -> Result<Grant<Arc<Issued>, Fault>, FlightOutcome<Arc<Issued>, Fault>> {
        // a renewal ahead of need is as current as the service that begins it: a change would have ended the hop
        let epoch = match cause {
            Cause::Asked => self.hub.epoch,
            Cause::Ahead => self.maker.sessions.epoch(),
        };
        let terms = SessionTerms {
            origin: self.origin.clone(),
            requester: self.requester.clone(),
            reuse: self.reuse,
            freshness: freshness(self.hub.key.parts().call.duration),
            rank: Rank::InTurn,
            deadline: hub_limit(limit).min(2 * self.hub.snapshot.config.flight_timeout()),
        };
        let role = self.hub.key.role().to_owned();
        let log_made = move |made: &Result<Issued, AttemptError>, cause| {
            if let Ok(issued) = made {
                issued.log(&role, cause);
            }
        };
        let began = Instant::now();
        let reply = self.maker.session(&self.hub, epoch, terms, log_made).await;
        self.maker.metrics.hub_asked(&reply);
        match reply {
            Reply::Granted(grant) => Ok(grant),
            Reply::Denied { why: Why::Refused(fault), .. } => Err(FlightOutcome::Refused(fault)),
            Reply::Denied { why, retry_in } => {
                Err(FlightOutcome::NotTried(outcome::fault(why, retry_in, began.elapsed())))
            }
        }
    }

    async fn assume(&self, hub: &Grant<Arc<Issued>, Fault>, place: usize) -> Result<Session, CallError> {
        let snapshot = &self.hub.snapshot;
        // one attempt, because the service of the hops retries and pauses for all callers together
        let budget = RetryBudget { total: snapshot.config.flight_timeout(), retries: Duration::ZERO };
        let signer = rolesanywhere::Credentials::from(&hub.session.session);
        let client = snapshot.client.signed_client(signer, clock::now, budget);
        let call = AssumeRole {
            session_name: session_name(&hub.session.serial),
            duration: bounded(self.call.duration, hub.remaining),
            ..self.call.clone()
        };
        let anchor = self.hub.key.parts().call_at(place).trust_anchor;
        client.assume_role(anchor.region(), &call).await
    }

    /// The session for callers, which ends with the hub at the latest.
    fn made(
        &self,
        hub: &Grant<Arc<Issued>, Fault>,
        mut session: Session,
        cause: Cause,
    ) -> FlightOutcome<Arc<Issued>, Fault> {
        let began = clock::now();
        session.expiration = lifetime::earliest(session.expiration, began, hub.remaining);
        let expiration = session.expiration;
        let hub = Arc::clone(&hub.session);
        let warnings: Vec<String> =
            hub.warnings.iter().cloned().chain(lifetime::clock(&session, began)).collect();
        let (serial, trust_anchor) = (hub.serial.clone(), hub.trust_anchor.clone());
        let hop = Some(HopOf { hub, target: self.call.role.clone() });
        let handed = Handed::default();
        let issued = Issued { session, began, serial, trust_anchor, warnings, handed, hop };
        if let Err(fault) = issued.check() {
            return FlightOutcome::Refused(fault);
        }
        issued.log(self.hub.key.role(), cause);
        FlightOutcome::Made(Made { session: Arc::new(issued), expiration })
    }

    /// Drops a cached hub with which AWS refuses the hop, if it is old enough to have been denied since.
    fn doubt(&self, hub: &Arc<Issued>, error: &CallError) {
        if matches!(*error.cause, Error::Refused { .. }) && clock::now() - hub.began > DOUBTFUL_AGE {
            self.maker.sessions.invalidate_sessions(|kept| Arc::ptr_eq(kept, hub));
        }
    }
}

/// The name of the hop's session: the serial number of the hub's certificate in hexadecimal, which is the hub's own name at AWS.
pub(crate) fn session_name(serial: &str) -> String {
    serial.replace(':', "")
}

/// How long an attempt of this length looks for its hub. The rest is for STS: an attempt that ends while it waits for the hub would
/// pass for an STS that does not answer.
fn hub_limit(attempt: Duration) -> Duration {
    attempt * 3 / 4
}

/// Whether a hop takes a hub of this length that is past its half-life. Such a hub still gives a whole hop if it is long, and then no
/// caller waits while Roles Anywhere is slow or away; the service makes the next hub meanwhile.
fn freshness(hub: SessionDuration) -> Freshness {
    if hub.as_secs() >= 2 * AssumeRole::MAX_DURATION.as_secs() {
        Freshness::StaleOk
    } else {
        Freshness::Prefer
    }
}

/// The length to request from a hub that has `remaining` left: no longer than the hub, but never less than AWS grants.
pub(crate) fn bounded(wanted: SessionDuration, remaining: Duration) -> SessionDuration {
    let whole = Duration::from_secs(remaining.as_secs());
    SessionDuration::try_from(whole).unwrap_or(SessionDuration::MIN).min(wanted)
}

/// The outcome of an attempt for which STS gave no session.
fn failed(error: &CallError) -> FlightOutcome<Arc<Issued>, Fault> {
    let fault = faults::assume_role(error);
    match &*error.cause {
        Error::Throttled { retry_after, .. } => {
            FlightOutcome::Throttled { error: fault, retry_after: *retry_after }
        }
        Error::Unavailable { .. } => FlightOutcome::Unreachable(fault),
        Error::Refused { .. } | Error::BadAnswer { .. } | Error::Local(_) => FlightOutcome::Refused(fault),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

    #[test]
    fn a_hub_with_more_than_an_hour_left_gives_what_is_wanted() {
        let of = |seconds| bounded(AssumeRole::MAX_DURATION, Duration::from_secs(seconds)).as_secs();

        assert_eq!([43_200, 3600, 1800, 900, 899, 0].map(of), [3600, 3600, 1800, 900, 900, 900]);
    }

    #[test]
    fn a_hop_waits_for_the_next_hub_only_where_the_old_one_would_cut_it_short() {
        let of = |seconds: i64| freshness(SessionDuration::try_from(seconds).unwrap());

        assert_eq!([3600, 7199].map(of), [Freshness::Prefer; 2]);
        assert_eq!([7200, 43_200].map(of), [Freshness::StaleOk; 2]);
    }

    #[test]
    fn the_hops_session_has_the_hubs_name() {
        assert_eq!(session_name("0a:1b:ff"), "0a1bff");
    }

    proptest! {
        #[test]
        fn an_answer_never_outlives_its_hub_or_its_hop(
            wanted in 900_i64..=3600, remaining_ms in 0_u64..=43_200_000, granted in 0_i64..=43_200,
        ) {
            let remaining = Duration::from_millis(remaining_ms);
            let hub_ends = NOON + remaining;
            let asked = bounded(SessionDuration::try_from(wanted).unwrap(), remaining);
            let hop_ends = NOON + time::Duration::seconds(granted.min(asked.as_secs().into()));

            let ends = lifetime::earliest(hop_ends, NOON, remaining);

            prop_assert!(ends <= hub_ends && ends <= hop_ends);
            prop_assert!((900..=3600).contains(&asked.as_secs()));
            prop_assert_eq!(ends.nanosecond(), 0);
        }
    }
}
