//! A sub CA that somebody else signs: Vault's own PKI engine, mounted beside us, or a company's CAs kept offline with openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{ROLE_ARN, Reply, Stage, Vault};
use serde_json::json;

/// A mount whose CA was signed by `pki/`, and the root's certificate.
async fn stage() -> (Stage, String) {
    let stage = Stage::without_ca(Vault::dev().await).await;
    let root = stage.root();
    stage.vault.mount("pki", "pki").await;
    let _ = root.write("sys/mounts/pki/tune", json!({ "max_lease_ttl": "87600h" })).await.ok();
    let body = json!({ "common_name": "company root", "ttl": "87600h", "key_type": "rsa", "key_bits": 2048 });
    let company = root.write("pki/root/generate/internal", body).await.ok();

    let request = json!({ "common_name": "pods of the company", "organization": "company" });
    let csr = root.write("iamra/intermediate/generate/internal", request).await.ok();
    let sign = json!({ "csr": csr.string("csr"), "ttl": "8760h", "max_path_length": 0, "use_csr_values": false,
        "common_name": "pods of the company" });
    let signed = root.write("pki/root/sign-intermediate", sign).await.ok();

    let company = company.string("certificate").to_owned();
    let bundle = format!("{company}\n{}", signed.string("certificate"));
    let _ = root.write("iamra/intermediate/set-signed", json!({ "certificate": bundle })).await.ok();
    let _ = root.write("iamra/config", stage.config()).await.ok();
    let _ = root.write("iamra/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();
    (stage, company)
}

#[tokio::test]
async fn an_anchor_that_holds_the_signed_ca_serves_the_read() {
    let (stage, _) = stage().await;

    stage.trust(&stage.ca_pem("iamra").await).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn what_an_anchor_must_hold_is_the_issuing_ca_and_not_its_parent() {
    let (stage, company) = stage().await;

    let pem = stage.ca_pem("iamra").await;

    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
    assert!(!pem.contains(company.trim()));
}

#[tokio::test]
async fn the_serial_number_reads_as_in_the_engine_that_signed() {
    let (stage, _) = stage().await;

    let ours = stage.root().read("iamra/issuer/default").await.ok();

    let serial = ours.string("serial_number");
    let theirs = stage.root().read(&format!("pki/cert/{serial}")).await.ok();
    assert_eq!(theirs.string("certificate").trim(), ours.string("certificate").trim());
}

#[tokio::test]
async fn the_chain_names_the_parent_too() {
    let (stage, company) = stage().await;

    let chain = stage.root().without_token().read("iamra/ca_chain").await.ok().text;

    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2, "{chain}");
    assert!(chain.contains(company.trim()));
}

#[tokio::test]
async fn an_anchor_that_holds_the_root_is_sent_the_chain() {
    let (stage, company) = stage().await;

    stage.trust(&company).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn an_anchor_that_holds_another_ca_gives_a_refusal_that_explains_itself() {
    let (stage, _) = stage().await;
    let _ = stage
        .root()
        .write("pki/root/rotate/internal", json!({ "common_name": "other", "issuer_name": "other" }))
        .await
        .ok();
    let other = stage.root().read("pki/issuer/other").await.ok();

    stage.trust(other.string("certificate")).await;

    let text = stage.creds("demo").await.refused(400);
    assert!(text.contains("Untrusted signing certificate"), "{text}");
    assert!(text.contains("AccessDeniedException"), "{text}");
    let log = stage.aws_log().await;
    let request_id =
        log.last().and_then(|entry| entry["request_id"].as_str()).unwrap_or("no request was logged");
    assert!(text.contains(request_id), "no {request_id} in: {text}");
}

/// A company's CAs, root first, on a machine of their own: each signs the next, the last one signs a request. Certificates in PEM.
fn signed_offline(folder: &Path, csr: &str, above: usize) -> Vec<String> {
    fs::write(folder.join("request.csr"), csr).unwrap();
    let parent = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    fs::write(folder.join("parent.ext"), parent).unwrap();
    fs::write(folder.join("issuing.ext"), parent.replace("CA:TRUE", "CA:TRUE,pathlen:0")).unwrap();
    for depth in 0..above {
        openssl(folder, &format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {depth}.key"));
        openssl(folder, &format!("req -new -key {depth}.key -subj /CN=company-{depth} -out {depth}.csr"));
        let by = depth.checked_sub(1).map_or_else(|| "-signkey 0.key".to_owned(), signer);
        sign(folder, &by, &format!("-in {depth}.csr -extfile parent.ext -out {depth}.pem"));
    }
    sign(folder, &signer(above - 1), "-in request.csr -extfile issuing.ext -out signed.pem");
    let parents = (0..above).map(|depth| format!("{depth}.pem"));
    parents
        .chain(["signed.pem".to_owned()])
        .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        .collect()
}

fn signer(depth: usize) -> String {
    format!("-CA {depth}.pem -CAkey {depth}.key -CAcreateserial")
}

fn sign(folder: &Path, by: &str, what: &str) {
    openssl(folder, &format!("x509 -req -sha256 -days 90 {by} {what}"));
}

fn openssl(folder: &Path, arguments: &str) {
    let run = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
    let run = run.expect("openssl runs");
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A mount whose signing request was answered by so many CAs, one above the other, and their certificates, root first.
async fn offline(above: usize) -> (Stage, Vec<String>, Reply) {
    let stage = Stage::without_ca(Vault::dev().await).await;
    let root = stage.root();
    let csr = root.write("iamra/intermediate/generate/internal", json!({ "common_name": "pods" })).await.ok();
    let certificates = signed_offline(&stage.vault.folder(), csr.string("csr"), above);
    let body = json!({ "certificate": certificates.concat() });
    let answer = root.write("iamra/intermediate/set-signed", body).await;
    let _ = root.write("iamra/config", stage.config()).await.ok();
    let _ = root.write("iamra/roles/demo", json!({ "role_arn": ROLE_ARN })).await.ok();
    (stage, certificates, answer)
}

fn in_one_line(pem: &str) -> String {
    pem.lines().collect()
}

#[tokio::test]
async fn an_offline_root_signs_what_the_anchor_holds_without_it() {
    let (stage, certificates, answer) = offline(1).await;
    let _ = answer.ok();

    let bundle = stage.trust_bundle("iamra").await;
    stage.trust(&bundle).await;

    assert_eq!(in_one_line(&bundle), in_one_line(&certificates[1]));
    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_chain_of_five_reaches_aws_whole() {
    let (stage, certificates, answer) = offline(4).await;
    let _ = answer.ok();

    stage.trust(&certificates[0]).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn a_chain_of_six_is_refused_and_nothing_of_it_is_stored() {
    let (stage, _, answer) = offline(5).await;

    let text = answer.refused(400);

    assert!(text.contains("certificate: holds 6 certificates; at most 5 belong here"), "{text}");
    assert!(stage.root().list("iamra/issuers").await.keys().is_empty());
}
