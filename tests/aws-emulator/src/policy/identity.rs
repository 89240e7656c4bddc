//! Identity policies (also permissions boundaries and session policies): the verdict of their statements on one action on one resource.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    Kind, PolicyError, allows,
    condition::{self, Condition},
    facts::Facts,
    names_action, only, statements, texts,
};

const MEMBERS: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// A parsed identity policy.
#[derive(Debug)]
pub(crate) struct Policy(Vec<Statement>);

/// The verdict of a policy on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    Silent,
    Allows,
    Denies,
}

#[derive(Debug)]
struct Statement {
    allows: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
struct Patterns {
    /// `NotAction`, `NotResource`.
    negated: bool,
    patterns: Vec<String>,
}

impl Policy {
    /// A JSON object, or the text of one.
    pub(crate) fn parse(document: &Value) -> Result<Policy, PolicyError> {
        let parsed;
        let json = match document {
            Value::String(text) => {
                parsed = serde_json::from_str(text).map_err(|_| PolicyError::Shape("the policy"))?;
                &parsed
            }
            json => json,
        };
        let version = json.get("Version");
        if version.is_some_and(|version| version != "2012-10-17" && version != "2008-10-17") {
            return Err(PolicyError::Shape("Version"));
        }
        let statements = statements(json)?;
        if statements.is_empty() {
            return Err(PolicyError::Shape("Statement"));
        }
        check_ids(&statements)?;
        statements.into_iter().map(Statement::parse).collect::<Result<_, _>>().map(Policy)
    }

    /// A matching Deny wins over any Allow. `resource` is an ARN, or `*` for an action that has none.
    pub(crate) fn effect(&self, action: &str, resource: &str, facts: &Facts) -> Effect {
        let matching = self.0.iter().filter(|one| one.is_about(action, resource, facts));
        matching
            .map(|one| if one.allows { Effect::Allows } else { Effect::Denies })
            .max()
            .unwrap_or(Effect::Silent)
    }
}

/// IAM takes letters and digits only, and each id once.
fn check_ids(statements: &[&Map<String, Value>]) -> Result<(), PolicyError> {
    let mut seen = HashSet::new();
    for id in statements.iter().filter_map(|statement| statement.get("Sid")) {
        let id = id.as_str().ok_or(PolicyError::Shape("Sid"))?;
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(PolicyError::Sid(id.to_owned()));
        }
        if !id.is_empty() && !seen.insert(id) {
            return Err(PolicyError::SidTwice(id.to_owned()));
        }
    }
    Ok(())
}

impl Statement {
    fn parse(statement: &Map<String, Value>) -> Result<Statement, PolicyError> {
        only(statement, &MEMBERS)?;
        let actions = Patterns::parse(statement, "Action", "NotAction")?;
        if let Some(bare) = actions.patterns.iter().find(|one| *one != "*" && !one.contains(':')) {
            return Err(PolicyError::Vendor(bare.clone()));
        }
        let resources = Patterns::parse(statement, "Resource", "NotResource")?;
        let unlike = |one: &&String| *one != "*" && one.splitn(6, ':').count() != 6;
        if let Some(other) = resources.patterns.iter().find(unlike) {
            return Err(PolicyError::Resource(other.clone()));
        }
        if let Some(variable) = resources.patterns.iter().find(|one| one.contains("${")) {
            return Err(PolicyError::Variable(variable.clone()));
        }
        let conditions = Condition::parse_all(statement.get("Condition"), Kind::Identity)?;
        Ok(Statement { allows: allows(statement)?, actions, resources, conditions })
    }

    fn is_about(&self, action: &str, resource: &str, facts: &Facts) -> bool {
        let named = names_action(&self.actions.patterns, action);
        let covered =
            self.resources.patterns.iter().any(|one| one == "*" || condition::arn_like(one, resource));
        named != self.actions.negated
            && covered != self.resources.negated
            && self.conditions.iter().all(|condition| condition.unmet(facts).is_none())
    }
}

impl Patterns {
    /// Exactly one of the two members.
    fn parse(
        statement: &Map<String, Value>,
        plain: &'static str,
        inverse: &str,
    ) -> Result<Patterns, PolicyError> {
        let (value, negated) = match (statement.get(plain), statement.get(inverse)) {
            (value @ Some(_), None) => (value, false),
            (None, value @ Some(_)) => (value, true),
            _ => return Err(PolicyError::Shape(plain)),
        };
        let patterns = texts(value).filter(|texts| !texts.is_empty()).ok_or(PolicyError::Shape(plain))?;
        Ok(Patterns { negated, patterns })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fact;
    use super::*;
    use serde_json::json;

    const ANCHOR: &str = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a";

    fn effect(statements: &Value, action: &str, resource: &str) -> Effect {
        let policy = Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap();
        let facts = Facts::default()
            .with(Fact::TokenIssueTime, "2026-01-02T03:04:05Z")
            .with(Fact::UserId, "AROAEXAMPLE:01ff");
        policy.effect(action, resource, &facts)
    }

    fn error(statement: &Value) -> PolicyError {
        Policy::parse(&json!({"Statement": statement})).unwrap_err()
    }

    #[test]
    fn a_deny_wins_over_an_allow_and_silence_is_neither() {
        let allow = json!({"Effect": "Allow", "Action": "RolesAnywhere:Get*", "Resource": ANCHOR});
        let deny = json!({"Effect": "Deny", "Action": ["*"], "Resource": ["*"],
            "Condition": {"StringLike": {"aws:userid": "*:01ff"}}});

        assert_eq!(effect(&json!([allow]), "rolesanywhere:GetTrustAnchor", ANCHOR), Effect::Allows);
        assert_eq!(effect(&json!([allow]), "rolesanywhere:UpdateTrustAnchor", ANCHOR), Effect::Silent);
        assert_eq!(effect(&json!([allow]), "rolesanywhere:GetTrustAnchor", "*"), Effect::Silent);
        assert_eq!(effect(&json!([allow, deny]), "rolesanywhere:GetTrustAnchor", ANCHOR), Effect::Denies);
    }

    #[test]
    fn the_break_glass_hits_sessions_issued_before_it() {
        let before = |date: &str| {
            json!([{"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": date}}}])
        };

        assert_eq!(effect(&before("2026-01-02T03:04:05Z"), "s3:GetObject", "*"), Effect::Silent);
        assert_eq!(effect(&before("2026-01-02T03:04:05.001Z"), "s3:GetObject", "*"), Effect::Denies);
        assert_eq!(effect(&before("1767323046"), "s3:GetObject", "*"), Effect::Denies);
    }

    #[test]
    fn what_is_named_by_not_action_and_not_resource_is_left_out() {
        let statement = json!({"Effect": "Deny", "NotAction": "iam:*", "NotResource": ANCHOR});

        assert_eq!(effect(&statement, "iam:GetRole", "*"), Effect::Silent);
        assert_eq!(effect(&statement, "rolesanywhere:GetTrustAnchor", ANCHOR), Effect::Silent);
        assert_eq!(effect(&statement, "rolesanywhere:ListTrustAnchors", "*"), Effect::Denies);
    }

    #[test]
    fn what_iam_does_not_take_is_an_error() {
        let with = |member: &str, value: Value| {
            let mut statement = json!({"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"});
            statement[member] = value;
            error(&statement)
        };

        assert_eq!(with("Sid", json!("iamra-1")), PolicyError::Sid("iamra-1".to_owned()));
        assert_eq!(with("Principal", json!("*")), PolicyError::Member("Principal".to_owned()));
        assert_eq!(with("Action", json!("GetRole")), PolicyError::Vendor("GetRole".to_owned()));
        assert_eq!(with("Resource", json!("role/x")), PolicyError::Resource("role/x".to_owned()));
        assert_eq!(with("NotAction", json!("iam:*")), PolicyError::Shape("Action"));
        assert_eq!(error(&json!([])), PolicyError::Shape("Statement"));
        let odd = json!({"DateLessThan": {"aws:TokenIssueTime": "yesterday"}});
        assert_eq!(with("Condition", odd), PolicyError::Date("yesterday".to_owned()));
    }
}
