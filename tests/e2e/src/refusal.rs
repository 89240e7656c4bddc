//! Writes that must be refused whole.

use harness::Api;
use serde_json::Value;

/// Writes, expects a 400 whose text holds each of `words`, and returns the text.
///
/// # Panics
/// When the write is accepted, or refused in other words.
pub async fn refused_write(api: &Api, path: &str, body: Value, words: &[&str]) -> String {
    let shown = body.to_string();
    let text = api.write(path, body).await.refused(400);
    for word in words {
        assert!(text.contains(word), "{path} {shown}: no {word:?} in: {text}");
    }
    text
}

/// Asserts that a read of a path returns the same before and after some refused writes.
///
/// # Panics
/// When it is not.
pub async fn unchanged_by(api: &Api, path: &str, writes: impl AsyncFnOnce()) {
    let before = api.read(path).await;
    writes().await;
    let after = api.read(path).await;
    assert_eq!(
        (before.status, &before.body["data"]),
        (after.status, &after.body["data"]),
        "{path} was stored by halves"
    );
}
