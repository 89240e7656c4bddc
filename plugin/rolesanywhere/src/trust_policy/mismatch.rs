//! A condition that a session does not meet.

use std::fmt;

use super::quote::{listed, quoted, shown};

/// A condition on the certificate that a session does not meet. `Display` says what is wanted and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Such as `aws:PrincipalTag/x509Subject/CN`.
    pub key: String,
    /// Any of these would do, as patterns where the operator takes them. None where the policy has an empty list, or no texts.
    pub wanted: Vec<String>,
    /// What the session has, if it has anything.
    pub given: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wanted.is_empty() {
            return write!(f, "{} is compared with no value, which no session meets", shown(&self.key));
        }
        write!(f, "{} must be {}", shown(&self.key), listed(&self.wanted, " or ", quoted))?;
        match &self.given {
            Some(given) => write!(f, ", and is {}", quoted(given)),
            None => f.write_str(", and is absent"),
        }
    }
}
