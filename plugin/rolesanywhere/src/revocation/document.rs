//! The document as IAM stores it. It is written in one form only, and read back only in that form.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::policy::{Policy, SourceDenial};

/// The document was not written by this module, or was edited since. It must not be overwritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the inline policy differs from those that this program writes: {0}")]
pub struct NotOurs(String);

const VERSION: &str = "2012-10-17";
/// The rest of a `Sid` after the prefix.
const BEFORE: &str = "IssuedBefore";
const SESSIONS: &str = "SessionsUntil";
const SOURCES: &str = "SourcesUntil";
const AND_BEFORE: &str = "Before";

const ISSUE_TIME: &str = "aws:TokenIssueTime";
const USER_ID: &str = "aws:userid";
const SOURCE_IDENTITY: &str = "aws:SourceIdentity";

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
/// A `Sid` takes letters and digits only.
const SID_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PolicyDocument {
    version: String,
    statement: Vec<DenyStatement>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DenyStatement {
    sid: String,
    effect: String,
    action: String,
    resource: String,
    condition: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Policy {
    /// Reads a document that a [`Policy`] with this `sid_prefix` wrote. White space and the order of keys are ignored;
    /// every other difference is an error.
    pub fn parse(sid_prefix: &'static str, document: &str) -> Result<Self, NotOurs> {
        let not_ours = |problem: &str| NotOurs(problem.to_owned());
        let value: Value = serde_json::from_str(document).map_err(|_| not_ours("it is not JSON"))?;
        let read: PolicyDocument = serde_json::from_value(value.clone())
            .map_err(|_| not_ours("it has members that are not known"))?;
        let mut policy = Self::new(sid_prefix);
        for statement in &read.statement {
            let sid: String = statement.sid.chars().take(64).collect();
            let unknown = || NotOurs(format!("the statement {sid:?} is not known"));
            policy.take(statement).ok_or_else(unknown)?;
        }
        let same = serde_json::to_value(policy.document()).is_ok_and(|written| written == value);
        if same { Ok(policy) } else { Err(not_ours("its statements were changed")) }
    }

    /// Adds the denials of one statement if it has our form. The comparison of the whole document shows whether it says
    /// more.
    fn take(&mut self, statement: &DenyStatement) -> Option<()> {
        let sid = statement.sid.strip_prefix(self.sid_prefix)?;
        if sid == BEFORE {
            self.deny_issued_before(time(TIME, statement.one("DateLessThan", ISSUE_TIME)?)?);
        } else if let Some(until) = sid.strip_prefix(SESSIONS) {
            let until = time(SID_TIME, until)?;
            for pattern in statement.many("StringLike", USER_ID)? {
                self.deny_session(pattern.strip_prefix("*:")?, until).ok()?;
            }
        } else {
            let (until, before) = sid.strip_prefix(SOURCES)?.split_once(AND_BEFORE)?;
            let (until, before) = (time(SID_TIME, until)?, time(SID_TIME, before)?);
            for identity in statement.many("StringEquals", SOURCE_IDENTITY)? {
                self.deny_source_identity(identity, before, until).ok()?;
            }
        }
        Some(())
    }

    fn sid(&self, rest: &str) -> String {
        format!("{}{rest}", self.sid_prefix)
    }

    fn document(&self) -> PolicyDocument {
        let mut statement = Vec::new();
        statement.extend(self.issued_before.map(|moment| {
            let before = ("DateLessThan", ISSUE_TIME, written(TIME, moment).into());
            DenyStatement::deny(self.sid(BEFORE), [before])
        }));
        statement.extend(grouped(&self.sessions).into_iter().map(|(until, names)| {
            let patterns: Vec<Value> = names.iter().map(|name| format!("*:{name}").into()).collect();
            DenyStatement::deny(self.sid(&dated(SESSIONS, until)), [("StringLike", USER_ID, patterns.into())])
        }));
        statement.extend(grouped(&self.sources).into_iter().map(|(source, identities)| {
            let SourceDenial { until, issued_before } = source;
            let sid = self.sid(&(dated(SOURCES, until) + &dated(AND_BEFORE, issued_before)));
            let before = ("DateLessThan", ISSUE_TIME, written(TIME, issued_before).into());
            DenyStatement::deny(sid, [before, ("StringEquals", SOURCE_IDENTITY, identities.into())])
        }));
        PolicyDocument { version: VERSION.to_owned(), statement }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.document()).unwrap_or_default())
    }
}

impl DenyStatement {
    fn deny<const N: usize>(sid: String, conditions: [(&str, &str, Value); N]) -> Self {
        let condition = conditions
            .into_iter()
            .map(|(operator, key, value)| (operator.to_owned(), BTreeMap::from([(key.to_owned(), value)])));
        Self {
            sid,
            effect: "Deny".to_owned(),
            action: "*".to_owned(),
            resource: "*".to_owned(),
            condition: condition.collect(),
        }
    }

    fn one(&self, operator: &str, key: &str) -> Option<&str> {
        self.condition.get(operator)?.get(key)?.as_str()
    }

    fn many(&self, operator: &str, key: &str) -> Option<Vec<&str>> {
        self.condition.get(operator)?.get(key)?.as_array()?.iter().map(Value::as_str).collect()
    }
}

/// Groups names by their value, so that one statement holds them all.
fn grouped<V: Copy + Ord>(all: &BTreeMap<String, V>) -> BTreeMap<V, Vec<&str>> {
    let mut groups: BTreeMap<V, Vec<&str>> = BTreeMap::new();
    for (name, value) in all {
        groups.entry(*value).or_default().push(name);
    }
    groups
}

fn dated(start: &str, moment: OffsetDateTime) -> String {
    format!("{start}{}", written(SID_TIME, moment))
}

fn written(format: &[BorrowedFormatItem<'_>], moment: OffsetDateTime) -> String {
    moment.format(format).unwrap_or_default()
}

fn time(format: &[BorrowedFormatItem<'_>], text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, format).ok().map(PrimitiveDateTime::assume_utc)
}
