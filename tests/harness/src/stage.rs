//! A Vault and an AWS that know each other, as most stories need them.

use aws_emulator::{Emulator, Options, State};
use serde_json::{Value, json};

use crate::anchor;
use crate::aws::admin;
use crate::binaries::PLUGIN;
use crate::management::{add_management, managed_anchor};
use crate::sts::{self, CallerIdentity, Credentials, StsError};
use crate::{Api, Reply, Vault};

/// The account of the emulated AWS.
pub const ACCOUNT: &str = "111122223333";
/// Its region.
pub const REGION: &str = "eu-central-1";
/// Its trust anchor, which trusts the mount's own CA.
pub const TRUST_ANCHOR_ARN: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f9f4a3c-52c1-4c2e-9a51-6d1e0b7a1c01";
/// Its profile, which lists the role.
pub const PROFILE_ARN: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/7c1d9d53-8f0e-4a53-8f6a-2f0e6b1f4b02";
/// Its role, which the trust anchor may assume.
pub const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/demo";

/// A server with the plugin mounted at `iamra/`, and an AWS on loopback that trusts the mount's CA.
pub struct Stage {
    /// The server.
    pub vault: Vault,
    /// The AWS; its admin pages are asked through [`Stage::admin`].
    pub aws: Emulator,
}

impl Stage {
    /// A dev server on which `vault read iamra/creds/demo` works.
    pub async fn dev() -> Stage {
        Stage::on(Vault::dev().await).await
    }

    /// The same on a server of another kind.
    pub async fn on(vault: Vault) -> Stage {
        let stage = Stage::without_ca(vault).await;
        stage.set_up("iamra").await;
        stage
    }

    /// A server with the plugin mounted and nothing written to it, beside an AWS that has no anchor yet.
    pub async fn without_ca(vault: Vault) -> Stage {
        vault.mount("iamra", PLUGIN).await;
        Stage::beside(vault).await
    }

    /// A server as it is, beside an AWS that has no anchor yet.
    pub async fn beside(vault: Vault) -> Stage {
        Stage { vault, aws: emulated_aws().await }
    }

    /// Gives a mount a root CA that the anchor trusts, the configuration and the role `demo`.
    pub async fn set_up(&self, mount: &str) {
        set_up(self.root(), self.aws.url(), mount).await;
    }

    /// The state that `make dev` leaves running: a managed anchor, an issuer named 2026, and a role `app` for sessions of four hours.
    pub async fn to_play_with(&self) {
        self.manage_anchor().await;
        let _ = self.root().write("iamra/issuer/default", json!({ "issuer_name": "2026" })).await.ok();
        let app = json!({ "role_arn": ROLE_ARN, "common_name": "app", "session_duration": 14_400 });
        let _ = self.root().write("iamra/roles/app", app).await.ok();
    }

    /// Lets the mount `iamra/` manage the anchor, deny sessions and check roles, as `trust-anchors/main`.
    pub async fn manage_anchor(&self) {
        manage_anchor(self.root(), self.aws.url()).await;
    }

    /// The configuration that leads a mount to this AWS.
    pub fn config(&self) -> Value {
        config(self.aws.url())
    }

    /// The certificate of a mount's issuing CA, as anyone may read it.
    pub async fn ca_pem(&self, mount: &str) -> String {
        self.root().without_token().read(&format!("{mount}/ca/pem")).await.ok().text
    }

    /// Makes the anchor trust exactly these certificates.
    pub async fn trust(&self, certificates_pem: &str) {
        trust(self.aws.url(), certificates_pem).await;
    }

    /// The bundle that a mount says trust anchors must hold, as anyone may read it.
    pub async fn trust_bundle(&self, mount: &str) -> String {
        self.root().without_token().read(&format!("{mount}/trust-bundle")).await.ok().text
    }

    /// Puts these certificates into the anchor as its owner, through AWS's own API and under its bounds.
    pub async fn update_anchor(&self, certificates_pem: &str) -> Result<(), StsError> {
        anchor::update(self.aws.url(), REGION, id_of(TRUST_ANCHOR_ARN), certificates_pem).await
    }

    /// Sets some of the AWS's knobs: latency, throttling, answers that it should not give.
    pub async fn knobs(&self, knobs: Value) {
        self.admin("PUT", "knobs", Some(knobs)).await;
    }

    /// The AWS's log: one entry for each request, with the rule that fired.
    pub async fn aws_log(&self) -> Vec<Value> {
        self.admin("GET", "log", None).await.as_array().cloned().unwrap_or_default()
    }

    /// The sessions the AWS has issued, without their secrets.
    pub async fn sessions(&self) -> Vec<Value> {
        self.admin("GET", "sessions", None).await.as_array().cloned().unwrap_or_default()
    }

    /// Requests one of the AWS's admin pages.
    ///
    /// # Panics
    /// When the page is not there or refuses.
    pub async fn admin(&self, method: &str, page: &str, body: Option<Value>) -> Value {
        admin(self.aws.url(), method, page, body).await
    }

    /// The server's API as root.
    pub fn root(&self) -> &Api {
        self.vault.root()
    }

    /// `vault read iamra/creds/<role>` as root.
    pub async fn creds(&self, role: &str) -> Reply {
        self.root().read(&format!("iamra/creds/{role}")).await
    }

    /// Asks this AWS's STS who holds the credentials in an answer of `creds/:role`.
    pub async fn caller(&self, answer: &Reply) -> Result<CallerIdentity, StsError> {
        caller(self.aws.url(), answer).await
    }
}

/// An AWS of its own, like a stage's, without an anchor yet.
pub async fn emulated_aws() -> Emulator {
    Emulator::start(state(), Options::default()).await
}

/// Does [`Stage::set_up`] for a mount and an AWS outside a stage: `root` may do anything, `aws` is the emulator's address.
pub async fn set_up(root: &Api, aws: &str, mount: &str) {
    let ca = json!({ "common_name": format!("{mount} test root") });
    let _ = root.write(&format!("{mount}/root/generate/internal"), ca).await.ok();
    trust(aws, &root.without_token().read(&format!("{mount}/ca/pem")).await.ok().text).await;
    let _ = root.write(&format!("{mount}/config"), config(aws)).await.ok();
    let _ = root.write(&format!("{mount}/roles/demo"), json!({ "role_arn": ROLE_ARN })).await.ok();
}

/// Does [`Stage::manage_anchor`] for an AWS outside a stage: `root` may do anything, `aws` is the emulator's address.
pub async fn manage_anchor(root: &Api, aws: &str) {
    let mut state = admin(aws, "GET", "state", None).await;
    add_management(&mut state);
    admin(aws, "PUT", "state", Some(state)).await;
    let mut config = config(aws);
    config["sts_endpoint"] = json!(aws);
    config["iam_endpoint"] = json!(aws);
    let _ = root.write("iamra/config", config).await.ok();
    let _ = root.write("iamra/trust-anchors/main", managed_anchor()).await.ok();
}

/// Asks the STS of the emulator at `aws` who holds the credentials in an answer of `creds/:role`.
pub async fn caller(aws: &str, answer: &Reply) -> Result<CallerIdentity, StsError> {
    let credentials = Credentials::from_vault(&answer.body)?;
    sts::caller_identity(aws, REGION, None, &credentials).await
}

fn config(aws: &str) -> Value {
    json!({
        "endpoint": aws,
        "default_trust_anchor_arn": TRUST_ANCHOR_ARN,
        "default_profile_arn": PROFILE_ARN,
    })
}

async fn trust(aws: &str, certificates_pem: &str) {
    let mut state = admin(aws, "GET", "state", None).await;
    state["trust_anchors"] = json!([{
        "id": id_of(TRUST_ANCHOR_ARN), "name": "vault", "enabled": true, "certificates_pem": certificates_pem,
    }]);
    admin(aws, "PUT", "state", Some(state)).await;
}

fn state() -> State {
    serde_json::from_value(account()).expect("the emulator's state takes this shape")
}

/// An account with the profile, the role and no trust anchor, as an emulator's state.
pub fn account() -> Value {
    let trust_policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "rolesanywhere.amazonaws.com" },
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": { "ArnEquals": { "aws:SourceArn": TRUST_ANCHOR_ARN } },
    }]});
    json!({
        "account": ACCOUNT,
        "region": REGION,
        "trust_anchors": [],
        "crls": [],
        "profiles": [{ "id": id_of(PROFILE_ARN), "name": "demo", "enabled": true, "role_arns": [ROLE_ARN],
            "duration_seconds": 3600, "accept_role_session_name": false, "session_policy": null,
            "attribute_mappings": { "x509Subject": ["*"], "x509Issuer": ["*"], "x509SAN": ["*"] } }],
        "roles": [{ "name": "demo", "path": "/", "max_session_duration": 43_200, "trust_policy": trust_policy }],
        "management_keys": [{ "access_key_id": anchor::KEY_ID, "secret_access_key": anchor::SECRET_KEY }],
    })
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}
