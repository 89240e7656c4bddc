//! The signing steps against vectors that were made without this crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P521_SHA256_ASN1, EcdsaVerificationAlgorithm,
    UnparsedPublicKey,
};
use bytes::Bytes;
use rolesanywhere::{
    CanonicalRequest, CreateSession, Endpoint, Identity, Settings, StringToSign, Url, signed_request,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

struct Vector {
    folder: PathBuf,
    identity: Identity,
    certificate: Vec<u8>,
    session: CreateSession,
    endpoint: Endpoint,
    now: OffsetDateTime,
}

impl Vector {
    fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
        let asked: Value = serde_json::from_slice(&fs::read(folder.join("request.json")).unwrap()).unwrap();
        let certificate = certificates(&folder.join("certificate.pem")).remove(0);
        let key = PrivatePkcs8KeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let chain = certificates(&folder.join("chain.pem"));
        let session = session(&asked);
        Self {
            identity: Identity::new(certificate.clone(), chain, key.secret_pkcs8_der()).unwrap(),
            endpoint: endpoint(&asked, &session),
            now: OffsetDateTime::parse(asked["now"].as_str().unwrap(), &Rfc3339).unwrap(),
            certificate,
            session,
            folder,
        }
    }

    fn request(&self) -> http::Request<Bytes> {
        signed_request(&self.endpoint, &self.identity, &self.session, self.now).unwrap()
    }

    /// The canonical request as AWS would build it from what arrives.
    fn canonical(&self) -> CanonicalRequest {
        const SIGNED: [&str; 4] = ["content-type", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"];
        let request = self.request();
        let sent = SIGNED.iter().filter_map(|name| {
            request.headers().get(*name).map(|value| (*name, value.to_str().unwrap().to_owned()))
        });
        let host = ("host", request.uri().authority().unwrap().to_string());
        CanonicalRequest::new(sent.chain([host]), request.body())
    }

    fn string_to_sign(&self) -> String {
        let region = self.session.trust_anchor.region();
        StringToSign::new(&self.canonical(), &self.identity, region, self.now).unwrap().to_string()
    }

    fn authorization(&self) -> String {
        self.request().headers()["authorization"].to_str().unwrap().to_owned()
    }

    fn expected(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }

    fn assert_texts(&self) {
        assert_eq!(String::from_utf8_lossy(self.request().body()), self.expected("body.json"));
        assert_eq!(self.canonical().to_string(), self.expected("canonical-request.txt"));
        assert_eq!(self.string_to_sign(), self.expected("string-to-sign.txt"));
    }

    fn assert_verifies(&self, algorithm: &'static EcdsaVerificationAlgorithm) {
        let authorization = self.authorization();
        let start = self.expected("authorization.txt");
        let signature =
            authorization.strip_prefix(&start).unwrap_or_else(|| panic!("{authorization}\n{start}"));
        let (_, certificate) = x509_parser::parse_x509_certificate(&self.certificate).unwrap();
        let key = UnparsedPublicKey::new(algorithm, &certificate.public_key().subject_public_key.data);

        assert_eq!(signature, signature.to_lowercase());
        key.verify(self.string_to_sign().as_bytes(), &hex::decode(signature).unwrap()).unwrap();
    }
}

fn certificates(path: &std::path::Path) -> Vec<Vec<u8>> {
    let Ok(pem) = fs::read(path) else { return Vec::new() };
    CertificateDer::pem_slice_iter(&pem).map(|der| der.unwrap().to_vec()).collect()
}

fn session(asked: &Value) -> CreateSession {
    let text = |name: &str| asked[name].as_str().unwrap();
    let properties: BTreeMap<String, String> =
        serde_json::from_value(asked["instance_properties"].clone()).unwrap();
    CreateSession {
        trust_anchor: text("trust_anchor_arn").parse().unwrap(),
        profile: text("profile_arn").parse().unwrap(),
        role: text("role_arn").parse().unwrap(),
        duration: serde_json::from_value(asked["session_duration"].clone()).unwrap(),
        role_session_name: asked["role_session_name"].as_str().map(str::to_owned),
        instance_properties: properties,
    }
}

fn endpoint(asked: &Value, session: &CreateSession) -> Endpoint {
    let own = asked["endpoint"].as_str().map(|url| Url::parse(url).unwrap());
    let anchor = &session.trust_anchor;
    Endpoint::resolve(&Settings { endpoint: own, ..Settings::default() }, anchor.region(), anchor.partition())
        .unwrap()
}

macro_rules! rsa_vectors {
    ($($test:ident: $folder:literal;)*) => {$(
        #[test]
        fn $test() {
            let vector = Vector::read($folder);

            vector.assert_texts();
            assert_eq!(vector.authorization(), vector.expected("authorization.txt"));
        }
    )*};
}

macro_rules! ecdsa_vectors {
    ($($test:ident: $folder:literal, $algorithm:expr;)*) => {$(
        #[test]
        fn $test() {
            let vector = Vector::read($folder);

            vector.assert_texts();
            vector.assert_verifies($algorithm);
        }
    )*};
}

rsa_vectors! {
    rsa_2048_signs_the_vector: "rsa-2048";
    rsa_2048_with_every_member_signs_the_vector: "rsa-2048-all-members";
    rsa_3072_to_a_loopback_endpoint_signs_the_vector: "rsa-3072-loopback";
}

ecdsa_vectors! {
    ecdsa_p256_signs_the_vector: "ecdsa-p256", &ECDSA_P256_SHA256_ASN1;
    ecdsa_p384_signs_sha_256_and_not_sha_384: "ecdsa-p384-chain", &ECDSA_P384_SHA256_ASN1;
    ecdsa_p521_signs_the_vector: "ecdsa-p521", &ECDSA_P521_SHA256_ASN1;
}

#[test]
fn a_vector_is_tested_for_every_folder() {
    let folders = fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")).unwrap();
    let this_file = include_str!("vectors.rs");

    for folder in folders.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()) {
        let name = folder.file_name().into_string().unwrap();
        assert!(this_file.contains(&format!("\"{name}\"")), "{name} is tested by nothing");
    }
}

#[test]
fn the_payload_hash_and_host_are_no_headers_of_their_own() {
    let request = Vector::read("rsa-2048").request();

    assert!(!request.headers().contains_key("x-amz-content-sha256"));
    assert!(!request.headers().contains_key("host"));
    assert!(!request.headers().contains_key("x-amz-x509-chain"));
}

#[test]
fn two_ecdsa_signatures_of_one_request_differ() {
    let vector = Vector::read("ecdsa-p256");

    assert_ne!(vector.authorization(), vector.authorization());
}

#[test]
fn a_serial_of_160_bits_is_written_in_decimal() {
    let vector = Vector::read("rsa-2048-all-members");

    assert_eq!(vector.identity.serial_decimal(), "730750818665451459101842416358141509827966271487");
}
