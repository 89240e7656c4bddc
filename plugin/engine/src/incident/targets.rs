//! What a revocation does not reach: sessions of further roles that the denied sessions made. A policy in the target's account ends
//! them at once, which this mount cannot write, so the answer has it ready to apply.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use ca::Serial;
use rolesanywhere::RoleArn;
use serde_json::{Value, json};
use time::OffsetDateTime;
use vault_backend::Fault;

use crate::credentials::hop::session_name;
use crate::credentials::ledger::Entry;
use crate::ground::clock::rfc3339;
use crate::management::denial_policy::SID_PREFIX;

/// The shortest session that STS makes. One whose hub had less time left lives longer than its callers were told.
const MIN_SECONDS: i64 = 900;
/// The digits of a document's SHA-256 in the name of its policy.
const NAME_DIGITS: usize = 12;

/// The denial that one target role needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetDenial {
    pub(crate) target: RoleArn,
    /// The living sessions of it that are known here; zero if nobody knows whether there are any.
    sessions: usize,
    /// When the last of them ends.
    until: OffsetDateTime,
    /// Later sessions of the same source identities are not denied.
    before: OffsetDateTime,
    identities: BTreeSet<String>,
    /// The names of sessions without a source identity.
    names: BTreeSet<String>,
}

/// The denials for the hops of `entries` that live `now`, one for each target role.
pub(crate) fn denials(entries: &[Entry], now: OffsetDateTime) -> Vec<TargetDenial> {
    let mut found: BTreeMap<String, TargetDenial> = BTreeMap::new();
    for entry in entries {
        for hop in &entry.hops {
            let ends = hop.expiration.max(hop.issued.saturating_add(MIN_SECONDS));
            let Ok(ends) = OffsetDateTime::from_unix_timestamp(ends) else { continue };
            if ends <= now {
                continue;
            }
            let denial = found
                .entry(hop.target_role_arn.to_string())
                .or_insert_with(|| TargetDenial::new(hop.target_role_arn.clone(), now));
            denial.add(entry, ends);
        }
    }
    found.into_values().collect()
}

/// The fault of a command that denied none of `entries`, with what ends their hops: that needs no permission of this mount.
pub(crate) fn beside(fault: Fault, entries: &[Entry], now: OffsetDateTime) -> Fault {
    denials(entries, now).iter().fold(fault, |fault, denial| fault.with_note(denial.warning()))
}

impl TargetDenial {
    fn new(target: RoleArn, now: OffsetDateTime) -> Self {
        let whole = now.replace_nanosecond(0).unwrap_or(now);
        // rounded up, because AWS dates sessions to the second
        let before = if whole == now { now } else { whole.saturating_add(time::Duration::SECOND) };
        let (identities, names) = (BTreeSet::new(), BTreeSet::new());
        Self { target, sessions: 0, until: now, before, identities, names }
    }

    fn add(&mut self, entry: &Entry, ends: OffsetDateTime) {
        self.sessions += 1;
        self.until = self.until.max(ends);
        match entry.source_identity() {
            Some(identity) => self.identities.insert(identity.to_owned()),
            None => self.names.insert(user_id(entry.serial())),
        };
    }

    /// The denial of the sessions of `target` that a session made, of which only the serial number is known. They end at `until`
    /// at the latest, if there are any.
    pub(crate) fn by_name(target: RoleArn, serial: &Serial, until: OffsetDateTime) -> Self {
        let names = [user_id(&serial.to_string())].into();
        Self { target, sessions: 0, until, before: until, identities: BTreeSet::new(), names }
    }

    /// The inline policy for the target role.
    pub(crate) fn policy(&self) -> Value {
        let by_identity = (!self.identities.is_empty()).then(|| {
            json!({
                "Sid": format!("{SID_PREFIX}IssuedBefore"), "Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {
                    "StringEquals": { "aws:SourceIdentity": self.identities },
                    "DateLessThan": { "aws:TokenIssueTime": rfc3339(self.before) },
                },
            })
        });
        let by_name = (!self.names.is_empty()).then(|| denial_of(&self.names));
        document(&by_identity.into_iter().chain(by_name).collect::<Vec<_>>())
    }

    /// Tells that the sessions live on, and the command that ends them.
    pub(crate) fn warning(&self) -> String {
        let Self { target, sessions, until, .. } = self;
        let which = if *sessions == 0 {
            format!("sessions of {target} that this session made, if it made any,")
        } else {
            format!("{sessions} sessions of {target}, which these sessions made,")
        };
        let reach = if self.identities.is_empty() {
            "it ends no other session"
        } else {
            "it ends every earlier session of that role with these source identities"
        };
        format!(
            "{which} are valid until {} at the latest; to end them at once, with credentials of the account {}: {} ({reach}; delete it after that time)",
            rfc3339(*until),
            target.account(),
            command(target.name(), &self.policy())
        )
    }
}

/// The policy that denies the sessions of any role that a session made, by the name that the engine gives all of them.
pub(crate) fn named_policy(serial: &Serial) -> Value {
    document(&[denial_of(&[user_id(&serial.to_string())].into())])
}

/// The command that gives a target role an inline policy. Each document has a policy of its own, because a second denial under the name
/// of the first would take its place and let the first sessions in again.
pub(crate) fn command(role: &str, policy: &Value) -> String {
    let document = policy.to_string();
    let sha256 = hex::encode(digest(&SHA256, document.as_bytes()));
    format!(
        "aws iam put-role-policy --role-name {role} --policy-name iamra-revoked-{} --policy-document '{document}'",
        &sha256[..NAME_DIGITS]
    )
}

/// The ids of sessions that the session with this serial number made, by every role.
fn user_id(serial: &str) -> String {
    format!("*:{}", session_name(serial))
}

fn denial_of(user_ids: &BTreeSet<String>) -> Value {
    json!({
        "Sid": format!("{SID_PREFIX}Sessions"), "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "StringLike": { "aws:userid": user_ids } },
    })
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The policies by the target's ARN, as answers show them.
pub(crate) fn policies(denials: &[TargetDenial]) -> Value {
    denials.iter().map(|denial| (denial.target.to_string(), json!(denial.policy().to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::records::session_event::{HopRecord, SessionRecord};

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05.5 UTC);
    const TARGET: &str = "arn:aws:iam::444455556666:role/apps/target";

    fn entry(source_identity: Option<&str>, hops: &[(i64, i64)]) -> Entry {
        let record = SessionRecord {
            serial: "0a:1b".to_owned(),
            role: "app".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/app".parse().unwrap(),
            trust_anchor_arn: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a"
                .parse()
                .unwrap(),
            cluster: None,
            access_key: "ASIAEXAMPLE00000".to_owned(),
            role_session_name: "0a1b".to_owned(),
            is_named: false,
            source_identity: source_identity.map(str::to_owned),
            issued: 0,
            expiration: NOW.unix_timestamp() + 40_000,
            plugin_version: "v0.0.0".to_owned(),
        };
        let hops = hops.iter().enumerate().map(|(number, (issued, expiration))| HopRecord {
            serial: "0a:1b".to_owned(),
            target_role_arn: TARGET.parse().unwrap(),
            access_key: format!("ASIAHOP{number}"),
            issued: NOW.unix_timestamp() + issued,
            expiration: NOW.unix_timestamp() + expiration,
        });
        Entry { record, holdings: BTreeMap::new(), has_more: false, hops: hops.collect(), is_denied: false }
    }

    #[test]
    fn living_hops_are_denied_by_source_identity_up_to_now() {
        let entries =
            [entry(Some("CN=b"), &[(-10, 3000)]), entry(Some("CN=a"), &[(-3700, -100), (-5, 2000)])];

        let denials = denials(&entries, NOW);

        let [denial] = &denials[..] else { panic!("{denials:?}") };
        let statement = &denial.policy()["Statement"][0];
        assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceIdentity"], json!(["CN=a", "CN=b"]));
        assert_eq!(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"], "2026-01-02T03:04:06Z");
        assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Deny"), &json!("*")));
        let text = denial.warning();
        assert!(text.starts_with("2 sessions of arn:aws:iam::444455556666:role/apps/target"), "{text}");
        assert!(
            text.contains("--role-name target --policy-name iamra-revoked-")
                && text.contains(" --policy-document '{"),
            "{text}"
        );
    }

    #[test]
    fn a_hop_that_lives_longer_than_its_callers_were_told_is_denied_too() {
        assert_eq!(denials(&[entry(Some("CN=a"), &[(-890, -300)])], NOW).len(), 1);
        assert_eq!(denials(&[entry(Some("CN=a"), &[(-900, -300)])], NOW), []);
    }

    #[test]
    fn a_second_denial_leaves_the_first_one_in_force() {
        let [one, other] = [[0x0a], [0x0b]].map(|serial| named_policy(&Serial::from_bytes(&serial)));
        let name = |policy| {
            let command = command("target", policy);
            command.split(" --policy-name ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        };

        assert_ne!(name(&one), name(&other));
        assert_eq!(name(&one), name(&one.clone()), "the same command again changes nothing");
    }

    #[test]
    fn a_session_without_a_source_identity_is_denied_by_its_name() {
        let denials = denials(&[entry(None, &[(-10, 3000)])], NOW);

        let condition = &denials[0].policy()["Statement"][0]["Condition"];
        assert_eq!(condition["StringLike"]["aws:userid"], json!(["*:0a1b"]));
    }

    #[test]
    fn of_a_session_that_nobody_knows_the_name_alone_is_denied() {
        let serial = Serial::from_bytes(&[0x0a, 0x1b]);

        let denial = TargetDenial::by_name(TARGET.parse().unwrap(), &serial, NOW);

        assert_eq!(denial.policy(), named_policy(&serial));
        assert_eq!(
            denial.policy()["Statement"][0]["Condition"],
            json!({ "StringLike": { "aws:userid": ["*:0a1b"] } })
        );
        let text = denial.warning();
        assert!(text.contains("if it made any") && text.contains("(it ends no other session; "), "{text}");
    }
}
