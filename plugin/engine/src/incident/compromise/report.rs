//! The report of a response to a compromise: a line for each step, done or left.

/// One line of the report.
pub(crate) struct ReportLine {
    /// The step in the imperative, such as `end the sessions of <ARN>`.
    pub(super) step: String,
    pub(super) outcome: StepOutcome,
}

/// How a step ended. Each variant holds the text that follows the step.
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum StepOutcome {
    /// The engine did it, or an earlier call had.
    Done(String),
    /// The engine may not do it. The text is the command or the action for a person.
    #[strum(serialize = "by hand")]
    ByHand(String),
    /// It is too early. The engine does it by itself at the time in the text, and the same call does it from then on.
    Later(String),
    /// It failed. The same call again may do it.
    Failed(String),
}

impl StepOutcome {
    fn text(&self) -> &str {
        match self {
            Self::Done(text) | Self::ByHand(text) | Self::Later(text) | Self::Failed(text) => text,
        }
    }

    pub(super) fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    pub(super) fn is_later(&self) -> bool {
        matches!(self, Self::Later(_))
    }
}

impl ReportLine {
    pub(super) fn new(step: impl Into<String>, outcome: StepOutcome) -> Self {
        Self { step: step.into(), outcome }
    }

    /// The line as the answer shows it: `<outcome>: <step>: <text>`. Scripts match the first word.
    pub(crate) fn text(&self) -> String {
        let how: &str = (&self.outcome).into();
        format!("{how}: {}: {}", self.step, self.outcome.text())
    }
}

/// One word for scripts: `incomplete` if a step failed, else `settling` if one is too early, else `by_hand`. It is never `done`,
/// because every report ends with steps that only a person may take.
pub(crate) fn state(report: &[ReportLine]) -> &'static str {
    if report.iter().any(|line| line.outcome.is_failed()) {
        "incomplete"
    } else if report.iter().any(|line| line.outcome.is_later()) {
        "settling"
    } else {
        "by_hand"
    }
}
