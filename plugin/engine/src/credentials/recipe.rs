//! Makes one session: signs a fresh leaf, calls CreateSession with it, and drops the leaf and its key.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::{Error, ExposeSecret as _, Identity, RetryBudget};
use sessions::{Cause, FlightOutcome, FlightWork, Made};
use tracing::{Instrument as _, Span, info_span};
use vault_backend::{Blame, Fault, Request};

use crate::credentials::counters::Counters;
use crate::credentials::handed::Handed;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::credentials::lifetime;
use crate::credentials::outcome;
use crate::ground::clock::{self};
use crate::ground::faults;
use crate::issuers::{self, Rotation};
use crate::snapshot::Snapshot;

/// How the sessions of one key are made.
///
/// The snapshot holds the config and the issuer that the key pins. The key does not pin the config's limits: those of the newest
/// request apply.
pub(super) struct Recipe {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) key: SessionKey,
    pub(super) origin: Origin,
    pub(super) metrics: Arc<Counters>,
}

/// The party for which a session is made; the log and the cure of a fault name its mount.
#[derive(Clone)]
pub(crate) enum Origin {
    /// The sender of this request.
    Request { mount: String, request_id: String, path: String },
    /// The engine itself, for the work that `span` describes.
    Own { mount: String, span: Span },
}

/// How one attempt ended, as the session service takes it.
type AttemptOutcome = FlightOutcome<Arc<Issued>, Fault>;

/// Why one attempt gave no session. The engine's checks read AWS's error itself; flights read only the [`FlightOutcome`].
pub(crate) enum AttemptError {
    /// AWS refused the call, or did not answer.
    Aws(Error),
    /// The attempt failed before the call, or AWS's session is of no use.
    Here(AttemptOutcome),
}

impl AttemptError {
    /// Whether the flight tries again, pauses or ends.
    pub(crate) fn outcome(self) -> AttemptOutcome {
        match self {
            Self::Aws(error) => outcome::failed(&error),
            Self::Here(outcome) => outcome,
        }
    }

    fn refused(fault: Fault) -> Self {
        Self::Here(FlightOutcome::Refused(fault))
    }
}

impl Origin {
    /// The sender of `request`.
    pub(crate) fn of(request: &Request) -> Self {
        let (mount, request_id, path) = (&request.mount_point, &request.id, &request.path);
        Self::Request { mount: mount.clone(), request_id: request_id.clone(), path: path.clone() }
    }

    /// The engine, for the work of the current span.
    pub(crate) fn engine(mount_point: &str) -> Self {
        Self::Own { mount: mount_point.to_owned(), span: Span::current() }
    }

    fn mount(&self) -> &str {
        match self {
            Self::Request { mount, .. } | Self::Own { mount, .. } => mount,
        }
    }

    pub(super) fn span(&self) -> Span {
        match self {
            Self::Request { mount, request_id, path } => info_span!("session", mount, request_id, path),
            Self::Own { span, .. } => span.clone(),
        }
    }
}

impl Recipe {
    /// The work of a flight: each call of it makes one attempt. `observe` is called with the result of each attempt, in the span
    /// of its origin, before the service learns of it.
    pub(super) fn work(
        self,
        observe: impl Fn(&Result<Issued, AttemptError>, Cause) + Send + Sync + 'static,
    ) -> FlightWork<Arc<Issued>, Fault> {
        let shared = Arc::new((self, observe));
        sessions::work(move |departure| {
            let shared = Arc::clone(&shared);
            async move {
                let (recipe, observe) = &*shared;
                let span = recipe.origin.span();
                let made = recipe.make(departure.place).instrument(span.clone()).await;
                span.in_scope(|| observe(&made, departure.cause));
                made.map_or_else(AttemptError::outcome, |issued| {
                    let expiration = issued.session.expiration;
                    FlightOutcome::Made(Made { session: Arc::new(issued), expiration })
                })
            }
        })
    }

    /// Signs one fresh leaf and calls CreateSession once with it in the place with this index. Leaf and key are dropped when it returns.
    ///
    /// # Errors
    /// [`FlightOutcome::Lost`] if the snapshot has no issuer of the key's id; a refusal if the CA or the check of the session refuses;
    /// AWS's error otherwise.
    async fn make(&self, place: usize) -> Result<Issued, AttemptError> {
        let parts = self.key.parts();
        let authority =
            self.snapshot.issuers.find(&parts.issuer).ok_or(AttemptError::Here(FlightOutcome::Lost))?;
        let leaf = issuers::issue(authority, &parts.leaf)
            .await
            .map_err(|fault| AttemptError::refused(self.cured(fault)))?;
        // before the call: an issuer's count is of the leaves that it signed, also of those that AWS refuses
        self.metrics.signed(&parts.issuer);
        let identity = Identity::new(
            leaf.certificate_der.clone(),
            authority.issuer.path(),
            leaf.key_pkcs8.expose_secret(),
        )
        .map_err(|error| AttemptError::refused(faults::identity(error)))?;
        let place_call = parts.call_at(place);
        let call =
            self.snapshot.client.create_session(&identity, &place_call, clock::now, self.one_attempt());
        let session = self.metrics.watch(call).await.map_err(AttemptError::Aws)?;
        let began = clock::now();
        let mut warnings: Vec<String> = leaf.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(lifetime::cut_short(&session, began, parts.call.duration));
        warnings.extend(lifetime::clock(&session, began));
        warnings.extend(
            authority.issuer.expiry_warning(began).map(|warning| format!("{warning}; {}", self.cure())),
        );
        let (serial, handed, trust_anchor) =
            (leaf.serial.to_string(), Handed::default(), place_call.trust_anchor);
        let issued = Issued { session, began, serial, trust_anchor, warnings, handed, hop: None };
        issued.check().map_err(AttemptError::refused)?;
        Ok(issued)
    }

    /// An operator's fault of an issuer, such as an expired certificate, is cured by another issuer.
    fn cured(&self, fault: Fault) -> Fault {
        if fault.blame() == Blame::Operator { Fault::operator(fault.why()).cure(self.cure()) } else { fault }
    }

    /// The command that gives the role another issuer: the next step of the rotation if the key's issuer is the default.
    fn cure(&self) -> String {
        let issuers = &self.snapshot.issuers;
        if issuers.is_default(self.key.issuer()) {
            Rotation::of(issuers, clock::now()).next_step(self.origin.mount(), &[], false)
        } else {
            format!("set issuer_ref of the role {:?} to another issuer", self.key.role())
        }
    }

    /// The budget of one attempt without retries, because the session service retries and pauses for all callers together.
    fn one_attempt(&self) -> RetryBudget {
        RetryBudget { total: self.snapshot.config.flight_timeout(), retries: Duration::ZERO }
    }
}
