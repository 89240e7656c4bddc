//! Signing requests, and the answers of other CAs: chains in any order, and chains that are none.

use crate::openssl::{Ca, GOOD, ISSUING, Made, OpenSsl, P521, PARENT, RSA_2048, now};
use ca::{Csr, CsrProfile, ExposeSecret as _, Issuer, KeySpec, SecretSlice, Subject};

fn request(openssl: &OpenSsl) -> Csr {
    let csr =
        ca::generate_csr(&CsrProfile { subject: Subject::named("Sub CA"), key: KeySpec::EcP256 }).unwrap();
    openssl.write("sub.csr", &csr.pem);
    csr
}

/// Two parents above the request's answer: a P-521 root and an RSA intermediate.
struct Pki {
    root: Made,
    middle: Made,
    answer: String,
    key: SecretSlice<u8>,
}

impl Pki {
    fn new(openssl: &OpenSsl) -> Self {
        let root = openssl.ca(Ca {
            subject: "/CN=Root",
            key: P521,
            digest: &["-sha512"],
            extensions: PARENT,
            ..GOOD
        });
        let middle = Ca { subject: "/CN=Middle", key: RSA_2048, extensions: PARENT, ..GOOD };
        let middle = openssl.ca(Ca { signed_by: Some(&root), ..middle });
        let key = request(openssl).key;
        let answer = openssl.sign_request("sub.csr", &middle, &["-sha256"], ISSUING);
        Self { root, middle, answer, key }
    }

    fn set(&self, certificates: &[&str]) -> Result<Issuer, String> {
        set_signed(std::slice::from_ref(&self.key), &certificates.concat())
    }
}

fn set_signed(keys: &[SecretSlice<u8>], certificates: &str) -> Result<Issuer, String> {
    ca::set_signed(keys, certificates, now(), false).map_err(|error| error.to_string())
}

#[test]
fn openssl_reads_in_a_request_what_was_asked() {
    let openssl = OpenSsl::new();
    let subject = Subject { organizational_unit: vec!["A".into(), "B".into()], ..Subject::named("Sub CA") };
    for key in [KeySpec::EcP256, KeySpec::EcP384, KeySpec::Rsa2048] {
        let csr = ca::generate_csr(&CsrProfile { subject: subject.clone(), key }).unwrap();
        openssl.write("sub.csr", csr.pem);

        let text =
            openssl.run(&["req", "-in", "sub.csr", "-verify", "-noout", "-text", "-nameopt", "oneline"]);

        for line in
            ["Subject: OU = A, OU = B, CN = Sub CA", "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"]
        {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}

#[test]
fn a_chain_is_put_in_order_whatever_order_it_comes_in() {
    let pki = Pki::new(&OpenSsl::new());
    let (root, middle, answer) = (&*pki.root.certificate, &*pki.middle.certificate, &*pki.answer);
    let parents = [ca::der_of_pem(middle).unwrap(), ca::der_of_pem(root).unwrap()];
    for order in
        [[answer, middle, root], [root, middle, answer], [middle, answer, root], [root, answer, middle]]
    {
        let issuer = pki.set(&order).unwrap();

        assert_eq!(issuer.subject_text(), "CN=Sub CA");
        assert_eq!(issuer.chain(), parents);
        assert!(!issuer.is_self_signed());
    }
}

#[test]
fn parents_may_be_left_out_and_duplicates_do_not_matter() {
    let pki = Pki::new(&OpenSsl::new());

    let alone = pki.set(&[&pki.answer]).unwrap();
    let twice =
        pki.set(&[&pki.answer, &pki.middle.certificate, &pki.answer, &pki.middle.certificate]).unwrap();

    assert_eq!(alone.chain().len(), 0);
    assert_eq!(twice.chain().len(), 1);
}

#[test]
fn the_path_for_aws_leaves_a_self_signed_root_out() {
    let pki = Pki::new(&OpenSsl::new());

    let issuer = pki.set(&[&pki.answer, &pki.middle.certificate, &pki.root.certificate]).unwrap();

    assert_eq!(issuer.path(), [issuer.certificate_der().to_vec(), issuer.chain()[0].clone()]);
}

#[test]
fn the_key_that_fits_is_found_among_several() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let keys = [request(&openssl).key, pki.key.clone(), request(&openssl).key];

    let issuer = set_signed(&keys, &pki.answer).unwrap();

    assert_eq!(issuer.key_pkcs8().expose_secret(), pki.key.expose_secret());
}

#[test]
fn an_answer_for_another_key_is_refused_with_the_subjects_found() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);

    let error = set_signed(&[request(&openssl).key], &pki.answer).unwrap_err();

    let expected = r#"certificate: holds no certificate for any key that waits here for its certificate (found "CN=Sub CA")"#;
    assert_eq!(error, expected);
    assert_eq!(set_signed(&[], &pki.answer).unwrap_err(), expected);
}

#[test]
fn an_unrelated_certificate_is_refused_by_name() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let stranger = openssl.ca(Ca { subject: "/CN=Stranger", ..GOOD });

    let error = pki.set(&[&pki.answer, &stranger.certificate, &pki.middle.certificate]).unwrap_err();

    let expected =
        r#"certificate: "CN=Stranger" does not belong to the chain of the issuer "CN=Sub CA"; leave it out"#;
    assert_eq!(error, expected);
}

#[test]
fn a_parent_of_the_right_name_and_another_key_is_refused() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let forged = openssl.ca(Ca { subject: "/CN=Middle", extensions: PARENT, ..GOOD });

    let error = pki.set(&[&pki.answer, &forged.certificate]).unwrap_err();

    let expected = r#"certificate: "CN=Sub CA" is not signed by "CN=Middle": the signature does not verify under that key"#;
    assert_eq!(error, expected);
}

#[test]
fn of_two_parents_with_one_name_the_signer_is_taken() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let forged = openssl.ca(Ca { subject: "/CN=Middle", extensions: PARENT, ..GOOD });

    let error = pki.set(&[&forged.certificate, &pki.answer, &pki.middle.certificate]).unwrap_err();

    assert!(error.contains(r#""CN=Middle" does not belong to the chain"#), "{error}");
}

#[test]
fn a_self_signed_root_with_a_damaged_signature_is_refused() {
    let pki = Pki::new(&OpenSsl::new());
    let mut root = ca::der_of_pem(&pki.root.certificate).unwrap();
    *root.last_mut().unwrap() ^= 1;
    let root = pem::encode(&pem::Pem::new("CERTIFICATE", root));

    let error = pki.set(&[&pki.answer, &pki.middle.certificate, &root]).unwrap_err();

    assert!(error.starts_with(r#"certificate: "CN=Root" is not signed by "CN=Root""#), "{error}");
}

#[test]
fn a_parent_that_is_no_ca_is_refused() {
    let openssl = OpenSsl::new();
    let parent = openssl.ca(Ca { subject: "/CN=Leafy", extensions: "basicConstraints=CA:FALSE\n", ..GOOD });
    let key = request(&openssl).key;
    let answer = openssl.sign_request("sub.csr", &parent, &["-sha256"], ISSUING);

    let error = set_signed(&[key], &(answer + &parent.certificate)).unwrap_err();

    assert!(error.starts_with(r#"certificate: "CN=Leafy" is not a CA"#), "{error}");
}

#[test]
fn a_parent_whose_path_length_allows_no_ca_is_refused() {
    let openssl = OpenSsl::new();
    let parent = openssl.ca(Ca { subject: "/CN=Short", ..GOOD });
    let key = request(&openssl).key;
    let answer = openssl.sign_request("sub.csr", &parent, &["-sha256"], ISSUING);

    let error = set_signed(&[key], &(answer + &parent.certificate)).unwrap_err();

    assert_eq!(error, r#"certificate: "CN=Short" allows 0 CAs below it (pathlen) and has 1"#);
}

/// Root first: each one signs the next, and the last one the request.
fn chain_of(openssl: &OpenSsl, parents: usize) -> (SecretSlice<u8>, Vec<String>) {
    let mut made: Vec<Made> = Vec::new();
    for depth in 0..parents {
        let subject = format!("/CN=CA {depth}");
        let ca = Ca { subject: &subject, extensions: PARENT, signed_by: made.last(), ..GOOD };
        made.push(openssl.ca(ca));
    }
    let key = request(openssl).key;
    let answer = openssl.sign_request("sub.csr", &made[parents - 1], &["-sha256"], ISSUING);
    let certificates = made.into_iter().map(|made| made.certificate).chain([answer]).collect();
    (key, certificates)
}

#[test]
fn a_chain_of_five_is_taken() {
    let (key, certificates) = chain_of(&OpenSsl::new(), 4);

    let issuer = set_signed(&[key], &certificates.concat()).unwrap();

    assert_eq!((issuer.chain().len(), issuer.path().len()), (4, 4), "the root is not sent to AWS");
}

#[test]
fn a_chain_of_six_is_refused() {
    let (key, certificates) = chain_of(&OpenSsl::new(), 5);

    let error = set_signed(&[key], &certificates.concat()).unwrap_err();

    assert_eq!(error, "certificate: holds 6 certificates; at most 5 belong here");
}

/// `get-certificate` gives `Certificate` and `CertificateChain`, issuer first and root last, neither with a line break at its end.
#[test]
fn what_aws_private_ca_answers_is_taken_as_it_is() {
    let pki = Pki::new(&OpenSsl::new());
    let chain = format!("{}{}", pki.middle.certificate, pki.root.certificate);
    let (certificate, chain) = (pki.answer.trim_end(), chain.trim_end());

    for joined in [
        format!("{certificate}\n{chain}"),
        format!("{certificate}{chain}"),
        format!("{certificate}\r\n{chain}\r\n"),
    ] {
        let issuer = set_signed(std::slice::from_ref(&pki.key), &joined).unwrap();

        assert_eq!((issuer.subject_text(), issuer.chain().len()), ("CN=Sub CA", 2), "{joined}");
    }
}

/// AWS Private CA's template `SubordinateCACertificate_PathLen0/V1` takes subject and key from a request and nothing else.
#[test]
fn a_request_asks_for_nothing_but_what_an_issuing_ca_is() {
    let openssl = OpenSsl::new();
    request(&openssl);

    let text = openssl.run(&["req", "-in", "sub.csr", "-noout", "-text"]);

    assert_eq!(text.matches("X509v3").count(), 2, "{text}");
    assert_eq!(text.matches("Requested Extensions").count(), 1, "{text}");
    assert!(
        text.contains("X509v3 Basic Constraints: critical") && text.contains("X509v3 Key Usage: critical")
    );
}

#[test]
fn more_than_five_certificates_are_refused() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let more: String = (0..5).map(|_| openssl.ca(GOOD).certificate).collect();

    let error = pki.set(&[&pki.answer, &more]).unwrap_err();

    assert_eq!(error, "certificate: holds 6 certificates; at most 5 belong here");
}

#[test]
fn two_certificates_for_one_key_are_refused() {
    let openssl = OpenSsl::new();
    let pki = Pki::new(&openssl);
    let renewed = openssl.sign_request("sub.csr", &pki.middle, &["-sha256"], ISSUING);

    let error = pki.set(&[&pki.answer, &renewed]).unwrap_err();

    assert!(error.starts_with("certificate: holds two certificates for one key"), "{error}");
}

#[test]
fn a_private_key_in_the_answer_is_refused() {
    let pki = Pki::new(&OpenSsl::new());

    let error = pki.set(&[&pki.answer, &pki.middle.key]).unwrap_err();

    assert_eq!(error, "certificate: holds a private key; send certificates only, the key is already here");
}
