//! Errors by who must act; `wire.rs` maps each to a status of Vault.

use std::fmt::{self, Display, Formatter};

/// The text by which Vault recognises a write that it must forward to the active node. Vault compares it exactly.
pub const READ_ONLY: &str = "cannot write to readonly storage";

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The caller must correct the request: 400.
    Caller,
    /// The operator must set something up; [`Fault::cure`] says what: 400.
    Operator,
    /// A service behind the engine refused: 400, because 403 is Vault's own answer for its policies.
    Refused,
    /// Try again later: 503.
    Later,
    /// This node may not write. Vault forwards the request to a node that may; 500 if there is none.
    ReadOnly,
    /// No route has the path: 404.
    UnknownPath,
    /// The path has a route, but the object to change does not exist: 404.
    NotThere,
    /// The route does not offer the operation: 405.
    WrongOperation,
    /// A bug of the plugin: 500 without detail, logged whole.
    Bug,
}

/// Why a request failed, with a text for the person who must act.
///
/// Texts are lower case without a final period, name the field, its value and the bound, and never hold a secret.
#[derive(Clone, Debug)]
pub struct Fault {
    blame: Blame,
    text: Box<str>,
    cure: Option<Box<str>>,
    detail: Option<Box<str>>,
    name: Option<Box<str>>,
}

impl Fault {
    fn new(blame: Blame, text: impl Into<String>) -> Fault {
        Fault { blame, text: text.into().into_boxed_str(), cure: None, detail: None, name: None }
    }

    /// [`Blame::Caller`].
    pub fn caller(text: impl Into<String>) -> Fault {
        Fault::new(Blame::Caller, text)
    }

    /// [`Blame::Operator`].
    pub fn operator(text: impl Into<String>) -> Uncured {
        Uncured(Fault::new(Blame::Operator, text))
    }

    /// [`Blame::Refused`].
    pub fn refused(text: impl Into<String>) -> Fault {
        Fault::new(Blame::Refused, text)
    }

    /// [`Blame::Later`].
    pub fn later(text: impl Into<String>) -> Fault {
        Fault::new(Blame::Later, text)
    }

    /// [`Blame::Bug`]. The caller sees "internal error"; `error` goes to the log.
    pub fn bug(error: impl Display) -> Fault {
        Fault { detail: Some(error.to_string().into_boxed_str()), ..Fault::new(Blame::Bug, "internal error") }
    }

    /// Adds a short name that programs can compare. Vault's own error body has no field for it; see
    /// [`crate::Route::render_errors_with`].
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Fault {
        Fault { name: Some(name.into().into_boxed_str()), ..self }
    }

    /// Puts the subject of the fault in front: `<subject>: <text>`. A fault that only Vault or the log reads stays
    /// unchanged.
    #[must_use]
    pub fn within(self, subject: impl Display) -> Fault {
        match self.blame {
            Blame::ReadOnly | Blame::Bug => self,
            _ => Fault { text: format!("{subject}: {}", self.text).into_boxed_str(), ..self },
        }
    }

    /// Adds what the reader must know or do all the same: `<text>; <note>`. A fault that only Vault or the log reads stays
    /// unchanged.
    #[must_use]
    pub fn with_note(self, note: impl Display) -> Fault {
        match self.blame {
            Blame::ReadOnly | Blame::Bug => self,
            _ => Fault { text: format!("{}; {note}", self.text).into_boxed_str(), ..self },
        }
    }

    /// [`Blame::ReadOnly`], in Vault's exact words.
    #[must_use]
    pub fn read_only() -> Fault {
        Fault::new(Blame::ReadOnly, READ_ONLY)
    }

    pub(crate) fn unknown_path() -> Fault {
        Fault::new(Blame::UnknownPath, "unsupported path")
    }

    pub(crate) fn not_there() -> Fault {
        Fault::new(Blame::NotThere, "nothing is there to change")
    }

    pub(crate) fn wrong_operation() -> Fault {
        Fault::new(Blame::WrongOperation, "unsupported operation")
    }

    /// The text without the cure.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.text
    }

    /// The command that cures it, or the step that a person takes; none if the fault is not the operator's, or if its text says it.
    #[must_use]
    pub fn cure(&self) -> Option<&str> {
        self.cure.as_deref()
    }

    /// Who must act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        self.blame
    }

    /// The short name for programs, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether Vault itself must see this fault: to forward the request, or to answer as for any path without a route.
    pub(crate) fn is_for_vault(&self) -> bool {
        match self.blame {
            Blame::ReadOnly | Blame::UnknownPath | Blame::WrongOperation => true,
            Blame::Caller
            | Blame::Operator
            | Blame::Refused
            | Blame::Later
            | Blame::NotThere
            | Blame::Bug => false,
        }
    }

    /// The text for the log alone: the cause of a bug.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The HTTP status that a client of Vault sees.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.blame {
            Blame::Caller | Blame::Operator | Blame::Refused => 400,
            Blame::UnknownPath | Blame::NotThere => 404,
            Blame::WrongOperation => 405,
            Blame::ReadOnly | Blame::Bug => 500,
            Blame::Later => 503,
        }
    }

    pub(crate) fn log(&self) {
        let detail = self.detail.as_deref();
        match self.blame {
            Blame::Bug => tracing::error!(detail, "request failed: {self}"),
            Blame::Later => tracing::warn!(detail, "request failed: {self}"),
            _ => tracing::debug!(blame = ?self.blame, "request refused: {self}"),
        }
    }

    /// As [`Fault::log`], with refusals at a level that is on by default, because Vault's audit has only the hash of a
    /// raw response.
    pub(crate) fn log_for_audit(&self) {
        match self.blame {
            Blame::Bug | Blame::Later => self.log(),
            _ => tracing::info!(blame = ?self.blame, "request refused: {self}"),
        }
    }
}

/// A fault of the operator that still lacks its cure. It becomes a [`Fault`] only with one.
#[derive(Debug)]
#[must_use = "give it a cure"]
pub struct Uncured(Fault);

impl Uncured {
    /// The fault with the command that cures it, or the step that a person takes. [`Display`] puts it behind the text and a colon.
    pub fn cure(self, cure: impl Into<String>) -> Fault {
        Fault { cure: Some(cure.into().into_boxed_str()), ..self.0 }
    }

    /// The fault, whose text already says the cure, as the text of another crate's error does.
    pub fn cure_is_told(self) -> Fault {
        self.0
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.cure.iter().try_for_each(|cure| write!(f, ": {cure}"))
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_fault_shows_its_cure_behind_its_text() {
        let fault = Fault::operator("no issuer is the default").cure("vault write notes/config");

        assert_eq!(
            fault.within("web").to_string(),
            "web: no issuer is the default: vault write notes/config"
        );
    }
}
