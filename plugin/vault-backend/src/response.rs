//! A handler's response.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::fault::Fault;
use crate::key_page::KeyPage;

/// A response. Only data can carry a lease, because a raw response with one would make Vault fail.
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
    /// A lease on a response without data.
    MisplacedLease,
}

impl Response {
    fn new(body: Body) -> Response {
        Response { body, warnings: Vec::new() }
    }

    /// 200 with `map` as `data`. A map with the only key `error` would read as a failure.
    #[must_use]
    pub fn data(map: Map<String, Value>) -> Response {
        Response::new(Body::Data { map, lease: None })
    }

    /// [`Response::data`] of a value that serializes to an object. Any other value is a bug.
    pub fn json(value: &impl Serialize) -> Result<Response, Fault> {
        match serde_json::to_value(value) {
            Ok(Value::Object(map)) => Ok(Response::data(map)),
            Ok(_) => Err(Fault::bug("a response is not a JSON object")),
            Err(error) => Err(Fault::bug(error)),
        }
    }

    /// 204, or 200 when there are warnings.
    #[must_use]
    pub fn no_content() -> Response {
        Response::new(Body::NoContent)
    }

    /// 404 without a text: the object does not exist.
    #[must_use]
    pub fn not_found() -> Response {
        Response::new(Body::NotFound)
    }

    /// The part of a list that `page` asks for.
    pub(crate) fn page(mut self, page: &KeyPage) -> Response {
        if let Body::Data { map, .. } = &mut self.body {
            page.cut(map);
        }
        self
    }

    /// The keys of a LIST. An empty list is 404, as everywhere in Vault.
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

    /// Adds a warning, which the CLI prints. Raw responses have no field for one.
    #[must_use]
    pub fn warn(mut self, text: impl Into<String>) -> Response {
        self.warnings.push(text.into());
        self
    }

    /// As [`Response::warn`], if there is data: a warning alone would turn Vault's 404 into a 200.
    pub(crate) fn warn_beside_data(self, text: String) -> Response {
        match &self.body {
            Body::Data { map, .. } if !map.is_empty() => self.warn(text),
            _ => self,
        }
    }

    /// Leases the data. On anything but [`Response::data`] the request fails as a bug, because Vault would lose the
    /// lease silently.
    #[must_use]
    pub fn lease(self, lease: Lease) -> Response {
        let body = match self.body {
            Body::Data { map, .. } => Body::Data { map, lease: Some(lease) },
            _ => Body::MisplacedLease,
        };
        Response { body, ..self }
    }
}

/// Shows only the shape, because the data may be a credential.
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

/// A lease on the data of a response. Never renewable.
#[derive(Clone)]
pub struct Lease {
    /// The length of the lease. Less than one second becomes one second, because Vault takes zero or less for the
    /// mount's default of 32 days.
    pub ttl: Duration,
    /// The longest length of the lease; the mount's maximum if none.
    pub max_ttl: Option<Duration>,
    /// Returned in [`LeaseEnd`]. Vault stores it encrypted until the lease ends.
    pub internal: Map<String, Value>,
}

impl Lease {
    pub(crate) const MIN_LEASE: Duration = Duration::from_secs(1);

    /// A lease of `ttl` without internal data.
    #[must_use]
    pub fn of(ttl: Duration) -> Lease {
        Lease { ttl, max_ttl: None, internal: Map::new() }
    }

    /// The ttl that Vault receives.
    pub(crate) fn safe_ttl(&self) -> Duration {
        self.ttl.max(Lease::MIN_LEASE)
    }
}

/// Hides the internal data, which may be a secret.
impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ttl, max_ttl, internal: _ } = self;
        f.debug_struct("Lease").field("ttl", ttl).field("max_ttl", max_ttl).finish_non_exhaustive()
    }
}

/// A lease that ended: expired, revoked, or gone with its token or mount. Vault does not say which.
#[derive(Clone)]
pub struct LeaseEnd {
    /// The value of [`Lease::internal`].
    pub internal: Map<String, Value>,
    /// When the lease began.
    pub issued: Option<OffsetDateTime>,
    /// Its length when it began.
    pub ttl: Duration,
}

/// Hides the internal data, which may be a secret.
impl std::fmt::Debug for LeaseEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ttl, issued, internal: _ } = self;
        f.debug_struct("LeaseEnd").field("ttl", ttl).field("issued", issued).finish_non_exhaustive()
    }
}

/// A response with its own body, status and type. `vault read` shows only JSON; other types need `-format=raw` or curl.
#[derive(Clone)]
pub struct Raw {
    /// The HTTP status.
    pub status: u16,
    /// The media type; may be empty for a 204.
    pub content_type: &'static str,
    /// The body that the client gets.
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

    /// Tells caches to store nothing.
    #[must_use]
    pub fn no_store(mut self) -> Raw {
        self.cache_control = Some("no-store");
        self
    }
}

/// Hides the body, which may be a credential.
impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}
