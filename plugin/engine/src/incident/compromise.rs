//! Takes an issuer out of use, step by step, when its key may be compromised, and tells people the steps that are theirs.
//!
//! ```text
//! every anchor holds the next issuer ──▶ it is the default, the other signs nothing ──▶ no anchor holds the other ──▶ its sessions end
//! ```
//!
//! Each step may be repeated. An ending of sessions is final only if it comes a quarter of an hour after the trust anchor was
//! seen without a certificate of the key and without a CA above it. Until then the holder of the key may make new sessions. Each
//! call ends those once more, and Vault's tick does so when that time has come. Final endings are stored, so a later call does
//! not end the sessions that callers have made since.

mod inventory;
mod report;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::Fault;

use inventory::Inventory;
pub(crate) use report::state;
use report::{ReportLine, StepOutcome};
use standing::{Aim, DenialTarget, Synced, WayIn};

use crate::ground::clock::{self, rfc3339};
use crate::incident::incidents::Incidents;
use crate::issuers::{Issuers, Loaded};
use crate::management::anchor_task::{AnchorTask, Need};
use crate::management::bundle_plan::fingerprint;
use crate::management::denial_policy::{self, Owner};
use crate::management::sync_report::SyncReport;
use crate::records::compromise::Compromise;
use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::records::managed_anchor::Duty;
use crate::store::{Ends, Store};

/// The outcome of a role whose sessions an earlier call ended while an anchor still let the key in: ending them again would not
/// help.
const EARLIER: &str = "by an earlier call";
/// The outcome of a role whose sessions ended for good.
const EARLIER_AND_SETTLED: &str =
    "by an earlier call, after AWS stopped accepting certificates of the compromised issuer";

/// The response of one mount to one compromised issuer. It is made for one call and thrown away; its progress is in the stored
/// `Compromise`.
pub(crate) struct CompromiseResponse<'a> {
    incidents: &'a Incidents,
    /// Whose name the inline policies carry, and the mount point for commands.
    owner: Owner<'a>,
    /// The compromised issuer, as loaded before the response began. Its other certificates of the same key are compromised too.
    issuer: &'a Loaded,
    /// Switches although some anchor could not be brought to hold the next issuer: reads through that anchor then fail.
    force: bool,
    /// The start of the response, by this host's clock. It dates endings of sessions and decides what is due.
    now: OffsetDateTime,
    /// Vault's tick began it, which must not end callers' sessions before that is of use.
    is_tick: bool,
    /// Bounds the call: no further IAM role is begun after `denial_policy::MAX_CALL`.
    began: Instant,
}

/// The steps of a response, and when the engine does the rest by itself.
pub(crate) struct CompromiseReport {
    /// The steps in the order in which they were taken.
    pub(crate) report: Vec<ReportLine>,
    /// When Vault's tick ends sessions once more. None if nothing is planned.
    pub(crate) again_at: Option<OffsetDateTime>,
}

impl<'a> CompromiseResponse<'a> {
    /// Begins the time of the call. It does no I/O.
    pub(crate) fn new(
        incidents: &'a Incidents,
        owner: Owner<'a>,
        issuer: &'a Loaded,
        force: bool,
        now: OffsetDateTime,
    ) -> Self {
        Self { incidents, owner, issuer, force, now, is_tick: false, began: Instant::now() }
    }
}

impl CompromiseResponse<'_> {
    /// Takes the steps that are left, in order: note the compromise, let anchors hold the next issuer, switch, clear the anchors,
    /// end sessions. Responses of one mount run one at a time.
    ///
    /// # Errors
    /// The operator's fault if no other issuer can take over. Storage's faults too: the steps before are done then, and a
    /// repeated call goes on. A step that fails at AWS is a line of the report, not an error.
    pub(crate) async fn run(&self) -> Result<CompromiseReport, Fault> {
        let _turn = self.incidents.responding.lock().await;
        let (mut known, mount) = self.begin().await?;
        let Synced { lines: mut report, seen, .. } = self.sync(&mount, Aim::Next).await;
        if self.still_signs(&mount) && report.iter().any(|line| line.outcome.is_failed()) && !self.force {
            report.push(ReportLine::new("switch", StepOutcome::Failed("not begun, because reads would fail through an anchor that does not hold the next issuer: fix the failed steps and run the command again, or use force=true".to_owned())));
            return Ok(CompromiseReport { report, again_at: None });
        }
        // Before the switch: after it the engine cannot sign in through an anchor that does not hold the next issuer.
        let early = self.revoke_early(&mut known, &mount, &seen.into_keys().collect()).await?;
        report.push(ReportLine::new("switch", StepOutcome::Done(self.switch().await?)));
        // After the switch: an anchor that loses the issuer that still signs would fail every read.
        report.extend(self.clear(&mut known, &mount, early).await?);
        report.extend(mount.beyond(self.owner.mount_point));
        Ok(CompromiseReport { report, again_at: known.again_at() })
    }

    /// What Vault's tick does when it is time: looks at the anchors again, and ends sessions once more. It does nothing if
    /// another call did it meanwhile.
    ///
    /// # Errors
    /// Storage's.
    async fn settle(&self) -> Result<(), Fault> {
        let _turn = self.incidents.responding.lock().await;
        let id = &self.issuer.record.id;
        // Read again under the lock: a call that held it before may have done this.
        let known = self.store().compromise(id).await?.filter(|known| known.is_due(self.now));
        let Some(mut known) = known else { return Ok(()) };
        // Before any session ends: otherwise each tick would end them again while storage takes no writes.
        known.put_off(self.now);
        self.store().write().await.put_compromise(id, &known).await?;
        let issuers = Issuers::load(self.store()).await?;
        let mount = Inventory::read(self.store(), issuers).await?;
        for line in self.clear(&mut known, &mount, BTreeMap::new()).await? {
            tracing::info!(issuer = self.issuer.record.label(), "after a compromise: {}", line.text());
        }
        Ok(())
    }

    /// Removes the issuer from the anchors and ends sessions. A step that is too early is planned for later. `early` has the
    /// outcomes of roles whose sessions ended before the switch.
    ///
    /// # Errors
    /// Storage's.
    async fn clear(
        &self,
        known: &mut Compromise,
        mount: &Inventory,
        early: BTreeMap<String, StepOutcome>,
    ) -> Result<Vec<ReportLine>, Fault> {
        let Synced { lines: mut report, seen, failed, foreign } = self.sync(mount, Aim::Clear).await;
        // Before sessions end: whether an ending is final depends on when each anchor was seen clear.
        for (arn, seen) in &seen {
            known.saw(arn, seen.is_clear, seen.was_changed, seen.at);
        }
        let clear = seen.into_iter().filter(|(_, seen)| seen.is_clear).map(|(arn, _)| arn).collect();
        let targets = self.targets(mount, &clear).await?;
        report.extend(foreign);
        report.extend(mount.pinned(self.issuer, self.owner.mount_point));
        standing::plan(known, &targets, &failed, self.now);
        report.extend(self.revoke(known, &targets, &failed, early).await);
        // Again, because roles that ended for good are out of the plan now.
        standing::plan(known, &targets, &failed, self.now);
        self.store().write().await.put_compromise(&self.issuer.record.id, known).await?;
        Ok(report)
    }

    /// Whether a certificate of the key is still enabled. If none is, an earlier call made the switch, and a failed sync must not
    /// stop this one.
    fn still_signs(&self, mount: &Inventory) -> bool {
        mount.of_the_key(self.issuer).iter().any(|one| one.record.state == IssuerState::Enabled)
    }

    /// Stores the compromise before anything else happens, so an issuer of the key can never be enabled again, whatever fails
    /// later. Keeps the record of an earlier call if there is one.
    ///
    /// # Errors
    /// The operator's fault if no enabled issuer with another key could take over. Nothing is stored then.
    async fn begin(&self) -> Result<(Compromise, Inventory), Fault> {
        let writer = self.store().write().await;
        let issuers = Issuers::load(&writer).await?;
        if self.successor(&issuers).is_none() {
            return Err(Fault::operator(
                "no other issuer with its own key is enabled and could take over",
            )
            .cure(format!(
                "vault write {}root/generate/internal common_name=<name> issuer_name=<name>, then run the command again",
                self.owner.mount_point
            )));
        }
        let id = &self.issuer.record.id;
        let known = writer.compromise(id).await?;
        let mut known = known.unwrap_or_else(|| Compromise::reported_at(self.now));
        known.key_sha256 = self.issuer.issuer.key_sha256();
        writer.put_compromise(id, &known).await?;
        // Without the lock: the reads of thousands of roles must hold up no other write.
        drop(writer);
        Ok((known, Inventory::read(self.store(), issuers).await?))
    }

    /// Syncs each managed trust anchor, and tells a person to do the others. The fault of one anchor becomes its line, and the
    /// others are still synced.
    async fn sync(&self, mount: &Inventory, aim: Aim) -> Synced {
        let mount_point = self.owner.mount_point;
        let mut synced = Synced::default();
        for (name, anchor) in &mount.anchors {
            let outcome = if anchor.role(Duty::TrustAnchor).is_some() {
                let task = AnchorTask { name, anchor, mount_point, need: Need::Incident };
                match Box::pin(self.incidents.anchors.sync(task, false)).await {
                    Ok(report) => {
                        synced.note(task, &report, &self.ways_in(mount, &report, aim), clock::now())
                    }
                    Err(fault) => {
                        synced.failed.insert(anchor.trust_anchor_arn.to_string());
                        StepOutcome::Failed(fault.to_string())
                    }
                }
            } else {
                aim.by_hand(&anchor.trust_anchor_arn, mount_point)
            };
            synced.lines.push(ReportLine::new(format!("{}: trust-anchors/{name}", aim.step()), outcome));
        }
        for arn in mount.unmanaged(mount_point) {
            let outcome = aim.by_hand(&arn, mount_point);
            synced.lines.push(ReportLine::new(format!("{}: {arn}", aim.step()), outcome));
        }
        synced
    }

    /// The certificates in an anchor, other than this mount's issuers, that let the key in. Empty for [`Aim::Next`], which does
    /// not clear anchors.
    fn ways_in(&self, mount: &Inventory, report: &SyncReport, aim: Aim) -> Vec<WayIn> {
        if aim == Aim::Next {
            return Vec::new();
        }
        let of_the_key = mount.of_the_key(self.issuer);
        let way_in = |der: &Vec<u8>| {
            if self.issuer.issuer.shares_key_with(der) {
                return Some(WayIn::OfTheKey(fingerprint(der)));
            }
            let is_above = of_the_key.iter().any(|one| one.issuer.may_be_below(der));
            is_above.then(|| WayIn::Above(fingerprint(der)))
        };
        report.foreign().iter().filter_map(way_in).collect()
    }

    /// Makes the next issuer the default if the compromised one was, and disables every issuer of the key. Each write ends the
    /// sessions that those issuers made. Returns a sentence for the report; a repeated call changes nothing.
    ///
    /// # Errors
    /// Storage's; a bug if the successor that `begin` saw is gone, as after a forced deletion meanwhile.
    async fn switch(&self) -> Result<String, Fault> {
        let writer = self.store().write().await;
        let issuers = Issuers::load(&writer).await?;
        let next = self.successor(&issuers).ok_or_else(|| Fault::bug("the next issuer is gone"))?;
        let label = next.record.label().to_owned();
        let of_the_key: Vec<&Loaded> = issuers.all.iter().filter(|one| self.has_the_key(one)).collect();
        let ids: Vec<String> = of_the_key.iter().map(|one| one.record.id.clone()).collect();
        let is_default = ids.iter().any(|id| issuers.is_default(id));
        if is_default || issuers.default.is_none() {
            let default = Some(next.record.id.clone());
            let config = IssuersConfig { default, previous: None };
            // Before the issuers are disabled: a crash in between must not leave a default that signs nothing.
            writer.put_issuers_config(&config, Ends::Issuers(&ids)).await?;
        }
        for one in of_the_key.iter().filter(|one| one.record.state == IssuerState::Enabled) {
            let disabled = IssuerRecord { state: IssuerState::Disabled, ..one.record.clone() };
            writer.put_issuer(&disabled, Ends::Issuers(&ids)).await?;
        }
        Ok(format!(
            "{label:?} signs now; disabled {} of the compromised key",
            count(of_the_key.len(), "issuer")
        ))
    }

    /// The issuer that takes over: the default if it has another key, otherwise the other issuer that anchors hold. None if there
    /// is neither.
    fn successor<'i>(&self, issuers: &'i Issuers) -> Option<&'i Loaded> {
        issuers.bundle(clock::now()).into_iter().find(|loaded| !self.has_the_key(loaded))
    }

    /// Whether `other` has the compromised key. Keys are compared, not certificates: what leaked is the key.
    fn has_the_key(&self, other: &Loaded) -> bool {
        other.issuer.key_sha256() == self.issuer.issuer.key_sha256()
    }

    /// Ends sessions before the switch if one of their trust anchors is not known to hold the next issuer, because after the
    /// switch the engine itself cannot sign in through that anchor. `in_sync` has the ARNs of the anchors that are known to hold
    /// it. Returns the outcomes by the IAM role's ARN.
    ///
    /// # Errors
    /// Storage's.
    async fn revoke_early(
        &self,
        known: &mut Compromise,
        mount: &Inventory,
        in_sync: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, StepOutcome>, Fault> {
        let mut outcomes = BTreeMap::new();
        for (arn, target) in self.targets(mount, in_sync).await? {
            if !target.is_clear {
                outcomes.insert(arn, self.end(known, &target).await);
            }
        }
        Ok(outcomes)
    }

    /// Ends the sessions of every IAM role that a role of this mount leads to, because the holder of the key could have made
    /// some. A role that was ended early keeps that outcome unless its anchors are clear by now.
    async fn revoke(
        &self,
        known: &mut Compromise,
        targets: &BTreeMap<String, DenialTarget>,
        failed: &BTreeSet<String>,
        mut early: BTreeMap<String, StepOutcome>,
    ) -> Vec<ReportLine> {
        let mut lines = Vec::new();
        for (arn, target) in targets {
            let outcome = match early.remove(arn) {
                Some(outcome) if !target.is_clear => outcome,
                _ => self.end(known, target).await,
            };
            lines.push(ReportLine::new(format!("end the sessions of {arn}"), outcome));
            lines.extend(self.once_more(known, target, failed));
        }
        lines
    }

    /// The line that says who ends the sessions of an IAM role once more, and when. None if its sessions ended for good.
    /// `failed` has the anchors that the engine looks at again by itself.
    fn once_more(
        &self,
        known: &Compromise,
        target: &DenialTarget,
        failed: &BTreeSet<String>,
    ) -> Option<ReportLine> {
        let step = format!("end the sessions of {} once more", target.arn);
        if target.is_clear {
            let at = known.settles_at(&target.anchors).filter(|_| !target.is_settled(known))?;
            let what = format!(
                "AWS may accept certificates of the compromised issuer for some minutes after its trust anchor reads back without it: the engine does it by itself at {at}, and this command does it from then on; before that, the command also ends the sessions that callers have made since",
                at = rfc3339(at)
            );
            return Some(ReportLine::new(step, StepOutcome::Later(what)));
        }
        Some(ReportLine::new(step, target.wait(failed, known.again_at(), &self.by_name(target))))
    }

    /// How a person ends the sessions of the role: the break-glass of this mount if a role of the engine leads there, otherwise
    /// IAM's console.
    fn by_name(&self, target: &DenialTarget) -> String {
        target.name.as_ref().map_or_else(
            || "use \"Revoke active sessions\" in IAM's console".to_owned(),
            |name| format!("vault write -force {}roles/{name}/revoke-sessions", self.owner.mount_point),
        )
    }

    /// Ends the sessions of one IAM role, unless that is done or would last too long, and stores that it was done. A fault of AWS
    /// becomes the outcome, and a fault of storage a log line, so the next role gets its turn.
    async fn end(&self, known: &mut Compromise, target: &DenialTarget) -> StepOutcome {
        let arn = &target.arn;
        if !target.is_clear && known.was_ended_early(arn.as_str()) {
            return StepOutcome::Done(EARLIER.to_owned());
        }
        if target.is_settled(known) {
            return StepOutcome::Done(EARLIER_AND_SETTLED.to_owned());
        }
        if self.is_tick && target.is_clear && known.is_settling(arn.as_str(), &target.anchors, self.now) {
            return StepOutcome::Done(EARLIER.to_owned());
        }
        if self.began.elapsed() > denial_policy::MAX_CALL {
            return StepOutcome::Failed(
                "not begun, because the call would take too long: run the command again".to_owned(),
            );
        }
        match Box::pin(self.incidents.end_all(self.owner, arn)).await {
            Ok(ended) => {
                match target.is_clear {
                    // Not done: the answer asks the operator to repeat the command.
                    _ if ended.denied.unnoted.is_some() => {}
                    true => known.note_ended(arn.as_str(), self.now),
                    false => known.note_ended_early(arn.as_str()),
                }
                // The record is stored again at the end. The sessions of the other roles must end even if this write fails.
                let written = self.store().write().await.put_compromise(&self.issuer.record.id, known).await;
                if let Err(fault) = written {
                    tracing::error!(role_arn = %arn, "ended sessions, but could not record it yet: {fault}");
                }
                let before = ended.denied.policy.issued_before().map(rfc3339).unwrap_or_default();
                let done = format!("sessions issued before {before} are denied everything");
                StepOutcome::Done(ended.warnings().fold(done, |done, warning| done + "; " + &warning))
            }
            Err(fault) => StepOutcome::Failed(format!(
                "{fault}; or by hand: \"Revoke active sessions\" of the role in IAM's console"
            )),
        }
    }

    /// The IAM roles whose sessions must end. `clear` has the ARNs of the trust anchors that were seen clear.
    ///
    /// # Errors
    /// Storage's.
    async fn targets(
        &self,
        mount: &Inventory,
        clear: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, DenialTarget>, Fault> {
        let origins = self.incidents.credentials.ledger.origins(clock::now()).await?;
        Ok(standing::targets(mount, origins, clear, self.owner.mount_point))
    }

    fn store(&self) -> &Store {
        self.incidents.credentials.store()
    }
}

impl Incidents {
    /// Ends sessions once more if that is due, for Vault's tick. A fault of one compromise is logged, and a later tick tries
    /// again.
    pub(crate) async fn settle(
        &self,
        owner: Owner<'_>,
        compromises: &[(String, Compromise)],
        issuers: &Issuers,
        now: OffsetDateTime,
    ) {
        for (id, known) in compromises {
            // Without the issuer's record nobody can tell which CA is above it. The report said when to call again, and how.
            let Some(issuer) = issuers.find(id).filter(|_| known.is_due(now)) else { continue };
            let response = CompromiseResponse {
                is_tick: true,
                ..CompromiseResponse::new(self, owner, issuer, false, now)
            };
            if let Err(fault) = Box::pin(response.settle()).await {
                tracing::warn!(
                    issuer = issuer.record.label(),
                    "sessions could not be ended once more: {fault}"
                );
            }
        }
    }
}

/// `1 issuer` or `2 issuers`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
