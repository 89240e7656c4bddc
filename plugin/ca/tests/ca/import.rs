//! Bundles from outside: every form of key, and every certificate that AWS would refuse.

use crate::openssl::{Ca, GOOD, ISSUING, Made, OpenSsl, P256, P384, P521, PARENT, RSA_2048, now};
use ca::{Issuer, KeySpec, Warning};

fn import(bundle: &str) -> Result<Issuer, String> {
    ca::import_bundle(bundle, now(), false).map_err(|error| error.to_string())
}

fn joined(made: &Made) -> String {
    made.certificate.clone() + &made.key
}

/// OpenSSL's options for a signature with RSASSA-PSS.
fn pss<'a>(hash: &'a str, salt: &'a str) -> [&'a str; 5] {
    [hash, "-sigopt", "rsa_padding_mode:pss", "-sigopt", salt]
}

/// A salt as long as the hash.
const LIKE_THE_HASH: &str = "rsa_pss_saltlen:-1";

/// A root and a CA under it, whose certificate is signed as `digest` says.
fn two_tiers(openssl: &OpenSsl, digest: &[&str]) -> (Made, Made) {
    let root = openssl.ca(Ca { key: RSA_2048, extensions: PARENT, subject: "/CN=Root", ..GOOD });
    let sub = openssl.ca(Ca { digest, signed_by: Some(&root), ..GOOD });
    (root, sub)
}

/// The error of a CA that differs from a good one.
fn refusal(ca: Ca<'_>) -> String {
    import(&joined(&OpenSsl::new().ca(ca))).unwrap_err()
}

#[test]
fn keys_load_as_pkcs8_in_every_supported_kind() {
    let openssl = OpenSsl::new();
    for (key, spec) in [(P256, KeySpec::EcP256), (P384, KeySpec::EcP384), (RSA_2048, KeySpec::Rsa2048)] {
        let made = openssl.ca(Ca { key, ..GOOD });

        let issuer = import(&joined(&made)).unwrap();

        assert_eq!(issuer.key_spec(), spec);
        assert_eq!(issuer.certificate_pem().replace('\n', ""), made.certificate.replace('\n', ""));
    }
}

#[test]
fn sec1_and_pkcs1_keys_load_and_are_kept_as_pkcs8() {
    let openssl = OpenSsl::new();
    for (key, label) in [(P256, "EC PRIVATE KEY"), (P384, "EC PRIVATE KEY"), (RSA_2048, "RSA PRIVATE KEY")] {
        let made = openssl.ca(Ca { key, ..GOOD });
        openssl.run(&["pkey", "-in", "ca.key", "-traditional", "-out", "old.key"]);
        let old = openssl.read("old.key");
        assert!(old.contains(label));

        let issuer = import(&(old + &made.certificate)).unwrap();

        assert!(Issuer::from_parts(issuer.certificate_der().to_vec(), vec![], issuer.key_pkcs8()).is_ok());
    }
}

#[test]
fn curve_parameters_before_the_key_do_not_matter() {
    let openssl = OpenSsl::new();
    openssl.run(&["ecparam", "-name", "prime256v1", "-genkey", "-out", "ec.key"]);
    assert!(openssl.read("ec.key").starts_with("-----BEGIN EC PARAMETERS-----"));

    let made = openssl.certify("ec.key", GOOD);

    assert!(import(&joined(&made)).is_ok());
}

#[test]
fn text_of_openssl_between_blocks_does_not_matter() {
    let openssl = OpenSsl::new();
    let made = openssl.ca(GOOD);

    let bundle = openssl.text(&made.certificate) + &made.certificate + "Bag Attributes\n" + &made.key;

    assert!(import(&bundle).is_ok());
}

/// AWS shows a CA's serial in upper-case hex with a leading zero byte in its notices, in decimal in signatures and in lower-case
/// hex in session names; Vault's PKI engine puts colons between. `openssl` is told the number, and what is read is that number.
#[test]
fn a_serial_is_one_number_whatever_its_length_and_first_bit() {
    let openssl = OpenSsl::new();
    for (number, colons, decimal) in [
        ("0x05", "05", "5"),
        ("0x00936EACBE07F201DF", "93:6e:ac:be:07:f2:01:df", "10623618503190643167"),
        (
            "0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
            "7f:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff",
            "730750818665451459101842416358141509827966271487",
        ),
    ] {
        let made = openssl.ca(Ca { digest: &["-sha256", "-set_serial", number], ..GOOD });

        let issuer = import(&joined(&made)).unwrap();

        assert_eq!((issuer.serial().to_string(), issuer.serial().decimal()), (colons.into(), decimal.into()));
    }
}

#[test]
fn exactly_one_key_belongs_in_a_bundle() {
    let openssl = OpenSsl::new();
    let made = openssl.ca(GOOD);

    let none = import(&made.certificate).unwrap_err();
    let two = import(&(joined(&made) + &openssl.ca(GOOD).key)).unwrap_err();

    assert_eq!(none, "pem_bundle: holds no private key; exactly one is required");
    assert_eq!(two, "pem_bundle: holds 2 private keys; exactly one is required");
}

#[test]
fn a_bundle_without_a_certificate_is_refused() {
    assert_eq!(import(&OpenSsl::new().ca(GOOD).key).unwrap_err(), "pem_bundle: holds no certificate");
}

#[test]
fn encrypted_keys_are_refused_by_name() {
    let openssl = OpenSsl::new();
    let made = openssl.ca(Ca { key: RSA_2048, ..GOOD });
    for form in [&["-out", "locked.key"][..], &["-traditional", "-out", "locked.key"]] {
        openssl.run(&[&["pkey", "-in", "ca.key", "-aes256", "-passout", "pass:x"], form].concat());

        let error = import(&(made.certificate.clone() + &openssl.read("locked.key"))).unwrap_err();

        assert!(error.starts_with("pem_bundle: the private key is encrypted ("), "{error}");
    }
}

#[test]
fn unsupported_keys_are_refused_by_name() {
    let openssl = OpenSsl::new();
    let certificate = openssl.ca(GOOD).certificate;
    for (key, name) in [
        (&["-algorithm", "ED25519"][..], "ed25519"),
        (P521, "ec-p521"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "ec-secp256k1"),
        (&["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], "rsa-pss"),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "rsa-1024"),
    ] {
        openssl.run(&[&["genpkey", "-out", "odd.key"], key].concat());

        let error = import(&(certificate.clone() + &openssl.read("odd.key"))).unwrap_err();

        let expected = format!("pem_bundle: a private key of type {name} is not supported");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_with_the_subjects_found() {
    let openssl = OpenSsl::new();
    let (one, other) = (openssl.ca(Ca { subject: "/CN=One", ..GOOD }), openssl.ca(GOOD));

    let error = import(&(one.certificate + &other.key)).unwrap_err();

    assert_eq!(error, r#"pem_bundle: holds no certificate for the bundle's private key (found "CN=One")"#);
}

#[test]
fn a_certificate_that_is_no_ca_is_refused() {
    for extensions in [
        "keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n",
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign\n",
    ] {
        let error = refusal(Ca { extensions, ..GOOD });

        assert_eq!(
            error,
            r#"pem_bundle: "CN=OpenSSL CA" is not a CA: basicConstraints with CA:TRUE is required"#
        );
    }
}

#[test]
fn a_ca_that_may_not_sign_certificates_is_refused() {
    for extensions in [
        "basicConstraints=critical,CA:TRUE,pathlen:0\n",
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,cRLSign\n",
    ] {
        let error = refusal(Ca { extensions, ..GOOD });

        assert!(
            error.ends_with("may not sign certificates: keyUsage with keyCertSign is required"),
            "{error}"
        );
    }
}

#[test]
fn weak_hashes_are_refused_by_name() {
    for (digest, name) in [("-sha1", "RSA with SHA-1"), ("-md5", "RSA with MD5")] {
        let error = refusal(Ca { key: RSA_2048, digest: &[digest], ..GOOD });

        assert!(error.ends_with(&format!("is signed with {name}; AWS takes SHA-256 or stronger")), "{error}");
    }
    assert!(refusal(Ca { digest: &["-sha1"], ..GOOD }).contains("ECDSA with SHA-1"));
}

#[test]
fn a_ca_signed_with_pss_is_taken_because_the_anchor_holds_it_itself() {
    for hash in ["-sha256", "-sha384", "-sha512"] {
        let made = OpenSsl::new().ca(Ca { key: RSA_2048, digest: &pss(hash, LIKE_THE_HASH), ..GOOD });

        let issuer = import(&joined(&made)).unwrap();

        assert!(issuer.is_self_signed() && issuer.path().is_empty());
    }
}

#[test]
fn a_chain_ends_before_what_is_signed_with_pss_and_the_issuer_says_where_it_is_good() {
    let openssl = OpenSsl::new();
    let (root, sub) = two_tiers(&openssl, &pss("-sha256", LIKE_THE_HASH));

    let issuer = import(&(joined(&sub) + &root.certificate)).unwrap();

    assert_eq!(issuer.warnings(now()), [Warning::PssSignature]);
    assert!(!issuer.is_self_signed() && issuer.path().is_empty());
    assert_eq!(issuer.chain().len(), 1);
}

#[test]
fn a_pss_signature_by_another_key_is_refused() {
    let openssl = OpenSsl::new();
    let (_, sub) = two_tiers(&openssl, &pss("-sha256", LIKE_THE_HASH));
    let other = openssl.ca(Ca { key: RSA_2048, extensions: PARENT, subject: "/CN=Root", ..GOOD });

    let error = import(&(joined(&sub) + &other.certificate)).unwrap_err();

    assert!(error.contains("is not signed by \"CN=Root\""), "{error}");
}

#[test]
fn a_pss_signature_that_is_weak_or_odd_is_refused_by_name() {
    for (digest, named) in [
        (pss("-sha1", LIKE_THE_HASH), "rsa-pss with SHA-1; AWS takes SHA-256 or stronger"),
        (
            pss("-sha256", "rsa_pss_saltlen:20"),
            "rsa-pss with a salt of 20 bytes instead of 32, which is not supported",
        ),
    ] {
        let error = refusal(Ca { key: RSA_2048, digest: &digest, ..GOOD });

        assert!(error.contains(&format!("is signed with {named}")), "{error}");
    }
    let mask = [&pss("-sha256", LIKE_THE_HASH)[..], &["-sigopt", "rsa_mgf1_md:sha512"]].concat();
    assert!(refusal(Ca { key: RSA_2048, digest: &mask, ..GOOD }).contains("another hash for its mask"));
}

#[test]
fn an_issuer_needs_pathlen_0_unless_forced() {
    let openssl = OpenSsl::new();
    for (extensions, found) in
        [(PARENT.to_owned(), "no path length"), (ISSUING.replace(":0", ":1"), "pathlen:1")]
    {
        let bundle = joined(&openssl.ca(Ca { extensions: &extensions, ..GOOD }));

        let error = import(&bundle).unwrap_err();

        assert!(error.contains(&format!("has {found}; an issuer needs pathlen:0")), "{error}");
        assert!(error.ends_with("force=true takes it as it is"), "{error}");
        assert!(ca::import_bundle(&bundle, now(), true).is_ok());
    }
}

#[test]
fn a_ca_that_does_not_hold_now_is_refused_with_its_bound() {
    let bundle = joined(&OpenSsl::new().ca(GOOD));
    let import_at = |now| ca::import_bundle(&bundle, now, false).unwrap_err().to_string();

    let late = import_at(now() + time::Duration::days(101));
    let early = import_at(now() - time::Duration::days(1));

    assert!(late.contains(r#"pem_bundle: "CN=OpenSSL CA" expired at 20"#), "{late}");
    assert!(early.contains(r#"pem_bundle: "CN=OpenSSL CA" is not valid before 20"#), "{early}");
}

#[test]
fn a_ca_with_an_empty_subject_is_refused() {
    let error = refusal(Ca { subject: "/", ..GOOD });

    assert!(error.starts_with(r#"pem_bundle: "" has an empty subject"#), "{error}");
}

/// Each is a certificate that x509-parser reads, with a name shorter than what stands there.
#[test]
fn a_ca_whose_name_cannot_be_read_to_its_end_is_refused() {
    let made = OpenSsl::new().ca(Ca { subject: "/O=Example/CN=Issuing CA", ..GOOD });
    let der = pem::parse(&made.certificate).unwrap().into_contents();
    let second_part = [0x31, 0x13, 0x30, 0x11, 0x06, 0x03, 0x55, 0x04, 0x03];
    let places: Vec<usize> = (0..der.len()).filter(|at| der[*at..].starts_with(&second_part)).collect();
    let [issuer, subject] = places[..] else { panic!("{places:?}") };
    for (at, byte, whose) in
        [(subject, 0x33, "subject"), (subject + 3, 0x0f, "subject"), (issuer, 0x33, "issuer")]
    {
        let mut broken = der.clone();
        broken[at] = byte;
        let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", broken));

        let refused = import(&(certificate + &made.key)).unwrap_err();

        assert!(refused.contains(&format!("has a name of its {whose} that cannot be read")), "{refused}");
    }
}

#[test]
fn what_may_surprise_later_is_a_warning() {
    let extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nextendedKeyUsage=serverAuth\nnameConstraints=critical,permitted;DNS:example.com\n";

    let issuer = import(&joined(&OpenSsl::new().ca(Ca { extensions, ..GOOD }))).unwrap();

    let expected = [Warning::NoCrlSign, Warning::NoClientAuth, Warning::NameConstraints];
    assert_eq!(issuer.warnings(now()), expected);
}

#[test]
fn a_block_that_is_no_certificate_is_named_by_its_position() {
    let made = OpenSsl::new().ca(GOOD);
    let odd = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    let error = import(&(joined(&made) + odd)).unwrap_err();

    assert_eq!(
        error,
        "pem_bundle: holds a block that is not an X.509 certificate (certificate 2 of the bundle)"
    );
}
