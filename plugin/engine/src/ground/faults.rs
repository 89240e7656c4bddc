//! Faults of the CA and of AWS as Vault's callers and operators see them, each with the name by which SDKs know it.

use std::time::Duration;

use rolesanywhere::{CallError, ClientError, ClockSkew, Error, HopRefusal, IdentityError, Remedy};
use time::OffsetDateTime;
use vault_backend::{Blame, Fault, quote};

/// A fault of the certificate authority: a bug, the operator's where the issuer has expired or is not valid yet, else the
/// caller's, who wants a certificate against the rules.
pub(crate) fn ca(error: ca::Error) -> Fault {
    if error.is_bug() {
        Fault::bug(error)
    } else if error.is_operator() {
        Fault::operator(error.to_string()).cure_is_told()
    } else {
        Fault::caller(error.to_string())
    }
}

/// A config from which no AWS client can be made. The operator must change it, and the text says how.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(crate) fn client(error: ClientError) -> Fault {
    Fault::operator(error.to_string()).cure_is_told()
}

/// A leaf that the AWS client refuses. It is a bug, because the engine issued the leaf itself.
pub(crate) fn identity(error: IdentityError) -> Fault {
    Fault::bug(error)
}

/// A CreateSession that gave no session. A refusal keeps AWS's own error type as its name; an answer that may change by itself is
/// to be tried later (503).
pub(crate) fn create_session(error: &Error) -> Fault {
    match error {
        Error::Refused { kind, .. } => Fault::refused(error.to_string()).named(kind),
        Error::Local(_) => match error.remedy() {
            Remedy::ReportBug => Fault::bug(error),
            _ => Fault::operator(error.to_string()).cure_is_told(),
        },
        Error::Throttled { .. } => Fault::later(error.to_string()).named("ThrottlingException"),
        Error::Unavailable { .. } => Fault::later(error.to_string()).named("AwsUnavailable"),
        Error::BadAnswer { .. } => Fault::later(error.to_string()).named("AwsBadAnswer"),
    }
}

/// A failed call of the engine's own at AWS, by the same rules as [`create_session`]. Where a permission is missing, the text
/// names it.
pub(crate) fn call(error: &CallError) -> Fault {
    match &*error.cause {
        Error::Refused { kind, .. } => Fault::refused(error.to_string()).named(kind),
        Error::Local(_) => match error.remedy() {
            Remedy::ReportBug => Fault::bug(error),
            _ => Fault::operator(error.to_string()).cure_is_told(),
        },
        Error::Throttled { .. } => Fault::later(error.to_string()).named("ThrottlingException"),
        Error::Unavailable { .. } => Fault::later(error.to_string()).named("AwsUnavailable"),
        Error::BadAnswer { .. } => Fault::later(error.to_string()).named("AwsBadAnswer"),
    }
}

/// A hop that gave no session, by the same rules as [`create_session`]. A refusal of a known kind is explained.
pub(crate) fn assume_role(error: &CallError) -> Fault {
    match (HopRefusal::of(error), error.kind()) {
        (Some(refusal), Some(kind)) => {
            Fault::refused(format!("{error}; {}", refusal.explanation())).named(kind)
        }
        _ => call(error),
    }
}

/// A read of a role that does not exist.
pub(crate) fn no_role(name: &str) -> Fault {
    Fault::caller(format!("role: there is no role {}", quote(name))).named("RoleNotFound")
}

/// A read that used up its time, `total`.
pub(crate) fn late(total: Duration) -> Fault {
    Fault::later(format!("no session within {} s; ask again", total.as_secs_f32())).named("DeadlineExceeded")
}

/// A read that was in flight when its caller's sessions were revoked. It returns no session, because that could be one of the
/// revoked.
pub(crate) fn revoked() -> Fault {
    Fault::later("sessions were revoked during this read, so it returns none of them; ask again")
        .named("SessionRevoked")
}

/// A read that waited for a revocation of its IAM role until its time was over.
pub(crate) fn revoking() -> Fault {
    Fault::later("sessions of this IAM role are being revoked; ask again in 5 s").named("SessionRevoked")
}

/// A fresh session that had ended, or nearly, when it `arrived`. `dated` is the time of the answer by AWS's clock; with it the
/// text says whether this host's clock is wrong, and without it asks for a check of the clock.
pub(crate) fn short_session(
    remaining: Duration,
    dated: Option<OffsetDateTime>,
    arrived: OffsetDateTime,
) -> Fault {
    let seconds = remaining.as_secs();
    let why = match dated.map(|dated| ClockSkew::between(arrived, dated)) {
        Some(Some(skew)) => skew.to_string(),
        Some(None) => {
            format!("this host's clock is within {} s of AWS's, so ask again", ClockSkew::TOLERANCE)
        }
        None => "check this host's clock".to_owned(),
    };
    Fault::later(format!("AWS returned a session that ends in {seconds} s; {why}")).named("SessionTooShort")
}

/// Returns the `code` that `container/:role` puts beside a fault's text: one CamelCase word, which SDKs show in front of the
/// text.
///
/// | code | status | when |
/// | --- | --- | --- |
/// | AWS's own type, such as `AccessDeniedException` | 400 | AWS refused |
/// | `RoleNotFound`, `InvalidRequest` | 400 | the caller asked for something wrong |
/// | `NotConfigured` | 400 | the operator has to set something up |
/// | `ThrottlingException` | 503 | AWS counts too many requests |
/// | `AwsUnavailable` | 503 | AWS or the network did not answer |
/// | `AwsBadAnswer`, `SessionTooShort` | 503 | the answer holds no usable session |
/// | `RateLimited` | 503 | the read waits for its turn under `rate_limit` |
/// | `SessionRevoked` | 503 | a revocation ran during the read: the next read gets a new session |
/// | `DeadlineExceeded`, `ServiceUnavailable` | 503 | the read took too long, or the mount is closing |
/// | `InternalError` | 500 | a bug of the engine, whose details are in the log alone |
pub(crate) fn code(fault: &Fault) -> &str {
    let named = fault.name().filter(|name| is_word(name));
    named.unwrap_or(match fault.blame() {
        Blame::Caller => "InvalidRequest",
        Blame::Operator => "NotConfigured",
        Blame::Refused => "AwsRefused",
        Blame::Later => "ServiceUnavailable",
        _ => "InternalError",
    })
}

/// Returns whether a name may be repeated as a code: 1 to 64 ASCII letters and digits, the first an upper-case letter. AWS's type
/// comes from an answer, and anything else in it is not repeated.
fn is_word(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn refused(kind: &str) -> Fault {
        let (kind, message) = (kind.to_owned(), "no".to_owned());
        create_session(&Error::Refused {
            kind,
            status: 403,
            message,
            request_id: None,
            explanation: None,
            clock_skew: None,
        })
    }

    #[test]
    fn a_refusal_has_awss_own_name() {
        assert_eq!(code(&refused("AccessDeniedException")), "AccessDeniedException");
    }

    #[test]
    fn a_refusal_whose_name_is_no_word_has_ours() {
        for kind in ["", "an unnamed error", "<script>", "x.Y", &"A".repeat(65)] {
            assert_eq!(code(&refused(kind)), "AwsRefused", "{kind:?}");
        }
    }

    #[test]
    fn each_way_to_have_no_session_has_its_name_and_is_for_later() {
        let reason = String::new;
        let throttled =
            Error::Throttled { message: reason(), retry_after: None, request_id: None, attempts: 1 };
        let away = Error::Unavailable { reason: reason(), status: None, request_id: None, attempts: 1 };
        let foreign = Error::BadAnswer { reason: reason(), status: None, request_id: None };

        for (error, name) in
            [(throttled, "ThrottlingException"), (away, "AwsUnavailable"), (foreign, "AwsBadAnswer")]
        {
            let fault = create_session(&error);

            assert_eq!((code(&fault), fault.status()), (name, 503));
        }
    }

    #[test]
    fn a_session_that_is_nearly_over_blames_the_clock_only_where_that_is_off_or_unknown() {
        let arrived = datetime!(2026-01-02 03:04:05 UTC);
        let text = |dated| short_session(Duration::from_secs(3), dated, arrived).to_string();

        let in_time = text(Some(arrived));
        let off = text(Some(arrived + time::Duration::seconds(90)));

        assert!(
            in_time.ends_with("ends in 3 s; this host's clock is within 60 s of AWS's, so ask again"),
            "{in_time}"
        );
        assert!(off.ends_with("this host's clock is 90 s behind AWS's"), "{off}");
        assert!(text(None).ends_with("check this host's clock"), "{}", text(None));
    }

    #[test]
    fn a_fault_without_a_name_is_named_by_whose_move_it_is() {
        let names = [
            (Fault::caller(""), "InvalidRequest"),
            (Fault::operator("").cure_is_told(), "NotConfigured"),
            (Fault::later(""), "ServiceUnavailable"),
            (Fault::bug(""), "InternalError"),
        ];

        for (fault, name) in names {
            assert_eq!(code(&fault), name);
        }
    }
}
