//! Findings in a role's trust policy about Roles Anywhere: flaws that refuse every session, and statements that admit more
//! than they seem to. No I/O.
//!
//! It is a reading aid and not IAM's evaluation: it checks statements that allow, one by one, and says which ones it
//! does not check. <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>

mod mismatch;
mod quote;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::arn::TrustAnchorArn;
use crate::shown::bounded;
use quote::{listed, shown};
use statement::{Condition, Statement};

pub use mismatch::Mismatch;

const SERVICE: &str = "rolesanywhere.amazonaws.com";
const ASSUME: &str = "sts:AssumeRole";
/// The number of characters of a statement's principals that a line shows.
const MAX_WHO: usize = 600;
/// `CreateSession` needs all three.
const ACTIONS: [&str; 3] = [ASSUME, "sts:TagSession", "sts:SetSourceIdentity"];

/// A finding in a trust policy. `Display` gives its meaning and its cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The document could not be read.
    Unreadable(String),
    /// No statement allows Roles Anywhere anything.
    NoPrincipal,
    /// Roles Anywhere is not allowed an action that `CreateSession` needs.
    MissingAction(&'static str),
    /// `aws:SourceArn` admits other trust anchors than this one.
    OtherAnchor {
        /// The anchors that it admits.
        values: Vec<String>,
        /// The anchor that it lacks.
        lacks: String,
    },
    /// There is no condition on the certificate: any certificate of the anchor's CA can assume the role.
    Unconditioned,
    /// An operator that is satisfied when its key is absent.
    PassesWhenAbsent {
        /// Such as `StringNotEquals` or `StringEqualsIfExists`.
        operator: String,
        /// Such as `aws:PrincipalTag/x509Subject/CN`.
        key: String,
    },
    /// A condition on the certificate that any value satisfies.
    AnyValue {
        /// The key.
        key: String,
    },
    /// There is no condition on the trust anchor: any anchor of the account leads to the role.
    NoSourceArn,
    /// The condition on `aws:SourceArn` admits anchors that are not named one by one.
    AnyAnchor {
        /// The pattern.
        value: String,
    },
    /// A statement admits a principal that needs no certificate.
    OtherPrincipal {
        /// Accounts, users or roles, or `*`.
        who: String,
    },
    /// A statement that is not checked.
    NotLookedInto(&'static str),
}

impl Finding {
    /// Whether AWS refuses every session because of it; otherwise it is a warning.
    pub fn is_broken(&self) -> bool {
        matches!(
            self,
            Self::Unreadable(_) | Self::NoPrincipal | Self::MissingAction(_) | Self::OtherAnchor { .. }
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(problem) => write!(f, "the trust policy cannot be read: {problem}"),
            Self::NoPrincipal => write!(f, "no statement allows the principal Service {SERVICE}"),
            Self::MissingAction(action) => {
                write!(f, "{SERVICE} is not allowed {action}; CreateSession needs {}", ACTIONS.join(", "))
            }
            Self::OtherAnchor { values, lacks } => write!(
                f,
                "aws:SourceArn admits only other trust anchors, {}, and lacks {lacks}",
                listed(values, ", ", shown)
            ),
            Self::Unconditioned => f.write_str(
                "no condition tests the certificate, so any certificate of the trust anchor's CA can assume the role; add \
                 StringEquals on aws:PrincipalTag/x509Subject/CN or sts:SourceIdentity",
            ),
            Self::PassesWhenAbsent { operator, key } => write!(
                f,
                "{} on {} admits a session without it, and AWS leaves out tags whose value has characters \
                 that tags cannot hold; use StringEquals or StringLike",
                shown(operator),
                shown(key)
            ),
            Self::AnyValue { key } => write!(f, "the condition on {} is satisfied by any value", shown(key)),
            Self::NoSourceArn => f.write_str(
                "any trust anchor of the account can be used for the role; add ArnEquals on aws:SourceArn with the anchor's ARN",
            ),
            Self::AnyAnchor { value } => {
                write!(f, "aws:SourceArn admits every trust anchor that matches {:?}; name the anchor's ARN", shown(value))
            }
            Self::OtherPrincipal { who } => {
                write!(f, "the role also admits, without any certificate: {}", bounded(who, MAX_WHO))
            }
            Self::NotLookedInto(what) => write!(f, "a statement with {what} is not checked"),
        }
    }
}

/// Returns the findings in a trust policy (`AssumeRolePolicyDocument`, decoded) for sessions through `anchor`.
pub fn lint(document: &str, anchor: &TrustAnchorArn) -> Vec<Finding> {
    let statements = match statements(document) {
        Ok(statements) => statements,
        Err(problem) => return vec![Finding::Unreadable(problem)],
    };
    let mut found: Vec<Finding> =
        statements.iter().filter_map(Statement::obscurity).map(Finding::NotLookedInto).collect();
    let others = statements.iter().filter_map(Statement::lets_in_others);
    found.extend(others.map(|who| Finding::OtherPrincipal { who }));
    let ours: Vec<&Statement> = statements.iter().filter(|one| one.allows_service(SERVICE)).collect();
    if ours.is_empty() {
        found.push(Finding::NoPrincipal);
        return unique(found);
    }
    let missing = ACTIONS.into_iter().filter(|action| !ours.iter().any(|one| one.has_action(action)));
    found.extend(missing.map(Finding::MissingAction));
    let entrances: Vec<&Statement> = ours.into_iter().filter(|one| one.has_action(ASSUME)).collect();
    found.extend(entrances.iter().flat_map(|one| of_certificate(one)));
    found.extend(of_anchor(&entrances, anchor));
    unique(found)
}

/// Returns the conditions on the certificate that refuse a session with these tags and this source identity, of the
/// statement that comes nearest to admitting it. Empty if a statement admits it, or if none compares texts plainly.
pub fn mismatches(document: &str, tags: &BTreeMap<String, String>, source_identity: &str) -> Vec<Mismatch> {
    let statements = statements(document).unwrap_or_default();
    let entrances = statements.iter().filter(|one| one.allows_service(SERVICE) && one.has_action(ASSUME));
    let kept_out = entrances.map(|one| {
        let unmet = one.conditions.iter().filter_map(|condition| condition.unmet(tags, source_identity));
        unmet.collect::<Vec<_>>()
    });
    kept_out.min_by_key(Vec::len).unwrap_or_default()
}

fn statements(document: &str) -> Result<Vec<Statement>, String> {
    let value: Value = serde_json::from_str(document).map_err(|_| "it is not JSON".to_owned())?;
    match value.get("Statement") {
        Some(Value::Array(all)) => Ok(all.iter().map(Statement::of).collect()),
        Some(one @ Value::Object(_)) => Ok(vec![Statement::of(one)]),
        _ => Err("it has no Statement".to_owned()),
    }
}

/// The findings about the certificate in one statement.
fn of_certificate(statement: &Statement) -> Vec<Finding> {
    let conditions: Vec<&Condition> =
        statement.conditions.iter().filter(|one| one.is_about_the_certificate()).collect();
    if conditions.is_empty() {
        return vec![Finding::Unconditioned];
    }
    let weak = |one: &&Condition| one.passes_when_absent() || one.takes_anything();
    // one condition that holds is enough, because a session must meet all of a statement's conditions
    if !conditions.iter().all(weak) {
        return conditions.iter().filter(|one| one.passes_when_absent()).map(|one| absent(one)).collect();
    }
    let finding = |one: &&Condition| match one.passes_when_absent() {
        true => absent(one),
        false => Finding::AnyValue { key: one.key.clone() },
    };
    conditions.iter().map(finding).collect()
}

fn absent(condition: &Condition) -> Finding {
    Finding::PassesWhenAbsent { operator: condition.operator.clone(), key: condition.key.clone() }
}

/// The findings about the anchors that the statements admit.
fn of_anchor(entrances: &[&Statement], anchor: &TrustAnchorArn) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    let mut open = false;
    for statement in entrances {
        let sources: Vec<&Condition> =
            statement.conditions.iter().filter(|one| one.ties_to_source()).collect();
        if sources.is_empty() {
            (open, found) = (true, [found, vec![Finding::NoSourceArn]].concat());
        } else if sources.iter().all(|one| one.lets_in(anchor.as_str())) {
            open = true;
            let wide = sources.iter().map(|one| one.wide_values(anchor)).min_by_key(Vec::len);
            found.extend(wide.unwrap_or_default().into_iter().map(|value| Finding::AnyAnchor { value }));
        } else {
            refused.extend(sources.iter().flat_map(|one| one.values.clone()));
        }
    }
    if !open && !entrances.is_empty() {
        found.push(Finding::OtherAnchor { values: refused, lacks: anchor.to_string() });
    }
    found
}

fn unique(found: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in found {
        if !kept.contains(&finding) {
            kept.push(finding);
        }
    }
    kept
}
