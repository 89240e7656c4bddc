//! Trust anchors kept in step with the mount's issuers: read, compare, update, look again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use rolesanywhere::{AnchorSource, CallError, Caller, Credentials, Pace, TrustAnchor, TrustAnchorArn};
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};
use vault_backend::Fault;

use crate::Engine;
use crate::ground::clock;
use crate::ground::faults;
use crate::ground::looks::Looks;
use crate::issuers::{Issuers, Loaded};
use crate::management::bundle_plan::{Full, MOST_CERTIFICATES, Plan, fingerprint, remembered};
use crate::management::own_session::{self, Need};
use crate::records::managed_anchor::{Duty, ManagedAnchor};

/// For one call of Roles Anywhere's own API with its retries. AWS takes one a second, so that calls wait for each other.
const PATIENCE: Duration = Duration::from_secs(20);
/// An anchor that was in step is looked at again after this, for what others changed at AWS.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// The same where the last look failed.
const TRY_AGAIN: Duration = Duration::from_mins(5);
/// Vault gives up a tick after 90 seconds and begins the next one.
const LONGEST_TICK: Duration = Duration::from_secs(75);
/// Anchors that are looked at together: one that does not answer holds up few others.
const AT_ONCE: usize = 8;

/// The anchors of one mount: one piece of work at a time for each, and what was found last.
pub(crate) struct Anchors {
    /// By name.
    turns: std::sync::Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    ticking: Mutex<()>,
    pace: Pace,
    /// Those that somebody asked for, who waits for the answer.
    pub(crate) looks: Looks,
    standings: std::sync::Mutex<BTreeMap<String, Standing>>,
}

/// What the last look at an anchor found.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    anchor: ManagedAnchor,
    /// SHA-256 sums of the certificates of this mount that it held then, whichever else it may hold; none where the look failed.
    held: Option<BTreeSet<String>>,
    /// The same of the issuers that signed then.
    wanted: BTreeSet<String>,
    looked: Instant,
}

/// One anchor with its name, and where its mount is for texts.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) anchor: &'a ManagedAnchor,
    pub(crate) mount_point: &'a str,
    /// What is done there.
    pub(crate) need: Need,
}

/// What was seen at one anchor, and whether it was changed.
pub(crate) struct Report {
    seen: TrustAnchor,
    plan: Plan,
    changed: bool,
}

impl Anchors {
    pub(crate) fn new() -> Self {
        Self {
            turns: std::sync::Mutex::default(),
            ticking: Mutex::default(),
            pace: Pace::default(),
            looks: Looks::new("looks at trust anchors"),
            standings: std::sync::Mutex::default(),
        }
    }

    /// The pace of all calls of Roles Anywhere's own API.
    pub(crate) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// Whether each anchor was in step with `issuers` when it was last looked at, by name.
    pub(crate) fn in_step(&self, issuers: &Issuers) -> BTreeMap<String, bool> {
        let wanted = fingerprints(&signing(issuers));
        let standings = self.standings();
        let is_in_step =
            |standing: &Standing| standing.held.as_ref().is_some_and(|held| held.is_superset(&wanted));
        standings.iter().map(|(name, standing)| (name.clone(), is_in_step(standing))).collect()
    }

    /// Whether each of these anchors was last seen with exactly what signs of `issuers`, whatever else is there that is not this mount's.
    fn are_seen_with(&self, arns: &[TrustAnchorArn], issuers: &Issuers) -> bool {
        let wanted = fingerprints(&signing(issuers));
        let standings = self.standings();
        arns.iter().all(|arn| {
            let of_it = |standing: &&Standing| standing.anchor.trust_anchor_arn == *arn;
            standings.values().find(of_it).is_some_and(|standing| standing.held.as_ref() == Some(&wanted))
        })
    }

    /// Whether an anchor is to be looked at: it holds other certificates of this mount than those that sign, or was not looked at for long.
    fn is_due(&self, name: &str, anchor: &ManagedAnchor, wanted: &BTreeSet<String>) -> bool {
        match self.standings().get(name).filter(|standing| standing.anchor == *anchor) {
            Some(Standing { held: Some(held), looked, .. }) if held == wanted => {
                looked.elapsed() >= LOOK_AGAIN
            }
            Some(Standing { held: None, wanted: then, looked, .. }) if then == wanted => {
                looked.elapsed() >= TRY_AGAIN
            }
            _ => true,
        }
    }

    /// For how long it was not looked at.
    fn unseen_for(&self, name: &str) -> Duration {
        self.standings().get(name).map_or(Duration::MAX, |standing| standing.looked.elapsed())
    }

    fn note(
        &self,
        name: &str,
        anchor: &ManagedAnchor,
        (held, wanted): (Option<BTreeSet<String>>, BTreeSet<String>),
    ) {
        let standing = Standing { anchor: anchor.clone(), held, wanted, looked: Instant::now() };
        self.standings().insert(name.to_owned(), standing);
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
        self.standings().retain(|name, _| is_kept(name));
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|name, turn| is_kept(name) || Arc::strong_count(turn) > 1);
    }

    fn standings(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// As `trust-anchors/<name>/sync` answers it.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let sums = |list: &[Vec<u8>]| list.iter().map(|der| fingerprint(der)).collect::<Vec<_>>();
        Map::from_iter([
            ("trust_anchor_arn".to_owned(), json!(self.seen.arn)),
            ("enabled".to_owned(), json!(self.seen.enabled)),
            ("in_step".to_owned(), json!(self.changed || self.plan.is_in_step())),
            ("changed".to_owned(), json!(self.changed)),
            ("added".to_owned(), json!(sums(&self.plan.missing))),
            ("removed".to_owned(), json!(sums(&self.plan.retired))),
            ("foreign".to_owned(), json!(sums(&self.plan.foreign))),
            ("bundle".to_owned(), json!(sums(&self.plan.bundle))),
        ])
    }

    /// What an operator should know about the anchor, though it is in step.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.seen.enabled {
            warnings.push(format!("{} is disabled: AWS gives no session by it", self.seen.arn));
        }
        for der in &self.plan.foreign {
            warnings.push(format!(
                "the anchor also holds {}, which is no issuer of this mount: whoever has a certificate of it may ask for sessions",
                fingerprint(der)
            ));
        }
        warnings
    }

    /// What the anchor holds that this mount did not put there.
    pub(crate) fn foreign(&self) -> &[Vec<u8>] {
        &self.plan.foreign
    }

    /// Whether it was brought in step just now.
    pub(crate) fn was_changed(&self) -> bool {
        self.changed
    }

    /// Whether the anchor holds `der` now.
    pub(crate) fn holds(&self, der: &[u8]) -> bool {
        let is_missing = self.plan.missing.iter().any(|missing| missing == der);
        self.plan.bundle.iter().any(|held| held == der) && (self.changed || !is_missing)
    }
}

/// Brings one anchor in step with the mount's issuers; with `dry_run` only says what would change.
///
/// Interrupted anywhere, the same call goes on from there: what is put into the anchor is noted before, and the anchor itself is
/// looked at anew each time.
///
/// # Errors
/// An operator's fault where the anchor takes its CA from AWS Private CA, or has no room beside certificates that are not ours;
/// AWS's refusal otherwise.
pub(crate) async fn sync(engine: &Arc<Engine>, at: Named<'_>, dry_run: bool) -> Result<Report, Fault> {
    let wanted = fingerprints(&signing(&engine.snapshot().await?.issuers));
    // a routine waits for AWS before its turn at the anchor, so that no incident waits behind it
    let caller = Box::pin(caller(engine, at)).await;
    let _turn = engine.anchors.turn(at.name).await;
    let done = match caller {
        Ok(caller) => Box::pin(sync_in_turn(engine, at, &caller, dry_run)).await,
        Err(fault) => Err(fault),
    };
    let held = done.as_ref().ok().map(held);
    engine.anchors.note(at.name, at.anchor, (held, wanted));
    done
}

/// What of this mount's the anchor holds now.
fn held(report: &Report) -> BTreeSet<String> {
    let bundle = report.plan.bundle.iter().filter(|der| !report.plan.foreign.contains(der));
    let mut held: BTreeSet<String> =
        bundle.filter(|der| report.holds(der)).map(|der| fingerprint(der)).collect();
    if !report.changed {
        held.extend(fingerprints(&report.plan.retired));
    }
    held
}

async fn sync_in_turn(
    engine: &Arc<Engine>,
    at: Named<'_>,
    caller: &Caller,
    dry_run: bool,
) -> Result<Report, Fault> {
    let snapshot = engine.snapshot().await?;
    let sign = signing(&snapshot.issuers);
    let seen = look(engine, caller, at).await?;
    let known = engine.store.anchor_certificates(at.name).await?;
    let issuers: BTreeSet<String> =
        snapshot.issuers.all.iter().map(|loaded| fingerprint(loaded.issuer.certificate_der())).collect();
    let (ours, holds) = (&known | &issuers, bundle_of(&seen, at)?);
    let plan = Plan::new(holds, &sign, &ours).map_err(|full| no_room(&full, at))?;
    if dry_run {
        return Ok(Report { seen, plan, changed: false });
    }
    // also what a person put there for this mount: an issuer that is deleted later is known all the same
    let remembered = remembered(&ours, holds, &issuers);
    if known != remembered {
        engine.store.put_anchor_certificates(at.name, remembered).await?;
    }
    if plan.is_in_step() {
        return Ok(Report { seen, plan, changed: false });
    }
    caller
        .update_trust_anchor(&at.anchor.trust_anchor_arn, &plan.bundle)
        .await
        .map_err(|error| refused(engine, &error, at))?;
    engine.sessions.forget(own_session::is_by(&at.anchor.trust_anchor_arn));
    let seen = look(engine, caller, at).await?;
    check_held(bundle_of(&seen, at)?, &plan, at)?;
    tracing::info!(
        anchor = at.name,
        added = plan.missing.len(),
        removed = plan.retired.len(),
        "brought a trust anchor in step with the issuers"
    );
    Ok(Report { seen, plan, changed: true })
}

/// Looks after every anchor that is due; Vault calls this each minute. Faults are logged, and the anchor is tried again later.
pub(crate) async fn keep_in_step(engine: &Arc<Engine>, mount_point: &str) -> Result<(), Fault> {
    let anchors = engine.store.managed_anchors().await?;
    let mut looked_after: Vec<_> =
        anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some()).collect();
    engine.anchors.keep(|name| looked_after.iter().any(|(kept, _)| kept == name));
    let Ok(_ticking) = engine.anchors.ticking.try_lock() else { return Ok(()) };
    looked_after.sort_by_key(|(name, _)| Reverse(engine.anchors.unseen_for(name)));
    let looks: Vec<_> = looked_after
        .into_iter()
        .map(|(name, anchor)| {
            Box::pin(look_after(engine, Named { name, anchor, mount_point, need: Need::Routine }))
        })
        .collect();
    let looks = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect::<()>();
    timeout(LONGEST_TICK, looks).await.unwrap_or_else(|_| {
        tracing::warn!("not every trust anchor could be looked at within a tick; the next one goes on");
        Ok(())
    })
}

/// Where the mount's roles and their sessions come from: the trust anchors that the config and the roles name.
pub(crate) async fn in_use(engine: &Arc<Engine>, mount_point: &str) -> Result<Vec<TrustAnchorArn>, Fault> {
    let config = engine.snapshot().await?.config.clone();
    let mut found: BTreeMap<String, TrustAnchorArn> = BTreeMap::new();
    let mut note = |arn: TrustAnchorArn| found.insert(arn.to_string(), arn);
    config.default_trust_anchor_arn.iter().for_each(|arn| drop(note(arn.clone())));
    for name in engine.store.role_names().await? {
        let Some(role) = engine.store.role(&name).await? else { continue };
        if let Ok(place) = role.place(&config, mount_point) {
            note(place.trust_anchor);
        }
    }
    Ok(found.into_values().collect())
}

/// Whether every anchor in use was last seen with what it must hold. One that nobody looks after was not.
pub(crate) async fn are_held(engine: &Arc<Engine>, mount_point: &str) -> Result<bool, Fault> {
    let snapshot = engine.snapshot().await?;
    let arns = in_use(engine, mount_point).await?;
    Ok(!arns.is_empty() && engine.anchors.are_seen_with(&arns, &snapshot.issuers))
}

/// Brings an anchor in step if it is due.
async fn look_after(engine: &Arc<Engine>, at: Named<'_>) -> Result<(), Fault> {
    let wanted = fingerprints(&signing(&engine.snapshot().await?.issuers));
    if wanted.is_empty() || !engine.anchors.is_due(at.name, at.anchor, &wanted) {
        return Ok(());
    }
    if let Err(fault) = Box::pin(sync(engine, at, false)).await {
        tracing::warn!(anchor = at.name, "a trust anchor could not be brought in step: {fault}");
    }
    Ok(())
}

/// Refuses an issuer that some anchor, which the engine looks after, does not hold yet: with it as the default, reads would fail.
pub(crate) async fn require_held(
    engine: &Arc<Engine>,
    issuer: &Loaded,
    mount_point: &str,
) -> Result<(), Fault> {
    let anchors = engine.store.managed_anchors().await?;
    let looked_after = anchors.iter().filter(|(_, anchor)| anchor.role(Duty::TrustAnchor).is_some());
    let looks: Vec<_> = looked_after
        .map(|(name, anchor)| {
            Box::pin(check_held_by(engine, Named { name, anchor, mount_point, need: Need::Routine }, issuer))
        })
        .collect();
    stream::iter(looks).buffered(AT_ONCE).try_collect().await
}

async fn check_held_by(engine: &Arc<Engine>, at: Named<'_>, issuer: &Loaded) -> Result<(), Fault> {
    let report = sync(engine, at, true).await?;
    if report.holds(issuer.issuer.certificate_der()) {
        return Ok(());
    }
    Err(Fault::operator(format!(
        "default: trust-anchors/{name} does not hold the issuer {:?} yet: vault write -force {mount}trust-anchors/{name}/sync",
        issuer.record.label(),
        name = at.name,
        mount = at.mount_point
    )))
}

async fn caller(engine: &Arc<Engine>, at: Named<'_>) -> Result<Caller, Fault> {
    let own = own_session::session(engine, at, Duty::TrustAnchor).await?;
    let client = engine.snapshot().await?.client.clone().paced_by(engine.anchors.pace());
    Ok(client.caller(Credentials::from(&own.session), clock::now, PATIENCE))
}

async fn look(engine: &Engine, caller: &Caller, at: Named<'_>) -> Result<TrustAnchor, Fault> {
    caller.get_trust_anchor(&at.anchor.trust_anchor_arn).await.map_err(|error| refused(engine, &error, at))
}

fn bundle_of<'a>(seen: &'a TrustAnchor, at: Named<'_>) -> Result<&'a [Vec<u8>], Fault> {
    let of = |what: &str| {
        Fault::operator(format!(
            "trust-anchors/{}: {} takes its CA from {what}, so that its bundle cannot be written: make a trust anchor with a certificate bundle from {}trust-bundle",
            at.name, seen.arn, at.mount_point
        ))
    };
    match &seen.source {
        AnchorSource::CertificateBundle(bundle) => Ok(bundle),
        AnchorSource::AcmPca(arn) => Err(of(arn)),
        AnchorSource::Other(kind) => Err(of(kind)),
    }
}

fn check_held(holds: &[Vec<u8>], plan: &Plan, at: Named<'_>) -> Result<(), Fault> {
    if fingerprints(holds) == fingerprints(&plan.bundle) {
        return Ok(());
    }
    Err(Fault::later(format!(
        "trust-anchors/{}: AWS took the bundle, but shows another one; somebody else may be writing it: ask again",
        at.name
    )))
}

fn no_room(full: &Full, at: Named<'_>) -> Fault {
    let foreign: Vec<String> = full.foreign.iter().map(|der| fingerprint(der)).collect();
    Fault::operator(format!(
        "trust-anchors/{}: the anchor has room for {MOST_CERTIFICATES} certificates, and {} of them, which this mount did not put there, are in the way: {}; remove them at AWS, or give this mount an anchor of its own",
        at.name,
        foreign.len(),
        foreign.join(", ")
    ))
}

fn refused(engine: &Engine, error: &CallError, at: Named<'_>) -> Fault {
    own_session::refused(engine, Duty::TrustAnchor, error);
    faults::call(error).within(format!("trust-anchors/{}", at.name))
}

/// The issuers whose leaves AWS has to accept.
fn signing(issuers: &Issuers) -> Vec<Vec<u8>> {
    issuers.bundle(clock::now()).iter().map(|loaded| loaded.issuer.certificate_der().to_vec()).collect()
}

fn fingerprints(list: &[Vec<u8>]) -> BTreeSet<String> {
    list.iter().map(|der| fingerprint(der)).collect()
}
