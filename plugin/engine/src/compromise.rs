//! What is done when an issuer's key may be in other hands, step by step, and what is left for people.
//!
//! ```text
//! every anchor holds the next issuer ──▶ it is the default, the other signs nothing ──▶ no anchor holds the other ──▶ its sessions end
//! ```
//!
//! Each step may be repeated. What was revoked already is noted, so that a second call does not end the sessions of those who went on. A
//! revocation counts once the trust anchor is seen without the issuer: until then whoever has its key makes new sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rolesanywhere::{RoleArn, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use vault_backend::{Fault, Request};

use crate::Engine;
use crate::anchors::{self, Named};
use crate::clock::{self, rfc3339};
use crate::issuers::{self, Issuers, Loaded};
use crate::managed_anchor::Duty;
use crate::management::Need;
use crate::path_revoke_sessions::{self, Revoked};
use crate::revocation;
use crate::store::{IssuerRecord, IssuerState, IssuersConfig};

/// What is known of a compromise. Stored as `compromise/<issuer's id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compromise {
    /// When it was first told, RFC 3339.
    since: String,
    /// The key, as [`ca::Issuer::key_sha256`] has it: it outlives the issuer's record.
    #[serde(default)]
    key_sha256: String,
    /// The IAM roles whose sessions were ended after their trust anchor had dropped the issuer.
    revoked: BTreeSet<String>,
    /// Those whose sessions were ended while it may still have held it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    early: BTreeSet<String>,
}

impl Compromise {
    /// When it was first told, RFC 3339.
    pub(crate) fn since(&self) -> &str {
        &self.since
    }

    /// Whether it is of this key.
    pub(crate) fn is_of(&self, key_sha256: &str) -> bool {
        self.key_sha256 == key_sha256
    }
}

const EARLIER: &str = "by an earlier call";
const EARLIER_AND_CLEAR: &str =
    "by an earlier call, when its trust anchor had dropped the compromised issuer";

/// One line of the report.
pub(crate) struct Line {
    pub(crate) step: String,
    pub(crate) outcome: Outcome,
}

/// How a step ended.
pub(crate) enum Outcome {
    Done(String),
    /// The engine may not, and a person must.
    ByHand(String),
    /// The same call again may do it.
    Failed(String),
}

impl Outcome {
    pub(crate) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl Line {
    /// For whoever reads the report.
    pub(crate) fn told(&self) -> String {
        let (how, what) = match &self.outcome {
            Outcome::Done(what) => ("done", what),
            Outcome::ByHand(what) => ("by hand", what),
            Outcome::Failed(what) => ("failed", what),
        };
        format!("{how}: {}: {what}", self.step)
    }
}

/// One mount's work on one compromised issuer.
pub(crate) struct Response<'a> {
    engine: &'a Arc<Engine>,
    request: &'a Request,
    issuer: &'a Loaded,
    /// Goes on although an anchor could not be brought to hold the next issuer.
    force: bool,
    began: Instant,
}

impl<'a> Response<'a> {
    pub(crate) fn new(
        engine: &'a Arc<Engine>,
        request: &'a Request,
        issuer: &'a Loaded,
        force: bool,
    ) -> Self {
        Self { engine, request, issuer, force, began: Instant::now() }
    }
}

impl Response<'_> {
    /// Does what is left to do.
    ///
    /// # Errors
    /// An operator's fault where no other issuer could take over. Whatever else fails stands in the report.
    pub(crate) async fn run(&self) -> Result<Vec<Line>, Fault> {
        let _turn = self.engine.responding.lock().await;
        let mut known = self.begin().await?;
        let Synced { lines: mut report, in_step, .. } =
            self.sync("let every trust anchor hold the next issuer", "until then reads by it fail").await?;
        let still_signs = self.still_signs().await?;
        if still_signs && report.iter().any(|line| line.outcome.is_failed()) && !self.force {
            report.push(line("switch", Outcome::Failed("not begun, since reads would fail where an anchor does not hold the next issuer: cure that and ask again, or use force=true".to_owned())));
            return Ok(report);
        }
        let early = self.revoke_early(&mut known, &in_step).await?;
        report.push(line("switch", Outcome::Done(self.switch().await?)));
        let Synced { lines, in_step, foreign } = self
            .sync("let no trust anchor hold the compromised issuer", "until then its key makes sessions")
            .await?;
        report.extend(lines.into_iter().chain(foreign));
        report.extend(self.pinned().await?);
        report.extend(self.revoke(&mut known, &in_step, early).await?);
        report.extend(self.beyond().await?);
        Ok(report)
    }

    /// Whether a certificate of the key is enabled still: else the switch was made by an earlier call.
    async fn still_signs(&self) -> Result<bool, Fault> {
        let issuers = Issuers::load(&self.engine.store).await?;
        let signs = |one: &Loaded| self.has_the_key(one) && one.record.state == IssuerState::Enabled;
        Ok(issuers.all.iter().any(signs))
    }

    /// Notes the compromise, and refuses where nobody could take over.
    async fn begin(&self) -> Result<Compromise, Fault> {
        let _lock = self.engine.store.lock().await;
        let issuers = Issuers::load(&self.engine.store).await?;
        if self.successor(&issuers).is_none() {
            return Err(Fault::operator(format!(
                "no other issuer with a key of its own is enabled that could take over: vault write {mount}root/generate/internal common_name=<name> issuer_name=<name>, then ask again",
                mount = self.request.mount_point
            )));
        }
        let id = &self.issuer.record.id;
        let known = self.engine.store.compromise(id).await?;
        let mut known =
            known.unwrap_or_else(|| Compromise { since: rfc3339(clock::now()), ..Compromise::default() });
        known.key_sha256 = self.issuer.issuer.key_sha256();
        self.engine.store.put_compromise(id, &known).await?;
        Ok(known)
    }

    /// Brings each anchor that is looked after in step, and says of the others what to do.
    async fn sync(&self, step: &str, else_what: &str) -> Result<Synced, Fault> {
        let mount_point = self.request.mount_point.as_str();
        let anchors = self.engine.store.managed_anchors().await?;
        let (mut lines, mut foreign, mut in_step) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, anchor) in &anchors {
            let outcome = if anchor.role(Duty::TrustAnchor).is_some() {
                let at = Named { name, anchor, mount_point, need: Need::Incident };
                match Box::pin(anchors::sync(self.engine, at, false)).await {
                    Ok(report) => {
                        let warned = report.warnings().into_iter().map(Outcome::ByHand);
                        foreign
                            .extend(warned.map(|what| line(format!("look at trust-anchors/{name}"), what)));
                        in_step.insert(anchor.trust_anchor_arn.to_string());
                        Outcome::Done("in step".to_owned())
                    }
                    Err(fault) => Outcome::Failed(fault.to_string()),
                }
            } else {
                by_hand(&anchor.trust_anchor_arn, mount_point, else_what)
            };
            lines.push(line(format!("{step}: trust-anchors/{name}"), outcome));
        }
        for arn in self.anchors_in_use().await? {
            if !anchors.iter().any(|(_, anchor)| anchor.trust_anchor_arn == arn) {
                lines.push(line(format!("{step}: {arn}"), by_hand(&arn, mount_point, else_what)));
            }
        }
        Ok(Synced { lines, in_step, foreign })
    }

    /// Makes the next issuer the default, where the compromised one was, and has that sign nothing more.
    async fn switch(&self) -> Result<String, Fault> {
        let store = &self.engine.store;
        let _lock = store.lock().await;
        let issuers = Issuers::load(store).await?;
        let next = self.successor(&issuers).ok_or_else(|| Fault::bug("the next issuer is gone"))?;
        let label = next.record.label().to_owned();
        let of_the_key: Vec<&Loaded> = issuers.all.iter().filter(|one| self.has_the_key(one)).collect();
        let ids: Vec<String> = of_the_key.iter().map(|one| one.record.id.clone()).collect();
        let is_default = ids.iter().any(|id| issuers.is_default(id));
        let _ended = self.engine.ends_sessions(move |key| ids.iter().any(|id| id == key.issuer()));
        if is_default || issuers.default.is_none() {
            let default = Some(next.record.id.clone());
            store.put_issuers_config(&IssuersConfig { default, previous: None }).await?;
        }
        for one in of_the_key.iter().filter(|one| one.record.state == IssuerState::Enabled) {
            let disabled = IssuerRecord { state: IssuerState::Disabled, ..one.record.clone() };
            store.put_issuer(&disabled).await?;
        }
        Ok(format!("{label:?} signs, {} of the compromised key disabled", count(of_the_key.len(), "issuer")))
    }

    /// The issuer that takes over: the default where that has another key, else the other that anchors hold.
    fn successor<'i>(&self, issuers: &'i Issuers) -> Option<&'i Loaded> {
        issuers.bundle(clock::now()).into_iter().find(|loaded| !self.has_the_key(loaded))
    }

    fn has_the_key(&self, other: &Loaded) -> bool {
        other.record.key_id == self.issuer.record.key_id
    }

    /// The roles that name the compromised issuer, and get nothing until they name another one.
    async fn pinned(&self) -> Result<Vec<Line>, Fault> {
        let issuers = Issuers::load(&self.engine.store).await?;
        let told = |name: &String| {
            let what = format!("vault patch {}roles/{name} issuer_ref=default", self.request.mount_point);
            line(format!("role {name} names it"), Outcome::ByHand(what))
        };
        let mut lines = Vec::new();
        for one in issuers.all.iter().filter(|one| self.has_the_key(one)) {
            let roles = issuers::roles_naming(&self.engine.store, &one.record).await?;
            lines.extend(roles.iter().map(told));
        }
        Ok(lines)
    }

    /// Ends sessions before the switch where a trust anchor is not known to hold the next issuer: by that one the engine itself could
    /// not come in there afterwards.
    async fn revoke_early(
        &self,
        known: &mut Compromise,
        in_step: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Outcome>, Fault> {
        let mut outcomes = BTreeMap::new();
        for (arn, target) in self.targets(in_step).await? {
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
        in_step: &BTreeSet<String>,
        mut early: BTreeMap<String, Outcome>,
    ) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for (arn, target) in self.targets(in_step).await? {
            let outcome = match early.remove(&arn) {
                Some(outcome) if !target.is_clear => outcome,
                _ => self.end(known, &target).await?,
            };
            lines.push(line(format!("end the sessions of {arn}"), outcome));
            if !target.is_clear {
                let how = target.name.as_ref().map_or_else(
                    || "\"Revoke active sessions\" in IAM's console".to_owned(),
                    |name| {
                        format!("vault write -force {}roles/{name}/revoke-sessions", self.request.mount_point)
                    },
                );
                let what = format!(
                    "when its trust anchor no longer holds the compromised issuer, since until then its key makes new ones: {how}"
                );
                lines.push(line(format!("end the sessions of {arn} once more"), Outcome::ByHand(what)));
            }
        }
        Ok(lines)
    }

    async fn end(&self, known: &mut Compromise, target: &Target) -> Result<Outcome, Fault> {
        let arn = &target.arn;
        let is_early = !target.is_clear && known.early.contains(arn.as_str());
        if is_early || known.revoked.contains(arn.as_str()) {
            return Ok(Outcome::Done(if is_early { EARLIER } else { EARLIER_AND_CLEAR }.to_owned()));
        }
        if self.began.elapsed() > revocation::LONGEST_CALL {
            return Ok(Outcome::Failed(
                "not begun, since the call would last too long: ask again".to_owned(),
            ));
        }
        match Box::pin(path_revoke_sessions::revoke_all(self.engine, self.request, arn)).await {
            Ok(Revoked { denied, .. }) => {
                let done = if target.is_clear { &mut known.revoked } else { &mut known.early };
                done.insert(arn.to_string());
                self.engine.store.put_compromise(&self.issuer.record.id, known).await?;
                let before = denied.policy.issued_before().map(rfc3339).unwrap_or_default();
                Ok(Outcome::Done(format!("those issued before {before} are denied everything")))
            }
            Err(fault) => Ok(Outcome::Failed(format!(
                "{fault}; or by hand: \"Revoke active sessions\" of the role in IAM's console"
            ))),
        }
    }

    /// Where the mount's roles and their sessions come from: the trust anchors that the config and the roles name.
    async fn anchors_in_use(&self) -> Result<Vec<TrustAnchorArn>, Fault> {
        let config = self.engine.snapshot().await?.config.clone();
        let mut found: BTreeMap<String, TrustAnchorArn> = BTreeMap::new();
        let mut note = |arn: TrustAnchorArn| found.insert(arn.to_string(), arn);
        config.default_trust_anchor_arn.iter().for_each(|arn| drop(note(arn.clone())));
        for name in self.engine.store.role_names().await? {
            let Some(role) = self.engine.store.role(&name).await? else { continue };
            if let Ok(place) = role.place(&config, &self.request.mount_point) {
                note(place.trust_anchor);
            }
        }
        Ok(found.into_values().collect())
    }

    /// The IAM roles that the mount's roles lead to, and those of living sessions of roles that are gone or lead elsewhere now.
    async fn targets(&self, in_step: &BTreeSet<String>) -> Result<BTreeMap<String, Target>, Fault> {
        let config = self.engine.snapshot().await?.config.clone();
        let mut found: BTreeMap<String, Target> = BTreeMap::new();
        let mut note = |arn: RoleArn, name: Option<String>, is_clear: bool| {
            let target = found.entry(arn.to_string()).or_insert(Target { arn, name, is_clear });
            target.is_clear &= is_clear;
        };
        for name in self.engine.store.role_names().await? {
            let Some(role) = self.engine.store.role(&name).await? else { continue };
            let place = role.place(&config, &self.request.mount_point);
            let is_clear = place.is_ok_and(|place| in_step.contains(place.trust_anchor.as_str()));
            note(role.role_arn.clone(), Some(name), is_clear);
        }
        for lineage in self.engine.ledger.lineages() {
            let is_clear = in_step.contains(lineage.trust_anchor.as_str());
            note(lineage.role_arn.clone(), None, is_clear);
        }
        Ok(found)
    }

    /// What the key opened beside the mount's roles: the engine's own IAM roles, to which it may not write, and roles that nobody named here.
    async fn beyond(&self) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for (name, anchor) in self.engine.store.managed_anchors().await? {
            let duties = [Duty::TrustAnchor, Duty::Revocation, Duty::Check];
            let roles: Vec<&str> =
                duties.iter().filter_map(|duty| anchor.role(*duty)).map(RoleArn::as_str).collect();
            if roles.is_empty() {
                continue;
            }
            let what = format!(
                "\"Revoke active sessions\" of {} in IAM's console; then `foreign` of vault read {}trust-anchors/{name}/sync must be empty: whoever had the key could act as the engine there",
                roles.join(", "),
                self.request.mount_point
            );
            lines.push(line(
                format!("end the engine's own sessions at trust-anchors/{name}"),
                Outcome::ByHand(what),
            ));
        }
        lines.push(line("end the sessions of other IAM roles", Outcome::ByHand(
            "whoever had the key could ask for any IAM role whose trust policy lets in one of these anchors and that a profile lists, also where no role here names it: \"Revoke active sessions\" of those".to_owned(),
        )));
        Ok(lines)
    }
}

/// What the trust anchors hold now.
struct Synced {
    lines: Vec<Line>,
    /// The ARNs of those that were seen with the issuers that sign, and with no other of this mount.
    in_step: BTreeSet<String>,
    /// What else was seen there.
    foreign: Vec<Line>,
}

/// An IAM role whose sessions are to end.
struct Target {
    arn: RoleArn,
    /// One of the engine's roles that lead there, if one still does.
    name: Option<String>,
    /// Every trust anchor by which they do was seen without the compromised issuer.
    is_clear: bool,
}

fn by_hand(anchor: &TrustAnchorArn, mount_point: &str, else_what: &str) -> Outcome {
    Outcome::ByHand(format!("put what {mount_point}trust-bundle shows into {anchor}: {else_what}"))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn line(step: impl Into<String>, outcome: Outcome) -> Line {
    Line { step: step.into(), outcome }
}
