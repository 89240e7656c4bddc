//! What is done when an issuer's key may be in other hands, step by step, and what is left for people.
//!
//! ```text
//! every anchor holds the next issuer ──▶ it is the default, the other signs nothing ──▶ no anchor holds the other ──▶ its sessions end
//! ```
//!
//! Each step may be repeated. What was revoked already is noted, so that a second call does not end the sessions of those who went on.

use std::collections::BTreeSet;
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
    /// The IAM roles whose sessions of before were ended.
    revoked: BTreeSet<String>,
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

    /// For the report.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Done(what) => format!("done: {what}"),
            Self::ByHand(what) => format!("by hand: {what}"),
            Self::Failed(what) => format!("failed: {what}"),
        }
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
        let mut known = self.begin().await?;
        let mut report = self.sync("let every trust anchor hold the next issuer").await?;
        if report.iter().any(|line| line.outcome.is_failed()) && !self.force {
            report.push(line("switch", Outcome::Failed("not begun, since reads would fail where an anchor does not hold the next issuer: cure that and ask again, or use force=true".to_owned())));
            return Ok(report);
        }
        report.push(line("switch", Outcome::Done(self.switch().await?)));
        report.extend(self.sync("let no trust anchor hold the compromised issuer").await?);
        report.extend(self.pinned().await?);
        report.extend(self.revoke(&mut known).await?);
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
    async fn sync(&self, step: &str) -> Result<Vec<Line>, Fault> {
        let mount_point = self.request.mount_point.as_str();
        let anchors = self.engine.store.managed_anchors().await?;
        let mut lines = Vec::new();
        for (name, anchor) in &anchors {
            let outcome = if anchor.role(Duty::TrustAnchor).is_some() {
                let at = Named { name, anchor, mount_point };
                match Box::pin(anchors::sync(self.engine, at, false)).await {
                    Ok(_) => Outcome::Done("in step".to_owned()),
                    Err(fault) => Outcome::Failed(fault.to_string()),
                }
            } else {
                by_hand(anchor, mount_point)
            };
            lines.push(line(format!("{step}: trust-anchors/{name}"), outcome));
        }
        if anchors.is_empty() {
            let what =
                format!("put what {mount_point}trust-bundle shows into every trust anchor of this mount");
            lines.push(line(step, Outcome::ByHand(what)));
        }
        Ok(lines)
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

    /// Ends the sessions of every IAM role that a role of this mount leads to: whoever has the key could have made some.
    async fn revoke(&self, known: &mut Compromise) -> Result<Vec<Line>, Fault> {
        let mut lines = Vec::new();
        for arn in self.iam_roles().await? {
            let step = format!("end the sessions of {arn}");
            if known.revoked.contains(arn.as_str()) {
                lines.push(line(step, Outcome::Done(format!("before, since {}", known.since))));
                continue;
            }
            let outcome =
                match Box::pin(path_revoke_sessions::revoke_all(self.engine, self.request, &arn)).await {
                    Ok(Revoked { denied, .. }) => {
                        known.revoked.insert(arn.to_string());
                        self.engine.store.put_compromise(self.id, known).await?;
                        let before = denied.policy.issued_before().map(rfc3339).unwrap_or_default();
                        Outcome::Done(format!("those issued before {before} are denied everything"))
                    }
                    Err(fault) => Outcome::Failed(format!(
                        "{fault}; or by hand: \"Revoke active sessions\" of the role in IAM's console"
                    )),
                };
            lines.push(line(step, outcome));
        }
        Ok(lines)
    }

    async fn iam_roles(&self) -> Result<Vec<RoleArn>, Fault> {
        let mut found: Vec<RoleArn> = Vec::new();
        for name in self.engine.store.role_names().await? {
            if let Some(role) = self.engine.store.role(&name).await?
                && !found.contains(&role.role_arn)
            {
                found.push(role.role_arn);
            }
        }
        Ok(found)
    }
}

fn by_hand(anchor: &ManagedAnchor, mount_point: &str) -> Outcome {
    Outcome::ByHand(format!("put what {mount_point}trust-bundle shows into {}", anchor.trust_anchor_arn))
}

fn line(step: impl Into<String>, outcome: Outcome) -> Line {
    Line { step: step.into(), outcome }
}

/// The issuer that takes over: the default where it is another one, else the other that anchors hold.
fn successor<'a>(issuers: &'a Issuers, compromised: &str) -> Option<&'a Loaded> {
    issuers.bundle(clock::now()).into_iter().find(|loaded| loaded.record.id != compromised)
}
