//! Walks the hop of a role with `target_role_arn`: one AssumeRole with the session that the check made, and the verdicts on it.
//!
//! The target's trust policy is in another account, so it cannot be read from here. A refusal has the statement that it needs.

use rolesanywhere::{AssumeRole, CallError, Error, HopRefusal, RoleArn, Session};
use serde_json::json;

use super::asking::{CallOutcome, NotAsked};
use super::link::Link;
use super::looking::AwsState;
use super::outcome::NEARLY_FULL;
use super::refusal::short;
use super::report::CheckReport;
use super::subject::{CheckedRole, PATIENCE};
use super::verdict::{Cure, Verdict};
use crate::credentials::hop::session_name;
use crate::ground::clock::{self, rfc3339};
use crate::records::anchorage::Anchorage;
use crate::snapshot::Snapshot;

/// How AssumeRole ended.
pub(super) enum HopOutcome {
    /// STS gave a session. Nobody receives it.
    Issued(Box<Session>),
    Refused(CallError),
    Not(NotAsked),
}

/// The hop under check.
pub(super) struct CheckedHop<'a> {
    pub(super) subject: CheckedRole<'a>,
    pub(super) call: &'a AssumeRole,
    /// What the engine saw of the first role.
    pub(super) seen: &'a AwsState,
}

/// Calls AssumeRole once as `creds` does.
pub(super) async fn ask(
    snapshot: &Snapshot,
    anchorage: &Anchorage,
    asked: &CallOutcome,
    call: &AssumeRole,
) -> HopOutcome {
    let CallOutcome::Issued(hub) = asked else { return HopOutcome::Not(NotAsked::Broken) };
    let signer = rolesanywhere::Credentials::from(&hub.session);
    let client = snapshot.client.signed_client(signer, clock::now, PATIENCE);
    let call = AssumeRole { session_name: session_name(&hub.serial), ..call.clone() };
    match client.assume_role(anchorage.trust_anchor.region(), &call).await {
        Ok(session) => HopOutcome::Issued(Box::new(session)),
        Err(error) => HopOutcome::Refused(error),
    }
}

/// Judges the three links of the hop.
pub(super) fn judge(report: &mut CheckReport, hop: &CheckedHop<'_>, outcome: &HopOutcome) {
    match outcome {
        HopOutcome::Issued(session) => {
            let target = &hop.call.role;
            let until = rfc3339(session.expiration);
            report.note(
                Link::TargetRole,
                Verdict::ok(format!("a session of {target} until {until}, which no caller receives")),
            );
            report.note(Link::TargetSourceIdentity, source_identity(session));
            report.note(Link::TargetSessionTags, tags(hop.call, session));
        }
        HopOutcome::Refused(error) => refused(report, hop, error),
        HopOutcome::Not(why) => {
            for link in Link::OF_HOP {
                report.note(link, Verdict::not_checked(why));
            }
        }
    }
}

/// Blames a link for STS's refusal. The target's own link is broken in any case, because there is no session.
fn refused(report: &mut CheckReport, hop: &CheckedHop<'_>, error: &CallError) {
    let refusal = HopRefusal::of(error);
    let link = match refusal {
        Some(HopRefusal::SetSourceIdentity) => Link::TargetSourceIdentity,
        Some(HopRefusal::TagSession | HopRefusal::TooLarge) => Link::TargetSessionTags,
        _ => Link::TargetRole,
    };
    report.note(link, Verdict::broken(short(&error.cause), hop.cure(refusal, error)));
    if link != Link::TargetRole {
        report.note(Link::TargetRole, Verdict::broken("AssumeRole gave no session", Cure::Of(link)));
    }
    for link in Link::OF_HOP.into_iter().filter(|other| *other != link && *other != Link::TargetRole) {
        report.note(link, Verdict::not_checked("AssumeRole gave no session"));
    }
}

/// Whether the source identity went along.
fn source_identity(session: &Session) -> Verdict {
    match &session.source_identity {
        Some(identity) => Verdict::ok(identity),
        None => Verdict::warning(
            "the session of the target has no source identity",
            "in policies of the target's account, test session tags instead",
        ),
    }
}

/// The tags that were sent, and how much of AWS's room they take.
fn tags(call: &AssumeRole, session: &Session) -> Verdict {
    if let Some(percent) = session.packed_policy_size.filter(|percent| *percent >= NEARLY_FULL) {
        return Verdict::warning(
            format!("tags and session policies fill {percent} % of the space that AWS allows"),
            "shorten session_policy, or set fewer session_tags",
        );
    }
    let tags: Vec<String> = call.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Verdict::ok(if tags.is_empty() { "none".to_owned() } else { tags.join(", ") })
}

impl CheckedHop<'_> {
    /// What cures a refusal: the statements that both sides need, if it is about a permission.
    fn cure(&self, refusal: Option<HopRefusal>, error: &CallError) -> String {
        let hub = &self.subject.role.role_arn;
        match refusal {
            Some(HopRefusal::AssumeRole | HopRefusal::SetSourceIdentity | HopRefusal::TagSession) => {
                let denied = error.missing_permission.as_ref().and_then(|missing| missing.reason.as_deref());
                match denied {
                    Some(reason) if reason.contains("permissions boundary") => self.lift_boundary(),
                    Some(reason) if reason.contains("explicit deny") => format!(
                        "find the statement that denies it ({reason}): nothing else allows what is denied explicitly"
                    ),
                    _ => format!(
                        "{} — and in a policy of {}: {}{}",
                        self.trust_policy(),
                        hub.name(),
                        self.permission(),
                        self.boundary()
                    ),
                }
            }
            Some(refusal) => refusal.explanation().to_owned(),
            None => match &*error.cause {
                Error::Unavailable { .. } | Error::BadAnswer { .. } => {
                    "check the network between Vault and STS, and sts_endpoint of the config".to_owned()
                }
                Error::Throttled { .. } => {
                    format!("lower assume_role_rate_limit of {}config", self.subject.mount_point)
                }
                _ => "see AWS's message".to_owned(),
            },
        }
    }

    /// The statement of the target's trust policy.
    fn trust_policy(&self) -> String {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "AWS": self.subject.role.role_arn },
            "Action": self.actions(),
        });
        if let Some(id) = &self.call.external_id {
            statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": id } });
        }
        let target: &RoleArn = &self.call.role;
        format!("the trust policy of {target} needs a statement such as {statement}")
    }

    /// The statement of a policy of the first role.
    fn permission(&self) -> String {
        json!({ "Effect": "Allow", "Action": self.actions(), "Resource": self.call.role }).to_string()
    }

    fn actions(&self) -> Vec<&'static str> {
        let all = [HopRefusal::AssumeRole, HopRefusal::SetSourceIdentity, HopRefusal::TagSession];
        let needed = if self.call.tags.is_empty() { &all[..2] } else { &all[..] };
        needed.iter().filter_map(|refusal| refusal.action()).collect()
    }

    /// What is known of the first role's permissions boundary, whose content the engine cannot read.
    fn boundary(&self) -> String {
        let boundary = self.seen.role.seen().and_then(|role| role.permissions_boundary.as_deref());
        boundary.map_or_else(String::new, |arn| {
            format!(" — and its permissions boundary {arn} must not deny it: {}", self.lift_boundary())
        })
    }

    fn lift_boundary(&self) -> String {
        format!(
            "add {} to TargetRoleArns of vault-config/aws/management.yaml (target_role_arns of the Terraform module)",
            self.call.role
        )
    }
}
