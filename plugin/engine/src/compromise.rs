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

use rolesanywhere::RoleArn;
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Request};

use crate::Engine;
use crate::anchors::{self, Named};
use crate::clock::{self, rfc3339};
use crate::issuers::{self, Issuers, Loaded};
use crate::managed_anchor::{Duty, ManagedAnchor};
use crate::path_revoke_sessions::{self, Revoked};
use crate::store::{IssuerRecord, IssuerState, IssuersConfig};

/// What is known of a compromise. Stored as `compromise/<issuer's id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Compromise {
    /// When it was first told, RFC 3339.
    since: String,
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
}

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
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) request: &'a Request,
    /// The issuer's id.
    pub(crate) id: &'a str,
    /// Goes on although an anchor could not be brought to hold the next issuer.
    pub(crate) force: bool,
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
            self.sync("let every trust anchor hold the next issuer").await?;
        if report.iter().any(|line| line.outcome.is_failed()) && !self.force {
            report.push(line("switch", Outcome::Failed("not begun, since reads would fail where an anchor does not hold the next issuer: cure that and ask again, or use force=true".to_owned())));
            return Ok(report);
        }
        let early = self.revoke_early(&mut known, &in_step).await?;
        report.push(line("switch", Outcome::Done(self.switch().await?)));
        let Synced { lines, in_step, foreign } =
            self.sync("let no trust anchor hold the compromised issuer").await?;
        report.extend(lines.into_iter().chain(foreign));
        report.extend(self.pinned().await?);
        report.extend(self.revoke(&mut known, &in_step, early).await?);
        report.extend(self.own_roles().await?);
        Ok(report)
    }

    /// Notes the compromise, and refuses where nobody could take over.
    async fn begin(&self) -> Result<Compromise, Fault> {
        let _lock = self.engine.store.lock().await;
        let issuers = Issuers::load(&self.engine.store).await?;
        if successor(&issuers, self.id).is_none() {
            return Err(Fault::operator(format!(
                "no other issuer is enabled that could take over: vault write {mount}root/generate/internal common_name=<name> issuer_name=<name>, then ask again",
                mount = self.request.mount_point
            )));
        }
        let known = self.engine.store.compromise(self.id).await?;
        let known =
            known.unwrap_or_else(|| Compromise { since: rfc3339(clock::now()), ..Compromise::default() });
        self.engine.store.put_compromise(self.id, &known).await?;
        Ok(known)
    }

    /// Brings each anchor that is looked after in step, and says of the others what to do.
    async fn sync(&self, step: &str) -> Result<Synced, Fault> {
        let mount_point = self.request.mount_point.as_str();
        let anchors = self.engine.store.managed_anchors().await?;
        let (mut lines, mut foreign, mut in_step) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, anchor) in &anchors {
            let outcome = if anchor.role(Duty::TrustAnchor).is_some() {
                let at = Named { name, anchor, mount_point };
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
                by_hand(anchor, mount_point)
            };
            lines.push(line(format!("{step}: trust-anchors/{name}"), outcome));
        }
        if anchors.is_empty() {
            let what = format!(
                "put what {mount_point}trust-bundle shows into every trust anchor of this mount: until then reads fail"
            );
            lines.push(line(step, Outcome::ByHand(what)));
        }
        Ok(Synced { lines, in_step, foreign })
    }

    /// Makes the next issuer the default, where the compromised one was, and has that sign nothing more.
    async fn switch(&self) -> Result<String, Fault> {
        let store = &self.engine.store;
        let _lock = store.lock().await;
        let issuers = Issuers::load(store).await?;
        let next = successor(&issuers, self.id).ok_or_else(|| Fault::bug("the next issuer is gone"))?;
        let _ended = self.engine.ends_issuer(self.id);
        let label = next.record.label().to_owned();
        if issuers.is_default(self.id) || issuers.default.is_none() {
            let default = Some(next.record.id.clone());
            store.put_issuers_config(&IssuersConfig { default, previous: None }).await?;
        }
        if let Some(found) = issuers.find(self.id).filter(|found| found.record.state == IssuerState::Enabled)
        {
            let disabled = IssuerRecord { state: IssuerState::Disabled, ..found.record.clone() };
            store.put_issuer(&disabled).await?;
        }
        Ok(format!("{label:?} signs, the compromised issuer is disabled"))
    }

    /// The roles that name the compromised issuer, and get nothing until they name another one.
    async fn pinned(&self) -> Result<Vec<Line>, Fault> {
        let issuers = Issuers::load(&self.engine.store).await?;
        let Some(found) = issuers.find(self.id) else { return Ok(Vec::new()) };
        let roles = issuers::roles_naming(&self.engine.store, &found.record).await?;
        let told = |name: &String| {
            let what = format!("vault patch {}roles/{name} issuer_ref=default", self.request.mount_point);
            line(format!("role {name} names it"), Outcome::ByHand(what))
        };
        Ok(roles.iter().map(told).collect())
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
                let what = format!(
                    "when its trust anchor no longer holds the compromised issuer, since until then its key makes new ones: vault write -force {}roles/{}/revoke-sessions",
                    self.request.mount_point, target.name
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
            return Ok(Outcome::Done(format!("before, since {}", known.since)));
        }
        match Box::pin(path_revoke_sessions::revoke_all(self.engine, self.request, arn)).await {
            Ok(Revoked { denied, .. }) => {
                let done = if target.is_clear { &mut known.revoked } else { &mut known.early };
                done.insert(arn.to_string());
                self.engine.store.put_compromise(self.id, known).await?;
                let before = denied.policy.issued_before().map(rfc3339).unwrap_or_default();
                Ok(Outcome::Done(format!("those issued before {before} are denied everything")))
            }
            Err(fault) => Ok(Outcome::Failed(format!(
                "{fault}; or by hand: \"Revoke active sessions\" of the role in IAM's console"
            ))),
        }
    }

    /// The IAM roles that the mount's roles lead to, by their ARNs.
    async fn targets(&self, in_step: &BTreeSet<String>) -> Result<BTreeMap<String, Target>, Fault> {
        let config = self.engine.snapshot().await?.config.clone();
        let mut found: BTreeMap<String, Target> = BTreeMap::new();
        for name in self.engine.store.role_names().await? {
            let Some(role) = self.engine.store.role(&name).await? else { continue };
            let place = role.place(&config, &self.request.mount_point);
            let is_clear = place.is_ok_and(|place| in_step.contains(place.trust_anchor.as_str()));
            let arn = role.role_arn.clone();
            let target = found.entry(arn.to_string()).or_insert(Target { arn, name, is_clear });
            target.is_clear &= is_clear;
        }
        Ok(found)
    }

    /// The engine's own IAM roles: the key makes certificates of the engine too, and the engine may not write to these roles.
    async fn own_roles(&self) -> Result<Vec<Line>, Fault> {
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
    /// One of the engine's roles that lead there.
    name: String,
    /// Every trust anchor by which they do was seen without the compromised issuer.
    is_clear: bool,
}

fn by_hand(anchor: &ManagedAnchor, mount_point: &str) -> Outcome {
    Outcome::ByHand(format!(
        "put what {mount_point}trust-bundle shows into {}: until then reads by it fail",
        anchor.trust_anchor_arn
    ))
}

fn line(step: impl Into<String>, outcome: Outcome) -> Line {
    Line { step: step.into(), outcome }
}

/// The issuer that takes over: the default where it is another one, else the other that anchors hold.
fn successor<'a>(issuers: &'a Issuers, compromised: &str) -> Option<&'a Loaded> {
    issuers.bundle(clock::now()).into_iter().find(|loaded| loaded.record.id != compromised)
}
