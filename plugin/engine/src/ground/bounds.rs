//! Bounds of time spans, in whole seconds, as Vault shows them.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { least: 60, most: 86_400 };

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
}
