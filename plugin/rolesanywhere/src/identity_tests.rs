//! Claims about certificates and keys that cannot sign.

use super::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

fn certificate(vector: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(path(vector, "certificate.pem")).unwrap().to_vec()
}

fn key(vector: &str) -> Vec<u8> {
    PrivatePkcs8KeyDer::from_pem_file(path(vector, "key.pem")).unwrap().secret_pkcs8_der().to_vec()
}

fn path(vector: &str, file: &str) -> String {
    format!("{}/tests/vectors/{vector}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn refused(certificate: Vec<u8>, chain: Vec<Vec<u8>>, key: &[u8]) -> IdentityError {
    Identity::new(certificate, chain, key).unwrap_err()
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let of_another = key("rsa-2048-all-members");

    assert_eq!(refused(certificate("rsa-2048"), Vec::new(), &of_another), IdentityError::KeyMismatch);
}

#[test]
fn a_key_of_another_kind_is_refused() {
    assert_eq!(refused(certificate("rsa-2048"), Vec::new(), &key("ecdsa-p256")), IdentityError::Key);
    assert_eq!(refused(certificate("ecdsa-p384-chain"), Vec::new(), &key("ecdsa-p256")), IdentityError::Key);
    assert_eq!(refused(certificate("ecdsa-p256"), Vec::new(), b"not a key"), IdentityError::Key);
}

#[test]
fn each_ml_dsa_parameter_set_signs_the_message_itself_with_an_empty_context() {
    for (kind, check) in [
        (&rcgen::PKCS_ML_DSA_44, &signature::ML_DSA_44),
        (&rcgen::PKCS_ML_DSA_65, &signature::ML_DSA_65),
        (&rcgen::PKCS_ML_DSA_87, &signature::ML_DSA_87),
    ] {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&pair).unwrap();

        let identity = Identity::new(certificate.der().to_vec(), Vec::new(), pair.serialized_der()).unwrap();
        let signed = identity.sign(b"a string to sign").unwrap();

        assert_eq!(identity.algorithm(), "AWS4-X509-MLDSA");
        signature::UnparsedPublicKey::new(check, pair.public_key_raw())
            .verify(b"a string to sign", &signed)
            .unwrap();
        let other = rcgen::KeyPair::generate_for(kind).unwrap();
        let stranger = Identity::new(certificate.der().to_vec(), Vec::new(), other.serialized_der());
        assert_eq!(stranger.unwrap_err(), IdentityError::KeyMismatch);
    }
}

#[test]
fn bytes_after_the_certificate_are_refused() {
    let mut long = certificate("ecdsa-p256");
    long.push(0);

    assert_eq!(refused(long, Vec::new(), &key("ecdsa-p256")), IdentityError::Certificate("certificate"));
    assert_eq!(
        refused(Vec::new(), Vec::new(), &key("ecdsa-p256")),
        IdentityError::Certificate("certificate")
    );
}

#[test]
fn a_chain_has_five_certificates_at_most() {
    let other = certificate("rsa-2048");
    let chain = |length| vec![other.clone(); length];

    assert!(Identity::new(certificate("ecdsa-p256"), chain(5), &key("ecdsa-p256")).is_ok());
    assert_eq!(
        refused(certificate("ecdsa-p256"), chain(6), &key("ecdsa-p256")),
        IdentityError::ChainTooLong(6)
    );
}

#[test]
fn a_chain_is_made_of_certificates() {
    let garbage = vec![b"-----BEGIN CERTIFICATE-----".to_vec()];

    assert_eq!(
        refused(certificate("ecdsa-p256"), garbage, &key("ecdsa-p256")),
        IdentityError::Certificate("chain")
    );
}

#[test]
fn the_leaf_is_left_out_of_its_own_chain() {
    let (leaf, other) = (certificate("ecdsa-p256"), certificate("rsa-2048"));
    let identity = Identity::new(leaf.clone(), vec![leaf, other.clone()], &key("ecdsa-p256")).unwrap();

    assert_eq!(identity.chain_header(), Some(STANDARD.encode(other).as_str()));
}

#[test]
fn debug_shows_no_part_of_the_key() {
    let identity = Identity::new(certificate("ecdsa-p256"), Vec::new(), &key("ecdsa-p256")).unwrap();

    assert_eq!(
        format!("{identity:?}"),
        "Identity { serial: \"4919112987704430865\", algorithm: \"AWS4-X509-ECDSA-SHA256\", .. }"
    );
}
