//! A rule that fired, with its words filled in.

use super::Rule;

/// A rule that fired: what goes to the caller, and what goes to the log.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) rule: Rule,
    pub(crate) message: String,
    pub(crate) detail: String,
}

impl Refusal {
    /// `detail` is for the log and the admin page only.
    pub(crate) fn new(rule: Rule, detail: impl Into<String>) -> Refusal {
        Refusal { rule, message: rule.row().text.to_owned(), detail: detail.into() }
    }

    /// Fills `{name}` in the message.
    pub(crate) fn fill(mut self, name: &str, value: &str) -> Refusal {
        self.message = self.message.replace(&format!("{{{name}}}"), value);
        self
    }

    /// A value outside its bounds, in AWS's words.
    pub(crate) fn constraint(rule: Rule, member: &str, value: &str, constraint: &str) -> Refusal {
        Refusal::new(rule, format!("{member}: {constraint}"))
            .fill("member", member)
            .fill("constraint", constraint)
            .fill("value", value)
    }

    /// A member that is wrong in itself.
    pub(crate) fn member(rule: Rule, member: &str) -> Refusal {
        Refusal::new(rule, member).fill("member", member)
    }
}
