//! Moments as the logs write them: RFC 3339, and the offset without a colon of Vault's text log.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// A moment, in UTC when it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(OffsetDateTime);

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a time of RFC 3339, such as 2026-11-30T12:00:00Z")]
pub struct MomentError(String);

impl Moment {
    /// Reads RFC 3339, or the same with an offset such as `+0100`.
    ///
    /// # Errors
    /// The text is something else.
    pub fn parse(text: &str) -> Result<Self, MomentError> {
        let read = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(Self);
        read(text).or_else(|| read(&with_colon(text)?)).ok_or_else(|| MomentError(text.to_owned()))
    }

    /// This much earlier.
    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

/// `+0100` at the end as `+01:00`; none for a text without such an end.
fn with_colon(text: &str) -> Option<String> {
    let (head, minutes) = text.split_at_checked(text.len().checked_sub(2)?)?;
    Some(format!("{head}:{minutes}"))
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_offset(UtcOffset::UTC).format(&Rfc3339).map_err(|_| fmt::Error)?;
        out.write_str(&text)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offsets_of_both_logs_are_one_moment() {
        let texts = ["2026-11-30T13:00:00.5+01:00", "2026-11-30T13:00:00.500+0100", "2026-11-30T12:00:00.5Z"];

        for text in texts {
            assert_eq!(Moment::parse(text).unwrap().to_string(), "2026-11-30T12:00:00.5Z", "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_time_is_named_with_an_example() {
        for text in ["", "Z", "yesterday", "2026-11-30", "ä"] {
            let said = Moment::parse(text).unwrap_err().to_string();

            assert!(said.contains(&format!("\"{text}\"")) && said.contains("such as 2026"), "{said}");
        }
    }
}
