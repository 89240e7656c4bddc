//! The parameters of the session for one caller, decided without a call to AWS.

use std::time::Duration;

use ca::LeafProfile;
use rolesanywhere::{AssumeRole, CreateSession};
use vault_backend::{Fault, Request};

use crate::ground::faults;
use crate::issuers::Loaded;
use crate::records::anchorage::Anchorage;
use crate::records::role::Role;
use crate::snapshot::Snapshot;
use identity::Caller;
use identity::SubjectField;

/// One of the engine's roles, by its name.
#[derive(Clone, Copy)]
pub(crate) struct NamedRole<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: &'a Role,
}

/// One read, resolved as far as possible without AWS. Reads of credentials and the preview begin with it.
pub(crate) struct Prepared<'a> {
    /// The issuer that signs the leaf. It is enabled.
    pub(crate) authority: &'a Loaded,
    pub(crate) caller: Caller<'a>,
    pub(crate) spec: SessionSpec,
    /// The call that follows; none if the role makes no hop.
    pub(crate) hop: Option<AssumeRole>,
}

impl<'a> Prepared<'a> {
    /// Resolves the role for the sender of `request`, who asks for the duration `ttl`. Vault is asked for the entity if the role
    /// depends on the caller.
    ///
    /// # Errors
    /// The operator's fault if no issuer signs or no anchor is named; the caller's fault if the role does not accept the caller
    /// or the duration.
    pub(crate) async fn of(
        snapshot: &'a Snapshot,
        request: &'a Request,
        named: NamedRole<'a>,
        ttl: Option<Duration>,
    ) -> Result<Self, Fault> {
        let NamedRole { name, role } = named;
        let authority = snapshot.issuers.require(&role.issuer_ref, &request.mount_point)?;
        let caller = Caller::find(request, role.audience(name), &snapshot.clusters).await?;
        let wanted = role.duration(ttl)?;
        let hop = role.hop.call(&caller, wanted)?;
        // the first session of a hop stays inside, so its length is the role's, and callers of every ttl share it
        let own = if hop.is_some() { None } else { ttl };
        let spec = SessionSpec::new(snapshot, named, &caller, own, &request.mount_point)?;
        Ok(Self { authority, caller, spec, hop })
    }
}

/// What AWS gets for one session: the leaf, and the parameters of CreateSession.
#[derive(Clone)]
pub(crate) struct SessionSpec {
    pub(crate) leaf: LeafProfile,
    pub(crate) call: CreateSession,
    /// The further places in the order in which they are tried; `call` is of the first one.
    pub(crate) further: Vec<Anchorage>,
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
        NamedRole { name, role }: NamedRole<'_>,
        caller: &Caller<'_>,
        ttl: Option<Duration>,
        mount_point: &str,
    ) -> Result<Self, Fault> {
        let leaf = role.subject.profile(name, caller, role.key(), role.certificate_ttl())?;
        leaf.check().map_err(faults::ca)?;
        let places = role.places(&snapshot.config, mount_point)?;
        let policy = role.place_policy(&snapshot.config);
        let mut places = places.ordered_for(policy, &(name, &leaf)).into_iter();
        let anchorage = places.next().ok_or_else(|| Fault::bug("a role without a place"))?;
        let call = CreateSession {
            trust_anchor: anchorage.trust_anchor,
            profile: anchorage.profile,
            role: role.role_arn.clone(),
            duration: role.duration(ttl)?,
            // without a template AWS names the session after the certificate's serial number
            role_session_name: role
                .role_session_name
                .as_ref()
                .map(|name| name.resolve(SubjectField::SessionName, caller))
                .transpose()?,
            instance_properties: role.instance_properties.clone(),
        };
        Ok(Self { leaf, call, further: places.collect() })
    }
}
