//! What a response to a compromise did and left, line by line.

/// One line of the report.
pub(crate) struct Line {
    pub(super) step: String,
    pub(super) outcome: Outcome,
}

/// How a step ended.
pub(crate) enum Outcome {
    Done(String),
    /// The engine may not, and a person must.
    ByHand(String),
    /// It is too early: the engine does it by itself, and the same call then.
    Later(String),
    /// The same call again may do it.
    Failed(String),
}

impl Outcome {
    pub(super) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    pub(super) fn is_later(&self) -> bool {
        matches!(self, Self::Later(_))
    }
}

impl Line {
    pub(super) fn new(step: impl Into<String>, outcome: Outcome) -> Self {
        Self { step: step.into(), outcome }
    }

    /// For whoever reads the report.
    pub(crate) fn told(&self) -> String {
        let (how, what) = match &self.outcome {
            Outcome::Done(what) => ("done", what),
            Outcome::ByHand(what) => ("by hand", what),
            Outcome::Later(what) => ("later", what),
            Outcome::Failed(what) => ("failed", what),
        };
        format!("{how}: {}: {what}", self.step)
    }
}

/// One word for scripts.
pub(crate) fn state(report: &[Line]) -> &'static str {
    if report.iter().any(|line| line.outcome.is_failed()) {
        "incomplete"
    } else if report.iter().any(|line| line.outcome.is_later()) {
        "settling"
    } else {
        "by_hand"
    }
}
