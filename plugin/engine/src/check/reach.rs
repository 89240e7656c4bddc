//! Judges the endpoint and the clock, both from one unsigned request. No I/O.

use rolesanywhere::{ClockSkew, ProbeError, Reached, TransportErrorKind};

use super::verdict::Verdict;

/// The clock skew in seconds above which AWS is taken to refuse signatures. AWS documents no bound here. 30 minutes were seen
/// refused, and five minutes is the rule of AWS's signatures elsewhere.
const REFUSED: u64 = 300;
/// HTTP status 407, which only a proxy sends.
const PROXY_WANTS_PASSWORD: u16 = 407;

/// Judges what answered. An answer without AWS's request id is a warning: a proxy or another service may have sent it.
pub(super) fn endpoint(probed: &Result<Reached, ProbeError>) -> Verdict {
    let reached = match probed {
        Ok(reached) => reached,
        Err(error @ ProbeError::Endpoint(_)) => {
            return Verdict::broken(
                error,
                "correct the region in the ARNs of the role or the config, or endpoint of the config",
            );
        }
        Err(error @ ProbeError::Unreached { cause, .. }) => {
            return Verdict::broken(error, unreached(cause.kind));
        }
    };
    let Reached { endpoint, status, took, .. } = reached;
    if *status == PROXY_WANTS_PASSWORD {
        return Verdict::broken(
            format!("a proxy in front of {endpoint} requires a password (407)"),
            "write user and password to proxy_url of the config",
        );
    }
    if !reached.from_aws {
        return Verdict::warning(
            format!("{endpoint} answers {status} without a request id, but AWS's answers have one"),
            "check endpoint and proxy_url of the config: a proxy or another service may answer there",
        );
    }
    Verdict::ok(format!("{endpoint} answers within {} ms", took.as_millis().max(1)))
}

/// The cure, by the kind of failure: each kind is another person's to mend.
fn unreached(kind: TransportErrorKind) -> &'static str {
    match kind {
        TransportErrorKind::Untrusted => {
            "write the certificate of the CA behind the server's certificate to endpoint_ca_pem of the config"
        }
        TransportErrorKind::Unresolved => {
            "fix DNS on Vault's nodes (/etc/resolv.conf and the servers it names), pin the name in their /etc/hosts, or correct endpoint of the config"
        }
        TransportErrorKind::Proxy => {
            "the fault is between Vault's nodes and the proxy: ask the proxy's operator, or name another proxy in proxy_url of the config; NO_PROXY in Vault's environment bypasses the proxy of HTTPS_PROXY"
        }
        TransportErrorKind::ProxyRefused => {
            "ask the proxy's operator to allow the connection; write the user and password that the proxy may require to proxy_url of the config; NO_PROXY in Vault's environment bypasses the proxy of HTTPS_PROXY"
        }
        TransportErrorKind::Network => {
            "let Vault's nodes reach the endpoint over HTTPS, through a proxy (proxy_url of the config) or a VPC interface endpoint; or correct endpoint of the config"
        }
        TransportErrorKind::TooLarge => {
            "find out which server answers there: check endpoint and proxy_url of the config"
        }
    }
}

/// Judges the host's clock: ok within [`ClockSkew::TOLERANCE`] seconds of AWS's, broken beyond [`REFUSED`], a warning between.
/// Not checked if the answer had no `Date`.
pub(super) fn clock(probed: &Result<Reached, ProbeError>) -> Verdict {
    let Ok(reached) = probed else { return Verdict::not_checked("the endpoint was not reached") };
    if reached.server_date.is_none() {
        return Verdict::not_checked("the answer had no Date");
    }
    let cure = "set the clock of Vault's node, for example with chrony or systemd-timesyncd";
    match reached.clock_skew {
        None => Verdict::ok(format!("within {} s of AWS's clock", ClockSkew::TOLERANCE)),
        Some(skew) if skew.seconds() <= REFUSED => Verdict::warning(skew, cure),
        Some(skew) => {
            let seen = format!(
                "{skew}; AWS refuses signatures whose time is minutes off with \"Invalid signature\""
            );
            Verdict::broken(seen, cure)
        }
    }
}
