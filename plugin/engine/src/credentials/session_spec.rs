//! The parameters of the session for one caller, decided without a call to AWS.

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

/// One read, resolved as far as possible without AWS. Reads of credentials and the preview begin with it.
pub(crate) struct Prepared<'a> {
    /// The issuer that signs the leaf. It is enabled.
    pub(crate) authority: &'a Loaded,
    pub(crate) caller: Caller<'a>,
    pub(crate) order: SessionSpec,
}

impl<'a> Prepared<'a> {
    /// Resolves `role`, called `name`, for the sender of `request`, who asks for the duration `ttl`. Vault is asked for the
    /// entity if the role depends on the caller.
    ///
    /// # Errors
    /// The operator's fault if no issuer signs or no anchor is named; the caller's fault if the role does not accept the caller
    /// or the duration.
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

/// The leaf, and the parameters of CreateSession, for one caller.
pub(crate) struct SessionSpec {
    pub(crate) anchorage: Anchorage,
    pub(crate) duration: SessionDuration,
    pub(crate) leaf: LeafProfile,
    /// The resolved template of the role; none if AWS names the session after the certificate's serial number.
    pub(crate) role_session_name: Option<String>,
}

impl SessionSpec {
    /// Decides everything that needs no I/O. A leaf that the CA would refuse is refused here, before the read waits for its turn
    /// under AWS's quota.
    ///
    /// # Errors
    /// The operator's fault if neither the role nor the config names an ARN, or if `allowed_role_arns` does not allow the role's;
    /// the caller's fault if it may not have `ttl`. If a template has no value for the caller, the fault is that of the one who
    /// can cure it.
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
            anchorage: role.anchorage(&snapshot.config, mount_point)?,
            duration: role.duration(ttl)?,
            leaf,
            role_session_name: role
                .role_session_name
                .as_ref()
                .map(|name| name.resolve(SubjectField::SessionName, caller))
                .transpose()?,
        })
    }

    /// The parameters of CreateSession. `role` must be the one that `self` was made from.
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
