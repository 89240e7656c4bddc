//! What is said of one link.

use std::fmt::{self, Display};

use vault_backend::Fault;

/// How a link is. The order is that of how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Nobody could look, and nothing follows from what was seen elsewhere.
    NotChecked,
    /// As it should be.
    Ok,
    /// It works, and should be mended all the same.
    Warning,
    /// No session because of it, or one that others can have too.
    Broken,
}

/// State, what was seen, and what cures it. `Display` is the text of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) state: State,
    seen: String,
    cure: Option<String>,
}

impl Verdict {
    pub(super) fn ok(seen: impl Display) -> Self {
        Self { state: State::Ok, seen: seen.to_string(), cure: None }
    }

    /// `how` says what would let it be checked.
    pub(super) fn not_checked(why: impl Display) -> Self {
        Self { state: State::NotChecked, seen: why.to_string(), cure: None }
    }

    pub(super) fn warning(seen: impl Display, cure: impl Into<String>) -> Self {
        Self { state: State::Warning, seen: seen.to_string(), cure: Some(cure.into()) }
    }

    pub(super) fn broken(seen: impl Display, cure: impl Into<String>) -> Self {
        Self { state: State::Broken, seen: seen.to_string(), cure: Some(cure.into()) }
    }

    /// Of a fault of the engine. Where its text ends in a command, that is the cure.
    pub(super) fn of_fault(fault: &Fault, otherwise: impl Into<String>) -> Self {
        let text = fault.to_string();
        match text.rsplit_once(": vault ") {
            Some((seen, command)) => Self::broken(seen, format!("vault {command}")),
            None => Self::broken(text, otherwise),
        }
    }

    /// Both, where a link has two things to say of one state; else the one that matters more.
    pub(super) fn and(self, other: Self) -> Self {
        if self.state != other.state {
            return if self.state > other.state { self } else { other };
        }
        let seen: Vec<String> = [self.seen, other.seen].into_iter().filter(|seen| !seen.is_empty()).collect();
        let seen = seen.join("; ");
        let mut cures: Vec<String> = self.cure.into_iter().chain(other.cure).collect();
        cures.dedup();
        Self { state: self.state, seen, cure: (!cures.is_empty()).then(|| cures.join("; ")) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, seen, cure } = self;
        write!(f, "{state}: {seen}")?;
        cure.as_ref().map_or(Ok(()), |cure| write!(f, " — cure: {cure}"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotChecked => "not checked",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_ends_in_a_command_has_it_as_its_cure() {
        let fault = Fault::operator("no issuer is the default: vault write iamra/config/issuers default=x");

        let text = Verdict::of_fault(&fault, "").to_string();

        assert_eq!(
            text,
            "broken: no issuer is the default — cure: vault write iamra/config/issuers default=x"
        );
    }

    #[test]
    fn of_two_the_worse_is_said_and_of_equals_both() {
        let (ok, warning) = (Verdict::ok("a"), Verdict::warning("b", "c"));

        assert_eq!(ok.and(warning.clone()), warning);
        assert_eq!(warning.and(Verdict::warning("d", "e")).to_string(), "warning: b; d — cure: c; e");
    }
}
