//! Vault's own PKI engine as the CA above the mount's.

use harness::Stage;
use serde_json::json;

/// Makes the mount `iamra` an issuer called `issuer_name` whose certificate, for `common_name`, a company's root in `pki` signs; the root.
///
/// # Panics
/// When Vault refuses.
pub async fn sign_intermediate(stage: &Stage, common_name: &str, issuer_name: &str) -> String {
    let write = async |path: &str, body| stage.root().write(path, body).await.ok();
    stage.vault.mount("pki", "pki").await;
    let root = json!({ "common_name": "company root", "ttl": "700h" });
    let _ = write("pki/root/generate/internal", root).await;
    let csr = write("iamra/intermediate/generate/internal", json!({ "common_name": common_name })).await;
    let sign =
        json!({ "csr": csr.string("csr"), "ttl": "600h", "max_path_length": 0, "common_name": common_name });
    let signed = write("pki/root/sign-intermediate", sign).await;
    let chain = format!("{}\n{}", signed.string("certificate"), signed.string("issuing_ca"));
    let _ =
        write("iamra/intermediate/set-signed", json!({ "certificate": chain, "issuer_name": issuer_name }))
            .await;
    signed.string("issuing_ca").to_owned()
}
