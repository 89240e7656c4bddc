//! Imports issuers: a bundle with its key, or the certificate for one of our signing requests.

use std::time::Duration;

use secrecy::SecretSlice;
use time::OffsetDateTime;

use crate::authority::PathLength;
use crate::bundle::Bundle;
use crate::chain::{self, ImportTerms};
use crate::error::{BundleFault, Error, Flaw};
use crate::issuer::Issuer;
use crate::key::{KeySpec, PrivateKey};
use crate::name::Subject;
use crate::profile::LeafProfile;

/// Imports a PEM bundle of an issuer's certificate, its private key and, if given, its parents, in any order.
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
        ImportTerms { field, now, path_length: PathLength::unless(force), keys: "the bundle's private key" };
    join(&bundle.certificates, vec![key], &terms)
}

/// Imports the certificate signed for one of our keys, and its parents if given, in any order.
///
/// `keys` are the keys of pending requests or of existing issuers; [`Issuer::key_pkcs8`] returns the matching one.
pub fn set_signed(
    keys: &[SecretSlice<u8>],
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
    let terms = ImportTerms { field, now, path_length, keys: "any key that waits here for its certificate" };
    join(&bundle.certificates, keys, &terms)
}

fn join(certificates: &[Vec<u8>], mut keys: Vec<PrivateKey>, terms: &ImportTerms) -> Result<Issuer, Error> {
    let chain = chain::assemble(certificates, &keys, terms)?;
    let issuer = Issuer::from_key(chain.certificate, chain.parents, keys.swap_remove(chain.key))?;
    try_out(&issuer, terms.now).map_err(|flaw| flaw.of(terms.field, issuer.subject_text()))?;
    Ok(issuer)
}

/// Makes a leaf as for a plain role and drops it, because an accepted issuer must be able to sign. It costs less than a read of
/// credentials.
fn try_out(issuer: &Issuer, now: OffsetDateTime) -> Result<(), Flaw> {
    let profile = LeafProfile {
        subject: Subject::named("trial"),
        uri_sans: Vec::new(),
        dns_sans: Vec::new(),
        key: KeySpec::EcP256,
        ttl: Duration::from_mins(1),
    };
    match issuer.issue(&profile, now) {
        Ok(_) => Ok(()),
        Err(Error::Issuer { flaw, .. }) => Err(flaw),
        Err(error) => Err(Flaw::SignsNothing(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::der;
    use crate::profile::CaProfile;

    const NOW: OffsetDateTime = datetime!(2026-12-01 12:00 UTC);
    const GENERALIZED_TIME: u8 = 0x18;
    /// Position within `TBSCertificate`.
    const VALIDITY: usize = 4;
    /// The beginning of a relative name `CN=` of four characters in UTF-8.
    const COMMON_NAME: &[u8] = &[0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x04];

    #[test]
    fn what_makes_no_leaf_is_refused_whatever_the_reason() {
        let subject = Subject::named("Root");
        let profile = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(1) };
        let good = Issuer::generate_root(&profile, NOW).unwrap();
        let mut broken = good.certificate_der().to_vec();
        let at = broken.windows(COMMON_NAME.len()).rposition(|bytes| bytes == COMMON_NAME).unwrap();
        broken[at] = 0x33;
        let broken = Issuer::from_parts(broken, Vec::new(), good.key_pkcs8()).unwrap();

        assert_eq!(try_out(&good, NOW), Ok(()));
        assert!(matches!(try_out(&broken, NOW), Err(Flaw::SignsNothing(_))));
        assert!(matches!(try_out(&good, good.not_after()), Err(Flaw::Expired(_))));
    }

    #[test]
    fn a_ca_that_ends_within_a_second_signs_up_to_that_second() {
        let subject = Subject::named("Root");
        let profile = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(1) };
        let made = Issuer::generate_root(&profile, NOW).unwrap();
        let time = |text: &[u8]| der::element(GENERALIZED_TIME, &[text]);
        let validity =
            der::element(der::SEQUENCE, &[&time(b"20261201115930.5Z"), &time(b"20261201120030.5Z")]);
        let unsigned = der::replace(made.certificate_der(), &[(VALIDITY, &validity)]).unwrap();
        let issuer = Issuer::from_parts(der::wrap(&unsigned, b"none"), Vec::new(), made.key_pkcs8()).unwrap();

        assert_eq!(issuer.not_before(), datetime!(2026-12-01 11:59:31 UTC));
        assert_eq!(issuer.not_after(), datetime!(2026-12-01 12:00:30 UTC));
        assert_eq!(try_out(&issuer, NOW), Ok(()));
    }
}
