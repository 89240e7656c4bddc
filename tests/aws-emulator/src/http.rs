//! A request as the rules see it, and their reply: plain values, no sockets.

use serde_json::Value;

/// A request whose body has arrived whole.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// As sent, before percent decoding.
    pub(crate) path: String,
    /// The query after `?`, as sent; empty without one.
    pub(crate) query: String,
    /// Names in lower case, in the order sent.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// The header's one value, or `None` if it is absent or sent more than once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The query's pairs, percent-decoded, in the order sent. `+` stays `+`: this is a URI, not a form.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        pairs(&self.query, decode)
    }

    /// The pairs of an `application/x-www-form-urlencoded` body.
    pub(crate) fn form_pairs(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body), |text| decode(&text.replace('+', " ")))
    }
}

fn pairs(text: &str, decode: impl Fn(&str) -> String) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Percent decoding; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The reply on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        Reply::new(status, "application/json", body.to_string())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}
