//! Checks the tests' own certificates with another author's verifier.

use crate::pki::{Authority, Certificate, Device, Hash, Key, Template};
use crate::world::ROOT;
use std::path::Path;
use std::process::Command;
use x509_cert::ext::pkix::BasicConstraints;

const MISSING: &str = "openssl is not there: apt install openssl";

fn openssl(arguments: &[&str], folder: &Path) -> String {
    let run = Command::new("openssl").args(arguments).current_dir(folder).output().expect(MISSING);
    String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned()
}

fn verify(root: &Authority, device: &Device) -> String {
    let folder = tempfile::tempdir().unwrap();
    let chain: String = device.chain.iter().map(Certificate::pem).collect();
    std::fs::write(folder.path().join("root.pem"), root.certificate.pem()).unwrap();
    std::fs::write(folder.path().join("chain.pem"), chain).unwrap();
    std::fs::write(folder.path().join("leaf.pem"), device.certificate.pem()).unwrap();
    let mut arguments = vec!["verify", "-purpose", "sslclient", "-CAfile", "root.pem"];
    if !device.chain.is_empty() {
        arguments.extend(["-untrusted", "chain.pem"]);
    }
    arguments.push("leaf.pem");
    openssl(&arguments, folder.path())
}

#[test]
fn openssl_trusts_a_leaf_of_each_kind_of_key() {
    for key in [Key::p256(), Key::p384(), Key::p521(), Key::rsa_2048(), Key::ed25519()] {
        let label = key.label();
        let device = ROOT.device_with_key(Template::leaf("payments").with_dns("payments.example.com"), key);

        assert_eq!(verify(&ROOT, &device), "leaf.pem: OK\n", "{label}");
    }
}

#[test]
fn openssl_trusts_leaves_below_rsa_and_larger_curves() {
    for (key, hash) in
        [(Key::rsa_2048(), Hash::Sha256), (Key::p384(), Hash::Sha384), (Key::p521(), Hash::Sha512)]
    {
        let root = Authority::self_signed(Template { hash, ..Template::authority("Another Root") }, key);
        let device = root.device_from(Template { hash, ..Template::leaf("payments") });

        assert_eq!(verify(&root, &device), "leaf.pem: OK\n", "{hash:?}");
    }
}

#[test]
fn openssl_trusts_a_path_over_an_intermediate() {
    let issuer = ROOT.intermediate(Template::authority("Issuing CA"));
    let device = issuer.device("payments").through(&[&issuer]);

    assert_eq!(verify(&ROOT, &device), "leaf.pem: OK\n");
}

#[test]
fn openssl_finds_the_path_length_that_is_exceeded() {
    let basic_constraints = Some(BasicConstraints { ca: true, path_len_constraint: Some(0) });
    let last = ROOT.intermediate(Template { basic_constraints, ..Template::authority("Last CA") });
    let below = last.intermediate(Template::authority("One Too Many"));

    let verdict = verify(&ROOT, &below.device("payments").through(&[&below, &last]));

    assert!(verdict.contains("path length constraint exceeded"), "{verdict}");
}

#[test]
fn openssl_finds_the_name_constraint_that_is_violated() {
    let template = Template { permitted_dns: Some("example.com"), ..Template::authority("Bounded CA") };
    let bounded = ROOT.intermediate(template);
    let device = bounded.device_from(Template::leaf("payments").with_dns("payments.example.org"));

    let verdict = verify(&ROOT, &device.through(&[&bounded]));

    assert!(verdict.contains("permitted subtree violation"), "{verdict}");
}

#[test]
fn openssl_verifies_a_crl_and_finds_its_serial() {
    let folder = tempfile::tempdir().unwrap();
    let device = ROOT.device("payments");
    std::fs::write(folder.path().join("root.pem"), ROOT.certificate.pem()).unwrap();
    std::fs::write(folder.path().join("crl.pem"), ROOT.crl(&[&device.certificate])).unwrap();

    let shown = openssl(&["crl", "-in", "crl.pem", "-CAfile", "root.pem", "-noout", "-text"], folder.path());

    assert!(shown.contains("verify OK"), "{shown}");
    assert!(shown.contains(&device.certificate.serial_hex().to_uppercase()), "{shown}");
}

#[test]
fn openssl_reads_the_serial_as_we_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let device = ROOT.device("payments");
    std::fs::write(folder.path().join("leaf.pem"), device.certificate.pem()).unwrap();

    let shown = openssl(&["x509", "-in", "leaf.pem", "-noout", "-serial"], folder.path());

    assert_eq!(shown, format!("serial={}\n", device.certificate.serial_hex().to_uppercase()));
}

#[test]
fn a_serial_of_twenty_bytes_has_its_decimal_digits() {
    let serial = hex::decode("7fffffffffffffffffffffffffffffffffffffff").unwrap();
    let device = ROOT.device_from(Template { serial, ..Template::leaf("payments") });

    let decimal = device.certificate.serial_decimal();

    assert_eq!(decimal, "730750818665451459101842416358141509827966271487");
}
