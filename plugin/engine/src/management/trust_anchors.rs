//! Trust anchors kept in step with the mount's issuers: read, compare, update, look again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use rolesanywhere::{AnchorSource, CallError, SignedClient, TrustAnchor, TrustAnchorArn};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use vault_backend::Fault;

use crate::credentials::service::Credentials;
use crate::ground::concurrency::ConcurrencyLimit;
use crate::ground::faults;
use crate::issuers::{Issuers, Loaded};
use crate::management::anchor_task::{AnchorTask, Need};
use crate::management::bundle_plan::{
    BundleFull, BundlePlan, MAX_CERTIFICATES, fingerprint, fingerprints, remembered,
};
use crate::management::last_looks::{LastLooks, signing};
use crate::management::own_session::{OwnSessions, is_by};
use crate::management::sync_report::SyncReport;
use crate::records::config::Config;
use crate::records::managed_anchor::{Duty, ManagedAnchor};
use crate::records::role::Role;
use crate::snapshot::Snapshot;

/// For one call of Roles Anywhere's own API with its retries. AWS takes one a second, so that calls wait for each other.
const PATIENCE: Duration = Duration::from_secs(20);
/// Vault gives up a tick after 90 seconds and begins the next one.
const MAX_TICK: Duration = Duration::from_secs(75);
/// Anchors that are looked at together: one that does not answer holds up few others.
const AT_ONCE: usize = 8;

/// The trust anchors of one mount: one piece of work at a time for each, and what was found last.
pub(crate) struct TrustAnchors {
    credentials: Arc<Credentials>,
    own: Arc<OwnSessions>,
    /// By name.
    turns: std::sync::Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    ticking: Mutex<()>,
    /// Those that somebody asked for, who waits for the answer.
    pub(crate) looks: ConcurrencyLimit,
    last_looks: LastLooks,
}

impl TrustAnchors {
    pub(crate) fn new(credentials: Arc<Credentials>, own: Arc<OwnSessions>) -> Self {
        Self {
            credentials,
            own,
            turns: std::sync::Mutex::default(),
            ticking: Mutex::default(),
            looks: ConcurrencyLimit::new("looks at trust anchors"),
            last_looks: LastLooks::default(),
        }
    }

    /// Whether each anchor was in step with `issuers` when it was last looked at, by name.
    pub(crate) fn in_step(&self, issuers: &Issuers) -> BTreeMap<String, bool> {
        self.last_looks.in_step(issuers)
    }

    async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(name.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// Nothing is said any more of an anchor that is looked after no longer.
    pub(crate) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.last_looks.retain(&is_kept);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|name, turn| is_kept(name) || Arc::strong_count(turn) > 1);
    }

    /// Brings one anchor in step with the mount's issuers; with `dry_run` only says what would change.
    ///
    /// Interrupted anywhere, the same call goes on from there: what is put into the anchor is noted before, and the anchor itself is
    /// looked at anew each time.
    ///
    /// # Errors
    /// An operator's fault where the anchor takes its CA from AWS Private CA, or has no room beside certificates that are not ours;
    /// AWS's refusal otherwise.
    pub(crate) async fn sync(&self, at: AnchorTask<'_>, dry_run: bool) -> Result<SyncReport, Fault> {
        let wanted = fingerprints(&signing(&self.credentials.snapshots.get().await?.issuers));
        // a routine waits for AWS before its turn at the anchor, so that no incident waits behind it
        let caller = Box::pin(self.caller(at)).await;
        let _turn = self.turn(at.name).await;
        let done = match caller {
            Ok(caller) => Box::pin(self.sync_in_turn(at, &caller, dry_run)).await,
            Err(fault) => Err(fault),
        };
        let held = done.as_ref().ok().map(SyncReport::held);
        self.last_looks.note(at.name, at.anchor, (held, wanted));
        done
    }

    async fn sync_in_turn(
        &self,
        at: AnchorTask<'_>,
        caller: &SignedClient,
        dry_run: bool,
    ) -> Result<SyncReport, Fault> {
        let snapshot = self.credentials.snapshots.get().await?;
        let sign = signing(&snapshot.issuers);
        let seen = self.look(caller, at).await?;
        let known = self.credentials.store().anchor_certificates(at.name).await?;
        let issuers: BTreeSet<String> =
            snapshot.issuers.all.iter().map(|loaded| fingerprint(loaded.issuer.certificate_der())).collect();
        let (ours, holds) = (&known | &issuers, bundle_of(&seen, at)?);
        let plan = BundlePlan::new(holds, &sign, &ours).map_err(|full| no_room(&full, at))?;
        if dry_run {
            return Ok(SyncReport { seen, plan, changed: false });
        }
        // also what a person put there for this mount: an issuer that is deleted later is known all the same
        let remembered = remembered(&ours, holds, &issuers);
        if known != remembered {
            self.credentials.store().write().await.put_anchor_certificates(at.name, remembered).await?;
        }
        if plan.is_in_step() {
            return Ok(SyncReport { seen, plan, changed: false });
        }
        caller
            .update_trust_anchor(&at.anchor.trust_anchor_arn, &plan.bundle)
            .await
            .map_err(|error| self.refused(&error, at))?;
        self.credentials.sessions.invalidate(is_by(&at.anchor.trust_anchor_arn));
        let seen = self.look(caller, at).await?;
        check_held(bundle_of(&seen, at)?, &plan, at)?;
        tracing::info!(
            anchor = at.name,
            added = plan.missing.len(),
            removed = plan.retired.len(),
            "brought a trust anchor in step with the issuers"
        );
        Ok(SyncReport { seen, plan, changed: true })
    }

    /// Looks after every anchor that is due; Vault calls this each minute. Faults are logged, and the anchor is tried again later.
    pub(crate) async fn keep_in_step(
        &self,
        anchors: &[(String, ManagedAnchor)],
        issuers: &Issuers,
        mount_point: &str,
    ) -> Result<(), Fault> {
        let mut looked_after: Vec<_> =
            anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some()).collect();
        self.keep(|name| looked_after.iter().any(|(kept, _)| kept == name));
        let Ok(_ticking) = self.ticking.try_lock() else { return Ok(()) };
        looked_after.sort_by_key(|(name, _)| Reverse(self.last_looks.unseen_for(name)));
        let looks: Vec<_> = looked_after
            .into_iter()
            .map(|(name, anchor)| {
                Box::pin(
                    self.look_after(AnchorTask { name, anchor, mount_point, need: Need::Routine }, issuers),
                )
            })
            .collect();
        let looks = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect::<()>();
        timeout(MAX_TICK, looks).await.unwrap_or_else(|_| {
            tracing::warn!("not every trust anchor could be looked at within a tick; the next one goes on");
            Ok(())
        })
    }

    /// Whether every anchor in use by `roles` was last seen with what it must hold. One that nobody looks after was not.
    pub(crate) fn are_held(&self, snapshot: &Snapshot, roles: &[(String, Role)], mount_point: &str) -> bool {
        let arns = in_use(&snapshot.config, roles, mount_point);
        !arns.is_empty() && self.last_looks.are_seen_with(&arns, &snapshot.issuers)
    }

    /// Brings an anchor in step if it is due.
    async fn look_after(&self, at: AnchorTask<'_>, issuers: &Issuers) -> Result<(), Fault> {
        let wanted = fingerprints(&signing(issuers));
        if wanted.is_empty() || !self.last_looks.is_due(at.name, at.anchor, &wanted) {
            return Ok(());
        }
        if let Err(fault) = Box::pin(self.sync(at, false)).await {
            tracing::warn!(anchor = at.name, "a trust anchor could not be brought in step: {fault}");
        }
        Ok(())
    }

    /// Refuses an issuer that some anchor, which the engine looks after, does not hold yet: with it as the default, reads would fail.
    pub(crate) async fn require_held(&self, issuer: &Loaded, mount_point: &str) -> Result<(), Fault> {
        let anchors = self.credentials.store().managed_anchors().await?;
        let looked_after = anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some());
        let looks: Vec<_> = looked_after
            .map(|(name, anchor)| {
                Box::pin(
                    self.check_held_by(AnchorTask { name, anchor, mount_point, need: Need::Routine }, issuer),
                )
            })
            .collect();
        stream::iter(looks).buffered(AT_ONCE).try_collect().await
    }

    async fn check_held_by(&self, at: AnchorTask<'_>, issuer: &Loaded) -> Result<(), Fault> {
        let report = self.sync(at, true).await?;
        if report.holds(issuer.issuer.certificate_der()) {
            return Ok(());
        }
        Err(Fault::operator(format!(
            "default: trust-anchors/{} does not hold the issuer {:?} yet",
            at.name,
            issuer.record.label()
        ))
        .cure(format!("vault write -force {}trust-anchors/{}/sync", at.mount_point, at.name)))
    }

    async fn caller(&self, at: AnchorTask<'_>) -> Result<SignedClient, Fault> {
        let own = self.own.session(at, Duty::TrustAnchor).await?;
        self.own.caller(&own.session, PATIENCE).await
    }

    async fn look(&self, caller: &SignedClient, at: AnchorTask<'_>) -> Result<TrustAnchor, Fault> {
        caller.get_trust_anchor(&at.anchor.trust_anchor_arn).await.map_err(|error| self.refused(&error, at))
    }

    fn refused(&self, error: &CallError, at: AnchorTask<'_>) -> Fault {
        self.own.refused(Duty::TrustAnchor, error);
        faults::call(error).within(format!("trust-anchors/{}", at.name))
    }
}

fn bundle_of<'a>(seen: &'a TrustAnchor, at: AnchorTask<'_>) -> Result<&'a [Vec<u8>], Fault> {
    let of = |what: &str| {
        Fault::operator(format!(
            "trust-anchors/{}: {} takes its CA from {what}, so that its bundle cannot be written",
            at.name, seen.arn
        ))
        .cure(format!("make a trust anchor with a certificate bundle from {}trust-bundle", at.mount_point))
    };
    match &seen.source {
        AnchorSource::CertificateBundle(bundle) => Ok(bundle),
        AnchorSource::AcmPca(arn) => Err(of(arn)),
        AnchorSource::Other(kind) => Err(of(kind)),
    }
}

fn check_held(holds: &[Vec<u8>], plan: &BundlePlan, at: AnchorTask<'_>) -> Result<(), Fault> {
    if fingerprints(holds) == fingerprints(&plan.bundle) {
        return Ok(());
    }
    Err(Fault::later(format!(
        "trust-anchors/{}: AWS took the bundle, but shows another one; somebody else may be writing it: ask again",
        at.name
    )))
}

fn no_room(full: &BundleFull, at: AnchorTask<'_>) -> Fault {
    let foreign: Vec<String> = full.foreign.iter().map(|der| fingerprint(der)).collect();
    Fault::operator(format!(
"trust-anchors/{}: the anchor has room for {MAX_CERTIFICATES} certificates, and {} of them, which this mount did not put there, are in the way: {}",
at.name,
foreign.len(),
foreign.join(", ")
)).cure("remove them at AWS, or give this mount an anchor of its own")
}

/// Where the mount's roles and their sessions come from: the trust anchors that the config and the roles name.
pub(crate) fn in_use(config: &Config, roles: &[(String, Role)], mount_point: &str) -> Vec<TrustAnchorArn> {
    let mut found: BTreeMap<String, TrustAnchorArn> = BTreeMap::new();
    let places = roles.iter().filter_map(|(_, role)| role.place(config, mount_point).ok());
    let anchors = config.default_trust_anchor_arn.iter().cloned();
    found.extend(anchors.chain(places.map(|place| place.trust_anchor)).map(|arn| (arn.to_string(), arn)));
    found.into_values().collect()
}
