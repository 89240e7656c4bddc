//! The only file of the engine that reads the clock. Everything else takes the time as an argument, and tests choose it.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Returns the time of this machine, in UTC. It may jump, so it is right for dates in certificates and answers and wrong for
/// waiting.
#[expect(clippy::disallowed_methods, reason = "this file owns the clock")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Returns `2026-01-02T03:04:05Z`: RFC 3339 in whole seconds with `Z`, the only form that every AWS SDK parses. Fractions are cut
/// off.
pub(crate) fn rfc3339(at: OffsetDateTime) -> String {
    let utc = at.checked_to_offset(time::UtcOffset::UTC).unwrap_or(at);
    let whole = utc.replace_nanosecond(0).unwrap_or(utc);
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn times_are_written_in_whole_seconds_with_z() {
        let at = datetime!(2026-01-02 05:04:05.987654 +2);

        assert_eq!(rfc3339(at), "2026-01-02T03:04:05Z");
    }
}
