//! Lines of Vault's log, as JSON or as text, and of the node agent's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fact::{LogFact, PodAnswer, SessionLine};
use crate::moment::Moment;
use crate::serial::HexSerial;

/// The plugin's messages about a session that was made or handed out.
const HANDED_OUT: [&str; 4] = [
    "issued a session",
    "renewed a session ahead of need",
    "served a shared session",
    "served an old session because no new one was available",
];

/// How go-hclog marks a level in a line of text.
const LEVELS: [&str; 5] = ["[TRACE]", "[DEBUG]", "[INFO]", "[WARN]", "[ERROR]"];

/// The fields of one line.
type LogFields = BTreeMap<String, String>;

/// The facts of one line of JSON: of Vault's log, or of the node agent's.
///
/// # Errors
/// The line is about a session, and a field of it cannot be read.
pub(crate) fn facts(line: &Value) -> Result<Vec<LogFact>, String> {
    let fields: LogFields = line
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let is_ours = fields.get("@message").is_some_and(|message| HANDED_OUT.contains(&message.as_str()));
    if is_ours {
        let at = fields.get("@timestamp").and_then(|text| Moment::parse(text).ok());
        return hand_out(at, &fields);
    }
    Ok(pod_answer(&fields).map(LogFact::Answered).into_iter().collect())
}

/// The facts of one line of text; none if the line is not one of a log.
pub(crate) fn text_facts(line: &str) -> Option<Vec<LogFact>> {
    let is_log = LEVELS.iter().any(|level| line.contains(level));
    let found = || HANDED_OUT.iter().find_map(|message| line.split_once(&format!(": {message}: ")));
    match (is_log, found()) {
        (true, Some((head, pairs))) => {
            let at = head.split_whitespace().find_map(|word| Moment::parse(word).ok());
            Some(hand_out(at, &pairs_of(pairs)).unwrap_or_default())
        }
        (is_log, _) => is_log.then(Vec::new),
    }
}

fn hand_out(at: Option<Moment>, fields: &LogFields) -> Result<Vec<LogFact>, String> {
    let value = |key: &str| fields.get(key).cloned();
    let serial = value("serial").ok_or("names a session without its serial")?;
    let serial = HexSerial::parse(&serial).map_err(|error| format!("serial: {error}"))?;
    Ok(vec![LogFact::HandedOut(SessionLine {
        at,
        request_id: value("request_id"),
        path: value("path"),
        role: value("role"),
        serial,
        source_identity: value("source_identity"),
    })])
}

/// Every message of the node agent about a session has the id of its access key.
fn pod_answer(fields: &LogFields) -> Option<PodAnswer> {
    let value = |key: &str| fields.get(key).cloned();
    Some(PodAnswer {
        at: Moment::parse(fields.get("time")?).ok()?,
        access_key: value("access_key_id")?,
        role: value("role"),
        namespace: value("namespace"),
        service_account: value("service_account"),
        pod: value("pod"),
    })
}

/// `key=value` pairs with spaces between them; a value with spaces has quotation marks.
fn pairs_of(text: &str) -> LogFields {
    let mut fields = LogFields::new();
    let mut rest = text.trim();
    while let Some((key, value)) = rest.split_once('=') {
        let (value, after) = value_of(value);
        fields.insert(key.trim().to_owned(), value);
        rest = after;
    }
    fields
}

/// The value at the beginning of `text`, and what follows it. Go's quotation is that of JSON for what the plugin logs.
fn value_of(text: &str) -> (String, &str) {
    let mut quoted = serde_json::Deserializer::from_str(text).into_iter::<String>();
    if text.starts_with('"')
        && let Some(Ok(value)) = quoted.next()
    {
        return (value, &text[quoted.byte_offset()..]);
    }
    let (value, rest) = text.split_once(' ').unwrap_or((text, ""));
    (value.to_owned(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_says_what_the_same_line_of_json_says() {
        // a line of a real Vault, whose clock was turned to another zone
        let text = "2026-11-30T23:57:17.075+0100 [INFO]  secrets.vault-plugin-secrets-iamra.vault-plugin-secrets-iamra_d8dea554: issued a \
                    session: source_identity=\"CN=a b\" expiration=2026-12-01T00:57:17Z mount=iamra/ path=creds/demo request_id=r-1 \
                    role=demo serial=76:dd:10:c2 @module=engine::credentials::issued timestamp=2026-11-30T23:57:17.073Z";
        let json = serde_json::json!({
            "@timestamp": "2026-11-30T22:57:17.075000Z", "@level": "info", "@message": "issued a session", "path": "creds/demo",
            "role": "demo", "serial": "76:dd:10:c2", "source_identity": "CN=a b", "request_id": "r-1",
        });

        let said = text_facts(text).unwrap();

        assert_eq!(said, facts(&json).unwrap());
        let LogFact::HandedOut(session) = &said[0] else { panic!("{said:?}") };
        assert_eq!(session.source_identity.as_deref(), Some("CN=a b"));
    }

    #[test]
    fn another_line_of_a_log_says_nothing_and_other_text_is_no_log() {
        assert_eq!(text_facts("2026-11-30T12:00:00.000Z [INFO]  core: vault is unsealed"), Some(Vec::new()));
        assert_eq!(text_facts("==> Vault server started!"), None);
    }

    #[test]
    fn a_line_about_a_session_without_a_serial_is_an_error() {
        let line = serde_json::json!({ "@message": "issued a session", "serial": "x" });

        assert!(facts(&line).unwrap_err().contains("\"x\" is not a serial number"));
    }
}
