//! The only file of these tests that reads the clock.

use time::OffsetDateTime;

/// The current instant, without its fraction of a second: certificates and signing dates carry none.
#[expect(clippy::disallowed_methods, reason = "the tests' owner of the clock")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}
