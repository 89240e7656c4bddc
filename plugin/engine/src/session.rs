//! From a role and a caller to a session that is fit to be handed out: a fresh leaf, CreateSession with it, both forgotten.

use std::time::Duration;

use ca::{Leaf, LeafProfile};
use rolesanywhere::{CreateSession, Identity, Patience, Session, SessionDuration};
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::{Fault, Request};

use crate::Engine;
use crate::caller::Caller;
use crate::clock::{self, rfc3339};
use crate::faults;
use crate::issuers::Loaded;
use crate::lifetime;
use crate::place::Place;
use crate::role::{Anchorage, Role};
use crate::snapshot::Snapshot;

/// AWS's side of a read ends this much before the read itself, so that the answer can say what AWS did and not only that it is late.
const TELLING: Duration = Duration::from_millis(50);

/// What a read asks for.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) role: &'a str,
    /// The length the caller chose, if it chose one.
    pub(crate) ttl: Option<Duration>,
    /// Bounds the whole read.
    pub(crate) patience: Patience,
}

/// A session that is fit to be handed out.
pub(crate) struct Granted {
    pub(crate) role: Role,
    pub(crate) order: Order,
    pub(crate) issued: Issued,
    /// What is left of it, in whole seconds.
    pub(crate) remaining: Duration,
}

/// Makes a session for whoever sent `request`, until patience ends or the mount closes.
pub(crate) async fn grant(engine: &Engine, request: &Request, wish: Wish<'_>) -> Result<Granted, Fault> {
    engine.active_only()?;
    let total = wish.patience.total;
    let work = tokio::time::timeout(total, Box::pin(make(engine, request, wish)));
    engine.until_closed(async { work.await.unwrap_or_else(|_| Err(faults::late(total))) }).await
}

async fn make(engine: &Engine, request: &Request, wish: Wish<'_>) -> Result<Granted, Fault> {
    let started = Instant::now();
    let name = wish.role;
    let role = engine.store.role(name).await?.ok_or_else(|| faults::no_role(name))?;
    let snapshot = engine.snapshot().await?;
    let authority = snapshot.issuers.require(&role.issuer_ref, &request.mount_point)?;
    let caller = Caller::find(request, name, &role, &snapshot.clusters).await?;
    let order = Order::new(&snapshot, name, &role, &caller, wish.ttl, &request.mount_point)?;
    let issued = create(&snapshot, authority, &role, &order, wish.patience, started).await?;
    issued.log(&request.path, name);
    let remaining = span(issued.session.expiration - clock::now());
    if !lifetime::is_useful(issued.whole(), remaining) {
        return Err(faults::short_session(remaining));
    }
    Ok(Granted { role, order, issued, remaining })
}

/// What is to be asked of AWS for one caller.
pub(crate) struct Order {
    pub(crate) anchorage: Anchorage,
    pub(crate) duration: SessionDuration,
    pub(crate) leaf: LeafProfile,
    pub(crate) role_session_name: Option<String>,
}

/// A session, and what is known about how it came about.
pub(crate) struct Issued {
    pub(crate) session: Session,
    /// When it began: its true length is `session.expiration − began`.
    pub(crate) began: OffsetDateTime,
    pub(crate) serial: String,
    pub(crate) warnings: Vec<String>,
}

impl Order {
    /// Decides everything that needs no I/O.
    pub(crate) fn new(
        snapshot: &Snapshot,
        role_name: &str,
        role: &Role,
        caller: &Caller<'_>,
        ttl: Option<Duration>,
        mount_point: &str,
    ) -> Result<Self, Fault> {
        Ok(Self {
            anchorage: role.place(&snapshot.config, mount_point)?,
            duration: role.duration(ttl)?,
            leaf: role.subject.profile(role_name, caller, role.key(), role.certificate_ttl())?,
            role_session_name: role
                .role_session_name
                .as_ref()
                .map(|name| name.resolve(Place::SessionName, caller))
                .transpose()?,
        })
    }

    fn call(&self, role: &Role) -> CreateSession {
        CreateSession {
            trust_anchor: self.anchorage.trust_anchor.clone(),
            profile: self.anchorage.profile.clone(),
            role: role.role_arn.clone(),
            duration: self.duration,
            role_session_name: self.role_session_name.clone(),
            instance_properties: role.instance_properties.clone(),
        }
    }
}

impl Issued {
    /// Its true length, which the profile may have shortened.
    pub(crate) fn whole(&self) -> Duration {
        span(self.session.expiration - self.began)
    }

    /// The one place where a read and AWS's own record of it meet: the request's id stands in Vault's audit, the serial number
    /// and the source identity in `CloudTrail`.
    fn log(&self, path: &str, role: &str) {
        tracing::info!(
            path,
            role,
            serial = self.serial,
            source_identity = self.session.source_identity,
            expiration = rfc3339(self.session.expiration),
            warnings = (!self.warnings.is_empty()).then(|| self.warnings.join("; ")),
            "issued a session"
        );
    }
}

/// Makes the session that `order` asks for, within the `patience` of a read that has `started`.
async fn create(
    snapshot: &Snapshot,
    issuer: &Loaded,
    role: &Role,
    order: &Order,
    patience: Patience,
    started: Instant,
) -> Result<Issued, Fault> {
    let leaf = issue(issuer, &order.leaf).await?;
    let identity = Identity::new(leaf.certificate_der.clone(), issuer.issuer.path(), leaf.key_pkcs8.expose())
        .map_err(faults::identity)?;
    let left = after(patience, started.elapsed() + TELLING);
    let session = snapshot
        .client
        .create_session(&identity, &order.call(role), clock::now, left)
        .await
        .map_err(|error| faults::create_session(&error))?;
    let began = clock::now();
    let warnings = warnings(order, &leaf, &session, began);
    Ok(Issued { session, began, serial: leaf.serial.to_string(), warnings })
}

/// What is left of `patience` when `spent` is over.
fn after(patience: Patience, spent: Duration) -> Patience {
    let Patience { total, retries } = patience;
    Patience { total: total.saturating_sub(spent), retries: retries.saturating_sub(spent) }
}

/// A span of whole seconds, zero when `left` is negative.
fn span(left: time::Duration) -> Duration {
    Duration::from_secs(u64::try_from(left.whole_seconds()).unwrap_or(0))
}

/// An RSA key takes so long to make that it must not hold up the other requests of this thread.
async fn issue(issuer: &Loaded, profile: &LeafProfile) -> Result<Leaf, Fault> {
    if !profile.key.is_slow() {
        return issuer.issuer.issue(profile, clock::now()).map_err(faults::ca);
    }
    let (issuer, profile) = (issuer.issuer.clone(), profile.clone());
    tokio::task::spawn_blocking(move || issuer.issue(&profile, clock::now()))
        .await
        .map_err(Fault::bug)?
        .map_err(faults::ca)
}

fn warnings(order: &Order, leaf: &Leaf, session: &Session, began: OffsetDateTime) -> Vec<String> {
    let mut warnings: Vec<String> = leaf.warnings.iter().map(ToString::to_string).collect();
    let asked = order.duration.as_secs();
    let given = (session.expiration - began).whole_seconds();
    // AWS counts from its own clock; a few seconds of difference are no clamp.
    if given + 30 < i64::from(asked) {
        warnings.push(format!(
            "AWS gave a session of {given} s where {asked} s were asked for: the profile's durationSeconds is shorter"
        ));
    }
    warnings
}
