//! What a handler answers.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::fault::Fault;

/// An answer. Only data can carry a lease: a raw answer with one would make Vault fail.
pub struct Response {
    pub(crate) body: Body,
    pub(crate) warnings: Vec<String>,
}

pub(crate) enum Body {
    Data {
        map: Map<String, Value>,
        lease: Option<Lease>,
    },
    NoContent,
    NotFound,
    Raw(Raw),
    /// A lease was given to something that is not data.
    MisplacedLease,
}

impl Response {
    fn new(body: Body) -> Response {
        Response { body, warnings: Vec::new() }
    }

    /// 200 with `map` as the answer's `data`. A map with the only key `error` would read as a failure.
    #[must_use]
    pub fn data(map: Map<String, Value>) -> Response {
        Response::new(Body::Data { map, lease: None })
    }

    /// [`Response::data`] of a value that serializes to an object; anything else is a bug.
    pub fn json(value: &impl Serialize) -> Result<Response, Fault> {
        match serde_json::to_value(value) {
            Ok(Value::Object(map)) => Ok(Response::data(map)),
            Ok(_) => Err(Fault::bug("an answer is no JSON object")),
            Err(error) => Err(Fault::bug(error)),
        }
    }

    /// 204, or 200 when there are warnings.
    #[must_use]
    pub fn no_content() -> Response {
        Response::new(Body::NoContent)
    }

    /// 404 without a text: what was asked for is not there.
    #[must_use]
    pub fn not_found() -> Response {
        Response::new(Body::NotFound)
    }

    /// The keys of a LIST. No keys are 404, as everywhere in Vault.
    #[must_use]
    pub fn list(keys: Vec<String>) -> Response {
        Response::list_with_info(keys, Map::new())
    }

    /// The keys of a LIST, with an object of details for each.
    #[must_use]
    pub fn list_with_info(keys: Vec<String>, info: Map<String, Value>) -> Response {
        let mut map = Map::new();
        if !keys.is_empty() {
            map.insert("keys".to_owned(), keys.into());
        }
        if !info.is_empty() {
            map.insert("key_info".to_owned(), info.into());
        }
        Response::data(map)
    }

    /// A body that is not wrapped in Vault's JSON.
    #[must_use]
    pub fn raw(raw: Raw) -> Response {
        Response::new(Body::Raw(raw))
    }

    /// Adds a warning, which the CLI shows. Raw answers have no place for one.
    #[must_use]
    pub fn warn(mut self, text: impl Into<String>) -> Response {
        self.warnings.push(text.into());
        self
    }

    /// As [`Response::warn`], where there is data to stand beside: a warning alone would turn Vault's 404 into a 200.
    pub(crate) fn warn_beside_data(self, text: String) -> Response {
        match &self.body {
            Body::Data { map, .. } if !map.is_empty() => self.warn(text),
            _ => self,
        }
    }

    /// Has Vault lease the data. On anything but [`Response::data`] the request fails as a bug, as Vault would lose the lease silently.
    #[must_use]
    pub fn lease(self, lease: Lease) -> Response {
        let body = match self.body {
            Body::Data { map, .. } => Body::Data { map, lease: Some(lease) },
            _ => Body::MisplacedLease,
        };
        Response { body, ..self }
    }
}

/// The data may be a credential: only the shape is shown.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.body {
            Body::Data { lease: None, .. } => "Response(data)",
            Body::Data { lease: Some(_), .. } => "Response(leased data)",
            Body::NoContent => "Response(no content)",
            Body::NotFound => "Response(not found)",
            Body::Raw(_) => "Response(raw)",
            Body::MisplacedLease => "Response(misplaced lease)",
        })
    }
}

/// A lease on the data of an answer. Never renewable.
#[derive(Clone)]
pub struct Lease {
    /// How long the data holds. Under one second becomes one second: Vault takes zero or less for the mount's default of 32 days.
    pub ttl: Duration,
    /// The longest it could ever hold; the mount's maximum where it is left out.
    pub max_ttl: Option<Duration>,
    /// What comes back in [`LeaseEnd`]. Vault stores it encrypted until the lease ends.
    pub internal: Map<String, Value>,
}

impl Lease {
    pub(crate) const MIN_LEASE: Duration = Duration::from_secs(1);

    /// A lease of `ttl` that remembers nothing.
    #[must_use]
    pub fn of(ttl: Duration) -> Lease {
        Lease { ttl, max_ttl: None, internal: Map::new() }
    }

    /// The ttl as Vault is told it.
    pub(crate) fn safe_ttl(&self) -> Duration {
        self.ttl.max(Lease::MIN_LEASE)
    }
}

/// What it remembers may be a secret.
impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ttl, max_ttl, internal: _ } = self;
        f.debug_struct("Lease").field("ttl", ttl).field("max_ttl", max_ttl).finish_non_exhaustive()
    }
}

/// A lease that ended: expired, revoked, or gone with its token or mount. Vault does not say which.
#[derive(Clone)]
pub struct LeaseEnd {
    /// What [`Lease::internal`] held.
    pub internal: Map<String, Value>,
    /// When the lease began.
    pub issued: Option<OffsetDateTime>,
    /// How long it was to hold.
    pub ttl: Duration,
}

/// What it remembers may be a secret.
impl std::fmt::Debug for LeaseEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ttl, issued, internal: _ } = self;
        f.debug_struct("LeaseEnd").field("ttl", ttl).field("issued", issued).finish_non_exhaustive()
    }
}

/// An answer's own body, status and type. `vault read` shows only JSON; others need `-format=raw` or curl.
#[derive(Clone)]
pub struct Raw {
    /// The HTTP status.
    pub status: u16,
    /// The media type; may be empty for a 204.
    pub content_type: &'static str,
    /// The body as the client gets it.
    pub body: Vec<u8>,
    /// The `Cache-Control` header. Vault's own default is `no-store`.
    pub cache_control: Option<&'static str>,
}

impl Raw {
    /// Status 200 with `body`.
    pub fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Raw {
        Raw { status: 200, content_type, body: body.into(), cache_control: None }
    }

    /// The status of `fault` with `body`, for [`crate::Route::render_errors_with`].
    pub fn failure(fault: &Fault, content_type: &'static str, body: impl Into<Vec<u8>>) -> Raw {
        Raw { status: fault.status(), ..Raw::ok(content_type, body) }
    }

    /// Status 204.
    #[must_use]
    pub fn no_content() -> Raw {
        Raw { status: 204, content_type: "", body: Vec::new(), cache_control: None }
    }

    /// Asks caches to keep nothing.
    #[must_use]
    pub fn no_store(mut self) -> Raw {
        self.cache_control = Some("no-store");
        self
    }
}

/// The body may be a credential.
impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}
