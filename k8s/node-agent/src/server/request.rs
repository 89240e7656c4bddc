//! Which request it is: the host that was meant, the method, the path, the token.

use std::net::{IpAddr, SocketAddr};

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, Method};

use crate::refusal::Refusal;
use crate::role::EngineRole;
use crate::token::{PodToken, missing};

/// The path of the protocol, without a role.
const PATH: &str = "/v1/credentials";

/// What a pod asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) token: PodToken,
    pub(super) role: Option<EngineRole>,
}

impl Wanted {
    /// Reads a request to an agent that listens on `listen`.
    ///
    /// # Errors
    /// It is none that the agent takes.
    pub(super) fn read(parts: &Parts, listen: &[SocketAddr]) -> Result<Wanted, Refusal> {
        check_host(parts, listen)?;
        if parts.method != Method::GET {
            let message = format!("{} is not offered: credentials are read with GET", parts.method);
            return Err(Refusal::lasting(405, "MethodNotAllowed", message));
        }
        let role = role(parts.uri.path())?;
        check_no_body(&parts.headers)?;
        let header = only(&parts.headers, &AUTHORIZATION)?.ok_or_else(missing)?;
        Ok(Wanted { token: PodToken::from_header(header)?, role })
    }
}

/// The host must be an address on which the agent listens: a page that a browser or a proxy was led to by a name of its own (DNS
/// rebinding, server-side request forgery) names another.
fn check_host(parts: &Parts, listen: &[SocketAddr]) -> Result<(), Refusal> {
    let header = only(&parts.headers, &HOST)?.and_then(|value| Authority::try_from(value).ok());
    let is_ours = |authority: &Authority| listen.iter().any(|address| names(authority, *address));
    let header_is_ours = header.as_ref().is_some_and(is_ours);
    if header_is_ours && parts.uri.authority().is_none_or(is_ours) {
        return Ok(());
    }
    let addresses: Vec<_> = listen.iter().map(ToString::to_string).collect();
    Err(Refusal::lasting(
        421,
        "HostNotAllowed",
        format!(
            "the Host header must be {}: ask the agent by its address, and not through a name or a proxy",
            addresses.join(" or ")
        ),
    ))
}

/// Whether a host is an address; port 80 may be left out.
fn names(authority: &Authority, address: SocketAddr) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().or_else(|| authority.port().is_none().then_some(80));
    host.parse::<IpAddr>().is_ok_and(|host| host == address.ip()) && port == Some(address.port())
}

/// The role in the path, if there is one.
fn role(path: &str) -> Result<Option<EngineRole>, Refusal> {
    let no_such_path = || {
        Refusal::lasting(
            404,
            "NoSuchPath",
            format!("no such path: credentials are at {PATH} and {PATH}/<engine role>"),
        )
    };
    match path.strip_prefix(PATH).ok_or_else(no_such_path)? {
        "" => Ok(None),
        rest => {
            let name = rest.strip_prefix('/').ok_or_else(no_such_path)?;
            let role = name.parse().map_err(|error| {
                Refusal::lasting(400, "InvalidRole", format!("the last part of the path is {error}"))
            })?;
            Ok(Some(role))
        }
    }
}

/// Refuses a request that announces a body: no SDK sends one, and the agent reads none.
fn check_no_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_empty = |length: &http::HeaderValue| length.as_bytes() == b"0";
    if headers.contains_key(TRANSFER_ENCODING) || !headers.get_all(CONTENT_LENGTH).iter().all(is_empty) {
        return Err(Refusal::lasting(413, "BodyNotAllowed", "a request for credentials has no body"));
    }
    Ok(())
}

/// The value of a header that may come once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::lasting(400, "HeaderTwice", format!("the header {name} came more than once")));
    }
    Ok(first.map(http::HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TOKEN: &str = "e30.e30.c2ln";

    fn listen() -> Vec<SocketAddr> {
        ["169.254.170.23:80", "[fd00:ec2::23]:80", "127.0.0.1:8080"]
            .map(|address| address.parse().unwrap())
            .to_vec()
    }

    fn read(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Wanted, Refusal> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Wanted::read(&request.body(()).unwrap().into_parts().0, &listen())
    }

    fn code(method: &str, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let refusal = read(method, uri, headers).unwrap_err();
        (refusal.status, refusal.code.into_owned())
    }

    const HOST_HERE: (&str, &str) = ("host", "169.254.170.23");
    const AUTHORIZED: (&str, &str) = ("authorization", TOKEN);

    #[test]
    fn an_sdk_reads_its_credentials_by_each_spelling_of_an_address() {
        for host in
            ["169.254.170.23", "169.254.170.23:80", "[fd00:ec2::23]", "[fd00:ec2::23]:80", "127.0.0.1:8080"]
        {
            let wanted = read("GET", "/v1/credentials?x=y", &[("host", host), AUTHORIZED]).unwrap();

            assert_eq!(wanted.role, None, "{host}");
        }
    }

    #[test]
    fn a_role_in_the_path_is_read() {
        let wanted = read("GET", "/v1/credentials/payments.api", &[HOST_HERE, AUTHORIZED]).unwrap();

        assert_eq!(wanted.role.unwrap().as_str(), "payments.api");
    }

    #[test]
    fn another_host_is_refused() {
        for host in [
            "example.com",
            "169.254.170.23.nip.io",
            "169.254.170.24",
            "169.254.170.23:81",
            "127.0.0.1",
            "localhost:8080",
            "",
        ] {
            assert_eq!(
                code("GET", PATH, &[("host", host), AUTHORIZED]),
                (421, "HostNotAllowed".to_owned()),
                "{host}"
            );
        }
        assert_eq!(code("GET", PATH, &[AUTHORIZED]).0, 421);
        assert_eq!(code("GET", "http://example.com/v1/credentials", &[HOST_HERE, AUTHORIZED]).0, 421);
    }

    #[test]
    fn another_method_another_path_and_a_body_are_refused() {
        assert_eq!(code("POST", PATH, &[HOST_HERE, AUTHORIZED]), (405, "MethodNotAllowed".to_owned()));
        for path in ["/", "/v1", "/v1/credentialsx", "/v2/credentials", "/metrics"] {
            assert_eq!(code("GET", path, &[HOST_HERE, AUTHORIZED]), (404, "NoSuchPath".to_owned()), "{path}");
        }
        for path in ["/", "/a/b", "/..", "/..%2f..%2fsys", "/a%2Fb", "/a//", "/."] {
            assert_eq!(
                code("GET", &format!("{PATH}{path}"), &[HOST_HERE, AUTHORIZED]).1,
                "InvalidRole",
                "{path}"
            );
        }
        assert_eq!(code("GET", PATH, &[HOST_HERE, AUTHORIZED, ("content-length", "5")]).1, "BodyNotAllowed");
        assert_eq!(
            code("GET", PATH, &[HOST_HERE, AUTHORIZED, ("transfer-encoding", "chunked")]).1,
            "BodyNotAllowed"
        );
        assert!(read("GET", PATH, &[HOST_HERE, AUTHORIZED, ("content-length", "0")]).is_ok());
    }

    #[test]
    fn a_token_is_asked_for_once() {
        assert_eq!(code("GET", PATH, &[HOST_HERE]), (401, "TokenMissing".to_owned()));
        assert_eq!(code("GET", PATH, &[HOST_HERE, AUTHORIZED, AUTHORIZED]), (400, "HeaderTwice".to_owned()));
        assert_eq!(code("GET", PATH, &[HOST_HERE, HOST_HERE, AUTHORIZED]), (400, "HeaderTwice".to_owned()));
    }
}
