//! What the engine itself does for one session that it does not have, beside the P-256 operations which that needs at least.
//!
//! `needed` is the measure: a key, the issuer's signature over a leaf, the leaf's over the request, and the one verification by which
//! a leaf is checked before anyone sees it. Compare `whole` with it, never with a time.

#![allow(clippy::expect_used, reason = "a run in which anything fails is no run")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use ca::{CaProfile, ExposeSecret as _, Issuer, KeySpec, Leaf, LeafProfile, Subject};
use criterion::{Criterion, criterion_group, criterion_main};
use rolesanywhere::{CreateSession, Endpoint, Identity, SessionDuration, Settings, Url, signed_request};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
/// As long as the part of a leaf that is signed, and as the request.
const MESSAGE: [u8; 600] = [0x5a; 600];

fn uncached_session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("P-256");
    let (pair, random) = (key(), SystemRandom::new());
    let signature = pair.sign(&random, &MESSAGE).expect("a signature");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref().to_vec());
    let sign = || pair.sign(&random, black_box(&MESSAGE)).expect("a signature");
    let verify = || public.verify(black_box(&MESSAGE), signature.as_ref()).expect("it is right");
    group.bench_function("key", |bencher| bencher.iter(key));
    group.bench_function("sign", |bencher| bencher.iter(sign));
    group.bench_function("verify", |bencher| bencher.iter(verify));
    group.bench_function("needed", |bencher| bencher.iter(|| (key(), sign(), sign(), verify())));
    group.finish();

    let mut group = criterion.benchmark_group("engine");
    let (issuer, profile) = (issuer(), profile());
    let (endpoint, call) = request();
    let leaf = issue(&issuer, &profile);
    group.bench_function("leaf", |bencher| bencher.iter(|| issue(&issuer, &profile)));
    group
        .bench_function("request", |bencher| bencher.iter(|| sign_request(&issuer, &leaf, &endpoint, &call)));
    group.bench_function("whole", |bencher| {
        bencher.iter(|| sign_request(&issuer, &issue(&issuer, &profile), &endpoint, &call));
    });
    group.finish();
}

fn key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key")
}

fn issue(issuer: &Issuer, profile: &LeafProfile) -> Leaf {
    issuer.issue(black_box(profile), NOW).expect("a leaf")
}

fn sign_request(issuer: &Issuer, leaf: &Leaf, endpoint: &Endpoint, call: &CreateSession) -> usize {
    let identity = Identity::new(leaf.certificate_der.clone(), issuer.path(), leaf.key_pkcs8.expose_secret());
    let request = signed_request(endpoint, &identity.expect("an identity"), call, NOW).expect("a request");
    request.body().len()
}

fn issuer() -> Issuer {
    let subject = Subject::named("bench root");
    let ca = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_secs(86_400) };
    Issuer::generate_root(&ca, NOW).expect("a root")
}

/// As a role names a pod.
fn profile() -> LeafProfile {
    LeafProfile {
        subject: Subject {
            organizational_unit: vec!["payments".to_owned()],
            ..Subject::named("prod.payments.api")
        },
        uri_sans: vec!["spiffe://prod/ns/payments/sa/api".to_owned()],
        dns_sans: Vec::new(),
        key: KeySpec::EcP256,
        ttl: Duration::from_secs(600),
    }
}

fn request() -> (Endpoint, CreateSession) {
    let call = CreateSession {
        trust_anchor: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a"
            .parse()
            .expect("an ARN"),
        profile: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().expect("an ARN"),
        role: "arn:aws:iam::111122223333:role/demo".parse().expect("an ARN"),
        duration: SessionDuration::DEFAULT,
        role_session_name: None,
        instance_properties: BTreeMap::new(),
    };
    let endpoint = Url::parse("http://127.0.0.1:1/").expect("a URL");
    let settings = Settings { endpoint: Some(endpoint), ..Settings::default() };
    let region = call.trust_anchor.region();
    (Endpoint::resolve(&settings, region, region.partition()).expect("an endpoint"), call)
}

criterion_group!(benches, uncached_session);
criterion_main!(benches);
