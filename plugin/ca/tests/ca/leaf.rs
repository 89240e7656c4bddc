//! Leaves, as an independent verifier sees them.

use std::time::Duration;

use crate::openssl::{Ca, GOOD, OpenSsl, now};
use ca::{CaProfile, Error, Flaw, Issuer, KeySpec, Leaf, LeafProfile, Subject, Warning};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

fn root(key: KeySpec, ttl: Duration, now: OffsetDateTime) -> Issuer {
    Issuer::generate_root(&CaProfile { subject: Subject::named("Root"), key, ttl }, now).unwrap()
}

fn profile() -> LeafProfile {
    LeafProfile {
        subject: Subject::named("payments.api"),
        uri_sans: vec![],
        dns_sans: vec![],
        key: KeySpec::EcP256,
        ttl: Duration::from_mins(10),
    }
}

fn pem(leaf: &Leaf) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", leaf.certificate_der.clone()))
}

#[test]
fn openssl_verifies_leaves_of_every_kind_of_key() {
    let openssl = OpenSsl::new();
    for issuer_key in [KeySpec::EcP256, KeySpec::EcP384, KeySpec::Rsa2048] {
        let issuer = root(issuer_key, Duration::from_hours(24), now());
        for key in [KeySpec::EcP256, KeySpec::EcP384, KeySpec::Rsa2048] {
            let leaf = issuer.issue(&LeafProfile { key, ..profile() }, now()).unwrap();

            let verdict = openssl.verify(&pem(&leaf), &issuer.certificate_pem());

            assert_eq!(verdict, Ok("leaf.pem: OK\n".to_owned()), "{key} under {issuer_key}");
        }
    }
}

/// This OpenSSL knows no ML-DSA. Each leaf is read back here against every rule, its signature included; the emulator of AWS verifies
/// them with another library.
#[test]
fn leaves_are_made_and_stored_issuers_sign_with_every_ml_dsa_parameter_set() {
    for (key, signature) in [(KeySpec::MlDsa44, 2420), (KeySpec::MlDsa65, 3309), (KeySpec::MlDsa87, 4627)] {
        let made = root(key, Duration::from_hours(24), NOW);
        let stored =
            Issuer::from_parts(made.certificate_der().to_vec(), vec![], &made.key_pkcs8().clone()).unwrap();

        let leaf = stored.issue(&LeafProfile { key, ..profile() }, NOW).unwrap();
        let under_ec = root(KeySpec::EcP256, Duration::from_hours(24), NOW);
        let mixed = under_ec.issue(&LeafProfile { key, ..profile() }, NOW).unwrap();

        assert_eq!(stored.key_spec(), key);
        assert!(leaf.certificate_der.len() > mixed.certificate_der.len() + signature - 80, "{key}");
        assert!(mixed.certificate_der.len() > 1312, "the public key alone is longer: {key}");
    }
}

#[test]
fn openssl_reads_in_a_leaf_what_was_asked() {
    let openssl = OpenSsl::new();
    let asked = LeafProfile {
        subject: Subject {
            country: vec!["DE".into()],
            organization: vec!["prod".into()],
            organizational_unit: vec!["payments".into(), "api".into()],
            ..Subject::named("prod.payments.api")
        },
        uri_sans: vec!["spiffe://prod/ns/payments/sa/api".into()],
        dns_sans: vec!["api.payments".into()],
        ..profile()
    };

    let leaf = root(KeySpec::EcP256, Duration::from_hours(24), NOW).issue(&asked, NOW).unwrap();

    let text = openssl.text(&pem(&leaf));
    for line in [
        "Version: 3 (0x2)",
        "Subject: C = DE, O = prod, OU = payments, OU = api, CN = prod.payments.api",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Subject Alternative Name: \n                URI:spiffe://prod/ns/payments/sa/api, DNS:api.payments\n",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Not Before: Nov 24 11:59:00 2026 GMT",
        "Not After : Nov 24 12:10:00 2026 GMT",
        &leaf.serial.to_string(),
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_root_is_a_ca_for_leaves_only() {
    let openssl = OpenSsl::new();

    let text = openssl.text(&root(KeySpec::EcP384, Duration::from_hours(24), NOW).certificate_pem());

    for line in [
        "Signature Algorithm: ecdsa-with-SHA384",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "X509v3 Subject Key Identifier: ",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_leaf_of_an_issuer_with_repeated_name_parts_verifies() {
    let openssl = OpenSsl::new();
    let subject = "/DC=com/DC=example/DC=corp/O=X/OU=One/OU=Two/CN=AD Issuing";
    let made = openssl.ca(Ca { subject, ..GOOD });
    let issuer = ca::import_bundle(&(made.certificate.clone() + &made.key), now(), false).unwrap();

    let leaf = issuer.issue(&profile(), now()).unwrap();

    assert_eq!(openssl.verify(&pem(&leaf), &made.certificate), Ok("leaf.pem: OK\n".to_owned()));
    assert_eq!(issuer.subject_text(), "DC=com, DC=example, DC=corp, O=X, OU=One, OU=Two, CN=AD Issuing");
}

#[test]
fn a_leaf_of_an_issuer_with_a_multi_valued_name_part_verifies() {
    let openssl = OpenSsl::new();
    let made = openssl.ca(Ca { subject: "/O=X/OU=One+CN=Both", ..GOOD });
    let issuer = ca::import_bundle(&(made.certificate.clone() + &made.key), now(), false).unwrap();

    let leaf = issuer.issue(&profile(), now()).unwrap();

    assert_eq!(openssl.verify(&pem(&leaf), &made.certificate), Ok("leaf.pem: OK\n".to_owned()));
    assert!(["O=X, OU=One+CN=Both", "O=X, CN=Both+OU=One"].contains(&issuer.subject_text()));
}

#[test]
fn a_leaf_names_the_key_identifier_that_its_issuer_has() {
    let openssl = OpenSsl::new();
    let extensions = &crate::openssl::ISSUING.replace("=hash", "=00112233");
    let made = openssl.ca(Ca { extensions, ..GOOD });
    let issuer = ca::import_bundle(&(made.certificate + &made.key), now(), false).unwrap();

    let leaf = issuer.issue(&profile(), now()).unwrap();

    assert_eq!(issuer.key_id(), "00112233");
    assert!(
        openssl
            .text(&pem(&leaf))
            .contains("X509v3 Authority Key Identifier: \n                00:11:22:33\n")
    );
}

#[test]
fn values_that_look_like_other_attributes_stay_values() {
    let openssl = OpenSsl::new();
    let subject = Subject { organization: vec!["x/OU=root".into()], ..Subject::named("a,CN=admin+O=x") };
    let uri = "spiffe://a/b,DNS:evil.example".to_owned();

    let leaf = root(KeySpec::EcP256, Duration::from_hours(24), NOW)
        .issue(&LeafProfile { subject, uri_sans: vec![uri.clone()], ..profile() }, NOW)
        .unwrap();

    let text = openssl.text(&pem(&leaf));
    assert!(text.contains(r#"Subject: O = x/OU=root, CN = "a,CN=admin+O=x""#), "{text}");
    assert!(text.contains(&format!("URI:{uri}\n")), "{text}");
}

#[test]
fn values_that_no_certificate_can_say_are_refused() {
    let issuer = root(KeySpec::EcP256, Duration::from_hours(24), NOW);
    let refused = |profile: LeafProfile| issuer.issue(&profile, NOW).unwrap_err().to_string();

    assert!(
        refused(LeafProfile { subject: Subject::named("a\nCN=b"), ..profile() }).starts_with("common_name: ")
    );
    assert!(refused(LeafProfile { subject: Subject::default(), ..profile() }).starts_with("common_name: "));
    assert!(refused(LeafProfile { dns_sans: vec!["a\0b".into()], ..profile() }).starts_with("dns_sans: "));
    assert!(
        refused(LeafProfile { uri_sans: vec!["no scheme".into()], ..profile() }).starts_with("uri_sans: ")
    );
    assert!(refused(LeafProfile { ttl: Duration::ZERO, ..profile() }).starts_with("ttl: "));
}

#[test]
fn a_leaf_ends_with_its_issuer_and_says_so() {
    let issuer = root(KeySpec::EcP256, Duration::from_mins(5), NOW);

    let leaf = issuer.issue(&profile(), NOW).unwrap();

    let asked = datetime!(2026-11-24 12:10 UTC);
    assert_eq!(leaf.not_after, issuer.not_after());
    assert_eq!(leaf.warnings, [Warning::CappedByIssuer { asked, not_after: issuer.not_after() }]);
    assert!(leaf.warnings[0].to_string().contains("2026-11-24T12:05:00Z instead of 2026-11-24T12:10:00Z"));
}

#[test]
fn a_leaf_inside_its_issuers_life_carries_no_warning() {
    let leaf = root(KeySpec::EcP256, Duration::from_hours(24), NOW).issue(&profile(), NOW).unwrap();

    assert_eq!(leaf.warnings, []);
}

#[test]
fn a_leaf_does_not_begin_before_its_issuer() {
    let issuer = root(KeySpec::EcP256, Duration::from_hours(24), NOW);

    let leaf = issuer.issue(&profile(), NOW - time::Duration::seconds(30)).unwrap();

    assert_eq!(leaf.not_before, issuer.not_before());
}

#[test]
fn an_issuer_that_does_not_hold_now_signs_nothing() {
    let issuer = root(KeySpec::EcP256, Duration::from_hours(1), NOW);
    let attempt = |now| issuer.issue(&profile(), now).unwrap_err();

    let late = attempt(NOW + time::Duration::hours(1));
    let early = attempt(NOW - time::Duration::minutes(2));

    assert!(late.is_operator() && !late.is_bug());
    assert_eq!(late.to_string(), r#"issuer "CN=Root" expired at 2026-11-24T13:00:00Z"#);
    assert!(matches!(early, Error::Issuer { flaw: Flaw::NotYetValid(_), .. }));
}

#[test]
fn a_stored_issuer_signs_as_the_original_does() {
    let openssl = OpenSsl::new();
    let original = root(KeySpec::EcP256, Duration::from_hours(24), now());
    let certificate = ca::der_of_pem(&original.certificate_pem()).unwrap();

    let again = Issuer::from_parts(certificate, original.chain().to_vec(), original.key_pkcs8()).unwrap();
    let leaf = again.issue(&profile(), now()).unwrap();

    assert_eq!(openssl.verify(&pem(&leaf), &original.certificate_pem()), Ok("leaf.pem: OK\n".to_owned()));
    assert_eq!((again.serial(), again.key_id()), (original.serial(), original.key_id()));
    assert!(again.is_self_signed());
    assert_eq!(again.path().len(), 0);
}

#[test]
fn stored_parts_that_do_not_belong_together_are_a_bug() {
    let one = root(KeySpec::EcP256, Duration::from_hours(24), NOW);
    let other = root(KeySpec::EcP256, Duration::from_hours(24), NOW);

    let error = Issuer::from_parts(one.certificate_der().to_vec(), vec![], other.key_pkcs8()).unwrap_err();

    assert!(error.is_bug(), "{error}");
}

#[test]
fn an_issuer_near_its_end_is_worth_a_warning() {
    let day = time::Duration::days(1);
    let issuer = root(KeySpec::EcP256, Duration::from_hours(24 * 100), NOW);

    assert_eq!(issuer.warnings(NOW), []);
    assert_eq!(issuer.warnings(NOW + day * 71), [Warning::ExpiresSoon { not_after: issuer.not_after() }]);
}

#[test]
fn an_issuer_of_a_short_life_is_worth_a_warning_in_its_last_third() {
    let hour = time::Duration::hours(1);
    let issuer = root(KeySpec::EcP256, Duration::from_hours(72), NOW);

    assert_eq!(issuer.expiry_warning(NOW + hour * 47), None);
    assert!(issuer.expiry_warning(NOW + hour * 49).is_some());
}

#[test]
fn a_validity_past_2049_is_written_as_generalized_time() {
    let openssl = OpenSsl::new();

    let issuer = root(KeySpec::EcP256, Duration::from_hours(24 * 365 * 30), NOW);

    assert_eq!(issuer.not_after(), NOW + time::Duration::days(365 * 30));
    assert!(openssl.text(&issuer.certificate_pem()).contains("Not After : Nov 16 12:00:00 2056 GMT"));
}
