//! Numbers within bounds: time spans in whole seconds, as Vault shows them, and counts.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vault_backend::Fault;

/// The smallest and the largest span that a field takes, both included, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Bounds {
    /// Returns `given` in whole seconds; a fraction of a second is cut off before the bounds are checked.
    ///
    /// # Errors
    /// The caller's, with `field`, the value and the bound.
    pub(crate) fn check(self, field: &str, given: Duration) -> Result<Duration, Fault> {
        let seconds = given.as_secs();
        let bound = |side: &str, bound: u64| {
            Fault::caller(format!("{field}: {seconds} is {side} of {bound} seconds"))
        };
        if seconds < self.least {
            return Err(bound("below the minimum", self.least));
        }
        if seconds > self.most {
            return Err(bound("above the maximum", self.most));
        }
        Ok(Duration::from_secs(seconds))
    }
}

/// A span of `LEAST` to `MOST` whole seconds, both included; `USUAL` seconds by default. It is stored as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub(crate) struct Seconds<const LEAST: u64, const MOST: u64, const USUAL: u64>(u64);

/// A number from `LEAST` to `MOST`, both included; `USUAL` by default. It is stored as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(crate) struct Count<const LEAST: u32, const MOST: u32, const USUAL: u32>(u32);

/// Why a stored number is refused. The text follows the number.
const OUTSIDE: &str = "is outside the bounds of its field";

impl<const LEAST: u64, const MOST: u64, const USUAL: u64> Seconds<LEAST, MOST, USUAL> {
    /// Returns `given` in whole seconds; a fraction of a second is cut off before the bounds are checked.
    ///
    /// # Errors
    /// The caller's, with `field`, the value and the bound.
    pub(crate) fn new(field: &str, given: Duration) -> Result<Self, Fault> {
        let bounds = Bounds { least: LEAST, most: MOST };
        Ok(Self(bounds.check(field, given)?.as_secs()))
    }

    pub(crate) fn as_duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<const LEAST: u64, const MOST: u64, const USUAL: u64> Default for Seconds<LEAST, MOST, USUAL> {
    fn default() -> Self {
        const { assert!(LEAST <= USUAL && USUAL <= MOST, "the default is outside its bounds") };
        Self(USUAL)
    }
}

impl<const LEAST: u64, const MOST: u64, const USUAL: u64> TryFrom<u64> for Seconds<LEAST, MOST, USUAL> {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        if (LEAST..=MOST).contains(&seconds) { Ok(Self(seconds)) } else { Err(OUTSIDE) }
    }
}

impl<const LEAST: u64, const MOST: u64, const USUAL: u64> From<Seconds<LEAST, MOST, USUAL>> for u64 {
    fn from(seconds: Seconds<LEAST, MOST, USUAL>) -> Self {
        seconds.0
    }
}

impl<const LEAST: u32, const MOST: u32, const USUAL: u32> Count<LEAST, MOST, USUAL> {
    /// Takes `given` as a number of the field.
    ///
    /// # Errors
    /// The caller's, with `field`, the value and the bounds.
    pub(crate) fn new(field: &str, given: i64) -> Result<Self, Fault> {
        let within = u32::try_from(given).ok().and_then(|number| Self::try_from(number).ok());
        within.ok_or_else(|| Fault::caller(format!("{field}: {given} is outside {LEAST} to {MOST}")))
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// As [`Self::get`], for a field whose bounds exclude 0; the compiler refuses any other.
    pub(crate) fn non_zero(self) -> NonZeroU32 {
        const { assert!(LEAST > 0, "the field may be 0") };
        NonZeroU32::new(self.0).unwrap_or(NonZeroU32::MIN)
    }
}

impl<const LEAST: u32, const MOST: u32, const USUAL: u32> Default for Count<LEAST, MOST, USUAL> {
    fn default() -> Self {
        const { assert!(LEAST <= USUAL && USUAL <= MOST, "the default is outside its bounds") };
        Self(USUAL)
    }
}

impl<const LEAST: u32, const MOST: u32, const USUAL: u32> TryFrom<u32> for Count<LEAST, MOST, USUAL> {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if (LEAST..=MOST).contains(&number) { Ok(Self(number)) } else { Err(OUTSIDE) }
    }
}

impl<const LEAST: u32, const MOST: u32, const USUAL: u32> From<Count<LEAST, MOST, USUAL>> for u32 {
    fn from(count: Count<LEAST, MOST, USUAL>) -> Self {
        count.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { least: 60, most: 86_400 };
    type Life = Seconds<60, 86_400, 600>;

    #[test]
    fn a_span_at_its_bound_is_taken() {
        assert_eq!(BOUNDS.check("ttl", Duration::from_secs(60)).unwrap().as_secs(), 60);
        assert_eq!(BOUNDS.check("ttl", Duration::from_secs(86_400)).unwrap().as_secs(), 86_400);
    }

    #[test]
    fn a_span_outside_names_the_field_the_value_and_the_bound() {
        let short = BOUNDS.check("ttl", Duration::from_secs(59)).unwrap_err();
        let long = BOUNDS.check("ttl", Duration::from_secs(86_401)).unwrap_err();

        assert_eq!(short.to_string(), "ttl: 59 is below the minimum of 60 seconds");
        assert_eq!(long.to_string(), "ttl: 86401 is above the maximum of 86400 seconds");
    }

    #[test]
    fn a_bounded_span_is_stored_as_the_number_of_its_seconds() {
        let life = Life::new("ttl", Duration::from_millis(60_900)).unwrap();

        let stored = serde_json::to_value(life).unwrap();

        assert_eq!(stored, 60);
        assert_eq!(serde_json::from_value::<Life>(stored).unwrap(), life);
        assert_eq!(Life::default().as_duration(), Duration::from_mins(10));
    }

    #[test]
    fn no_stored_number_outside_its_bounds_is_read() {
        for outside in [0, 59, 86_401] {
            assert!(serde_json::from_value::<Life>(outside.into()).is_err(), "{outside}");
        }
        for outside in [-1, 11, i64::from(u32::MAX) + 1] {
            assert!(serde_json::from_value::<Count<0, 10, 3>>(outside.into()).is_err(), "{outside}");
        }
    }

    #[test]
    fn a_count_outside_names_the_field_the_value_and_the_bounds() {
        for outside in [-1, 11, i64::MAX] {
            let error = Count::<0, 10, 3>::new("max_retries", outside).unwrap_err();

            assert_eq!(error.to_string(), format!("max_retries: {outside} is outside 0 to 10"));
        }
    }
}
