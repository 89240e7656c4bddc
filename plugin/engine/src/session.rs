//! One uncached session: a fresh leaf for the caller, CreateSession with it, and both forgotten.

use std::time::Duration;

use ca::{Leaf, LeafProfile};
use rolesanywhere::{CreateSession, Identity, Session, SessionDuration};
use time::OffsetDateTime;
use vault_backend::Fault;

use crate::clock;
use crate::faults;
use crate::identity::Caller;
use crate::issuers::Loaded;
use crate::role::{Anchorage, Role};
use crate::snapshot::Snapshot;

/// What is to be asked of AWS for one caller.
pub(crate) struct Order {
    pub(crate) anchorage: Anchorage,
    pub(crate) duration: SessionDuration,
    leaf: LeafProfile,
    role_session_name: Option<String>,
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
        caller: Caller,
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
                .map(|name| name.resolve(caller))
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

/// Makes the session that `order` asks for, within `deadline`.
pub(crate) async fn create(
    snapshot: &Snapshot,
    issuer: &Loaded,
    role: &Role,
    order: &Order,
    deadline: Duration,
) -> Result<Issued, Fault> {
    let started = tokio::time::Instant::now();
    let leaf = issue(issuer, &order.leaf).await?;
    let identity = Identity::new(leaf.certificate_der.clone(), issuer.issuer.path(), leaf.key_pkcs8.expose())
        .map_err(faults::identity)?;
    let left = deadline.saturating_sub(started.elapsed());
    let session = snapshot
        .client
        .create_session(&identity, &order.call(role), clock::now, left)
        .await
        .map_err(|error| faults::create_session(&error))?;
    let began = clock::now();
    let warnings = warnings(order, &leaf, &session, began);
    Ok(Issued { session, began, serial: leaf.serial.to_string(), warnings })
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
