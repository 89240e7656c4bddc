//! Whose answer it is: the engine's, Vault's own, or of something that is no Vault.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::wire::Received;

/// The longest text of an answer that is repeated, in characters.
const MAX_TEXT: usize = 1024;

/// An answer, by who gave it.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200 with JSON.
    Success(Received),
    /// The engine's refusal, `{"code":"…","message":"…"}`, as `container/<role>` gives it.
    Engine(EngineRefusal),
    /// Vault's own, `{"errors":["…"]}`.
    Errors(VaultErrors),
}

/// What the engine refused, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EngineRefusal {
    pub(super) status: u16,
    /// One CamelCase word of at most 64 letters and digits.
    pub(super) code: String,
    pub(super) message: String,
}

/// What Vault itself refused.
#[derive(Debug)]
pub(super) struct VaultErrors {
    pub(super) status: u16,
    /// The first error, without the frame that Vault puts around it. Empty where Vault gave none.
    pub(super) text: String,
    pub(super) retry_after: Option<std::time::Duration>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// No Vault answers like that. The text says what is there.
    pub(super) fn of(received: Received) -> Result<Answer, String> {
        if received.status == 200 && received.is_json {
            return Ok(Answer::Success(received));
        }
        let Received { status, retry_after, body, .. } = &received;
        let refusal: Option<RefusalBody> = serde_json::from_slice(body).ok();
        match refusal {
            Some(RefusalBody { code: Some(code), message: Some(message), .. }) if is_word(&code) => {
                Ok(Answer::Engine(EngineRefusal { status: *status, code, message: shown(&message) }))
            }
            Some(RefusalBody { errors: Some(errors), .. }) => {
                let text = errors.first().map(|text| shown(unframed(text))).unwrap_or_default();
                Ok(Answer::Errors(VaultErrors { status: *status, text, retry_after: *retry_after }))
            }
            _ => Err(format!("status {status} with {}", kind_of(body))),
        }
    }
}

impl VaultErrors {
    /// Whether another node of the cluster may do better: this one is sealed, without an active node, or behind a gateway that does
    /// not reach it.
    pub(super) fn is_of_this_node_alone(&self) -> bool {
        let is_gateway = matches!(self.status, 307 | 502..=504);
        is_gateway || (self.status >= 500 && self.text.contains("not active"))
    }
}

/// The body of a refusal, of either kind.
#[derive(Deserialize)]
struct RefusalBody {
    code: Option<String>,
    message: Option<String>,
    errors: Option<Vec<String>>,
}

/// What a body is, for an error: never its text, which may be anything.
pub(super) fn kind_of(body: &Zeroizing<Vec<u8>>) -> &'static str {
    let text = body.trim_ascii_start();
    match text.first() {
        None => "no body",
        Some(b'<') => "HTML",
        Some(b'{' | b'[') if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() => {
            "JSON that is not Vault's"
        }
        Some(b'{' | b'[') => "broken JSON",
        Some(_) => "what is not JSON",
    }
}

/// One word, as SDKs show it in front of the message.
fn is_word(code: &str) -> bool {
    code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Vault writes an error with a status as `1 error occurred:\n\t* <text>\n\n`.
fn unframed(text: &str) -> &str {
    text.strip_prefix("1 error occurred:\n\t* ").unwrap_or(text).trim()
}

/// A text of another program for a log and an SDK: one line, of bounded length.
fn shown(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, String> {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Answer::of(Received { status, is_json: true, date: None, retry_after: None, body })
    }

    fn foreign(status: u16, body: &str) -> String {
        answer(status, body).unwrap_err()
    }

    #[test]
    fn the_engines_refusal_keeps_its_code() {
        let Ok(Answer::Engine(refusal)) =
            answer(400, r#"{"code":"RoleNotFound","message":"role: there is no role \"a\""}"#)
        else {
            panic!("not the engine's")
        };

        assert_eq!((refusal.status, refusal.code.as_str()), (400, "RoleNotFound"));
    }

    #[test]
    fn vaults_frame_around_an_error_is_taken_off() {
        let Ok(Answer::Errors(errors)) =
            answer(403, "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}")
        else {
            panic!("not Vault's")
        };

        assert_eq!(errors.text, "permission denied");
        assert!(!errors.is_of_this_node_alone());
    }

    #[test]
    fn a_sealed_node_and_one_without_a_leader_are_told_from_an_answer() {
        for (status, text) in [
            (503, "Vault is sealed"),
            (500, "local node not active but active cluster node not found"),
            (307, ""),
        ] {
            let Ok(Answer::Errors(errors)) = answer(status, &format!(r#"{{"errors":["{text}"]}}"#)) else {
                panic!("{status}")
            };

            assert!(errors.is_of_this_node_alone(), "{status} {text}");
        }
    }

    #[test]
    fn what_is_no_vault_is_told_without_its_text() {
        assert_eq!(foreign(502, "<html><body>secret</body></html>"), "status 502 with HTML");
        assert_eq!(foreign(404, r#"{"errors":["#), "status 404 with broken JSON");
        assert_eq!(
            foreign(500, r#"{"code":"<script>","message":""}"#),
            "status 500 with JSON that is not Vault's"
        );
        assert_eq!(foreign(204, ""), "status 204 with no body");
        assert_eq!(foreign(400, "no"), "status 400 with what is not JSON");
    }

    #[test]
    fn a_text_of_many_lines_and_any_length_becomes_one_short_line() {
        let text = shown(&format!("a\nb\0{}", "c".repeat(5000)));

        assert!(text.starts_with("a b ") && text.chars().count() == MAX_TEXT);
    }
}
