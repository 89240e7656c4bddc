//! Orders a bundle of certificates from the issuer upwards and checks every link.

use time::OffsetDateTime;

use crate::authority::{Authority, PathLength, Position};
use crate::error::{BundleFault, Error, Flaw};
use crate::key::PrivateKey;

/// AWS: the `X-Amz-X509-Chain` header carries at most 5 certificates.
const MAX_CERTIFICATES: usize = 5;

/// The terms of the check of an import or of a signed certificate.
#[derive(Clone, Copy)]
pub(crate) struct ImportTerms {
    /// The field as users write it.
    pub(crate) field: &'static str,
    pub(crate) now: OffsetDateTime,
    pub(crate) path_length: PathLength,
    /// The owner of the keys, for the error if none matches.
    pub(crate) keys: &'static str,
}

/// An issuer's certificate, its parents in order, and the key that it carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) certificate: Vec<u8>,
    pub(crate) parents: Vec<Vec<u8>>,
    /// The position of the key among the given ones.
    pub(crate) key: usize,
}

/// Finds the certificate of one of the keys, its parents among the others in any order, and checks all of them.
///
/// Duplicates are ignored; a certificate outside the chain is refused by name.
pub(crate) fn assemble(
    certificates: &[Vec<u8>],
    keys: &[PrivateKey],
    terms: &ImportTerms,
) -> Result<Chain, Error> {
    let mut pool = parse(certificates, terms.field)?;
    let (at, key) = find_issuer(&pool, keys, terms)?;
    let mut path = vec![pool.swap_remove(at)];
    while let Some(at) = find_parent(&path[path.len() - 1], &pool) {
        path.push(pool.swap_remove(at));
    }
    if let Some(stranger) = pool.first() {
        return Err(Flaw::Unrelated(path[0].subject.clone()).of(terms.field, &stranger.subject));
    }
    check(&path, terms)?;
    let mut der = path.iter().map(|authority| authority.der.to_vec());
    Ok(Chain { certificate: der.next().unwrap_or_default(), parents: der.collect(), key })
}

fn parse<'a>(certificates: &'a [Vec<u8>], field: &'static str) -> Result<Vec<Authority<'a>>, Error> {
    let mut pool: Vec<Authority<'a>> = Vec::new();
    for (index, der) in certificates.iter().enumerate() {
        let authority = Authority::parse(der).ok_or_else(|| BundleFault::NotX509(index + 1).of(field))?;
        if !pool.iter().any(|known| known.der == authority.der) {
            pool.push(authority);
        }
    }
    match pool.len() {
        0 => Err(BundleFault::NoCertificate.of(field)),
        1..=MAX_CERTIFICATES => Ok(pool),
        many => Err(BundleFault::TooManyCertificates(many, MAX_CERTIFICATES).of(field)),
    }
}

/// The positions of the one certificate that carries one of the keys, and of that key.
fn find_issuer(
    pool: &[Authority<'_>],
    keys: &[PrivateKey],
    terms: &ImportTerms,
) -> Result<(usize, usize), Error> {
    let subjects = |found: &mut dyn Iterator<Item = &Authority<'_>>| {
        found.map(|authority| format!("{:?}", authority.subject)).collect::<Vec<_>>().join(", ")
    };
    let matches: Vec<(usize, usize)> = pool
        .iter()
        .enumerate()
        .filter_map(|(at, authority)| {
            let key = keys.iter().position(|key| authority.carries(key.public_bits()))?;
            Some((at, key))
        })
        .collect();
    match matches.as_slice() {
        [only] => Ok(*only),
        [] => {
            let subjects = subjects(&mut pool.iter());
            Err(BundleFault::NoMatch { keys: terms.keys, subjects }.of(terms.field))
        }
        several => {
            let subjects = subjects(&mut several.iter().map(|(at, _)| &pool[*at]));
            Err(BundleFault::TwoMatches(subjects).of(terms.field))
        }
    }
}

/// Finds the parent in the pool: among several with the right name, the one whose key made the signature.
fn find_parent(child: &Authority<'_>, pool: &[Authority<'_>]) -> Option<usize> {
    if child.is_self_issued() && child.verifies_under(child) {
        return None;
    }
    let named = |at: &usize| child.names(&pool[*at]);
    let signed = (0..pool.len()).filter(named).find(|at| child.verifies_under(&pool[*at]));
    signed.or_else(|| (0..pool.len()).find(named))
}

fn check(path: &[Authority<'_>], terms: &ImportTerms) -> Result<(), Error> {
    for (beneath, authority) in (0_u32..).zip(path) {
        let position =
            if beneath == 0 { Position::Issuer(terms.path_length) } else { Position::Parent(beneath) };
        authority.check(position, terms.now, terms.field)?;
    }
    for (child, parent) in path.iter().zip(path.iter().skip(1)) {
        check_link(child, parent, terms.field)?;
    }
    path.last().filter(|top| top.is_self_issued()).map_or(Ok(()), |top| check_link(top, top, terms.field))
}

fn check_link(child: &Authority<'_>, parent: &Authority<'_>, field: &'static str) -> Result<(), Error> {
    if child.verifies_under(parent) {
        return Ok(());
    }
    Err(Flaw::BadSignature(parent.subject.clone()).of(field, &child.subject))
}
