//! What kind of line one JSON value is, by its fields.

use serde_json::Value;

use crate::fact::LogFact;
use crate::{audit, cloudtrail, server_log};

/// The kinds of lines that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineKind {
    CloudTrail,
    Audit,
    ServerLog,
}

impl LineKind {
    /// Its name in a report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "CloudTrail",
            Self::Audit => "Vault's audit log",
            Self::ServerLog => "log",
        }
    }
}

/// The kind of a value, and what it says.
///
/// # Errors
/// The value is of no known kind, or lacks a field of its kind.
pub(crate) fn read(value: Value) -> Result<(LineKind, Vec<LogFact>), String> {
    let kind = kind_of(&value).ok_or(
        "is JSON, and neither an event of CloudTrail (eventSource), nor an entry of Vault's audit log (type, request), nor a line of \
         a log (@message, or message and level)",
    )?;
    let facts = match kind {
        LineKind::CloudTrail => cloudtrail::facts(value),
        LineKind::Audit => audit::facts(value),
        LineKind::ServerLog => server_log::facts(&value),
    };
    Ok((kind, facts?))
}

fn kind_of(value: &Value) -> Option<LineKind> {
    let has = |key: &str| value.get(key).is_some();
    match () {
        () if has("eventSource") || has("CloudTrailEvent") => Some(LineKind::CloudTrail),
        () if has("request") && has("type") => Some(LineKind::Audit),
        () if has("@message") || (has("message") && has("level")) => Some(LineKind::ServerLog),
        () => None,
    }
}
