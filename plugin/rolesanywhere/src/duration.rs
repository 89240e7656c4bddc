//! The length of a session.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A session's length, 900 to 43200 whole seconds as `CreateSession` bounds `durationSeconds`.
///
/// AWS grants the smaller of this and the profile's own duration, without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// The shortest session that AWS grants, 900 seconds.
    pub const MIN: Self = Self(900);
    /// The longest session that AWS grants, 43200 seconds.
    pub const MAX: Self = Self(43_200);
    /// The length that AWS's own helper requests, 3600 seconds.
    pub const DEFAULT: Self = Self(3600);

    /// The length in seconds.
    pub fn as_secs(self) -> u32 {
        self.0
    }

    /// The length as a span of time.
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// A length that AWS does not grant. The text follows the name of the field and its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Under 900 seconds.
    #[error("{0} is below the minimum of 900 seconds")]
    TooShort(String),
    /// Over 43200 seconds.
    #[error("{0} is above the maximum of 43200 seconds")]
    TooLong(String),
    /// It has a fraction of a second.
    #[error("{0:?} is not a whole number of seconds")]
    Fraction(Duration),
    /// It is not a number of seconds, minutes or hours.
    #[error("is not a number of seconds or a duration such as 900, \"15m\" or \"1h\"")]
    NotADuration,
}

impl TryFrom<i64> for SessionDuration {
    type Error = DurationError;

    fn try_from(seconds: i64) -> Result<Self, Self::Error> {
        match u32::try_from(seconds) {
            Ok(fits) if (Self::MIN.0..=Self::MAX.0).contains(&fits) => Ok(Self(fits)),
            _ if seconds < Self::MIN.0.into() => Err(DurationError::TooShort(seconds.to_string())),
            _ => Err(DurationError::TooLong(seconds.to_string())),
        }
    }
}

impl TryFrom<Duration> for SessionDuration {
    type Error = DurationError;

    fn try_from(span: Duration) -> Result<Self, Self::Error> {
        if span.subsec_nanos() != 0 {
            return Err(DurationError::Fraction(span));
        }
        let seconds = i64::try_from(span.as_secs());
        seconds.map_err(|_| DurationError::TooLong(span.as_secs().to_string()))?.try_into()
    }
}

impl FromStr for SessionDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = |suffix, seconds| text.strip_suffix(suffix).map(|number| (number, seconds));
        let (number, seconds) =
            unit('h', 3600).or_else(|| unit('m', 60)).or_else(|| unit('s', 1)).unwrap_or((text, 1));
        let number: i64 = number.parse().map_err(|_| DurationError::NotADuration)?;
        number.saturating_mul(seconds).try_into()
    }
}

impl fmt::Display for SessionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<SessionDuration> for i64 {
    fn from(duration: SessionDuration) -> Self {
        duration.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_themselves_are_sessions() {
        assert_eq!("900".parse(), Ok(SessionDuration::MIN));
        assert_eq!("12h".parse(), Ok(SessionDuration::MAX));
        assert_eq!(Duration::from_mins(15).try_into(), Ok(SessionDuration::MIN));
    }

    #[test]
    fn one_second_outside_the_bounds_is_refused_with_value_and_bound() {
        let short = "899".parse::<SessionDuration>().unwrap_err();
        let long = SessionDuration::try_from(Duration::from_secs(43_201)).unwrap_err();

        assert_eq!(short.to_string(), "899 is below the minimum of 900 seconds");
        assert_eq!(long.to_string(), "43201 is above the maximum of 43200 seconds");
    }

    #[test]
    fn what_is_no_duration_is_refused_without_a_panic() {
        for text in ["abc", "", "h", "1d", "9223372036854775808", "1.5h", "９００"] {
            assert_eq!(text.parse::<SessionDuration>(), Err(DurationError::NotADuration), "{text:?}");
        }
        assert!(matches!("-5".parse::<SessionDuration>(), Err(DurationError::TooShort(_))));
        assert!(matches!("9223372036854775807h".parse::<SessionDuration>(), Err(DurationError::TooLong(_))));
        assert!(SessionDuration::try_from(Duration::from_millis(900_500)).is_err());
        assert!(SessionDuration::try_from(Duration::MAX).is_err());
    }
}
