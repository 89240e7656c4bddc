//! Why a request got no credentials: what the SDK is told, and whether it helps to ask again.
//!
//! SDKs show `code` and `message` of a JSON body. Go, Java and Rust repeat a request after a 5xx and not after a 4xx; botocore and
//! JavaScript repeat it after either. So a refusal that a retry cannot cure has a 4xx, and one that may pass by itself a 5xx, or 429.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

/// What the SDK is told in place of credentials.
///
/// The message is for the person who reads the pod's log: lower case, without a final period, with the command that cures it where
/// there is one. It never holds a token or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// One CamelCase word, which SDKs show in front of the message.
    pub code: Cow<'static, str>,
    /// What is wrong.
    pub message: String,
    /// Whether asking again helps.
    pub retry: Retry,
}

/// Whether asking again helps, and what becomes of an answer that was cached before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Somebody must change something first. What was cached must not be served any more.
    Useless,
    /// It may pass by itself. What was cached may stand in meanwhile.
    Later(Duration),
    /// It passes by itself, but what was cached is no longer worth anything: its sessions were revoked.
    Anew(Duration),
}

/// The pause that is advised before another request, where nobody else advised one.
pub const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

impl Refusal {
    /// A refusal that stands until somebody changes something: a 4xx.
    pub fn lasting(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Refusal {
        Refusal { status, code: code.into(), message: message.into(), retry: Retry::Useless }
    }

    /// A refusal that may pass by itself: a 5xx, or 429.
    pub fn passing(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Refusal {
        let retry = Retry::Later(DEFAULT_PAUSE);
        Refusal { status, code: code.into(), message: message.into(), retry }
    }

    /// The same with another word on retries.
    #[must_use]
    pub fn with(self, retry: Retry) -> Refusal {
        Refusal { retry, ..self }
    }

    /// The pause for `Retry-After`, in whole seconds, at least one; none where a retry is useless.
    pub fn retry_after(&self) -> Option<u64> {
        match self.retry {
            Retry::Useless => None,
            Retry::Later(pause) | Retry::Anew(pause) => {
                Some((pause + Duration::from_millis(999)).as_secs().max(1))
            }
        }
    }

    /// The JSON body: `{"code":"…","message":"…"}`.
    pub fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            code: &'a str,
            message: &'a str,
        }
        serde_json::to_vec(&Body { code: &self.code, message: &self.message }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_what_sdks_read() {
        let refusal = Refusal::lasting(403, "LoginRefused", "no \"token\"");

        assert_eq!(refusal.body(), br#"{"code":"LoginRefused","message":"no \"token\""}"#);
    }

    #[test]
    fn a_pause_is_rounded_up_and_a_lasting_refusal_has_none() {
        let passing = Refusal::passing(503, "VaultUnavailable", "");
        let slow = passing.clone().with(Retry::Later(Duration::from_millis(2100)));
        let at_once = passing.with(Retry::Anew(Duration::ZERO));

        assert_eq!((slow.retry_after(), at_once.retry_after()), (Some(3), Some(1)));
        assert_eq!(Refusal::lasting(403, "X", "").retry_after(), None);
    }
}
