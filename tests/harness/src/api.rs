//! Vault's HTTP API with one token.

use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Map, Value};

/// Longer than Vault's own bound for a slow plugin call plus a stall of the machine, and short enough for a test that hangs.
const TIMEOUT: Duration = Duration::from_secs(75);

/// A client of one server with one token; cheap to clone.
#[derive(Clone)]
pub struct Api {
    http: Client,
    addr: String,
    token: Option<String>,
}

impl Api {
    /// A client of the server at `addr`, such as `http://127.0.0.1:8200`, with a token or without.
    pub fn new(addr: String, token: Option<String>) -> Api {
        Api { http: plain_client(), addr, token }
    }

    /// The same server, asked with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Api {
        Api { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same server, asked with no token.
    #[must_use]
    pub fn without_token(&self) -> Api {
        Api { token: None, ..self.clone() }
    }

    /// Sends a request to `/v1/<path>` and reads the whole answer.
    ///
    /// # Panics
    /// When the server does not answer: use [`Api::try_call`] where that may happen.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_call(method, path, body, &[])
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// As [`Api::call`] with headers of its own (`("X-Vault-Wrap-TTL", "60")`), and the transport's error as a value.
    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Reply, reqwest::Error> {
        let url = format!("{}/v1/{path}", self.addr);
        let method = Method::from_bytes(method.as_bytes()).expect("a method name");
        let mut request = self.http.request(method.clone(), url);
        if let Some(token) = &self.token {
            request = request.header("X-Vault-Token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            let merge = method == Method::PATCH;
            request = request
                .header(
                    "Content-Type",
                    if merge { "application/merge-patch+json" } else { "application/json" },
                )
                .body(body.to_string());
        }
        Reply::read(request.send().await?).await
    }

    /// `vault read`.
    pub async fn read(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    /// `vault list`.
    pub async fn list(&self, path: &str) -> Reply {
        self.call("LIST", path, None).await
    }

    /// `vault write`.
    pub async fn write(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(body)).await
    }

    /// `vault patch`: a JSON merge patch.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, Some(body)).await
    }

    /// `vault delete`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, None).await
    }
}

/// One answer of the API, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
    /// The body as received.
    pub text: String,
    /// The `Content-Type` header, empty if there is none.
    pub content_type: String,
    /// The `Cache-Control` header, empty if there is none.
    pub cache_control: String,
}

impl Reply {
    async fn read(response: Response) -> Result<Reply, reqwest::Error> {
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (content_type, cache_control) = (header("content-type"), header("cache-control"));
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status, body, text, content_type, cache_control })
    }

    /// This answer, if it is a success.
    ///
    /// # Panics
    /// With the body of any other status.
    #[must_use = "asserting is not reading"]
    #[track_caller]
    pub fn ok(self) -> Reply {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self
    }

    /// The error texts of this answer, if it has exactly this status.
    ///
    /// # Panics
    /// With the body of any other status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        self.errors()
    }

    /// The texts under `errors`, one a line.
    pub fn errors(&self) -> String {
        texts(&self.body["errors"]).join("\n")
    }

    /// The texts under `warnings`.
    pub fn warnings(&self) -> Vec<String> {
        texts(&self.body["warnings"])
    }

    /// The object under `data`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn data(&self) -> &Map<String, Value> {
        self.body["data"].as_object().unwrap_or_else(|| panic!("no data in: {} {}", self.status, self.text))
    }

    /// The text under `data.<key>`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn string(&self, key: &str) -> &str {
        self.data()
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text {key:?} in: {}", self.text))
    }

    /// The names under `data.keys`.
    pub fn keys(&self) -> Vec<String> {
        texts(&self.body["data"]["keys"])
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

/// A client for loopback: without the environment's proxy and without the system's certificates.
pub(crate) fn plain_client() -> Client {
    Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .tls_certs_only(std::iter::empty())
        .build()
        .expect("a client without certificates needs nothing of the system")
}
