//! IAM policies: who may assume a role (`trust`), and what a role may then do (`identity`). A part that is not evaluated is an error, because
//! no statement may be silently true.

mod condition;
mod facts;
mod identity;
mod trust;

use serde_json::{Map, Value};

pub(crate) use facts::{Fact, Facts};
pub(crate) use identity::{Effect, Policy as IdentityPolicy};
pub(crate) use trust::{Named, Policy as TrustPolicy, Principal};

/// A policy that the emulator cannot evaluate, or that IAM would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The JSON is not of a policy's shape.
    #[error("{0} is missing or has the wrong type")]
    Shape(&'static str),
    /// A member this emulator does not evaluate.
    #[error("\"{0}\" is not evaluated by this emulator")]
    Member(String),
    /// A condition operator this emulator does not evaluate.
    #[error("condition operator \"{0}\" is not evaluated by this emulator")]
    Operator(String),
    /// A condition key this emulator does not evaluate.
    #[error("condition key \"{0}\" is not evaluated by this emulator")]
    Key(String),
    /// A value with a policy variable.
    #[error("policy variable in \"{0}\" is not evaluated by this emulator")]
    Variable(String),
    /// A date that is neither ISO 8601 nor a number of seconds.
    #[error("\"{0}\" is not a date")]
    Date(String),
    /// A statement's id outside `[0-9A-Za-z]*`.
    #[error("statement id \"{0}\" is not alphanumeric")]
    Sid(String),
    /// Two statements with one id.
    #[error("statement id \"{0}\" is there twice")]
    SidTwice(String),
    /// An action without its service in front.
    #[error("action \"{0}\" has no service in front")]
    Vendor(String),
    /// A resource that is neither `*` nor an ARN.
    #[error("resource \"{0}\" is neither * nor an ARN")]
    Resource(String),
}

/// The kind of policy, which decides the keys that a condition may test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Trust,
    Identity,
}

/// The statements of a policy: one, or a list of them.
fn statements(json: &Value) -> Result<Vec<&Map<String, Value>>, PolicyError> {
    let policy = json.as_object().ok_or(PolicyError::Shape("the policy"))?;
    only(policy, &["Version", "Id", "Statement"])?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return Err(PolicyError::Shape("Statement")),
    };
    statements.into_iter().map(|one| one.as_object().ok_or(PolicyError::Shape("a statement"))).collect()
}

fn allows(statement: &Map<String, Value>) -> Result<bool, PolicyError> {
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Ok(true),
        Some("Deny") => Ok(false),
        _ => Err(PolicyError::Shape("Effect")),
    }
}

/// Actions are matched without regard to case; `*` and `?` are wildcards.
fn names_action(patterns: &[String], action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    patterns.iter().any(|pattern| condition::like(&pattern.to_ascii_lowercase(), &action))
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), PolicyError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(PolicyError::Member(key.clone())),
        None => Ok(()),
    }
}

/// One string or a list of them.
fn texts(json: Option<&Value>) -> Option<Vec<String>> {
    match json? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(many) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
