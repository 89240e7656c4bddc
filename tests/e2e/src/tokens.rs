//! Tokens of service accounts that are signed, as a cluster signs them, for auth methods that know its key.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Makes `key.pub` and `token` with openssl in the working folder; `$1` has the claims beside the times.
const SIGN: &str = r#"
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem
openssl pkey -in key.pem -pubout -out key.pub
now=$(date +%s)
head=$(printf '{"alg":"RS256","typ":"JWT"}' | b64)
body=$(printf '%s,"nbf":%s,"exp":%s}' "${1%\}}" $((now - 60)) $((now + 600)) | b64)
sig=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign key.pem -binary | b64)
printf '%s.%s.%s' "$head" "$body" "$sig" >token
"#;

/// Leaves the token of a service account for the audience `vault` as `token` in a folder, and returns the public key that verifies it, in PEM.
///
/// # Panics
/// When openssl fails.
pub fn sign(folder: &Path, namespace: &str, name: &str) -> String {
    let claims: Value = json!({
        "sub": format!("system:serviceaccount:{namespace}:{name}"), "aud": ["vault"],
        "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": name, "uid": "0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01" } },
    });
    let signed = Command::new("bash")
        .args(["-euc", SIGN, "sign", &claims.to_string()])
        .current_dir(folder)
        .output()
        .expect("bash runs");
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    fs::read_to_string(folder.join("key.pub")).expect("openssl wrote the key")
}
