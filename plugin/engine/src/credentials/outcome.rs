//! AWS's errors as outcomes of a flight, and a flight's reasons as faults of a request.

use std::time::Duration;

use rolesanywhere::Error;
use sessions::{FlightOutcome, Why};
use vault_backend::{Blame, Fault};

use crate::ground::faults;

/// The outcome of an attempt for which AWS gave no session: whether the flight tries again, and whether all flights of its quota
/// scope pause.
pub(crate) fn failed<S>(error: &Error) -> FlightOutcome<S, Fault> {
    let fault = faults::create_session(error);
    match error {
        Error::Throttled { retry_after, .. } => {
            FlightOutcome::Throttled { error: fault, retry_after: *retry_after }
        }
        Error::Unavailable { .. } => FlightOutcome::Unreachable(fault),
        Error::Refused { .. } | Error::BadAnswer { .. } | Error::Local(_) => FlightOutcome::Refused(fault),
    }
}

/// The fault of a caller that got no session after it had `waited`. A refusal keeps its status and text; every other reason is a
/// fault for later, and says that the caller should ask again in `retry_in`.
///
/// A reason of the session service gets a name, which `container/:role` answers as `code`. A fault of AWS or of the CA keeps its
/// own.
pub(crate) fn fault(why: Why<Fault>, retry_in: Duration, waited: Duration) -> Fault {
    let name = match &why {
        Why::Refused(_) | Why::Unreachable(_) | Why::Throttled(_) => None,
        Why::Slow(_) => Some("AwsUnavailable"),
        Why::Busy(_) | Why::Full => Some("RateLimited"),
        Why::BornExpired => Some("SessionTooShort"),
        Why::Lost | Why::Changed | Why::Closing => Some("ServiceUnavailable"),
    };
    let fault = match why {
        Why::Refused(fault) | Why::Unreachable(fault) | Why::Throttled(fault) => fault,
        Why::Slow(_) => Fault::later(format!(
            "AWS could not be reached: no answer within {:.1} s; the call goes on",
            waited.as_secs_f64()
        )),
        why => Fault::later(format!("no session yet: {why}")),
    };
    let fault = name.into_iter().fold(fault, Fault::named);
    if fault.blame() == Blame::Later { with_hint(&fault, retry_in) } else { fault }
}

/// Adds the time to wait, at least one second, and keeps the name.
fn with_hint(fault: &Fault, retry_in: Duration) -> Fault {
    let hinted = Fault::later(format!("{fault}; ask again in {} s", retry_in.as_secs().max(1)));
    fault.name().into_iter().fold(hinted, Fault::named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(why: Why<Fault>, retry_in: Duration) -> Fault {
        fault(why, retry_in, Duration::from_millis(1750))
    }

    #[test]
    fn a_refusal_keeps_its_status_and_text() {
        let refused = answered(Why::Refused(Fault::refused("AWS refused with 403")), Duration::from_secs(5));

        assert_eq!((refused.status(), refused.to_string()), (400, "AWS refused with 403".to_owned()));
    }

    #[test]
    fn a_full_queue_is_later_and_says_when() {
        let later = answered(Why::Busy("AssumeRole"), Duration::from_millis(12_900));

        assert_eq!((later.status(), later.name()), (503, Some("RateLimited")));
        assert!(later.to_string().ends_with("the rate limit of AssumeRole; ask again in 12 s"), "{later}");
    }

    #[test]
    fn what_aws_said_keeps_its_name_and_gains_a_hint() {
        let away = Fault::later("AWS could not be reached").named("AwsUnavailable");

        let later = answered(Why::Unreachable(away), Duration::from_millis(200));

        assert_eq!((later.status(), later.name()), (503, Some("AwsUnavailable")));
        assert_eq!(later.to_string(), "AWS could not be reached; ask again in 1 s");
    }

    #[test]
    fn silence_is_told_with_how_long_it_lasted() {
        let later = answered(Why::Slow("AssumeRole"), Duration::from_secs(1));

        assert_eq!(later.name(), Some("AwsUnavailable"));
        assert!(later.to_string().contains("no answer within 1.8 s"), "{later}");
    }

    #[test]
    fn throttling_pauses_for_as_long_as_aws_wants() {
        let error = Error::Throttled {
            message: "Rate exceeded".to_owned(),
            retry_after: Some(Duration::from_secs(3)),
            request_id: None,
            attempts: 1,
        };

        let outcome = failed::<()>(&error);

        assert!(
            matches!(outcome, FlightOutcome::Throttled { retry_after: Some(wait), .. } if wait.as_secs() == 3)
        );
    }
}
