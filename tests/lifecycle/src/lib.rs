//! The engine in process beside an emulated AWS: what it does there on its own account, without a Vault.
//!
//! ```text
//! test ──▶ World ─┬─▶ TestMount<Engine> ── the engine behind its own routing and wire table
//!                 └─▶ Emulator (in this process) ◀── CreateSession, Roles Anywhere's and IAM's own APIs
//! ```
//! A claim that needs Vault, its CLI or its processes is proved in `tests/e2e`.

#![expect(clippy::missing_panics_doc, reason = "a harness reports by panicking, everywhere")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness reports by panicking, everywhere")]

use std::time::Duration;

use aws_emulator::{Emulator, Knobs, Options, RegionKnobs};
use engine::Engine;
use harness::sts::{self, CallerIdentity, Credentials, StsError};
use harness::{REGION, ROLE_ARN, TRUST_ANCHOR_ARN, until, until_at_once};
use serde_json::{Map, Value, json};
use vault_backend::testing::{TestMount, TestResponse};

/// How long a call of the engine may take to arrive at AWS: far more than it does, because the machine may be busy.
const ASKED: Duration = Duration::from_secs(60);

/// One mount of the engine and its AWS, with a root CA that the anchor holds and the role `demo`.
pub struct World {
    /// The mount, at `test/`.
    pub mount: TestMount<Engine>,
    /// The AWS.
    pub aws: Emulator,
}

impl World {
    /// A world in which `creds/demo` works and `trust-anchors/main` is looked after.
    pub async fn new() -> World {
        let world = Box::pin(World::by_hand()).await;
        world.ok(world.mount.write("trust-anchors/main", harness::managed_anchor()).await);
        world
    }

    /// The same in two regions, whose anchors are looked after as `trust-anchors/main` and `trust-anchors/west`.
    pub async fn in_two_regions() -> World {
        let world = World::new().await;
        world.change(harness::add_second_region).await;
        world.ok(world.mount.write("trust-anchors/west", harness::managed_anchor_in_the_west()).await);
        world.ok(world.mount.patch("config", harness::both_regions()).await);
        world
    }

    /// Kills a region, or brings all of them back.
    pub fn dead(&self, region: Option<&str>) {
        let dead = |region: &str| (region.to_owned(), RegionKnobs { dead: true, ..RegionKnobs::default() });
        self.aws.set_knobs(Knobs { regions: region.map(dead).into_iter().collect(), ..Knobs::default() });
    }

    /// Ends the plugin's process as a kill does, and begins another one on the same storage.
    pub async fn restart(&mut self) {
        self.mount = Box::pin(TestMount::over(self.mount.storage.clone())).await.expect("the mount comes up");
    }

    /// Takes the record of sessions away, as if the sessions so far were made before the mount kept one, and restarts.
    pub async fn forget_and_restart(&mut self) {
        self.recorded().await;
        let storage = &self.mount.storage;
        for bucket in storage.list("session/").await.expect("a list") {
            for segment in storage.list(&format!("session/{bucket}")).await.expect("a list") {
                storage.delete(&format!("session/{bucket}{segment}")).await.expect("a deletion");
            }
        }
        storage.delete("session-record").await.expect("a deletion");
        self.restart().await;
    }

    /// Waits until the record of sessions is stored.
    pub async fn recorded(&self) {
        until("the record of sessions to be stored", Duration::from_secs(5), async || {
            let metrics = self.mount.read("metrics").await.raw?;
            String::from_utf8_lossy(&metrics).contains("iamra_ledger_waiting 0\n").then_some(())
        })
        .await;
    }

    /// The same without an entry in `trust-anchors`: everything at AWS is done by hand.
    pub async fn by_hand() -> World {
        let mut state = harness::account();
        harness::add_management(&mut state);
        let state = serde_json::from_value(state).expect("the emulator's state takes this shape");
        let aws = Emulator::start(state, Options::default()).await;
        let world =
            World { mount: Box::pin(TestMount::new()).await.expect("an empty mount initialises"), aws };
        let root = json!({ "common_name": "first root", "issuer_name": "first" });
        world.ok(world.mount.write("root/generate/internal", root).await);
        world.anchor_holds(&world.pem("ca/pem").await).await;
        world.ok(world.mount.write("config", world.config()).await);
        world.ok(world.mount.write("roles/demo", json!({ "role_arn": ROLE_ARN })).await);
        world
    }

    /// The configuration that leads the mount to this AWS.
    pub fn config(&self) -> Value {
        let url = self.aws.url();
        json!({
            "endpoint": url, "sts_endpoint": url, "iam_endpoint": url, "max_retries": 1,
            "default_trust_anchor_arn": TRUST_ANCHOR_ARN, "default_profile_arn": harness::PROFILE_ARN,
        })
    }

    /// The answer of a request that succeeds.
    #[track_caller]
    pub fn ok(&self, reply: TestResponse) -> Map<String, Value> {
        assert!(matches!(reply.status, 200 | 204), "{reply:?}");
        reply.data
    }

    /// A raw answer, such as `ca/pem`.
    pub async fn pem(&self, path: &str) -> String {
        let raw = self.mount.read(path).await.raw.expect("a raw answer");
        String::from_utf8(raw).expect("PEM is text")
    }

    /// Makes the anchor hold exactly these certificates, as an operator would at AWS.
    pub async fn anchor_holds(&self, certificates_pem: &str) {
        self.change(|state| {
            state["trust_anchors"] = json!([{
                "id": TRUST_ANCHOR_ARN.rsplit('/').next(), "name": "vault", "enabled": true,
                "certificates_pem": certificates_pem,
            }]);
        })
        .await;
    }

    /// How many certificates the anchor holds.
    pub async fn held(&self) -> usize {
        let state = self.state().await;
        let pem = state["trust_anchors"][0]["certificates_pem"].as_str().unwrap_or_default();
        pem.matches("BEGIN CERTIFICATE").count()
    }

    /// The emulator's state.
    pub async fn state(&self) -> Value {
        harness::admin(self.aws.url(), "GET", "state", None).await
    }

    /// Changes the emulator's state.
    pub async fn change(&self, edit: impl FnOnce(&mut Value)) {
        let mut state = self.state().await;
        edit(&mut state);
        harness::admin(self.aws.url(), "PUT", "state", Some(state)).await;
    }

    /// Takes a permission away from one of the engine's own IAM roles.
    pub async fn forbid(&self, role: &str, action: &str) {
        self.change(|state| {
            let actions = role_of(state, role)["policies"]["duty"]["Statement"][0]["Action"].as_array_mut();
            actions.expect("a list of actions").retain(|known| known != action);
        })
        .await;
    }

    /// Gives an IAM role of the engine's a permission back.
    pub async fn permit(&self, role: &str, action: &str) {
        self.change(|state| {
            let actions = &mut role_of(state, role)["policies"]["duty"]["Statement"][0]["Action"];
            actions.as_array_mut().expect("a list").push(json!(action));
        })
        .await;
    }

    /// The inline policies of an IAM role by their names, each as its text.
    pub async fn policies(&self, role: &str) -> Map<String, Value> {
        let mut state = self.state().await;
        role_of(&mut state, role)["policies"].as_object().cloned().unwrap_or_default()
    }

    /// Gives an IAM role an inline policy.
    pub async fn put_policy(&self, role: &str, name: &str, document: Value) {
        self.change(|state| role_of(state, role)["policies"][name] = document).await;
    }

    /// How often AWS was asked for `operation`.
    pub async fn asked(&self, operation: &str) -> usize {
        let log = harness::admin(self.aws.url(), "GET", "log", None).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().filter(|entry| entry["operation"] == operation).count()
    }

    /// Waits until AWS has been asked for `operation` more than `before` times. It looks without a pause, because a test acts before
    /// the engine's next call.
    pub async fn asked_beyond(&self, operation: &str, before: usize) {
        until_at_once(&format!("{operation} number {}", before + 1), ASKED, async || {
            (self.asked(operation).await > before).then_some(())
        })
        .await;
    }

    /// A read of `creds/<role>`.
    pub async fn creds(&self, role: &str) -> TestResponse {
        self.mount.read(&format!("creds/{role}")).await
    }

    /// Asks STS who holds the credentials of an answer.
    pub async fn caller(&self, answer: &Map<String, Value>) -> Result<CallerIdentity, StsError> {
        let credentials = Credentials::from_vault(&json!({ "data": answer }))?;
        sts::caller_identity(self.aws.url(), REGION, None, &credentials).await
    }
}

/// An IAM role in the emulator's state.
pub fn role_of<'a>(state: &'a mut Value, name: &str) -> &'a mut Value {
    let roles = state["roles"].as_array_mut().expect("a list of roles");
    roles.iter_mut().find(|role| role["name"] == name).unwrap_or_else(|| panic!("no role {name}"))
}
