//! AWS's answers as outcomes of a flight, and a flight's reasons as faults of a request.

use std::time::Duration;

use rolesanywhere::Error;
use sessions::{Outcome, Why};
use vault_backend::Fault;

use crate::faults;

/// What an attempt without a session means for the flight: whether to try again, and whether all of the place pause.
pub(crate) fn failed<S>(error: &Error) -> Outcome<S, Fault> {
    let fault = faults::create_session(error);
    match error {
        Error::Throttled { retry_after, .. } => {
            Outcome::Throttled { error: fault, retry_after: *retry_after }
        }
        Error::Unavailable { .. } => Outcome::Unreachable(fault),
        Error::Refused { .. } | Error::BadAnswer { .. } | Error::Local(_) => Outcome::Refused(fault),
    }
}

/// What a caller without a session is told. A refusal keeps its status; everything else is a matter of time.
pub(crate) fn fault(why: Why<Fault>, retry_in: Duration) -> Fault {
    let seconds = retry_in.as_secs().max(1);
    match why {
        Why::Refused(fault) => fault,
        Why::Unreachable(fault) | Why::Throttled(fault) => {
            Fault::later(format!("{fault}; ask again in {seconds} s"))
        }
        why => Fault::later(format!("no session yet: {why}; ask again in {seconds} s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_status_and_text() {
        let refused = fault(Why::Refused(Fault::refused("AWS refused with 403")), Duration::from_secs(5));

        assert_eq!((refused.status(), refused.to_string()), (400, "AWS refused with 403".to_owned()));
    }

    #[test]
    fn a_full_queue_is_later_and_says_when() {
        let later = fault(Why::Busy, Duration::from_millis(12_900));

        assert_eq!(later.status(), 503);
        assert!(later.to_string().ends_with("; ask again in 12 s"), "{later}");
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

        assert!(matches!(outcome, Outcome::Throttled { retry_after: Some(wait), .. } if wait.as_secs() == 3));
    }
}
