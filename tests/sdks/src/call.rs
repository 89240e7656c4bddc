//! One line of a caller.

use time::OffsetDateTime;

/// One `GetCallerIdentity` of a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When its line was written.
    pub at: OffsetDateTime,
    /// The ARN, or the error as the SDK shows it.
    pub said: Result<String, String>,
}

impl Call {
    /// A caller's line: an ARN, or `error: …`.
    pub fn read(at: OffsetDateTime, line: &str) -> Call {
        let said = match line.strip_prefix("error: ") {
            None => Ok(line.to_owned()),
            Some(error) => Err(error.trim().to_owned()),
        };
        Call { at, said }
    }
}
