//! One Vault with every engine that is measured, beside one AWS.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Memory, PROFILE_ARN, REGION, ROLE_ARN, Reply, Storage, TRUST_ANCHOR_ARN, Vault, binaries};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws::{ACCESS_KEY, Aws, SECRET_KEY, TARGET_ROLE_ARN, in_the_west};
use crate::load::Ask;
use crate::settings::Settings;
use crate::usage::{Ticks, ticks};

/// A plugin process that Vault runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// The name of its binary and in the catalog.
    pub(crate) name: &'static str,
}

/// The engine that all of this is about.
pub(crate) const OURS: Plugin = Plugin { name: binaries::PLUGIN };
/// Vault's kv, run as an external plugin. Under a name of its own: `kv` itself is never run externally.
pub(crate) const KV: Plugin = Plugin { name: "kvext" };
/// The least that a plugin on Vault's SDK can be.
pub(crate) const FIXED: Plugin = Plugin { name: "fixed-answer" };

/// An earlier build of the engine.
pub(crate) const EARLIER: Plugin = Plugin { name: "iamra-earlier" };

/// Everything that runs during the benchmarks; ended on drop.
pub(crate) struct World {
    pub(crate) vault: Vault,
    pub(crate) aws: Aws,
    /// A token of a login with a policy, as a pod has one: root's skips Vault's checks, and nobody stands behind it.
    pub(crate) token: String,
    /// The Python that the seed's pods run.
    pub(crate) python: PathBuf,
    _folder: TempDir,
}

impl World {
    /// Starts both and sets up every mount.
    pub(crate) async fn start(settings: &Settings) -> World {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir().expect("a temporary folder");
        let aws = Aws::start(&settings.emulator, folder.path());
        let mut server = harness::Settings::of(Storage::Memory);
        server.log_level = "info";
        // what Vault's own aws engine trusts; ours is told in its configuration
        server.environment = vec![("SSL_CERT_FILE".to_owned(), aws.ca_file().display().to_string())];
        let vault = Vault::with_plugin(server).await;
        let token = login(&vault).await;
        let world = World { vault, aws, token, python: settings.python(), _folder: folder };
        world.mount_ours().await;
        world.mount_pki().await;
        world.mount_earlier(settings).await;
        world.trust_all(settings).await;
        world.mount_aws().await;
        world.mount_peers(settings).await;
        world
    }

    async fn mount_ours(&self) {
        self.vault.mount("iamra", OURS.name).await;
        self.set_up_engine("iamra").await;
        // a write of the configuration changes what it names
        let hops = json!({ "assume_role_rate_limit": 10_000, "assume_role_rate_burst": 10_000 });
        let _ = self.vault.root().call("PATCH", "iamra/config", Some(hops)).await.ok();
        let both = |arn: &str| format!("{arn},{}", in_the_west(arn));
        let placed = json!({
            "session_sharing": "none", "trust_anchor_arn": both(TRUST_ANCHOR_ARN), "profile_arn": both(PROFILE_ARN),
        });
        self.write("iamra/roles/placed", role(&placed)).await;
        let chained = json!({ "session_sharing": "none", "target_role_arn": TARGET_ROLE_ARN });
        self.write("iamra/roles/chained", role(&chained)).await;
        self.write("iamra/roles/chained-shared", role(&json!({ "target_role_arn": TARGET_ROLE_ARN }))).await;
    }

    /// With what an earlier build has, too.
    async fn mount_earlier(&self, settings: &Settings) {
        if settings.earlier.is_some() {
            self.register(EARLIER, &settings.binary(EARLIER)).await;
            self.vault.mount(EARLIER.name, EARLIER.name).await;
            self.set_up_engine(EARLIER.name).await;
        }
    }

    /// A CA, the configuration, and the roles that every build of the engine has.
    async fn set_up_engine(&self, mount: &str) {
        self.write(&format!("{mount}/root/generate/internal"), json!({ "common_name": "bench root" })).await;
        let config = json!({
            "endpoint": self.aws.url(),
            "sts_endpoint": self.aws.url(),
            "endpoint_ca_pem": self.aws.ca_pem(),
            "default_trust_anchor_arn": TRUST_ANCHOR_ARN,
            "default_profile_arn": PROFILE_ARN,
            "rate_limit": 10_000,
            "rate_burst": 10_000,
            "max_cached_sessions": 200_000,
        });
        self.write(&format!("{mount}/config"), config).await;
        let roles = [
            ("uncached", json!({ "session_sharing": "none" })),
            ("shared", json!({})),
            ("static", json!({ "lease": "static" })),
            ("named", json!({ "common_name": "{{identity.entity.name}}" })),
        ];
        for (name, rest) in roles {
            self.write(&format!("{mount}/roles/{name}"), role(&rest)).await;
        }
    }

    async fn mount_pki(&self) {
        self.vault.mount("pki", "pki").await;
        let root = json!({ "common_name": "seed root", "key_type": "ec", "key_bits": 256, "ttl": "240h" });
        self.write("pki/root/generate/internal", root).await;
        let role = json!({ "allow_any_name": true, "enforce_hostnames": false, "key_type": "ec", "key_bits": 256,
            "max_ttl": "1h" });
        self.write("pki/roles/pod", role).await;
    }

    /// The CAs of all mounts that have one.
    async fn trust_all(&self, settings: &Settings) {
        let anyone = self.vault.root().without_token();
        let earlier = settings.earlier.is_some().then_some(EARLIER.name);
        let mut bundle = String::new();
        for mount in ["iamra", "pki"].into_iter().chain(earlier) {
            bundle.push_str(anyone.read(&format!("{mount}/ca/pem")).await.ok().text.trim());
            bundle.push('\n');
        }
        self.aws.trust(&bundle).await;
    }

    async fn mount_aws(&self) {
        self.vault.mount("aws", "aws").await;
        let root = json!({ "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": REGION,
            "sts_endpoint": self.aws.url(), "sts_region": REGION });
        self.write("aws/config/root", root).await;
        let role =
            json!({ "credential_type": "assumed_role", "role_arns": [ROLE_ARN], "default_sts_ttl": "1h" });
        self.write("aws/roles/demo", role).await;
    }

    async fn mount_peers(&self, settings: &Settings) {
        for plugin in [KV, FIXED] {
            self.register(plugin, &settings.binary(plugin)).await;
            self.vault.mount(plugin.name, plugin.name).await;
        }
        self.vault.mount("kv1", "kv").await;
        let secret = json!({ "access_key": "A".repeat(20), "secret_key": "s".repeat(40), "session_token": "t".repeat(656) });
        self.write("kv1/demo", secret.clone()).await;
        self.write(&format!("{}/demo", KV.name), secret).await;
    }

    /// A Go plugin says no version of itself, so it is registered without one.
    async fn register(&self, plugin: Plugin, binary: &Path) {
        let home = self.vault.folder().join("plugins").join(plugin.name);
        fs::copy(binary, &home).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let sha256 = harness::sha256_of(&home);
        let entry = json!({ "sha256": sha256, "command": plugin.name });
        self.write(&format!("sys/plugins/catalog/secret/{}", plugin.name), entry).await;
    }

    async fn write(&self, path: &str, body: Value) {
        let _ = self.vault.root().write(path, body).await.ok();
    }

    /// Sends a request as the pod, once.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        let body = ask.body.map(|body| serde_json::from_str(body).expect("JSON"));
        self.vault.root().with_token(&self.token).call(ask.method, ask.path, body).await
    }

    /// Sets the AWS's latency.
    pub(crate) async fn latency(&self, milliseconds: u64) {
        self.aws.latency(milliseconds).await;
    }

    /// Processor time so far of Vault, of one plugin and of the AWS.
    pub(crate) fn ticks(&self, plugin: Option<Plugin>) -> Ticks {
        let plugin = plugin.map_or(0, |plugin| self.pids(plugin).into_iter().map(ticks).sum());
        Ticks { vault: ticks(self.vault.pid()), plugin, aws: ticks(self.aws.pid()) }
    }

    /// What a plugin holds in memory now.
    pub(crate) fn memory(&self, plugin: Plugin) -> Memory {
        let pids = self.pids(plugin);
        assert_eq!(pids.len(), 1, "one process of {}", plugin.name);
        Memory::of(pids[0]).expect("the plugin runs")
    }

    fn pids(&self, plugin: Plugin) -> Vec<u32> {
        harness::running_from(&self.vault.folder().join("plugins").join(plugin.name))
    }
}

/// A shared role with more or other fields.
fn role(rest: &Value) -> Value {
    let mut role = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    role.as_object_mut()
        .into_iter()
        .zip(rest.as_object().cloned())
        .for_each(|(role, rest)| role.extend(rest));
    role
}

/// The token of a user who may do everything below the root's paths, as one of a pod would.
async fn login(vault: &Vault) -> String {
    let write = async |path: &str, body: Value| vault.root().write(path, body).await.ok();
    let rules = r#"path "*" { capabilities = ["create", "read", "update"] }"#;
    let _ = write("sys/policies/acl/pod", json!({ "policy": rules })).await;
    let _ = write("sys/auth/userpass", json!({ "type": "userpass" })).await;
    let user = json!({ "password": "bench", "token_policies": "pod", "token_ttl": "2h" });
    let _ = write("auth/userpass/users/web", user).await;
    let reply = write("auth/userpass/login/web", json!({ "password": "bench" })).await;
    reply.body["auth"]["client_token"].as_str().expect("a login gives a token").to_owned()
}
