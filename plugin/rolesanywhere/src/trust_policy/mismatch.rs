//! A condition that a session does not meet.

use std::fmt;

use super::quote::{listed, quoted, shown};

/// A condition on the certificate that a session does not meet. `Display` gives the wanted and the given value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Such as `aws:PrincipalTag/x509Subject/CN`.
    pub key: String,
    /// Any of these values meets it; they are patterns if the operator takes patterns. Empty if the policy has an empty
    /// list, or no texts.
    pub wanted: Vec<String>,
    /// The session's value, if it has one.
    pub given: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wanted.is_empty() {
            return write!(f, "{} is compared with no value, which no session meets", shown(&self.key));
        }
        write!(f, "{} must be {}", shown(&self.key), listed(&self.wanted, " or ", quoted))?;
        match &self.given {
            Some(given) => write!(f, " but is {}", quoted(given)),
            None => f.write_str(" but is absent"),
        }
    }
}
