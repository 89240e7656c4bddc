//! The main task: a fresh key and certificate for one profile, checked before the caller gets them.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use secrecy::SecretSlice;
use time::OffsetDateTime;

use crate::error::{Error, Flaw};
use crate::issuer::{Issuer, Warning};
use crate::key::PrivateKey;
use crate::profile::{self, LeafProfile, Window};
use crate::rules::{self, Expected};
use crate::serial::Serial;
use crate::template::{self, Signer};

/// A certificate with its key, for the signature of one `CreateSession`; drop it afterwards.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate in DER.
    pub certificate_der: Vec<u8>,
    /// Its key in PKCS#8 DER.
    pub key_pkcs8: SecretSlice<u8>,
    /// Its serial number: 16 random bytes.
    pub serial: Serial,
    /// The first instant of its validity: a minute ago, or the issuer's first.
    pub not_before: OffsetDateTime,
    /// The last instant of its validity: as requested, or the issuer's last.
    pub not_after: OffsetDateTime,
    /// Differences from the request.
    pub warnings: Vec<Warning>,
}

impl Issuer {
    /// Makes a key and a leaf for it, reads the leaf back against [`crate::LEAF_RULES`], and returns both.
    ///
    /// With an RSA profile this takes a tenth of a second or more ([`crate::KeySpec::is_slow`]): call it on a blocking thread.
    pub fn issue(&self, profile: &LeafProfile, now: OffsetDateTime) -> Result<Leaf, Error> {
        profile.check()?;
        let (window, warnings) = leaf_window(self, profile, now)?;
        let key = PrivateKey::generate(profile.key)?;
        let serial = Serial::random()?;
        let parameters = parameters(profile, window, &serial)?;
        let certificate_der = self.sign(&parameters, &key, profile)?;
        rules::check(
            &certificate_der,
            &Expected {
                asked: profile,
                window,
                serial: &serial,
                public_bits: key.public_bits(),
                issuer: &self.0,
            },
        )?;
        let key_pkcs8 = key.pkcs8().clone();
        let Window { not_before, not_after } = window;
        Ok(Leaf { certificate_der, key_pkcs8, serial, not_before, not_after, warnings })
    }

    pub(crate) fn sign(
        &self,
        parameters: &CertificateParams,
        key: &PrivateKey,
        profile: &LeafProfile,
    ) -> Result<Vec<u8>, Error> {
        let signer = Signer { key: &self.0.key, name: &self.0.subject, key_id: &self.0.key_id };
        template::certificate(parameters, key, &profile.subject.der(), &signer)
    }
}

/// Returns the requested validity, cut to the issuer's. An issuer that is not valid now is an error.
fn leaf_window(
    issuer: &Issuer,
    profile: &LeafProfile,
    now: OffsetDateTime,
) -> Result<(Window, Vec<Warning>), Error> {
    let refuse = |flaw| Err(Error::Issuer { subject: issuer.subject_text().to_owned(), flaw });
    let (first, last) = (issuer.not_before(), issuer.not_after());
    if last <= now {
        return refuse(Flaw::Expired(last));
    }
    if first > now {
        return refuse(Flaw::NotYetValid(first));
    }
    let asked = profile::window(profile.ttl, now)?;
    let window = Window { not_before: asked.not_before.max(first), not_after: asked.not_after.min(last) };
    let capped = Warning::CappedByIssuer { asked: asked.not_after, not_after: last };
    Ok((window, if asked.not_after > last { vec![capped] } else { Vec::new() }))
}

/// The parameters for rcgen; the names are added later.
pub(crate) fn parameters(
    profile: &LeafProfile,
    window: Window,
    serial: &Serial,
) -> Result<CertificateParams, Error> {
    let ia5 = |text: &String| Ia5String::try_from(text.as_str()).map_err(Error::bug);
    let uris = profile.uri_sans.iter().map(|uri| ia5(uri).map(SanType::URI));
    let names = profile.dns_sans.iter().map(|name| ia5(name).map(SanType::DnsName));
    let mut parameters = template::parameters(window, serial);
    parameters.subject_alt_names = uris.chain(names).collect::<Result<_, _>>()?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}
