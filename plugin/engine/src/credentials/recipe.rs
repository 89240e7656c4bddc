//! One session made: a fresh leaf, CreateSession with it, both forgotten.

use std::sync::Arc;
use std::time::Duration;

use rolesanywhere::{Error, Identity, RetryBudget};
use sessions::{Cause, Made, Outcome, Work};
use tracing::{Instrument as _, Span, info_span};
use vault_backend::{Blame, Fault, Request};

use crate::credentials::counters::Counters;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::credentials::lifetime;
use crate::credentials::outcome;
use crate::ground::clock::{self};
use crate::ground::faults;
use crate::issuers::{self, Rotation};
use crate::snapshot::Snapshot;

/// How the sessions of one key are made. Beside the key it holds the snapshot of the config and issuer that the key pins; of its
/// bounds, which the key does not pin, those of the newest request hold.
pub(crate) struct Recipe {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) key: SessionKey,
    pub(crate) origin: Origin,
    pub(crate) metrics: Arc<Counters>,
}

/// For whom a session is made, for the log.
pub(crate) enum Origin {
    /// The caller of this request.
    Request { mount: String, request_id: String, path: String },
    /// The engine itself, as part of what `span` is about.
    Own { mount: String, span: Span },
}

type Attempt = Outcome<Arc<Issued>, Fault>;

/// Why one attempt made no session.
pub(crate) enum AttemptError {
    /// AWS or the network said no.
    Aws(Error),
    /// It did not come so far, or what came is of no use.
    Here(Attempt),
}

impl AttemptError {
    /// What it means for the flight.
    pub(crate) fn outcome(self) -> Attempt {
        match self {
            Self::Aws(error) => outcome::failed(&error),
            Self::Here(outcome) => outcome,
        }
    }

    fn refused(fault: Fault) -> Self {
        Self::Here(Outcome::Refused(fault))
    }
}

impl Origin {
    pub(crate) fn of(request: &Request) -> Self {
        let (mount, request_id, path) = (&request.mount_point, &request.id, &request.path);
        Self::Request { mount: mount.clone(), request_id: request_id.clone(), path: path.clone() }
    }

    /// The engine, in the current span.
    pub(crate) fn engine(mount_point: &str) -> Self {
        Self::Own { mount: mount_point.to_owned(), span: Span::current() }
    }

    fn mount(&self) -> &str {
        match self {
            Self::Request { mount, .. } | Self::Own { mount, .. } => mount,
        }
    }

    fn span(&self) -> Span {
        match self {
            Self::Request { mount, request_id, path } => info_span!("session", mount, request_id, path),
            Self::Own { span, .. } => span.clone(),
        }
    }
}

impl Recipe {
    /// The work of a flight, one CreateSession each time.
    pub(crate) fn work(self) -> Work<Arc<Issued>, Fault> {
        let role = self.key.role().to_owned();
        self.work_told(move |ended, cause| {
            if let Ok(issued) = ended {
                issued.log(&role, cause);
            }
        })
    }

    /// The same, where `told` is told how each attempt ended.
    pub(crate) fn work_told(
        self,
        told: impl Fn(&Result<Issued, AttemptError>, Cause) + Send + Sync + 'static,
    ) -> Work<Arc<Issued>, Fault> {
        let shared = Arc::new((self, told));
        sessions::work(move |cause| {
            let shared = Arc::clone(&shared);
            async move {
                let (recipe, told) = &*shared;
                let span = recipe.origin.span();
                let made = recipe.make().instrument(span.clone()).await;
                span.in_scope(|| told(&made, cause));
                made.map_or_else(AttemptError::outcome, |issued| {
                    let expiration = issued.session.expiration;
                    Outcome::Made(Made { session: Arc::new(issued), expiration })
                })
            }
        })
    }

    /// One fresh leaf, and one CreateSession with it.
    async fn make(&self) -> Result<Issued, AttemptError> {
        let parts = self.key.parts();
        let authority = self.snapshot.issuers.find(&parts.issuer).ok_or(AttemptError::Here(Outcome::Lost))?;
        let leaf = issuers::issue(authority, &parts.leaf)
            .await
            .map_err(|fault| AttemptError::refused(self.cured(fault)))?;
        self.metrics.signed(&parts.issuer);
        let identity =
            Identity::new(leaf.certificate_der.clone(), authority.issuer.path(), leaf.key_pkcs8.expose())
                .map_err(|error| AttemptError::refused(faults::identity(error)))?;
        let call =
            self.snapshot.client.create_session(&identity, &parts.call, clock::now, self.one_attempt());
        let session = self.metrics.watch(call).await.map_err(AttemptError::Aws)?;
        let began = clock::now();
        let mut warnings: Vec<String> = leaf.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(lifetime::cut_short(&session, began, parts.call.duration));
        warnings.extend(lifetime::clock(&session, began));
        warnings.extend(
            authority.issuer.expiry_warning(began).map(|warning| format!("{warning}; {}", self.cure())),
        );
        let issued = Issued { session, began, serial: leaf.serial.to_string(), warnings };
        issued.check().map_err(AttemptError::refused)?;
        Ok(issued)
    }

    /// What only the operator can mend about an issuer is mended by another issuer.
    fn cured(&self, fault: Fault) -> Fault {
        if fault.blame() == Blame::Operator { Fault::operator(fault.why()).cure(self.cure()) } else { fault }
    }

    fn cure(&self) -> String {
        let issuers = &self.snapshot.issuers;
        if issuers.is_default(self.key.issuer()) {
            Rotation::of(issuers, clock::now()).next_step(self.origin.mount(), &[], false)
        } else {
            format!("write another issuer to issuer_ref of the role {:?}", self.key.role())
        }
    }

    /// The service repeats and pauses, for all callers together.
    fn one_attempt(&self) -> RetryBudget {
        RetryBudget { total: self.snapshot.config.flight_timeout(), retries: Duration::ZERO }
    }
}
