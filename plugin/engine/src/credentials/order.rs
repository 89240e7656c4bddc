//! What is to be asked of AWS for one caller, decided without any I/O.

use std::time::Duration;

use ca::LeafProfile;
use rolesanywhere::{CreateSession, SessionDuration};
use vault_backend::Fault;

use crate::ground::faults;
use crate::identity::caller::Caller;
use crate::identity::subject_field::Place;
use crate::records::anchorage::Anchorage;
use crate::records::role::Role;
use crate::snapshot::Snapshot;

/// What is to be asked of AWS for one caller.
pub(crate) struct Order {
    pub(crate) anchorage: Anchorage,
    pub(crate) duration: SessionDuration,
    pub(crate) leaf: LeafProfile,
    pub(crate) role_session_name: Option<String>,
}

impl Order {
    /// Decides everything that needs no I/O. A leaf that the CA would refuse is refused here, before it costs a turn at AWS.
    pub(crate) fn new(
        snapshot: &Snapshot,
        role_name: &str,
        role: &Role,
        caller: &Caller<'_>,
        ttl: Option<Duration>,
        mount_point: &str,
    ) -> Result<Self, Fault> {
        let leaf = role.subject.profile(role_name, caller, role.key(), role.certificate_ttl())?;
        leaf.check().map_err(faults::ca)?;
        Ok(Self {
            anchorage: role.place(&snapshot.config, mount_point)?,
            duration: role.duration(ttl)?,
            leaf,
            role_session_name: role
                .role_session_name
                .as_ref()
                .map(|name| name.resolve(Place::SessionName, caller))
                .transpose()?,
        })
    }

    pub(crate) fn call(&self, role: &Role) -> CreateSession {
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
