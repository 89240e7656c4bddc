//! Subject alternative names: the rules for DNS names and URIs in a leaf.

use crate::error::Error;

/// Refuses a text that is not a host name of letters, digits and hyphens (RFC 1123 §2.1), at most 253 characters in
/// labels of at most 63.
///
/// Wildcards are refused, because AWS drops a session tag that holds `*`; so are a trailing dot and an IP address.
pub fn check_dns_san(name: &str) -> Result<(), Error> {
    let refuse = |bound: &str| Err(Error::value("dns_sans", name, bound));
    if name.is_empty() || name.len() > 253 {
        return refuse("is not between 1 and 253 characters long");
    }
    if !name.split('.').all(is_label) {
        return refuse("is not a DNS name: labels have 1 to 63 letters, digits and inner hyphens");
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return refuse("is not a DNS name: the last label is a number, as in an IP address");
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Refuses a text that is not an absolute URI of RFC 3986's characters: a scheme, a colon and something after it, at
/// most 2048 characters.
pub fn check_uri_san(uri: &str) -> Result<(), Error> {
    let refuse = |bound: &str| Err(Error::value("uri_sans", uri, bound));
    if uri.len() > 2048 {
        return refuse("is longer than 2048 characters");
    }
    if !uri.bytes().all(is_uri_byte) {
        return refuse("holds a character that a URI cannot have; percent-encode it");
    }
    if !uri.split('%').skip(1).all(starts_with_two_hex_digits) {
        return refuse("holds a percent sign without two hex digits after it");
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return refuse("has no scheme, such as spiffe:");
    };
    if !is_scheme(scheme) || rest.trim_start_matches('/').is_empty() {
        return refuse("is not an absolute URI, such as spiffe://cluster/ns/name");
    }
    Ok(())
}

fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn starts_with_two_hex_digits(text: &str) -> bool {
    text.len() >= 2 && text.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_host_names_pass() {
        for name in [
            "payments",
            "payments.api.svc.cluster.local",
            "xn--mnchen-3ya.example",
            "1a.example",
            &"a".repeat(63),
        ] {
            assert_eq!(check_dns_san(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused_by_name() {
        let long = ["a".repeat(63).as_str(); 5].join(".");
        for name in [
            "",
            "*.example",
            "a..b",
            "a.",
            "-a",
            "a-",
            "a_b",
            "a b",
            "a\0b",
            "a\n",
            "münchen.de",
            "10.0.0.1",
            &"a".repeat(64),
            &long,
        ] {
            let error = check_dns_san(name).unwrap_err().to_string();

            assert!(error.starts_with("dns_sans: \""), "{error}");
        }
    }

    #[test]
    fn absolute_uris_pass() {
        for uri in [
            "spiffe://prod/ns/payments/sa/api",
            "urn:uuid:f81d4fae",
            "https://a.example/x?y=%20#z",
            "spiffe://a/b,CN=c",
        ] {
            assert_eq!(check_uri_san(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn what_is_no_absolute_uri_is_refused_by_name() {
        for uri in [
            "",
            "payments",
            "/a/b",
            ":x",
            "1a:b",
            "spiffe:",
            "spiffe://",
            "spiffe://a b",
            "spiffe://a\n",
            "spiffe://ä",
            "a:%2",
            "a:%zz",
            "a:b\0",
        ] {
            let error = check_uri_san(uri).unwrap_err().to_string();

            assert!(error.starts_with("uri_sans: \""), "{error}");
        }
    }
}
