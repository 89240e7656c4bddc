//! The server's log, read back line by line as structured JSON.

use serde_json::{Map, Value};

/// One line of a Vault server's log in JSON format. The plugin's lines get there through Vault.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The dotted name of the logger, empty for lines before one exists.
    pub module: String,
    /// The message.
    pub message: String,
    /// Every key that does not start with `@`.
    pub fields: Map<String, Value>,
    /// The line as written.
    pub raw: String,
}

impl LogLine {
    /// Reads one line; none unless it is a JSON object with a level and a message.
    pub(crate) fn parse(raw: &str) -> Option<LogLine> {
        let Value::Object(mut object) = serde_json::from_str(raw).ok()? else { return None };
        let mut take = |key: &str| object.remove(key).and_then(|value| value.as_str().map(str::to_owned));
        let level = take("@level")?;
        let message = take("@message")?;
        let module = take("@module").unwrap_or_default();
        object.retain(|key, _| !key.starts_with('@'));
        Some(LogLine { level, module, message, fields: object, raw: raw.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_into_level_module_message_and_fields() {
        let raw =
            r#"{"@level":"warn","@message":"slow","@module":"secrets.x","@timestamp":"t","mount":"a_1"}"#;

        let line = LogLine::parse(raw).unwrap();

        assert_eq!(
            (line.level.as_str(), line.module.as_str(), line.message.as_str()),
            ("warn", "secrets.x", "slow")
        );
        assert_eq!(line.fields.keys().collect::<Vec<_>>(), ["mount"]);
    }

    #[test]
    fn a_line_that_is_no_json_is_no_log_line() {
        assert!(LogLine::parse("==> Vault server started!").is_none());
    }
}
