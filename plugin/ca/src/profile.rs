//! Profiles: the required contents of a self-signed CA, a signing request or a leaf.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::Error;
use crate::key::KeySpec;
use crate::name::Subject;
use crate::san;

/// The profile of a self-signed issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaProfile {
    /// Its name; not empty.
    pub subject: Subject,
    /// Its key. See [`KeySpec::is_slow`].
    pub key: KeySpec,
    /// Its life from now: at least a second, and no later than the year 9999.
    pub ttl: Duration,
}

/// The profile of a signing request, whose key never leaves this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsrProfile {
    /// The requested name; not empty.
    pub subject: Subject,
    /// Its key. See [`KeySpec::is_slow`].
    pub key: KeySpec,
}

/// The profile of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeafProfile {
    /// Its name; not empty.
    pub subject: Subject,
    /// URI subject alternative names in order; AWS makes a session tag of the first.
    pub uri_sans: Vec<String>,
    /// DNS subject alternative names in order; AWS makes a session tag of the first.
    pub dns_sans: Vec<String>,
    /// Its key. See [`KeySpec::is_slow`].
    pub key: KeySpec,
    /// Its life from now, at least a second; the issuer's own end caps it.
    pub ttl: Duration,
}

impl LeafProfile {
    /// Refuses values that no certificate can hold, before any key is made, as [`crate::Issuer::issue`] does.
    pub fn check(&self) -> Result<(), Error> {
        self.subject.check()?;
        self.uri_sans.iter().try_for_each(|uri| san::check_uri_san(uri))?;
        self.dns_sans.iter().try_for_each(|name| san::check_dns_san(name))
    }
}

/// How many seconds before now a validity begins: the tolerance for a verifier whose clock is behind.
const BACKDATE: time::Duration = time::Duration::seconds(60);

/// A certificate's validity, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

impl Window {
    /// The whole seconds from `first` to `last`: X.509 has no fractions (RFC 5280 §4.1.2.5), although readers of certificates accept them.
    pub(crate) fn within(first: OffsetDateTime, last: OffsetDateTime) -> Result<Self, Error> {
        let floor = |instant: OffsetDateTime| {
            instant.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).map_err(Error::bug)
        };
        let begun = floor(first)?;
        let not_before = if begun < first { begun.saturating_add(time::Duration::SECOND) } else { begun };
        Ok(Self { not_before, not_after: floor(last)? })
    }
}

/// Returns the validity from 60 seconds ago until `ttl` from now. Refuses a ttl under a second or past the year 9999,
/// where X.509 times end.
pub(crate) fn window(ttl: Duration, now: OffsetDateTime) -> Result<Window, Error> {
    let refuse = |bound: &str| Error::value("ttl", format!("{} seconds", ttl.as_secs()), bound);
    if ttl.as_secs() == 0 {
        return Err(refuse("is below the minimum of 1 second"));
    }
    let now = now.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).map_err(Error::bug)?;
    let end = time::Duration::try_from(ttl)
        .ok()
        .and_then(|ttl| now.checked_add(ttl))
        .filter(|end| end.year() <= 9999);
    let not_after = end.ok_or_else(|| refuse("ends after the year 9999"))?;
    Ok(Window { not_before: now - BACKDATE, not_after: not_after.replace_nanosecond(0).map_err(Error::bug)? })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_certificate_begins_a_minute_ago_and_ends_a_ttl_from_now() {
        let window = window(Duration::from_mins(10), datetime!(2026-11-24 12:00:00.75 UTC)).unwrap();

        assert_eq!(window.not_before, datetime!(2026-11-24 11:59:00 UTC));
        assert_eq!(window.not_after, datetime!(2026-11-24 12:10:00 UTC));
    }

    #[test]
    fn a_ttl_outside_its_bounds_is_refused_with_the_bound() {
        let error = |ttl| window(ttl, datetime!(2026-11-24 12:00 UTC)).unwrap_err().to_string();

        assert_eq!(error(Duration::from_millis(999)), r#"ttl: "0 seconds" is below the minimum of 1 second"#);
        assert!(error(Duration::from_secs(400_000_000_000)).ends_with("ends after the year 9999"));
        assert!(error(Duration::MAX).ends_with("ends after the year 9999"));
    }
}
