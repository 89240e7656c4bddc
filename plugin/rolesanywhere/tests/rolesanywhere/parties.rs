//! Who takes part in the tests: a certificate, a request and the answer that fits.

use std::collections::BTreeMap;

use rolesanywhere::{CreateSession, Identity, SessionDuration};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// The key of [`identity`], for tests that look for it.
pub(crate) fn key() -> Vec<u8> {
    let pem = include_bytes!("../vectors/ecdsa-p256/key.pem");
    PrivatePkcs8KeyDer::from_pem_slice(pem).unwrap().secret_pkcs8_der().to_vec()
}

/// A P-256 leaf.
pub(crate) fn identity() -> Identity {
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("../vectors/ecdsa-p256/certificate.pem")).unwrap();
    Identity::new(certificate.to_vec(), Vec::new(), &key()).unwrap()
}

/// A session of an hour for the role `demo`.
pub(crate) fn request() -> CreateSession {
    CreateSession {
        trust_anchor: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a".parse().unwrap(),
        profile: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().unwrap(),
        role: "arn:aws:iam::111122223333:role/demo".parse().unwrap(),
        duration: SessionDuration::DEFAULT,
        role_session_name: None,
        instance_properties: BTreeMap::new(),
    }
}

/// What AWS would say to [`request`] on 2 January 2026.
pub(crate) fn good_answer() -> String {
    r#"{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/demo/4444333322221111",
    "assumedRoleId":"AROAEXAMPLEEXAMPLE:4444333322221111"},"credentials":{"accessKeyId":"ASIAEXAMPLEEXAMPLE12",
    "secretAccessKey":"wJalrXUtnFEMI/K7MDENG","sessionToken":"IQoJb3JpZ2luX2Vj//token",
    "expiration":"2026-01-02T04:04:05Z"},"packedPolicySize":43,"roleArn":"arn:aws:iam::111122223333:role/demo",
    "sourceIdentity":"CN=prod.payments.api"}],
    "subjectArn":"arn:aws:rolesanywhere:eu-central-1:111122223333:subject/s"}"#
        .to_owned()
}
