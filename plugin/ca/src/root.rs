//! Makes a self-signed issuer.

use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
use time::OffsetDateTime;

use crate::authority::{Authority, PathLength, Position};
use crate::error::Error;
use crate::issuer::Issuer;
use crate::key::PrivateKey;
use crate::profile::{self, CaProfile};
use crate::serial::Serial;
use crate::template::{self, Signer};

/// The path length of every issuer: it signs leaves, never another CA.
pub(crate) const LEAVES_ONLY: IsCa = IsCa::Ca(BasicConstraints::Constrained(0));
/// The key usage of an issuer: it signs leaves and revocation lists.
pub(crate) const USAGES: [KeyUsagePurpose; 2] = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

impl Issuer {
    /// Makes a key and a self-signed CA for it: `CA:TRUE` with `pathlen:0`, keyCertSign and cRLSign, valid from a minute ago.
    ///
    /// With an RSA key this takes up to seconds ([`crate::KeySpec::is_slow`]): call it on a blocking thread.
    pub fn generate_root(profile: &CaProfile, now: OffsetDateTime) -> Result<Self, Error> {
        profile.subject.check()?;
        let window = profile::window(profile.ttl, now)?;
        let key = PrivateKey::generate(profile.key)?;
        let mut parameters = template::parameters(window, &Serial::random()?);
        parameters.is_ca = LEAVES_ONLY;
        parameters.key_usages = USAGES.to_vec();
        let name = profile.subject.der();
        let signer = Signer { key: &key, name: &name, key_id: &[] };
        let certificate = template::certificate(&parameters, &key, &name, &signer)?;
        read_back(&certificate, profile, now)?;
        Self::from_key(certificate, Vec::new(), key)
    }
}

/// Checks a new certificate as if it was imported, and compares it with the request.
fn read_back(certificate: &[u8], profile: &CaProfile, now: OffsetDateTime) -> Result<(), Error> {
    let root = Authority::parse(certificate).ok_or_else(|| Error::bug("a root just made cannot be read"))?;
    root.check(Position::Issuer(PathLength::Required), now, "root").map_err(Error::bug)?;
    if !(profile.subject.is(root.x509.subject()) && root.is_self_issued() && root.verifies_under(&root)) {
        return Err(Error::bug("a root just made does not say what was asked"));
    }
    Ok(())
}
