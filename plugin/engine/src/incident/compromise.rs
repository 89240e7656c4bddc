//! What is done when an issuer's key may be in other hands, step by step, and what is left for people.
//!
//! ```text
//! every anchor holds the next issuer ──▶ it is the default, the other signs nothing ──▶ no anchor holds the other ──▶ its sessions end
//! ```
//!
//! Each step may be repeated. A revocation counts when it comes a quarter of an hour after the trust anchor was seen without a certificate of
//! the key and without a CA above it: until then whoever has its key may make new sessions, and each call ends them once more, as Vault's tick does when
//! that time has come. What counts is noted, so that a later call does not end the sessions of those who went on.

mod inventory;
mod report;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use rolesanywhere::{RoleArn, TrustAnchorArn};
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::Fault;

use inventory::Inventory;
pub(crate) use report::state;
use report::{Line, Outcome};
use standing::{Synced, Target, WayIn};

use crate::ground::clock::{self, rfc3339};
use crate::incident::break_glass::EndedSessions;
use crate::incident::incidents::Incidents;
use crate::issuers::{self, Issuers, Loaded};
use crate::management::anchor_task::AnchorTask;
use crate::management::anchor_task::Need;
use crate::management::bundle_plan::fingerprint;
use crate::management::denial_policy::{self, Owner};
use crate::management::sync_report::SyncReport;
use crate::records::compromise::Compromise;
use crate::records::issuer::{IssuerRecord, IssuerState, IssuersConfig};
use crate::records::managed_anchor::Duty;
use crate::store::{Ends, Store};

const EARLIER: &str = "by an earlier call";
const EARLIER_AND_SETTLED: &str =
    "by an earlier call, when AWS took no certificate of the compromised issuer any more";

/// One mount's work on one compromised issuer.
pub(crate) struct CompromiseResponse<'a> {
    incidents: &'a Incidents,
    owner: Owner<'a>,
    issuer: &'a Loaded,
    /// Goes on although an anchor could not be brought to hold the next issuer.
    force: bool,
    /// When anchors are looked at and sessions ended.
    now: OffsetDateTime,
    began: Instant,
}

/// What a response did, and when the engine does the rest by itself.
pub(crate) struct CompromiseReport {
    pub(crate) report: Vec<Line>,
    pub(crate) again_at: Option<OffsetDateTime>,
}

/// What the trust anchors are brought to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// The next issuer beside the one that signs.
    Next,
    /// Nothing by which the compromised issuer is let in.
    Clear,
}

impl Aim {
    fn step(self) -> &'static str {
        match self {
            Self::Next => "let every trust anchor hold the next issuer",
            Self::Clear => "let no trust anchor hold the compromised issuer",
        }
    }

    fn else_what(self) -> &'static str {
        match self {
            Self::Next => "until then reads by it fail",
            Self::Clear => "until then its key makes sessions",
        }
    }
}

impl<'a> CompromiseResponse<'a> {
    pub(crate) fn new(
        incidents: &'a Incidents,
        owner: Owner<'a>,
        issuer: &'a Loaded,
        (force, now): (bool, OffsetDateTime),
    ) -> Self {
        Self { incidents, owner, issuer, force, now, began: Instant::now() }
    }
}

impl CompromiseResponse<'_> {
    /// Does what is left to do.
    ///
    /// # Errors
    /// An operator's fault where no other issuer could take over. Whatever else fails stands in the report.
    pub(crate) async fn run(&self) -> Result<CompromiseReport, Fault> {
        let _turn = self.incidents.responding.lock().await;
        let (mut known, mount) = self.begin().await?;
        let Synced { lines: mut report, seen, .. } = self.sync(&mount, Aim::Next).await?;
        if self.still_signs(&mount) && report.iter().any(|line| line.outcome.is_failed()) && !self.force {
            report.push(Line::new("switch", Outcome::Failed("not begun, since reads would fail where an anchor does not hold the next issuer: cure that and ask again, or use force=true".to_owned())));
            return Ok(CompromiseReport { report, again_at: None });
        }
        let early = self.revoke_early(&mut known, &mount, &seen.into_keys().collect()).await?;
        report.push(Line::new("switch", Outcome::Done(self.switch().await?)));
        report.extend(self.clear(&mut known, &mount, early).await?);
        report.extend(self.beyond(&mount));
        Ok(CompromiseReport { report, again_at: known.again_at() })
    }

    /// What Vault's tick does once it is time: anchors are looked at, and sessions ended once more.
    ///
    /// # Errors
    /// Storage's.
    async fn settle(&self) -> Result<(), Fault> {
        let _turn = self.incidents.responding.lock().await;
        let id = &self.issuer.record.id;
        let known = self.store().compromise(id).await?.filter(|known| known.is_due(self.now));
        let Some(mut known) = known else { return Ok(()) };
        // Before any session ends: each tick would end them again while storage takes no writes.
        known.put_off(self.now);
        self.store().write().await.put_compromise(id, &known).await?;
        let mount = Inventory::read(self.store()).await?;
        for line in self.clear(&mut known, &mount, BTreeMap::new()).await? {
            tracing::info!(issuer = self.issuer.record.label(), "after a compromise: {}", line.told());
        }
        Ok(())
    }

    /// Clears the anchors of the issuer and ends sessions; what is too early yet is noted for later.
    async fn clear(
        &self,
        known: &mut Compromise,
        mount: &Inventory,
        early: BTreeMap<String, Outcome>,
    ) -> Result<Vec<Line>, Fault> {
        let Synced { lines: mut report, seen, foreign } = self.sync(mount, Aim::Clear).await?;
        for (arn, seen) in &seen {
            known.saw(arn, seen.is_clear, seen.was_changed, seen.at);
        }
        let clear = seen.into_iter().filter(|(_, seen)| seen.is_clear).map(|(arn, _)| arn).collect();
        let targets = self.targets(mount, &clear);
        report.extend(foreign);
        report.extend(self.pinned(mount));
        let roles = || targets.values().map(|target| (target.arn.as_str(), &target.anchors));
        // Before as well: `end` stores the record for each role, and a crash must not lose the time.
        known.plan(roles(), self.now);
        report.extend(self.revoke(known, &targets, early).await?);
        known.plan(roles(), self.now);
        self.store().write().await.put_compromise(&self.issuer.record.id, known).await?;
        Ok(report)
    }

    /// Whether a certificate of the key is enabled still: else the switch was made by an earlier call.
    fn still_signs(&self, mount: &Inventory) -> bool {
        mount.of_the_key(self.issuer).iter().any(|one| one.record.state == IssuerState::Enabled)
    }

    /// Notes the compromise, and refuses where nobody could take over.
    async fn begin(&self) -> Result<(Compromise, Inventory), Fault> {
        let writer = self.store().write().await;
        let mount = Inventory::read(&writer).await?;
        if self.successor(&mount.issuers).is_none() {
            return Err(Fault::operator(
                "no other issuer with a key of its own is enabled that could take over",
            )
            .cure(format!(
                "vault write {}root/generate/internal common_name=<name> issuer_name=<name>, then ask again",
                self.owner.mount_point
            )));
        }
        let id = &self.issuer.record.id;
        let known = writer.compromise(id).await?;
        let mut known = known.unwrap_or_else(|| Compromise::told_at(self.now));
        known.key_sha256 = self.issuer.issuer.key_sha256();
        writer.put_compromise(id, &known).await?;
        Ok((known, mount))
    }

    /// Brings each anchor that is looked after in step, and says of the others what to do.
    async fn sync(&self, mount: &Inventory, aim: Aim) -> Result<Synced, Fault> {
        let mount_point = self.owner.mount_point;
        let mut synced = Synced::default();
        for (name, anchor) in &mount.anchors {
            let outcome = if anchor.role(Duty::TrustAnchor).is_some() {
                let at = AnchorTask { name, anchor, mount_point, need: Need::Incident };
                match Box::pin(self.incidents.anchors.sync(at, false)).await {
                    Ok(report) => {
                        synced.note(at, &report, (&self.ways_in(mount, &report, aim), clock::now()))
                    }
                    Err(fault) => Outcome::Failed(fault.to_string()),
                }
            } else {
                by_hand(&anchor.trust_anchor_arn, mount_point, aim)
            };
            synced.lines.push(Line::new(format!("{}: trust-anchors/{name}", aim.step()), outcome));
        }
        for arn in mount.unmanaged(mount_point) {
            let outcome = by_hand(&arn, mount_point, aim);
            synced.lines.push(Line::new(format!("{}: {arn}", aim.step()), outcome));
        }
        Ok(synced)
    }

    /// What an anchor holds, beside the issuer's own certificate, by which the key gets sessions.
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

    /// Makes the next issuer the default, where the compromised one was, and has that sign nothing more.
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
            writer.put_issuers_config(&config, Ends::Issuers(&ids)).await?;
        }
        for one in of_the_key.iter().filter(|one| one.record.state == IssuerState::Enabled) {
            let disabled = IssuerRecord { state: IssuerState::Disabled, ..one.record.clone() };
            writer.put_issuer(&disabled, Ends::Issuers(&ids)).await?;
        }
        Ok(format!("{label:?} signs, {} of the compromised key disabled", count(of_the_key.len(), "issuer")))
    }

    /// The issuer that takes over: the default where that has another key, else the other that anchors hold.
    fn successor<'i>(&self, issuers: &'i Issuers) -> Option<&'i Loaded> {
        issuers.bundle(clock::now()).into_iter().find(|loaded| !self.has_the_key(loaded))
    }

    fn has_the_key(&self, other: &Loaded) -> bool {
        other.issuer.key_sha256() == self.issuer.issuer.key_sha256()
    }

    /// The roles that name the compromised issuer, and get nothing until they name another one.
    fn pinned(&self, mount: &Inventory) -> Vec<Line> {
        let told = |name: String| {
            let what = format!("vault patch {}roles/{name} issuer_ref=default", self.owner.mount_point);
            Line::new(format!("role {name} names it"), Outcome::ByHand(what))
        };
        let of_the_key = mount.of_the_key(self.issuer).into_iter();
        of_the_key.flat_map(|one| issuers::roles_naming(&mount.roles, &one.record)).map(told).collect()
    }

    /// Ends sessions before the switch where a trust anchor is not known to hold the next issuer: by that one the engine itself could
    /// not come in there afterwards.
    async fn revoke_early(
        &self,
        known: &mut Compromise,
        mount: &Inventory,
        in_step: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Outcome>, Fault> {
        let mut outcomes = BTreeMap::new();
        for (arn, target) in self.targets(mount, in_step) {
            if !target.is_clear {
                outcomes.insert(arn, self.end(known, &target).await?);
            }
        }
        Ok(outcomes)
    }

    /// Ends the sessions of every IAM role that a role of this mount leads to: whoever has the key could have made some.
    async fn revoke(
        &self,
        known: &mut Compromise,
        targets: &BTreeMap<String, Target>,
        mut early: BTreeMap<String, Outcome>,
    ) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for (arn, target) in targets {
            let outcome = match early.remove(arn) {
                Some(outcome) if !target.is_clear => outcome,
                _ => self.end(known, target).await?,
            };
            lines.push(Line::new(format!("end the sessions of {arn}"), outcome));
            lines.extend(self.once_more(known, target));
        }
        Ok(lines)
    }

    /// Who ends the sessions of an IAM role once more, and when, where whoever has the key may make new ones.
    fn once_more(&self, known: &Compromise, target: &Target) -> Option<Line> {
        let step = format!("end the sessions of {} once more", target.arn);
        if target.is_clear {
            let at = known.settles_at(&target.anchors).filter(|_| !target.is_settled(known))?;
            let what = format!(
                "AWS may take certificates of the compromised issuer for some minutes after its trust anchor reads back without it: the engine does it by itself at {at}, and so does this command from then on; asked before, it ends also the sessions of those who went on",
                at = rfc3339(at)
            );
            return Some(Line::new(step, Outcome::Later(what)));
        }
        let what = "when its trust anchor no longer holds the compromised issuer or a CA above it, since until then its key makes new ones: this command again";
        Some(Line::new(step, Outcome::ByHand(format!("{what}, or {}", self.by_name(target)))))
    }

    fn by_name(&self, target: &Target) -> String {
        target.name.as_ref().map_or_else(
            || "\"Revoke active sessions\" in IAM's console".to_owned(),
            |name| format!("vault write -force {}roles/{name}/revoke-sessions", self.owner.mount_point),
        )
    }

    async fn end(&self, known: &mut Compromise, target: &Target) -> Result<Outcome, Fault> {
        let arn = &target.arn;
        if !target.is_clear && known.was_ended_early(arn.as_str()) {
            return Ok(Outcome::Done(EARLIER.to_owned()));
        }
        if target.is_settled(known) {
            return Ok(Outcome::Done(EARLIER_AND_SETTLED.to_owned()));
        }
        if self.began.elapsed() > denial_policy::MAX_CALL {
            return Ok(Outcome::Failed(
                "not begun, since the call would last too long: ask again".to_owned(),
            ));
        }
        match Box::pin(self.incidents.end_all(self.owner, arn)).await {
            Ok(EndedSessions { denied, .. }) => {
                match target.is_clear {
                    // Not done: the answer asks the operator to repeat the command.
                    _ if denied.unnoted.is_some() => {}
                    true => known.note_ended(arn.as_str(), self.now),
                    false => known.note_ended_early(arn.as_str()),
                }
                // The record is stored again at the end. The sessions of the other roles must end even if this write fails.
                let written = self.store().write().await.put_compromise(&self.issuer.record.id, known).await;
                if let Err(fault) = written {
                    tracing::error!(role_arn = %arn, "ended sessions, and could not note it yet: {fault}");
                }
                let before = denied.policy.issued_before().map(rfc3339).unwrap_or_default();
                let unnoted = denied.unnoted.map_or_else(String::new, |told| format!("; {told}"));
                Ok(Outcome::Done(format!("those issued before {before} are denied everything{unnoted}")))
            }
            Err(fault) => Ok(Outcome::Failed(format!(
                "{fault}; or by hand: \"Revoke active sessions\" of the role in IAM's console"
            ))),
        }
    }

    /// The IAM roles that the mount's roles lead to, and those of living sessions of roles that are gone or lead elsewhere now; `clear` are
    /// the trust anchors that were seen so.
    fn targets(&self, mount: &Inventory, clear: &BTreeSet<String>) -> BTreeMap<String, Target> {
        let mut found: BTreeMap<String, Target> = BTreeMap::new();
        let mut note = |arn: RoleArn, name: Option<String>, anchor: Option<&str>| {
            let target = found.entry(arn.to_string()).or_insert_with(|| Target::new(arn, name));
            target.is_clear &= anchor.is_some_and(|anchor| clear.contains(anchor));
            target.anchors.extend(anchor.map(str::to_owned));
        };
        for (name, role) in &mount.roles {
            let place = role.place(&mount.config, self.owner.mount_point).ok();
            let anchor = place.as_ref().map(|place| place.trust_anchor.as_str());
            note(role.role_arn.clone(), Some(name.clone()), anchor);
        }
        for origin in self.incidents.credentials.ledger.origins() {
            note(origin.role_arn.clone(), None, Some(origin.trust_anchor.as_str()));
        }
        found
    }

    /// What the key opened beside the mount's roles: the engine's own IAM roles, to which it may not write, and roles that nobody named here.
    fn beyond(&self, mount: &Inventory) -> Vec<Line> {
        let mut lines = Vec::new();
        for (name, anchor) in &mount.anchors {
            let duties = [Duty::TrustAnchor, Duty::Revocation, Duty::Check];
            let roles: Vec<&str> =
                duties.iter().filter_map(|duty| anchor.role(*duty)).map(RoleArn::as_str).collect();
            if roles.is_empty() {
                continue;
            }
            let what = format!(
                "\"Revoke active sessions\" of {} in IAM's console; then `foreign` of vault read {}trust-anchors/{name}/sync must be empty: whoever had the key could act as the engine there",
                roles.join(", "),
                self.owner.mount_point
            );
            lines.push(Line::new(
                format!("end the engine's own sessions at trust-anchors/{name}"),
                Outcome::ByHand(what),
            ));
        }
        lines.push(Line::new("end the sessions of other IAM roles", Outcome::ByHand(
            "whoever had the key could ask for any IAM role whose trust policy lets in one of these anchors and that a profile lists, also where no role here names it: \"Revoke active sessions\" of those".to_owned(),
        )));
        lines
    }

    fn store(&self) -> &Store {
        self.incidents.credentials.store()
    }
}

impl Incidents {
    /// Ends sessions once more where that is due, for Vault's tick. Faults are logged, and it is tried again.
    pub(crate) async fn settle(
        &self,
        owner: Owner<'_>,
        compromises: &[(String, Compromise)],
        (issuers, now): (&Issuers, OffsetDateTime),
    ) -> Result<(), Fault> {
        for (id, known) in compromises {
            // without the issuer's record nobody can say which CA is above it: the report has said when to ask, and how
            let Some(issuer) = issuers.find(id).filter(|_| known.is_due(now)) else { continue };
            let response = CompromiseResponse::new(self, owner, issuer, (false, now));
            if let Err(fault) = Box::pin(response.settle()).await {
                tracing::warn!(
                    issuer = issuer.record.label(),
                    "sessions could not be ended once more: {fault}"
                );
            }
        }
        Ok(())
    }
}

fn by_hand(anchor: &TrustAnchorArn, mount_point: &str, aim: Aim) -> Outcome {
    let else_what = aim.else_what();
    Outcome::ByHand(format!("put what {mount_point}trust-bundle shows into {anchor}: {else_what}"))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
