//! The XML of AWS's query protocol.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, ErrorWire};

/// Parses the body. The error names the flaw, and repeats nothing of the body.
pub(super) fn parse<T: DeserializeOwned>(answer: &Answer<'_>) -> Result<T, String> {
    let body = answer.body();
    if body.is_empty() {
        return Err("the body is empty".to_owned());
    }
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    quick_xml::de::from_str(text).map_err(|_| {
        let problem = if text.trim_ascii_start().starts_with('<') {
            "not the XML of this call: a proxy or another service answers at the endpoint"
        } else {
            "not XML"
        };
        format!("the body of {} bytes is {problem}", body.len())
    })
}

/// Reads the kind and text of a refusal.
pub(super) fn error(answer: &Answer<'_>) -> Result<ErrorWire, String> {
    let wire: ErrorResponse = parse(answer)?;
    Ok(ErrorWire { code: Some(wire.error.code), message: wire.error.message, ..ErrorWire::default() })
}

#[derive(Deserialize)]
struct ErrorResponse {
    #[serde(rename = "Error")]
    error: ErrorElement,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorElement {
    code: String,
    message: Option<String>,
}
