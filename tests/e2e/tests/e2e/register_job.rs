//! The script of the register Job, run with the Job's policy alone: fresh, again, and from one version to the next.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::{config_file, script, tokens};
use harness::{Api, CliRun, Plugin, Reply, Settings, Stage, Storage, Vault, binaries, until};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const FILE: &str = binaries::PLUGIN;

/// A server with the plugin's file in its folder and nothing in its catalog, and a token that has the Job's policy.
struct Bare {
    vault: Vault,
    token: String,
    sha256: String,
    version: String,
}

impl Bare {
    async fn new() -> Bare {
        let vault = Vault::bare(Settings::of(Storage::Memory)).await;
        let Plugin { version, sha256, .. } = vault.register(binaries::plugin()).await;
        let _ =
            vault.root().delete(&format!("sys/plugins/catalog/secret/{FILE}?version={version}")).await.ok();
        let policy = fs::read_to_string(config_file("plugin/plugin-operator.hcl")).unwrap();
        let token = vault.token("iamra-operator", &policy).await;
        Bare { vault, token, sha256, version }
    }

    /// The one process that serves; those that Vault asked for a version may still be ending.
    async fn one_process(&self) -> u32 {
        until("one process", Duration::from_secs(60), async || match self.vault.plugin_pids()[..] {
            [pid] => Some(pid),
            _ => None,
        })
        .await
    }

    async fn register(&self) -> CliRun {
        register(&self.vault, &self.token, &self.version, &self.sha256, FILE).await
    }
}

async fn register(vault: &Vault, token: &str, version: &str, sha256: &str, command: &str) -> CliRun {
    let environment = [("PLUGIN_VERSION", version), ("PLUGIN_SHA256", sha256), ("PLUGIN_COMMAND", command)];
    script(vault, token, "plugin/register.sh", &[], &environment).await
}

async fn mount(root: &Api) -> Reply {
    root.read("sys/mounts/iamra").await.ok()
}

#[tokio::test]
async fn a_fresh_vault_gets_the_plugin_and_a_mount_that_runs_it() {
    let bare = Bare::new().await;

    let said = bare.register().await.ok();

    let mount = mount(bare.vault.root()).await;
    assert_eq!(mount.string("type"), FILE);
    assert_eq!(mount.string("running_plugin_version"), bare.version);
    assert_eq!(mount.string("running_sha256"), bare.sha256);
    assert_eq!(mount.data()["config"]["max_lease_ttl"], 43_200);
    assert!(said.contains("into the catalog") && said.contains("mounted"), "{said}");
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_says_so() {
    let bare = Bare::new().await;
    let _ = bare.register().await.ok();
    let before = (mount(bare.vault.root()).await.body["data"].clone(), bare.one_process().await);

    let said = bare.register().await.ok();

    assert_eq!((mount(bare.vault.root()).await.body["data"].clone(), bare.one_process().await), before);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("is in the catalog") && said.contains("runs"), "{said}");
}

#[tokio::test]
async fn a_mount_made_by_hand_is_tuned() {
    let bare = Bare::new().await;
    let entry = json!({ "sha256": bare.sha256, "command": FILE, "version": bare.version });
    let _ = bare.vault.root().write(&format!("sys/plugins/catalog/secret/{FILE}"), entry).await.ok();
    bare.vault.mount("iamra", FILE).await;

    let said = bare.register().await.ok();

    let mount = mount(bare.vault.root()).await;
    assert_eq!(mount.data()["config"]["max_lease_ttl"], 43_200, "{said}");
    assert_eq!(
        mount.data()["config"]["audit_non_hmac_response_keys"],
        json!(["access_key", "serial_number", "expiration", "source_identity", "error"]),
        "{said}"
    );
    assert_eq!(mount.string("plugin_version"), bare.version);
}

#[tokio::test]
async fn a_later_run_keeps_what_was_tuned_by_hand() {
    let bare = Bare::new().await;
    let _ = bare.register().await.ok();
    let root = bare.vault.root();
    let keys = json!(["arn", "access_key", "serial_number", "expiration", "source_identity", "error"]);
    let leaking = "arn,http_raw_body,access_key,serial_number,expiration,source_identity,error";
    let tuned = json!({ "max_lease_ttl": "2h", "audit_non_hmac_response_keys": leaking });
    let _ = root.write("sys/mounts/iamra/tune", tuned).await.ok();

    let said = bare.register().await.ok();

    let config = mount(root).await.data()["config"].clone();
    assert_eq!(
        (&config["max_lease_ttl"], &config["audit_non_hmac_response_keys"]),
        (&json!(7200), &keys),
        "{said}"
    );
}

#[tokio::test]
async fn the_token_of_vault_login_is_taken() {
    let bare = Bare::new().await;
    fs::write(bare.vault.folder().join(".vault-token"), &bare.token).unwrap();

    let said = register(&bare.vault, "", &bare.version, &bare.sha256, FILE).await.ok();

    assert!(said.contains("mounted"), "{said}");
}

#[tokio::test]
async fn wrong_input_is_refused_before_vault_is_asked() {
    let bare = Bare::new().await;
    let upper = bare.sha256.to_uppercase();

    for (version, sha256, words) in [
        (bare.version.as_str(), "", "PLUGIN_SHA256 is empty"),
        (&bare.version, &bare.sha256[1..], "is not a SHA-256"),
        (&bare.version, &upper, "is not a SHA-256"),
        ("0.1.0", &bare.sha256, "such as v0.1.0"),
        ("", &bare.sha256, "such as v0.1.0"),
    ] {
        let refused = register(&bare.vault, &bare.token, version, sha256, FILE).await;

        assert_eq!(refused.code, 1, "{}", refused.stdout);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(!bare.vault.root().read("sys/mounts").await.text.contains("iamra/"));
}

#[tokio::test]
async fn a_checksum_that_is_not_the_files_is_refused_by_vault() {
    let bare = Bare::new().await;

    let refused = register(&bare.vault, &bare.token, &bare.version, &"0".repeat(64), FILE).await;

    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("checksum"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_mount_of_another_type_is_left_alone() {
    let bare = Bare::new().await;
    bare.vault.mount("iamra", "kv").await;

    let refused = bare.register().await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("is of type kv"), "{}", refused.stderr);
}

#[tokio::test]
async fn without_a_token_and_outside_a_pod_it_says_what_is_missing() {
    let bare = Bare::new().await;

    let refused = register(&bare.vault, "", &bare.version, &bare.sha256, FILE).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("no service-account token"), "{}", refused.stderr);
}

/// There is no cluster here that could review a token; Vault's JWT method takes the same login and needs only a key.
#[tokio::test]
async fn without_a_token_it_logs_in_with_the_one_of_its_service_account() {
    let bare = Bare::new().await;
    let folder = bare.vault.folder();
    let key = tokens::sign(&folder, "vault", "iamra-operator");
    let root = bare.vault.root();
    let _ = root.write("sys/auth/pods", json!({ "type": "jwt" })).await.ok();
    let _ = root.write("auth/pods/config", json!({ "jwt_validation_pubkeys": [key] })).await.ok();
    let role = json!({
        "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"],
        "token_policies": ["iamra-operator"], "token_no_default_policy": true,
    });
    let _ = root.write("auth/pods/role/iamra-operator", role).await.ok();
    let token = folder.join("token").display().to_string();
    let environment = [
        ("PLUGIN_VERSION", bare.version.as_str()),
        ("PLUGIN_SHA256", bare.sha256.as_str()),
        ("VAULT_AUTH_MOUNT", "pods"),
        ("VAULT_JWT_FILE", token.as_str()),
    ];

    let said = script(&bare.vault, "", "plugin/register.sh", &[], &environment).await.ok();

    assert!(said.contains("mounted"), "{said}");
    assert_eq!(mount(root).await.string("running_plugin_version"), bare.version);
}

/// Puts the plugin once more into the server's folder, as a binary that reports another version. The version is a text in
/// the binary; another one of the same length is a next version that differs in nothing else.
fn next_version(vault: &Vault, version: &str) -> Plugin {
    let (stem, last) = version.split_at(version.len() - 1);
    let next = format!("{stem}{}", if last == "9" { "8" } else { "9" });
    let name = format!("{FILE}-{next}");
    let file = vault.folder().join("plugins").join(&name);
    let mut binary = fs::read(binaries::plugin()).unwrap();
    let (old, new) = (&version.as_bytes()[1..], &next.as_bytes()[1..]);
    for at in 0..binary.len() - old.len() {
        if binary[at..].starts_with(old) {
            binary[at..at + old.len()].copy_from_slice(new);
        }
    }
    fs::write(&file, binary).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let sha256 =
        String::from_utf8(std::process::Command::new("sha256sum").arg(&file).output().unwrap().stdout);
    Plugin { name, version: next, sha256: sha256.unwrap()[..64].to_owned() }
}

#[tokio::test]
async fn an_upgrade_under_load_fails_no_reader() {
    let bare = Bare::new().await;
    let _ = bare.register().await.ok();
    let Bare { vault, token, version, .. } = bare;
    let next = next_version(&vault, &version);
    let stage = Stage::beside(vault).await;
    stage.set_up("iamra").await;
    let ca = stage.ca_pem("iamra").await;
    let readers = Readers::start(stage.root());

    let said = register(&stage.vault, &token, &next.version, &next.sha256, &next.name).await.ok();
    let again = register(&stage.vault, &token, &next.version, &next.sha256, &next.name).await.ok();

    let failed = readers.stop().await;
    assert_eq!(failed, Vec::<String>::new());
    let mount = mount(stage.root()).await;
    assert_eq!(mount.string("running_plugin_version"), next.version, "{said}");
    assert_eq!(mount.string("running_sha256"), next.sha256);
    assert!(said.contains(&format!("{version} before, {} now", next.version)), "{said}");
    assert!(!again.contains("reloaded"), "{again}");
    assert_eq!(stage.ca_pem("iamra").await, ca);
    let _ = stage.creds("demo").await.ok();
}

/// Reads of credentials, one after the other in three rows, until they are stopped.
struct Readers {
    stop: Arc<AtomicBool>,
    rows: JoinSet<Vec<Value>>,
}

impl Readers {
    fn start(root: &Api) -> Readers {
        let stop = Arc::new(AtomicBool::new(false));
        let mut rows = JoinSet::new();
        for _ in 0..3 {
            let (api, stop) = (root.clone(), Arc::clone(&stop));
            rows.spawn(async move {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let reply = api.read("iamra/creds/demo").await;
                    answers.push(json!({ "status": reply.status, "text": reply.errors() }));
                }
                answers
            });
        }
        Readers { stop, rows }
    }

    /// The errors of the reads that failed.
    async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.rows.join_all().await.concat();
        assert!(answers.len() > 10, "{} reads are no load", answers.len());
        answers.iter().filter(|one| one["status"] != 200).map(Value::to_string).collect()
    }
}
