//! `<mount>/container/<role>`: the session that the engine answers, read strictly, and written as SDKs want it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::answer::kind_of;
use crate::clock::{Deadline, Moment, rfc3339};

/// A session with less time left than this is none: its user would be back before it was of use.
const MIN_LEFT: Duration = Duration::from_secs(5);

/// Temporary credentials of AWS.
#[derive(Debug)]
pub struct Session {
    /// Id of the access key, by which `CloudTrail` knows the session.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// The session token.
    pub session_token: SecretString,
    /// Account of the IAM role, where the engine says it.
    pub account_id: Option<String>,
    /// When AWS stops taking it.
    pub expiration: OffsetDateTime,
    /// The same on the clocks of this node, and by Vault's clock where the answer had a date.
    pub ends: Deadline,
}

/// An answer that holds no session that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoSession {
    /// What is there instead.
    Malformed(&'static str),
    /// It has ended by Vault's own clock, or nearly. This node's clock is so many seconds ahead of Vault's.
    Over { expiration: OffsetDateTime, ahead: i64 },
    /// By Vault's clock it lives, by this node's, which is so many seconds ahead, it is over.
    ClockAhead { ahead: i64 },
}

impl Session {
    /// Reads an answer of the engine that arrived at `now` and was sent at `date` by Vault's clock.
    ///
    /// # Errors
    /// It is no session, or one that is over.
    pub(super) fn read(
        body: &Zeroizing<Vec<u8>>,
        date: Option<OffsetDateTime>,
        now: Moment,
    ) -> Result<Session, NoSession> {
        let document: EngineDocument = serde_json::from_slice(body).map_err(|_| match kind_of(body) {
            "JSON that is not Vault's" => NoSession::Malformed("JSON that is no session"),
            other => NoSession::Malformed(other),
        })?;
        let expiration = OffsetDateTime::parse(&document.expiration, &Rfc3339)
            .map_err(|_| NoSession::Malformed("a session without an Expiration in RFC 3339"))?;
        let is_empty = document.access_key_id.is_empty()
            || document.secret_access_key.expose_secret().is_empty()
            || document.token.expose_secret().is_empty();
        if is_empty {
            return Err(NoSession::Malformed("a session with an empty key or token"));
        }
        let ends = end(expiration, date, now)?;
        let EngineDocument { access_key_id, secret_access_key, token: session_token, account_id, .. } =
            document;
        Ok(Session { access_key_id, secret_access_key, session_token, account_id, expiration, ends })
    }

    /// The JSON for SDKs. Its memory is overwritten when the last clone is dropped.
    pub fn document(&self) -> Bytes {
        let document = ContainerDocument {
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose_secret(),
            token: self.session_token.expose_secret(),
            expiration: rfc3339(self.expiration),
            account_id: self.account_id.as_deref(),
        };
        let mut length = Length(0);
        // neither a length nor a vector refuses a write; with room for all of it the vector does not grow, which would free its old
        // memory uncleared
        let _measured = serde_json::to_writer(&mut length, &document);
        let mut json = Zeroizing::new(Vec::with_capacity(length.0));
        let _written = serde_json::to_writer(&mut *json, &document);
        Bytes::from_owner(json)
    }
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// When the session ends, by Vault's clock where its date is known.
fn end(expiration: OffsetDateTime, date: Option<OffsetDateTime>, now: Moment) -> Result<Deadline, NoSession> {
    let left_at = |time: OffsetDateTime| Duration::try_from(expiration - time).unwrap_or_default();
    let (at_vault, ahead) =
        date.map_or((left_at(now.wall), 0), |date| (left_at(date), (now.wall - date).whole_seconds()));
    if at_vault < MIN_LEFT {
        return Err(NoSession::Over { expiration, ahead });
    }
    let ends = Deadline::within(expiration, at_vault, now);
    if ends.left(now) < MIN_LEFT {
        return Err(NoSession::ClockAhead { ahead });
    }
    Ok(ends)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EngineDocument {
    access_key_id: String,
    secret_access_key: SecretString,
    token: SecretString,
    expiration: String,
    account_id: Option<String>,
}

/// The container-credentials document (AWS SDKs and Tools Reference Guide, "Container credential provider").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerDocument<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

    fn at_noon_and(seconds: i64) -> Moment {
        Moment { monotonic: Duration::from_secs(100), wall: NOON + time::Duration::seconds(seconds) }
    }

    fn session() -> Value {
        json!({
            "AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t", "AccountId": "111122223333",
            "Expiration": "2026-01-02T13:00:00Z",
        })
    }

    fn read(document: &Value, date: Option<OffsetDateTime>, now: Moment) -> Result<Session, NoSession> {
        Session::read(&Zeroizing::new(document.to_string().into_bytes()), date, now)
    }

    #[test]
    fn a_session_is_written_as_it_was_read() {
        let read = read(&session(), Some(NOON), at_noon_and(0)).unwrap();

        assert_eq!(serde_json::from_slice::<Value>(&read.document()).unwrap(), session());
        assert_eq!(read.ends.left(at_noon_and(0)), Duration::from_hours(1));
    }

    #[test]
    fn nothing_beside_the_known_keys_reaches_a_pod() {
        let mut more = session();
        more["Code"] = json!("Success");
        more["Script"] = json!("<script>");

        let document = read(&more, None, at_noon_and(0)).unwrap().document();

        assert_eq!(serde_json::from_slice::<Value>(&document).unwrap(), session());
    }

    #[test]
    fn what_is_no_session_is_told_by_what_it_is() {
        for (key, value, words) in [
            ("Expiration", json!("tomorrow"), "without an Expiration"),
            ("Expiration", json!(5), "JSON that is no session"),
            ("Token", json!(""), "empty key or token"),
            ("AccessKeyId", Value::Null, "JSON that is no session"),
        ] {
            let mut broken = session();
            broken[key] = value;

            let Err(NoSession::Malformed(what)) = read(&broken, None, at_noon_and(0)) else {
                panic!("{key}")
            };
            assert!(what.contains(words), "{key}: {what}");
        }
    }

    #[test]
    fn a_session_that_has_ended_is_none() {
        for wall in [3596, 3600, 9000] {
            let now = at_noon_and(wall);

            assert!(matches!(read(&session(), Some(now.wall), now), Err(NoSession::Over { .. })), "{wall}");
        }
    }

    #[test]
    fn a_clock_that_is_an_hour_ahead_is_blamed() {
        let found = read(&session(), Some(NOON), at_noon_and(3600)).unwrap_err();

        assert_eq!(found, NoSession::ClockAhead { ahead: 3600 });
    }

    #[test]
    fn a_clock_that_is_an_hour_behind_lengthens_no_session() {
        let session = read(&session(), Some(NOON), at_noon_and(-3600)).unwrap();

        assert_eq!(session.ends.left(at_noon_and(-3600)), Duration::from_hours(1));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut plain = session();
        plain["SecretAccessKey"] = json!("wJalr");
        plain["Token"] = json!("IQoJ");

        let shown = format!("{:?}", read(&plain, None, at_noon_and(0)).unwrap());

        assert!(!shown.contains("wJalr") && !shown.contains("IQoJ"), "{shown}");
    }
}
