//! Trust anchors in sync with the mount's issuers: read the bundle, compare, update, read it back.

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

/// The time for one call to Roles Anywhere's API and its retries. It includes the wait for other calls, because AWS accepts one a
/// second.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time for all anchors of one tick. Vault gives up a tick after 90 seconds and begins the next one.
const MAX_TICK: Duration = Duration::from_secs(75);
/// The anchors that are read at once, because one that does not answer must hold up few others.
const AT_ONCE: usize = 8;

/// The trust anchors of one mount: one piece of work at a time for each, and the last state that each was seen in.
pub(crate) struct TrustAnchors {
    credentials: Arc<Credentials>,
    own: Arc<OwnSessions>,
    /// By the operator's name of the anchor. It is held across calls to AWS.
    turns: std::sync::Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    /// Held by the tick that runs; a tick that begins meanwhile does nothing.
    ticking: Mutex<()>,
    /// Limits the reads of `trust-anchors/:name/sync`, whose callers wait for AWS.
    pub(crate) looks: ConcurrencyLimit,
    last_looks: LastLooks,
}

impl TrustAnchors {
    /// No anchor counts as seen, so the first tick reads all of them.
    pub(crate) fn new(credentials: Arc<Credentials>, own: Arc<OwnSessions>) -> Self {
        Self {
            credentials,
            own,
            turns: std::sync::Mutex::default(),
            ticking: Mutex::default(),
            looks: ConcurrencyLimit::new("reads of trust anchors"),
            last_looks: LastLooks::default(),
        }
    }

    /// Whether each anchor was in sync with `issuers` when it was last read, by name. Anchors never read are not in it.
    pub(crate) fn in_sync(&self, issuers: &Issuers) -> BTreeMap<String, bool> {
        self.last_looks.in_sync(issuers)
    }

    /// Waits until no other work on the anchor called `name` is under way.
    async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(name.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// Forgets the state of every anchor that is no longer managed, and its turn, unless work on it is under way.
    pub(crate) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.last_looks.retain(&is_kept);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|name, turn| is_kept(name) || Arc::strong_count(turn) > 1);
    }

    /// Brings one anchor in sync with the mount's issuers; with `dry_run`, only reports the difference.
    ///
    /// A call that was interrupted anywhere can be repeated: the certificates are recorded before they are put into the anchor,
    /// and each call reads the anchor anew.
    ///
    /// # Errors
    /// The operator's fault if the anchor takes its CA from AWS Private CA, or if certificates that are not ours leave no room;
    /// for later if AWS shows another bundle than it accepted; AWS's refusal otherwise.
    pub(crate) async fn sync(&self, at: AnchorTask<'_>, dry_run: bool) -> Result<SyncReport, Fault> {
        let wanted = fingerprints(&signing(&self.credentials.snapshots.get().await?.issuers));
        // before the turn: an incident must not wait for the anchor while a routine waits for its session
        let caller = Box::pin(self.caller(at)).await;
        let _turn = self.turn(at.name).await;
        let done = match caller {
            Ok(caller) => Box::pin(self.sync_in_turn(at, &caller, dry_run)).await,
            Err(fault) => Err(fault),
        };
        let held = done.as_ref().ok().map(SyncReport::held);
        // still in the turn: a later result must not be overwritten by this one
        self.last_looks.note(at.name, at.anchor, held, wanted);
        done
    }

    /// The work of [`Self::sync`], while the turn is held. The snapshot is read in the turn, because the issuers may have changed
    /// during the wait.
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
        // before the update: a certificate in the anchor that is not recorded would count as somebody else's and stay for ever.
        // This also records an issuer of ours that a person put there, which may be deleted here later
        let remembered = remembered(&ours, holds, &issuers);
        if known != remembered {
            self.credentials.store().write().await.put_anchor_certificates(at.name, remembered).await?;
        }
        if plan.is_in_sync() {
            return Ok(SyncReport { seen, plan, changed: false });
        }
        caller
            .update_trust_anchor(&at.anchor.trust_anchor_arn, &plan.bundle)
            .await
            .map_err(|error| self.refused(&error, at))?;
        // sessions and refusals by the former bundle say nothing of this one
        self.credentials.sessions.invalidate(is_by(&at.anchor.trust_anchor_arn));
        let seen = self.look(caller, at).await?;
        check_held(bundle_of(&seen, at)?, &plan, at)?;
        tracing::info!(
            anchor = at.name,
            added = plan.missing.len(),
            removed = plan.retired.len(),
            "brought a trust anchor in sync with the issuers"
        );
        Ok(SyncReport { seen, plan, changed: true })
    }

    /// Brings those of the managed `anchors` that are due in sync, the one not seen for longest first. Vault's tick calls this each
    /// minute, with every entry of storage: the state of all others is forgotten.
    ///
    /// A fault of an anchor is logged. The anchor is tried again after five minutes, or at the next tick if the issuers change.
    pub(crate) async fn keep_in_sync(
        &self,
        anchors: &[(String, ManagedAnchor)],
        issuers: &Issuers,
        mount_point: &str,
    ) -> Result<(), Fault> {
        let mut managed: Vec<_> =
            anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some()).collect();
        self.keep(|name| managed.iter().any(|(kept, _)| kept == name));
        // after `keep`, which needs no call: also a tick that finds another one under way forgets removed anchors
        let Ok(_ticking) = self.ticking.try_lock() else { return Ok(()) };
        managed.sort_by_key(|(name, _)| Reverse(self.last_looks.unseen_for(name)));
        let looks: Vec<_> = managed
            .into_iter()
            .map(|(name, anchor)| {
                Box::pin(
                    self.sync_if_due(AnchorTask { name, anchor, mount_point, need: Need::Routine }, issuers),
                )
            })
            .collect();
        let looks = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect::<()>();
        timeout(MAX_TICK, looks).await.unwrap_or_else(|_| {
            tracing::warn!("could not read every trust anchor within one tick; the next tick continues");
            Ok(())
        })
    }

    /// Whether every anchor in use by `roles` was last seen with exactly the issuers that sign. An anchor that is not managed was
    /// never seen. False if no anchor is in use.
    pub(crate) fn are_held(&self, snapshot: &Snapshot, roles: &[(String, Role)], mount_point: &str) -> bool {
        let arns = in_use(&snapshot.config, roles, mount_point);
        !arns.is_empty() && self.last_looks.are_seen_with(&arns, &snapshot.issuers)
    }

    /// Brings an anchor in sync if it is due. Does nothing if no issuer signs: the bundle then stays as it is.
    async fn sync_if_due(&self, at: AnchorTask<'_>, issuers: &Issuers) -> Result<(), Fault> {
        let wanted = fingerprints(&signing(issuers));
        if wanted.is_empty() || !self.last_looks.is_due(at.name, at.anchor, &wanted) {
            return Ok(());
        }
        if let Err(fault) = Box::pin(self.sync(at, false)).await {
            tracing::warn!(anchor = at.name, "could not bring a trust anchor in sync: {fault}");
        }
        Ok(())
    }

    /// Refuses an issuer that a managed anchor does not hold yet, because reads would fail if it were the default. It reads each
    /// anchor now and changes none.
    ///
    /// # Errors
    /// The operator's fault, with the command that syncs the anchor; the fault of an anchor that cannot be read.
    pub(crate) async fn require_held(&self, issuer: &Loaded, mount_point: &str) -> Result<(), Fault> {
        let anchors = self.credentials.store().managed_anchors().await?;
        let managed = anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some());
        let looks: Vec<_> = managed
            .map(|(name, anchor)| {
                Box::pin(
                    self.check_held_by(AnchorTask { name, anchor, mount_point, need: Need::Routine }, issuer),
                )
            })
            .collect();
        stream::iter(looks).buffered(AT_ONCE).try_collect().await
    }

    /// As [`Self::require_held`], for one anchor.
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

    /// A client in the engine's own session for the duty of trust anchors.
    async fn caller(&self, at: AnchorTask<'_>) -> Result<SignedClient, Fault> {
        let own = self.own.session(at, Duty::TrustAnchor).await?;
        self.own.caller(&own.session, PATIENCE).await
    }

    async fn look(&self, caller: &SignedClient, at: AnchorTask<'_>) -> Result<TrustAnchor, Fault> {
        caller.get_trust_anchor(&at.anchor.trust_anchor_arn).await.map_err(|error| self.refused(&error, at))
    }

    /// The fault of a refused call; drops the engine's session, which may have been denied.
    fn refused(&self, error: &CallError, at: AnchorTask<'_>) -> Fault {
        self.own.refused(Duty::TrustAnchor, error);
        faults::call(error).within(at.place())
    }
}

/// The certificates of the anchor's bundle as DER; the operator's fault if its CA is of another kind.
fn bundle_of<'a>(seen: &'a TrustAnchor, at: AnchorTask<'_>) -> Result<&'a [Vec<u8>], Fault> {
    let of = |what: &str| {
        Fault::operator(format!(
            "trust-anchors/{}: {} takes its CA from {what}, so its bundle cannot be written",
            at.name, seen.arn
        ))
        .cure(format!("create a trust anchor with a certificate bundle from {}trust-bundle", at.mount_point))
    };
    match &seen.source {
        AnchorSource::CertificateBundle(bundle) => Ok(bundle),
        AnchorSource::AcmPca(arn) => Err(of(arn)),
        AnchorSource::Other(kind) => Err(of(kind)),
    }
}

/// Refuses a bundle that differs from the written one, in any order: another writer may be at work.
fn check_held(holds: &[Vec<u8>], plan: &BundlePlan, at: AnchorTask<'_>) -> Result<(), Fault> {
    if fingerprints(holds) == fingerprints(&plan.bundle) {
        return Ok(());
    }
    Err(Fault::later(format!(
        "trust-anchors/{}: AWS accepted the bundle but shows another one, perhaps because somebody else wrote it: ask again",
        at.name
    )))
}

/// The fault of a bundle without room; it lists the certificates in the way by their SHA-256.
fn no_room(full: &BundleFull, at: AnchorTask<'_>) -> Fault {
    let foreign: Vec<String> = full.foreign.iter().map(|der| fingerprint(der)).collect();
    Fault::operator(format!(
"trust-anchors/{}: the anchor holds at most {MAX_CERTIFICATES} certificates, and {} that this mount did not put there leave no room: {}",
at.name,
foreign.len(),
foreign.join(", ")
)).cure("remove them at AWS, or give this mount an anchor of its own")
}

/// The trust anchors that the config and the roles name, each once, by ARN. A role whose ARNs are missing or refused is skipped,
/// because it gets no sessions.
pub(crate) fn in_use(config: &Config, roles: &[(String, Role)], mount_point: &str) -> Vec<TrustAnchorArn> {
    let mut found: BTreeMap<String, TrustAnchorArn> = BTreeMap::new();
    let places = roles.iter().filter_map(|(_, role)| role.places(config, mount_point).ok());
    let of_roles =
        places.flat_map(|places| places.iter().map(|one| one.trust_anchor.clone()).collect::<Vec<_>>());
    let of_config = config.default_trust_anchor_arn.iter().flat_map(|arns| arns.iter().cloned());
    found.extend(of_config.chain(of_roles).map(|arn| (arn.to_string(), arn)));
    found.into_values().collect()
}
