//! From parameters to a signed HTTP request. Pure: the clock is an argument.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use time::OffsetDateTime;

use crate::canonical::{Authorization, CanonicalRequest, StringToSign, amz_date};
use crate::create_session::CreateSession;
use crate::endpoint::Endpoint;
use crate::identity::{Identity, SigningError};

/// Builds `POST /sessions` with the documented headers, signed for `now`. AWS accepts it for about five minutes.
///
/// The `host` header is signed but not set, because it comes from the URL: HTTP/1.1 writes `host`, and HTTP/2 `:authority`.
/// `User-Agent` is neither signed nor set: [`crate::Client`] adds it unsigned, because a proxy may change it.
pub fn signed_request(
    endpoint: &Endpoint,
    identity: &Identity,
    session: &CreateSession,
    now: OffsetDateTime,
) -> Result<Request<Bytes>, SigningError> {
    let body = session.to_json().map_err(|_| SigningError::Request("its body is not JSON"))?;
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("host", endpoint.authority()),
        ("x-amz-date", amz_date(now)?),
        ("x-amz-x509", identity.certificate_header().to_owned()),
    ];
    headers.extend(identity.chain_header().map(|chain| ("x-amz-x509-chain", chain.to_owned())));
    let canonical = CanonicalRequest::new(headers.clone(), &body);
    let string = StringToSign::new(&canonical, identity, session.trust_anchor.region(), now)?;
    let authorization = Authorization::new(&canonical, &string, identity)?;

    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.sessions_url().parse().map_err(|_| SigningError::Request("its URL"))?;
    for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
        request.headers_mut().insert(HeaderName::from_static(name), header_value(value)?);
    }
    let mut authorization = header_value(authorization.to_string())?;
    authorization.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, authorization);
    Ok(request)
}

fn header_value(text: String) -> Result<HeaderValue, SigningError> {
    HeaderValue::try_from(text).map_err(|_| SigningError::Request("a header"))
}
