//! The emulator's clock: the machine's, shifted by [`Knobs::clock_offset_seconds`](crate::Knobs::clock_offset_seconds).

use time::{Duration, OffsetDateTime, macros::format_description};

/// The emulator's present, `offset_seconds` away from the machine's.
pub(crate) fn now(offset_seconds: i64) -> OffsetDateTime {
    machine_now() + Duration::seconds(offset_seconds)
}

#[expect(clippy::disallowed_methods, reason = "this file owns the emulator's clock")]
fn machine_now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// RFC 3339 in UTC with whole seconds and `Z`, as in a session's `expiration`.
pub(crate) fn seconds(at: OffsetDateTime) -> String {
    write(at, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
}

/// RFC 3339 in UTC with microseconds and `Z`, as in `createdAt` of the management API.
pub(crate) fn microseconds(at: OffsetDateTime) -> String {
    write(at, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"))
}

/// The `Date` header of RFC 9110.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    write(
        at,
        format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        ),
    )
}

fn write(at: OffsetDateTime, format: &[time::format_description::BorrowedFormatItem<'_>]) -> String {
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn an_expiration_has_whole_seconds_and_a_creation_time_microseconds() {
        let at = datetime!(2026-01-02 03:04:05.006_007 UTC);

        assert_eq!(seconds(at), "2026-01-02T03:04:05Z");
        assert_eq!(microseconds(at), "2026-01-02T03:04:05.006007Z");
        assert_eq!(http_date(at), "Fri, 02 Jan 2026 03:04:05 GMT");
    }
}
