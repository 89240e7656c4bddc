//! The engine as a caller of AWS: a certificate of its own and a session for one duty, made anew for each piece of work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ca::{KeySpec, LeafProfile, Subject};
use rolesanywhere::{CreateSession, Identity, RoleArn, Session, SessionDuration, TrustAnchorArn};
use vault_backend::Fault;

use crate::Engine;
use crate::clock;
use crate::faults;
use crate::issuers::Loaded;
use crate::managed_anchor::{Duty, ManagedAnchor};
use crate::mint;
use crate::place::MANAGEMENT;
use crate::role::DEFAULT_ISSUER;
use crate::snapshot::Snapshot;

/// The engine's certificates serve one CreateSession.
const CERTIFICATE_TTL: Duration = Duration::from_mins(5);
/// For the engine's own session, with its retries.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the engine a session for `duty` at the anchor called `name`.
///
/// During a rotation the anchor may hold the former issuer alone, or the next one: whichever of those that sign it takes will do, also
/// where the default is disabled or gone.
///
/// # Errors
/// An operator's fault where the entry has no IAM role for the duty; AWS's refusal otherwise.
pub(crate) async fn session(
    engine: &Arc<Engine>,
    name: &str,
    anchor: &ManagedAnchor,
    duty: Duty,
    mount_point: &str,
) -> Result<Session, Fault> {
    let role = anchor.role(duty).ok_or_else(|| no_role(name, duty, mount_point))?;
    let snapshot = engine.snapshot().await?;
    let signing = snapshot.issuers.bundle(clock::now());
    if signing.is_empty() {
        snapshot.issuers.require(DEFAULT_ISSUER, mount_point)?;
    }
    let mut refusal = None;
    for issuer in signing {
        match ask(&snapshot, issuer, anchor, role, duty).await {
            Ok(session) => {
                tracing::info!(
                    anchor = name,
                    duty = duty.common_name(),
                    session = session.role_session_name,
                    "the engine made itself a session"
                );
                return Ok(session);
            }
            Err(fault) => {
                refusal.get_or_insert(fault);
            }
        }
    }
    let fault = refusal
        .unwrap_or_else(|| Fault::operator(format!("no issuer signs: vault read {mount_point}rotation")));
    Err(fault.within(format!(
        "{} of trust-anchors/{name}, by an anchor that must hold what {mount_point}trust-bundle shows (the first time by hand)",
        duty.field()
    )))
}

/// Makes the engine a session for `duty` in the account of `role`, by whichever trust anchor of that account lets it in: IAM is the same
/// from each region, and in an incident one of them may be out of reach or hold the wrong issuer. The anchor `near`, and those of its
/// region, come first: what is regional may be closed to the roles of another region.
///
/// # Errors
/// An operator's fault where no entry of that account names an IAM role for the duty; what the first of them said otherwise.
pub(crate) async fn session_for(
    engine: &Arc<Engine>,
    (role, near): (&RoleArn, Option<&TrustAnchorArn>),
    duty: Duty,
    mount_point: &str,
) -> Result<Session, Fault> {
    let mut refusal = None;
    let mut anchors = for_account(engine, role, duty, mount_point).await?;
    anchors.sort_by_key(|(_, anchor)| near.map(|near| distance(&anchor.trust_anchor_arn, near)));
    for (name, anchor) in anchors {
        match session(engine, &name, &anchor, duty, mount_point).await {
            Ok(session) => return Ok(session),
            Err(fault) => {
                refusal.get_or_insert(fault);
            }
        }
    }
    Err(refusal.unwrap_or_else(|| Fault::bug("no trust anchor was tried")))
}

fn distance(anchor: &TrustAnchorArn, near: &TrustAnchorArn) -> (bool, bool) {
    (anchor.region() != near.region(), anchor != near)
}

/// The trust anchors by which the engine acts in the account of `role`, at least one.
async fn for_account(
    engine: &Engine,
    role: &RoleArn,
    duty: Duty,
    mount_point: &str,
) -> Result<Vec<(String, ManagedAnchor)>, Fault> {
    let is_there = |anchor: &ManagedAnchor| {
        let arn = &anchor.trust_anchor_arn;
        arn.account() == role.account() && arn.partition() == role.partition()
    };
    let mut anchors = engine.store.managed_anchors().await?;
    anchors.retain(|(_, anchor)| is_there(anchor));
    let (able, unable): (Vec<_>, Vec<_>) =
        anchors.into_iter().partition(|(_, anchor)| anchor.role(duty).is_some());
    if !able.is_empty() {
        return Ok(able);
    }
    let field = duty.field();
    match unable.first() {
        Some((name, _)) => Err(no_role(name, duty, mount_point)),
        None => Err(Fault::operator(format!(
            "{field}: no trust anchor of the account {account} is known here: vault write {mount_point}trust-anchors/<name> trust_anchor_arn=<arn> profile_arn=<arn> {field}=<arn>",
            account = role.account()
        ))),
    }
}

async fn ask(
    snapshot: &Snapshot,
    issuer: &Loaded,
    anchor: &ManagedAnchor,
    role: &RoleArn,
    duty: Duty,
) -> Result<Session, Fault> {
    let leaf = mint::issue(issuer, &profile(duty)).await?;
    let identity = Identity::new(leaf.certificate_der, issuer.issuer.path(), leaf.key_pkcs8.expose())
        .map_err(faults::identity)?;
    let call = CreateSession {
        trust_anchor: anchor.trust_anchor_arn.clone(),
        profile: anchor.profile_arn.clone(),
        role: role.clone(),
        duration: SessionDuration::MIN,
        role_session_name: None,
        instance_properties: BTreeMap::new(),
    };
    snapshot
        .client
        .create_session(&identity, &call, clock::now, PATIENCE)
        .await
        .map_err(|error| faults::create_session(&error))
}

fn profile(duty: Duty) -> LeafProfile {
    let subject = Subject { organization: vec![MANAGEMENT.to_owned()], ..Subject::named(duty.common_name()) };
    LeafProfile {
        subject,
        uri_sans: Vec::new(),
        dns_sans: Vec::new(),
        key: KeySpec::EcP256,
        ttl: CERTIFICATE_TTL,
    }
}

fn no_role(name: &str, duty: Duty, mount_point: &str) -> Fault {
    Fault::operator(format!(
        "{field}: trust-anchors/{name} names none: vault patch {mount_point}trust-anchors/{name} {field}=<arn>",
        field = duty.field()
    ))
}
