//! From the leaf to the anchor: intermediates in `X-Amz-X509-Chain`, in any order, and the path rules of RFC 5280.

use base64::{Engine, prelude::BASE64_STANDARD};
use time::OffsetDateTime;

use crate::{
    http::Call,
    pki::Certificate,
    rules::{Refusal, Rule},
};

/// AWS's bound on the chain header.
const MOST: usize = 5;

/// The certificates of the chain header; none if it is absent or empty. The leaf or the root among them is tolerated.
pub(super) fn read(call: &Call) -> Result<Vec<Certificate>, Refusal> {
    let text = call.headers("x-amz-x509-chain").collect::<Vec<_>>().join(",");
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() > MOST {
        return Err(Refusal::new(
            Rule::ChainTooLong,
            format!("{} certificates, at most {MOST}", parts.len()),
        ));
    }
    parts.into_iter().map(certificate).collect()
}

fn certificate(text: &str) -> Result<Certificate, Refusal> {
    let malformed = |reason: String| Refusal::new(Rule::ChainMalformed, reason);
    let der = BASE64_STANDARD.decode(text).map_err(|error| malformed(error.to_string()))?;
    Certificate::from_der(&der).map_err(|error| malformed(error.to_string()))
}

/// A trusted path, leaf first, anchor last.
pub(super) type Path = Vec<Certificate>;

/// Finds a path that satisfies every rule. If there is none, returns the most specific reason.
pub(super) fn build(
    leaf: &Certificate,
    intermediates: &[Certificate],
    anchors: &[Certificate],
    now: OffsetDateTime,
) -> Result<Path, Refusal> {
    let mut search = Search { intermediates, anchors, now, refusals: Vec::new() };
    let mut path = vec![leaf.clone()];
    if search.extend(&mut path) {
        return Ok(path);
    }
    let untrusted =
        || Refusal::new(Rule::ChainUntrusted, format!("no path from {} to the anchor", leaf.issuer()));
    Err(search.refusals.into_iter().next().unwrap_or_else(untrusted))
}

struct Search<'a> {
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    now: OffsetDateTime,
    /// Why issuers that signed were not accepted.
    refusals: Vec<Refusal>,
}

impl Search<'_> {
    /// Extends the path, depth first, until it reaches an anchor.
    fn extend(&mut self, path: &mut Path) -> bool {
        for anchor in self.anchors {
            if self.may_follow(path, anchor, true) {
                path.push(anchor.clone());
                return true;
            }
        }
        for issuer in self.intermediates {
            let seen = path.iter().any(|one| one.der() == issuer.der());
            if !seen && path.len() <= MOST && self.may_follow(path, issuer, false) {
                path.push(issuer.clone());
                if self.extend(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn may_follow(&mut self, path: &[Certificate], issuer: &Certificate, is_anchor: bool) -> bool {
        let signed = path.last().is_some_and(|last| has_signed(issuer, last));
        if !signed {
            return false;
        }
        match check_issuer(path, issuer, is_anchor, self.now) {
            Ok(()) => true,
            Err(refusal) => {
                self.refusals.push(refusal);
                false
            }
        }
    }
}

fn has_signed(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject() == subject.issuer()
        && issuer.key().is_ok_and(|key| subject.signed().is_ok_and(|signed| signed.holds(&key)))
}

/// The rules for an issuer of the path so far; `path` begins with the leaf.
fn check_issuer(
    path: &[Certificate],
    issuer: &Certificate,
    is_anchor: bool,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let refuse = |rule, detail: &str| Err(Refusal::new(rule, format!("{}: {detail}", issuer.subject())));
    if !issuer.is_ca() {
        return refuse(Rule::ChainNotCa, "not CA:TRUE");
    }
    if !issuer.may_sign_certificates() {
        return refuse(Rule::ChainKeyCertSign, "keyUsage lacks keyCertSign");
    }
    if !is_anchor && !issuer.is_signed_with_a_strong_hash() {
        return refuse(Rule::ChainWeakSignature, "signed with MD5 or SHA-1");
    }
    if let Some(extension) = issuer.unprocessed_extension() {
        return refuse(Rule::ChainCriticalExtension, &format!("critical extension {extension}"));
    }
    if !issuer.is_valid_at(now) {
        let rule = if is_anchor { Rule::AnchorExpired } else { Rule::ChainExpired };
        return refuse(rule, &format!("valid {} to {}", issuer.not_before(), issuer.not_after()));
    }
    let below = path.iter().skip(1).filter(|one| !one.is_self_issued()).count();
    if issuer.path_length().is_some_and(|most| below > usize::from(most)) {
        return refuse(Rule::ChainPathLength, &format!("{below} intermediates below it"));
    }
    if issuer
        .name_constraints()
        .is_some_and(|constraints| !path.iter().all(|one| constraints.admit(one.names())))
    {
        return refuse(Rule::ChainNameConstraints, "a name below it is outside its constraints");
    }
    Ok(())
}
