//! The admin pages of an emulated AWS, wherever it runs.

use std::time::Duration;

use serde_json::Value;

use crate::api::plain_client;

/// Asks the emulator at `url` for one of its admin pages.
///
/// # Panics
/// When the page is not there or refuses.
pub async fn admin(url: &str, method: &str, page: &str, body: Option<Value>) -> Value {
    let url = format!("{url}/_admin/{page}");
    let method = method.parse().expect("a method name");
    let mut request = plain_client().request(method, url).timeout(Duration::from_secs(40));
    if let Some(body) = body {
        request = request.header("Content-Type", "application/json").body(body.to_string());
    }
    let response = request.send().await.expect("the emulator answers");
    let status = response.status();
    let text = response.text().await.expect("the emulator ends its answers");
    assert!(status.is_success(), "admin page {page}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}
