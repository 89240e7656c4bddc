//! No private key shows in anything this crate prints.

use std::time::Duration;

use crate::openssl::{GOOD, OpenSsl, now};
use ca::{CaProfile, CsrProfile, ExposeSecret as _, Issuer, KeySpec, LeafProfile, SecretSlice, Subject};

/// Fails if a stretch of the key's private number occurs in the text as hex, as decimal bytes or as base64 in any alignment.
fn assert_hidden(key: &SecretSlice<u8>, text: &str) {
    let scalar = scalar(key.expose_secret());
    for stretch in scalar.windows(6) {
        let decimal = stretch.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        for form in [hex::encode(stretch), decimal] {
            assert!(
                !text.to_lowercase().replace(':', "").contains(&form),
                "{form} of a private key is in {text}"
            );
        }
    }
    for start in 0..3 {
        let block = pem::encode(&pem::Pem::new("K", &scalar[start..start + 24]));
        let base64 = block.lines().nth(1).unwrap();
        assert!(!text.contains(base64), "base64 of a private key is in {text}");
    }
}

/// The 32 bytes of a P-256 key in PKCS#8: the OCTET STRING after the version inside the SEC1 structure.
fn scalar(pkcs8: &[u8]) -> &[u8] {
    let at = pkcs8.windows(5).position(|bytes| bytes == [0x02, 0x01, 0x01, 0x04, 0x20]).unwrap();
    &pkcs8[at + 5..at + 37]
}

#[test]
fn no_debug_output_shows_a_key() {
    let subject = Subject::named("x");
    let root = CaProfile { subject: subject.clone(), key: KeySpec::EcP256, ttl: Duration::from_hours(24) };
    let issuer = Issuer::generate_root(&root, now()).unwrap();
    let csr = ca::generate_csr(&CsrProfile { subject: subject.clone(), key: KeySpec::EcP256 }).unwrap();
    let asked = LeafProfile {
        subject,
        uri_sans: vec![],
        dns_sans: vec![],
        key: KeySpec::EcP256,
        ttl: Duration::from_mins(10),
    };
    let leaf = issuer.issue(&asked, now()).unwrap();

    let text = format!("{issuer:?} {csr:?} {leaf:?} {leaf:#?} {:?}", issuer.key_pkcs8());

    for key in [issuer.key_pkcs8(), &csr.key, &leaf.key_pkcs8] {
        assert_hidden(key, &text);
    }
    assert!(text.contains("[REDACTED]"));
}

#[test]
fn no_error_shows_a_key() {
    let openssl = OpenSsl::new();
    let (made, other) = (openssl.ca(GOOD), openssl.ca(GOOD));
    let key = SecretSlice::from(pem::parse(&other.key).unwrap().into_contents());
    let damaged = other.key.replacen('M', "N", 1);
    let halved = &other.key[..other.key.len() / 2];
    for bundle in [
        made.certificate.clone() + &other.key,
        made.certificate.clone() + &made.key + &other.key,
        made.certificate.clone() + &damaged,
        made.certificate.clone() + halved,
        made.certificate.clone() + &other.key.replace("PRIVATE KEY", "RSA PRIVATE KEY"),
        made.certificate.clone() + &other.key.replace("PRIVATE KEY", "CERTIFICATE"),
        other.key.replace('\n', "\\n"),
    ] {
        let error = ca::import_bundle(&bundle, now(), false).unwrap_err();

        assert_hidden(&key, &format!("{error} {error:?} {error:#?}"));
    }
}
