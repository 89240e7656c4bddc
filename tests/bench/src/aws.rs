//! The emulated AWS as a process of its own, so that its processor time can be told from ours. TLS, as AWS has.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness::{ACCOUNT, PROFILE_ARN, REGION, ROLE_ARN, TRUST_ANCHOR_ARN, admin};
use serde_json::{Value, json};

/// The long-lived keys that Vault's own aws engine needs.
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Their secret.
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The role of the hops. It is in the same account, because what is measured is the engine's part.
pub(crate) const TARGET_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/target";
/// The second region.
const WEST: &str = "eu-west-1";

/// The same resource in the second region.
pub(crate) fn in_the_west(arn: &str) -> String {
    arn.replace(REGION, WEST)
}

/// A running emulator; ended on drop.
pub(crate) struct Aws {
    process: Child,
    url: String,
    plain_url: String,
    ca_pem: String,
    ca_file: PathBuf,
}

impl Aws {
    /// Starts the program with an account that has no anchors yet. `folder` keeps its state and its CA.
    pub(crate) fn start(program: &Path, folder: &Path) -> Aws {
        let state = folder.join("state.json");
        std::fs::write(&state, account().to_string()).expect("the temporary folder is writable");
        let mut process = Command::new(program)
            .args(["--tls", "--plain", "127.0.0.1:0", "--until-stdin-closes", "--state"])
            .arg(state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a piped output");
        BufReader::new(stdout).read_line(&mut line).expect("the emulator says where it is");
        let said: Value = serde_json::from_str(&line).expect("the emulator says it in JSON");
        let text = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}")).to_owned();
        let ca_file = folder.join("aws-ca.pem");
        std::fs::write(&ca_file, text("ca_pem")).expect("the temporary folder is writable");
        Aws { process, url: text("url"), plain_url: text("plain_url"), ca_pem: text("ca_pem"), ca_file }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `https://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The CA that clients must trust.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The same as a file.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Milliseconds that each call for credentials takes.
    pub(crate) async fn latency(&self, milliseconds: u64) {
        admin(&self.plain_url, "PUT", "knobs", Some(json!({ "latency_ms": milliseconds }))).await;
    }

    /// Makes the anchor trust exactly these two CAs: the engine's, and that of Vault's PKI.
    pub(crate) async fn trust(&self, certificates_pem: &str) {
        let mut state = admin(&self.plain_url, "GET", "state", None).await;
        state["trust_anchors"] = json!([{
            "id": id_of(TRUST_ANCHOR_ARN), "name": "vault", "enabled": true, "certificates_pem": certificates_pem,
        }]);
        state["regions"] =
            json!({ WEST: { "trust_anchors": state["trust_anchors"], "profiles": state["profiles"] } });
        admin(&self.plain_url, "PUT", "state", Some(state)).await;
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // it ends by itself when its input closes; this only makes sure
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One role that both Roles Anywhere and the user behind the long-lived keys may assume.
fn account() -> Value {
    let trust_policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": "rolesanywhere.amazonaws.com" },
          "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
          "Condition": { "ArnEquals": { "aws:SourceArn": [TRUST_ANCHOR_ARN, in_the_west(TRUST_ANCHOR_ARN)] } } },
        { "Effect": "Allow", "Principal": { "AWS": ACCOUNT }, "Action": "sts:AssumeRole" },
    ]});
    let by_the_first_role = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": ROLE_ARN },
          "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] },
    ]});
    json!({
        "account": ACCOUNT,
        "region": REGION,
        "profiles": [{ "id": id_of(PROFILE_ARN), "name": "bench", "role_arns": [ROLE_ARN] }],
        "roles": [
            { "name": "demo", "max_session_duration": 43_200, "trust_policy": trust_policy },
            { "name": "target", "max_session_duration": 3600, "trust_policy": by_the_first_role },
        ],
        "management_keys": [{ "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY }],
    })
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}
