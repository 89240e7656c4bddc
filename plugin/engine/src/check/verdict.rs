//! The verdict on one link: its state, what was seen, and the cure.

use std::fmt::{self, Display};

use vault_backend::Fault;

use super::link::Link;

/// The state of a link, in the order of weight: of two verdicts the greater one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(super) enum LinkState {
    /// Nobody could look, and nothing follows from what was seen elsewhere. The least, because any finding outranks it.
    #[strum(serialize = "not checked")]
    NotChecked,
    /// It is as it should be.
    Ok,
    /// It works, and should be mended all the same.
    Warning,
    /// It prevents a session, or lets others have one too.
    Broken,
}

/// A finding of one link that decides the cure of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clue {
    /// The profile does not list the role.
    NotListed,
    /// IAM has no role of this ARN.
    NoSuchRole,
}

/// How a link is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// A command, or an action for a person.
    Text(String),
    /// The cure of this other link, which is not repeated.
    Of(Link),
}

impl<T: Into<String>> From<T> for Cure {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Of(link) => write!(f, "see {}", link.key()),
        }
    }
}

/// State, what was seen, and the cures. `Display` is the text of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Decides which of two verdicts counts.
    pub(super) state: LinkState,
    /// Empty if the verdict adds nothing; [`Self::and`] drops an empty text.
    seen: String,
    /// Each cure once, in the order in which they were found.
    cures: Vec<Cure>,
    /// None for most verdicts.
    clue: Option<Clue>,
}

impl Verdict {
    pub(super) fn ok(seen: impl Display) -> Self {
        Self::new(LinkState::Ok, seen, Vec::new())
    }

    /// `why` says what prevented the check, and may say what would allow it.
    pub(super) fn not_checked(why: impl Display) -> Self {
        Self::new(LinkState::NotChecked, why, Vec::new())
    }

    pub(super) fn warning(seen: impl Display, cure: impl Into<Cure>) -> Self {
        Self::new(LinkState::Warning, seen, vec![cure.into()])
    }

    /// Prevents a session. Takes a cure, because a broken link must say how to mend it.
    pub(super) fn broken(seen: impl Display, cure: impl Into<Cure>) -> Self {
        Self::new(LinkState::Broken, seen, vec![cure.into()])
    }

    fn new(state: LinkState, seen: impl Display, cures: Vec<Cure>) -> Self {
        Self { state, seen: seen.to_string(), cures, clue: None }
    }

    /// The same with a clue to another link's cure.
    pub(super) fn with_clue(self, clue: Clue) -> Self {
        Self { clue: Some(clue), ..self }
    }

    /// Whether it left this clue.
    pub(super) fn has_clue(&self, clue: Clue) -> bool {
        self.clue == Some(clue)
    }

    /// The same with `cure` in place of all its cures.
    pub(super) fn cured_by(self, cure: impl Into<Cure>) -> Self {
        Self { cures: vec![cure.into()], ..self }
    }

    /// Whether `cure` is its only cure.
    pub(super) fn is_cured_by(&self, cure: &Cure) -> bool {
        self.cures == [cure.clone()]
    }

    /// A fault of the engine as a broken link, with the fault's own cure if it has one.
    pub(super) fn of_fault(fault: &Fault, otherwise: impl Into<Cure>) -> Self {
        match fault.cure() {
            Some(cure) => Self::broken(fault.why(), cure),
            None => Self::broken(fault.why(), otherwise),
        }
    }

    /// Joins two verdicts on one link: the one that matters more or, if both have the same state, both texts and all cures.
    pub(super) fn and(self, other: Self) -> Self {
        if self.state != other.state {
            return if self.state > other.state { self } else { other };
        }
        let seen: Vec<String> = [self.seen, other.seen].into_iter().filter(|seen| !seen.is_empty()).collect();
        let seen = seen.join("; ");
        let mut cures = self.cures;
        for cure in other.cures {
            if !cures.contains(&cure) {
                cures.push(cure);
            }
        }
        Self { state: self.state, seen, cures, clue: self.clue.or(other.clue) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.state, self.seen)?;
        for (number, cure) in self.cures.iter().enumerate() {
            let before = if number == 0 { " — cure: " } else { "; " };
            write!(f, "{before}{cure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cure_of_an_operators_fault_is_that_of_its_link() {
        let fault =
            Fault::operator("no issuer is the default").cure("vault write iamra/config/issuers default=x");

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

    #[test]
    fn a_cure_of_several_faults_is_told_once() {
        let of = |seen: &str, cure: &str| Verdict::broken(seen, cure);

        let all = of("a", "x").and(of("b", "y")).and(of("c", "x"));

        assert_eq!(all.to_string(), "broken: a; b; c — cure: x; y");
    }
}
