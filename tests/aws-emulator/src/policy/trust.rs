//! Trust policies, as far as Roles Anywhere, an IAM user and the session of another role need them.

use serde_json::{Map, Value};

use super::{
    Kind, PolicyError, allows, condition::Condition, facts::Facts, names_action, only, statements, texts,
};
use crate::rules::Rule;

const PRINCIPAL: &str = "rolesanywhere.amazonaws.com";

/// The caller that assumes a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    RolesAnywhere,
    /// An IAM user, by its ARN.
    User(String),
    /// A session of a role: role chaining.
    Session {
        role_arn: String,
        session_arn: String,
    },
}

/// How a statement names the caller, weakest first. In one account it decides which of the caller's own policies must allow the action too.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// Its whole account, which gives the decision to that account's policies.
    Account,
    /// Its role or everyone.
    Role,
    /// Itself.
    Caller,
}

/// A parsed trust policy.
#[derive(Debug)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug)]
struct Statement {
    allows: bool,
    principals: Principals,
    actions: Vec<String>,
    conditions: Vec<Condition>,
}

impl Policy {
    pub(crate) fn parse(json: &Value) -> Result<Policy, PolicyError> {
        statements(json)?.into_iter().map(Statement::parse).collect::<Result<_, _>>().map(Policy)
    }

    /// A matching Deny wins; otherwise one Allow must match, and the strongest naming among those counts. The reason distinguishes a missing
    /// action from a false condition.
    pub(crate) fn evaluate(
        &self,
        who: &Principal,
        action: &str,
        facts: &Facts,
    ) -> Result<Named, (Rule, String)> {
        let named = self.0.iter().filter(|one| names_action(&one.actions, action));
        let about: Vec<(Named, &Statement)> =
            named.filter_map(|one| Some((one.principals.name(who)?, one))).collect();
        if about.iter().any(|(_, one)| !one.allows && one.false_condition(facts).is_none()) {
            return Err((Rule::ExplicitDeny, format!("{action} is denied by a statement")));
        }
        let allows: Vec<_> = about.iter().filter(|(_, one)| one.allows).collect();
        let met = allows.iter().filter(|(_, one)| one.false_condition(facts).is_none());
        if let Some(strongest) = met.map(|(named, _)| *named).max() {
            return Ok(strongest);
        }
        if allows.is_empty() {
            return Err((Rule::TrustPolicyAction, format!("no statement allows {who} {action}")));
        }
        let reasons: Vec<String> = allows.iter().filter_map(|(_, one)| one.false_condition(facts)).collect();
        Err((Rule::Condition, format!("{action}: {}", reasons.join("; "))))
    }
}

impl Statement {
    fn parse(statement: &Map<String, Value>) -> Result<Statement, PolicyError> {
        only(statement, &["Sid", "Effect", "Principal", "Action", "Condition"])?;
        Ok(Statement {
            allows: allows(statement)?,
            principals: Principals::parse(statement.get("Principal"))?,
            actions: texts(statement.get("Action")).ok_or(PolicyError::Shape("Action"))?,
            conditions: Condition::parse_all(statement.get("Condition"), Kind::Trust)?,
        })
    }

    fn false_condition(&self, facts: &Facts) -> Option<String> {
        self.conditions.iter().find_map(|condition| condition.unmet(facts))
    }
}

/// The principals of a statement.
#[derive(Debug)]
struct Principals {
    everyone: bool,
    services: Vec<String>,
    /// ARNs and account numbers.
    aws: Vec<String>,
}

impl Principals {
    /// `"*"` and `{"AWS": "*"}` mean everyone, Roles Anywhere too.
    fn parse(principal: Option<&Value>) -> Result<Principals, PolicyError> {
        match principal {
            Some(Value::String(all)) if all == "*" => {
                Ok(Principals { everyone: true, services: Vec::new(), aws: Vec::new() })
            }
            Some(Value::Object(kinds)) => {
                only(kinds, &["Service", "AWS", "Federated", "CanonicalUser"])?;
                let of = |kind: &str| texts(kinds.get(kind)).unwrap_or_default();
                let (services, aws) = (of("Service"), of("AWS"));
                Ok(Principals { everyone: aws.iter().any(|one| one == "*"), services, aws })
            }
            _ => Err(PolicyError::Shape("Principal")),
        }
    }

    /// A user is named by its ARN, a session by its own or its role's, both by their whole account: as `arn:aws:iam::<account>:root` or as its
    /// number.
    fn name(&self, who: &Principal) -> Option<Named> {
        let holds = |arn: &str| self.aws.iter().any(|one| one == arn);
        let (own, role) = match who {
            Principal::RolesAnywhere => (self.services.iter().any(|one| one == PRINCIPAL), None),
            Principal::User(arn) => (holds(arn), None),
            Principal::Session { role_arn, session_arn } => (holds(session_arn), Some(role_arn)),
        };
        let account = who.account();
        if own {
            Some(Named::Caller)
        } else if self.everyone || role.is_some_and(|arn| holds(arn)) {
            Some(Named::Role)
        } else {
            account
                .is_some_and(|account| holds(account) || holds(&format!("arn:aws:iam::{account}:root")))
                .then_some(Named::Account)
        }
    }
}

impl Principal {
    fn account(&self) -> Option<&str> {
        match self {
            Principal::RolesAnywhere => None,
            Principal::User(arn) | Principal::Session { role_arn: arn, .. } => arn.split(':').nth(4),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Principal::RolesAnywhere => PRINCIPAL,
            Principal::User(arn) | Principal::Session { session_arn: arn, .. } => arn,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(action: &Value, condition: &Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": PRINCIPAL}, "Action": action, "Condition": condition,
        }]})
    }

    fn rule(policy: &Value, facts: &Facts) -> Option<Rule> {
        let parsed = Policy::parse(policy).unwrap();
        parsed.evaluate(&Principal::RolesAnywhere, "sts:AssumeRole", facts).err().map(|(rule, _)| rule)
    }

    #[test]
    fn an_action_that_no_statement_names_differs_from_a_condition_that_is_false() {
        let facts = Facts::default();
        let wrong_account = json!({"StringEquals": {"aws:SourceAccount": "999999999999"}});

        assert_eq!(
            rule(&policy(&json!("sts:TagSession"), &json!({})), &facts),
            Some(Rule::TrustPolicyAction)
        );
        assert_eq!(rule(&policy(&json!(["sts:AssumeRole"]), &wrong_account), &facts), Some(Rule::Condition));
        assert_eq!(rule(&policy(&json!("STS:*"), &json!({})), &facts), None);
    }

    #[test]
    fn a_deny_wins_over_an_allow() {
        let mut both = policy(&json!("*"), &json!({}));
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"});
        both["Statement"].as_array_mut().unwrap().push(deny);

        assert_eq!(rule(&both, &Facts::default()), Some(Rule::ExplicitDeny));
    }

    #[test]
    fn what_is_not_evaluated_is_an_error() {
        let numeric = policy(&json!("*"), &json!({"NumericEquals": {"aws:SourceAccount": "1"}}));
        let key = policy(&json!("*"), &json!({"StringEquals": {"aws:SourceIp": "1.2.3.4"}}));
        let mut not_action = policy(&json!("*"), &json!({}));
        not_action["Statement"][0]["NotAction"] = json!("sts:AssumeRole");

        assert_eq!(Policy::parse(&numeric).unwrap_err(), PolicyError::Operator("NumericEquals".to_owned()));
        assert_eq!(Policy::parse(&key).unwrap_err(), PolicyError::Key("aws:SourceIp".to_owned()));
        assert_eq!(Policy::parse(&not_action).unwrap_err(), PolicyError::Member("NotAction".to_owned()));
    }

    #[test]
    fn a_user_comes_in_by_its_arn_or_its_account_and_not_as_roles_anywhere() {
        let user = Principal::User("arn:aws:iam::111122223333:user/vault".to_owned());
        let lets_in = |principal: Value| {
            let mut json = policy(&json!("sts:AssumeRole"), &json!({}));
            json["Statement"][0]["Principal"] = principal;
            let policy = Policy::parse(&json).unwrap();
            policy.evaluate(&user, "sts:AssumeRole", &Facts::default()).is_ok()
        };

        assert!(lets_in(json!({"AWS": ["arn:aws:iam::111122223333:user/vault"]})));
        assert!(lets_in(json!({"AWS": "arn:aws:iam::111122223333:root"})));
        assert!(lets_in(json!({"AWS": "111122223333"})));
        assert!(!lets_in(json!({"AWS": "arn:aws:iam::111122223333:user/other"})));
        assert!(!lets_in(json!({"AWS": "arn:aws:iam::999999999999:root"})));
        assert!(!lets_in(json!({"Service": PRINCIPAL})));
    }

    #[test]
    fn a_session_is_named_by_its_account_its_role_or_itself() {
        let session = Principal::Session {
            role_arn: "arn:aws:iam::111122223333:role/apps/hub".to_owned(),
            session_arn: "arn:aws:sts::111122223333:assumed-role/hub/01ff".to_owned(),
        };
        let named = |principal: Value| {
            let mut json = policy(&json!("sts:AssumeRole"), &json!({}));
            json["Statement"][0]["Principal"] = principal;
            Policy::parse(&json).unwrap().evaluate(&session, "sts:AssumeRole", &Facts::default()).ok()
        };

        assert_eq!(named(json!({"AWS": "111122223333"})), Some(Named::Account));
        assert_eq!(named(json!({"AWS": "arn:aws:iam::111122223333:role/apps/hub"})), Some(Named::Role));
        assert_eq!(named(json!({"AWS": "*"})), Some(Named::Role));
        let own = "arn:aws:sts::111122223333:assumed-role/hub/01ff";
        assert_eq!(named(json!({"AWS": ["111122223333", own]})), Some(Named::Caller));
        assert_eq!(named(json!({"AWS": "arn:aws:iam::111122223333:role/hub"})), None);
    }

    #[test]
    fn a_policy_for_another_service_lets_nobody_in() {
        let mut ec2 = policy(&json!("*"), &json!({}));
        ec2["Statement"][0]["Principal"] = json!({"Service": "ec2.amazonaws.com"});

        assert_eq!(rule(&ec2, &Facts::default()), Some(Rule::TrustPolicyAction));
    }
}
