//! What is to be asked of AWS for one caller, decided without any call of AWS.

use std::time::Duration;

use ca::LeafProfile;
use rolesanywhere::{CreateSession, SessionDuration};
use vault_backend::{Fault, Request};

use crate::ground::faults;
use crate::issuers::Loaded;
use crate::records::anchorage::Anchorage;
use crate::records::role::Role;
use crate::snapshot::Snapshot;
use identity::Caller;
use identity::SubjectField;

/// One read, resolved as far as it can be without AWS.
pub(crate) struct Prepared<'a> {
    pub(crate) authority: &'a Loaded,
    pub(crate) caller: Caller<'a>,
    pub(crate) order: SessionSpec,
}

impl<'a> Prepared<'a> {
    /// Resolves `role`, called `name`, for the sender of `request`, who asks for `ttl`.
    ///
    /// # Errors
    /// An operator's fault where no issuer signs or no anchor is named, the caller's where the role does not take it.
    pub(crate) async fn of(
        snapshot: &'a Snapshot,
        request: &'a Request,
        (name, role): (&'a str, &'a Role),
        ttl: Option<Duration>,
    ) -> Result<Self, Fault> {
        let authority = snapshot.issuers.require(&role.issuer_ref, &request.mount_point)?;
        let caller = Caller::find(request, role.audience(name), &snapshot.clusters).await?;
        let order = SessionSpec::new(snapshot, name, role, &caller, ttl, &request.mount_point)?;
        Ok(Self { authority, caller, order })
    }
}

/// What is to be asked of AWS for one caller.
pub(crate) struct SessionSpec {
    pub(crate) anchorage: Anchorage,
    pub(crate) duration: SessionDuration,
    pub(crate) leaf: LeafProfile,
    pub(crate) role_session_name: Option<String>,
}

impl SessionSpec {
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
                .map(|name| name.resolve(SubjectField::SessionName, caller))
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
