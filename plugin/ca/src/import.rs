//! Brings in issuers from outside: a bundle with its key, or the answer to one of our signing requests.

use time::OffsetDateTime;

use crate::authority::PathLength;
use crate::bundle::Bundle;
use crate::chain::{self, Terms};
use crate::error::{BundleFault, Error};
use crate::issuer::Issuer;
use crate::key::PrivateKey;
use crate::secret::Secret;

/// Takes a PEM bundle of an issuer's certificate, its private key and, if given, its parents, in any order.
///
/// Exactly one unencrypted key: PKCS#8, PKCS#1 or SEC1; EC P-256, P-384, RSA 2048, 3072, 4096 or ML-DSA. `force` accepts an issuer
/// without `pathlen:0`. Errors name the field `pem_bundle`.
pub fn import_bundle(pem_bundle: &str, now: OffsetDateTime, force: bool) -> Result<Issuer, Error> {
    let field = "pem_bundle";
    let bundle = Bundle::parse(pem_bundle, field)?;
    let (label, contents) = match bundle.keys.as_slice() {
        [key] => key,
        [] => return Err(BundleFault::NoKey.of(field)),
        many => return Err(BundleFault::TooManyKeys(many.len()).of(field)),
    };
    let key = PrivateKey::from_block(label, contents).map_err(|fault| Error::Key { field, fault })?;
    let terms =
        Terms { field, now, path_length: PathLength::unless(force), keys: "the bundle's private key" };
    join(&bundle.certificates, vec![key], &terms)
}

/// Takes the certificate signed for one of our keys, and its parents if given, in any order.
///
/// `keys` are the keys of pending requests or of existing issuers; [`Issuer::key_pkcs8`] equals the one that fitted.
/// `force_pathlen` accepts an issuer without `pathlen:0`. Errors name the field `certificate`.
pub fn set_signed(
    keys: &[Secret],
    pem_bundle: &str,
    now: OffsetDateTime,
    force_pathlen: bool,
) -> Result<Issuer, Error> {
    let field = "certificate";
    let bundle = Bundle::parse(pem_bundle, field)?;
    if !bundle.keys.is_empty() {
        return Err(BundleFault::KeyNotWanted.of(field));
    }
    let keys = keys.iter().map(PrivateKey::from_pkcs8).collect::<Result<Vec<_>, _>>().map_err(Error::bug)?;
    let path_length = PathLength::unless(force_pathlen);
    let terms = Terms { field, now, path_length, keys: "any key that waits here for its certificate" };
    join(&bundle.certificates, keys, &terms)
}

fn join(certificates: &[Vec<u8>], mut keys: Vec<PrivateKey>, terms: &Terms) -> Result<Issuer, Error> {
    let chain = chain::assemble(certificates, &keys, terms)?;
    Issuer::from_key(chain.certificate, chain.parents, keys.swap_remove(chain.key))
}
