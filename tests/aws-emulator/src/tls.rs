//! A certificate authority of the emulator's own, made anew at each start, and the server certificate it gives.

use std::{net::IpAddr, sync::Arc};

use der::{
    Encode, EncodePem,
    asn1::{Ia5String, ObjectIdentifier},
    pem::LineEnding,
};
use p256::{
    ecdsa::{DerSignature, SigningKey},
    pkcs8::{EncodePrivateKey, EncodePublicKey},
};
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use time::{Duration, OffsetDateTime};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};
use x509_cert::{
    Certificate, TbsCertificate,
    builder::{Builder, CertificateBuilder, profile::BuilderProfile},
    ext::{
        Extension, ToExtension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
            SubjectKeyIdentifier, name::GeneralName,
        },
    },
    name::Name,
    serial_number::SerialNumber,
    time::{Time, Validity},
};

use crate::create_session::random;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An acceptor, and the CA a client must trust, as PEM.
pub(crate) fn acceptor(listening: IpAddr, now: OffsetDateTime) -> Result<(TlsAcceptor, String), Failure> {
    let ca_key = SigningKey::from_slice(&random::<32>())?;
    let server_key = SigningKey::from_slice(&random::<32>())?;
    let authority = issue(Usage::Authority, &ca_key, &ca_key, now)?;
    let server = issue(Usage::Server(addresses(listening)), &server_key, &ca_key, now)?;
    let chain = vec![CertificateDer::from(server.to_der()?), CertificateDer::from(authority.to_der()?)];
    let key = PrivateKeyDer::try_from(server_key.to_pkcs8_der()?.as_bytes().to_vec())?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), authority.to_pem(LineEnding::LF)?))
}

fn addresses(listening: IpAddr) -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
    if !addresses.contains(&listening) && !listening.is_unspecified() {
        addresses.push(listening);
    }
    addresses
}

fn issue(
    usage: Usage,
    key: &SigningKey,
    issuer: &SigningKey,
    now: OffsetDateTime,
) -> Result<Certificate, Failure> {
    let validity = Validity::new(instant(now - Duration::days(1))?, instant(now + Duration::days(30))?);
    let public = SubjectPublicKeyInfoOwned::try_from(key.verifying_key().to_public_key_der()?.as_bytes())?;
    let mut serial = random::<16>();
    serial[0] = serial[0] & 0x7f | 0x40;
    let builder = CertificateBuilder::new(usage, SerialNumber::new(&serial)?, validity, public)?;
    Ok(builder.build::<_, DerSignature>(issuer)?)
}

fn instant(at: OffsetDateTime) -> Result<Time, Failure> {
    let seconds = u64::try_from(at.unix_timestamp())?;
    Ok(Time::UtcTime(der::asn1::UtcTime::from_unix_duration(std::time::Duration::from_secs(seconds))?))
}

/// The purpose of a certificate of ours.
enum Usage {
    Authority,
    Server(Vec<IpAddr>),
}

const AUTHORITY: &str = "CN=aws-emulator CA";
const SERVER: &str = "CN=aws-emulator";
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

impl BuilderProfile for Usage {
    fn get_issuer(&self, _subject: &Name) -> Name {
        AUTHORITY.parse().unwrap_or_default()
    }

    fn get_subject(&self) -> Name {
        let subject = if matches!(self, Usage::Authority) { AUTHORITY } else { SERVER };
        subject.parse().unwrap_or_default()
    }

    fn build_extensions(
        &self,
        own: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(SubjectKeyIdentifier::try_from(issuer)?.0),
            ..Default::default()
        };
        let mut extensions = vec![
            SubjectKeyIdentifier::try_from(own)?.to_extension(subject, &[])?,
            authority.to_extension(subject, &[])?,
        ];
        let basic = |ca| BasicConstraints { ca, path_len_constraint: None };
        match self {
            Usage::Authority => {
                extensions.push(basic(true).to_extension(subject, &[])?);
                extensions
                    .push(KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign).to_extension(subject, &[])?);
            }
            Usage::Server(addresses) => {
                let mut names = vec![GeneralName::DnsName(Ia5String::new("localhost")?)];
                names.extend(addresses.iter().copied().map(GeneralName::from));
                extensions.push(basic(false).to_extension(subject, &[])?);
                extensions.push(KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?);
                extensions.push(ExtendedKeyUsage(vec![SERVER_AUTH]).to_extension(subject, &[])?);
                extensions.push(SubjectAltName(names).to_extension(subject, &[])?);
            }
        }
        Ok(extensions)
    }
}
