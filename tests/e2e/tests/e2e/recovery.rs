//! Vault is lost: the ways back that docs/operate/backup-and-recovery.md names, tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{config_file, say, script};
use harness::{
    Api, CliRun, PROFILE_ARN, ROLE_ARN, Reply, Settings, Stage, Storage, TRUST_ANCHOR_ARN, Vault, until,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const EXPORTED: [&str; 6] =
    ["config", "clusters/prod", "trust-anchors/home", "roles/app", "roles/demo", "roles/payments.api"];

/// A stage with logins by name and the clusters and roles that name them; AWS is the same through the loss of Vault.
struct Site {
    stage: Stage,
    folder: TempDir,
}

impl Site {
    async fn new() -> Site {
        let stage = Stage::dev().await;
        let approle = enable_logins(stage.root()).await;
        let kubernetes = accessor(stage.root(), "kubernetes").await;
        let _ = stage.root().write("iamra/clusters/prod", json!({ "accessor": kubernetes })).await.ok();
        let anchor = json!({ "trust_anchor_arn": TRUST_ANCHOR_ARN, "profile_arn": PROFILE_ARN });
        let _ = stage.root().write("iamra/trust-anchors/home", anchor).await.ok();
        let name = format!("{{{{identity.entity.aliases.{approle}.name}}}}");
        let role = json!({ "role_arn": ROLE_ARN, "common_name": name, "organizational_unit": "payments",
            "session_duration": 7200, "issuer_ref": "prod-1", "allow_caller_ttl": true });
        let next = json!({ "common_name": "the CA of before", "issuer_name": "prod-1" });
        let _ = stage.root().write("iamra/root/generate/internal", next).await.ok();
        let _ = stage.root().write("iamra/config/issuers", json!({ "default": "prod-1" })).await.ok();
        let _ = stage.root().write("iamra/roles/app", role).await.ok();
        let association = json!({ "role_arn": ROLE_ARN, "subject": "kubernetes" });
        let _ = stage.root().write("iamra/roles/payments.api", association).await.ok();
        stage.update_anchor(&stage.ca_pem("iamra").await).await.unwrap();
        Site { stage, folder: tempfile::tempdir().unwrap() }
    }

    fn export_folder(&self) -> PathBuf {
        self.folder.path().join("iamra-export")
    }

    /// The export, and the file beside it.
    fn entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn run(&self, name: &str) -> CliRun {
        let rules = fs::read_to_string(config_file("policies/operator.hcl")).expect("a shipped policy");
        self.run_with(name, &rules).await
    }

    /// The same with a token of another policy than the operator's.
    async fn run_with(&self, name: &str, rules: &str) -> CliRun {
        let (vault, folder) = (&self.stage.vault, self.export_folder());
        let token = vault.token("operator", rules).await;
        script(vault, &token, &format!("backup/{name}.sh"), &[folder.to_str().unwrap()], &[]).await
    }

    async fn documents(&self) -> Vec<Value> {
        let mut read = Vec::new();
        for path in EXPORTED {
            read.push(Value::Object(
                self.stage.root().read(&format!("iamra/{path}")).await.ok().data().clone(),
            ));
        }
        read
    }

    /// Removes the Vault with all its storage, and starts an empty one instead.
    async fn lose_vault(&mut self) {
        let vault = Vault::dev().await;
        vault.mount("iamra", harness::binaries::PLUGIN).await;
        self.stage.vault = vault;
    }

    /// The answer to the pod `api`.
    async fn pod_reads(&self) -> Reply {
        let login = self.stage.root().without_token();
        let login = login.write("auth/approle/login", json!({ "role_id": "api" })).await.ok();
        let token = login.body["auth"]["client_token"].as_str().unwrap();
        self.stage.root().with_token(token).read("iamra/creds/app").await
    }
}

/// Enables the auth methods and the login of the pod `api`, as an operator's own scripts do, and returns approle's accessor.
async fn enable_logins(root: &Api) -> String {
    let policy = r#"path "iamra/creds/app" { capabilities = ["read"] }"#;
    let _ = root.write("sys/policies/acl/app", json!({ "policy": policy })).await.ok();
    for kind in ["approle", "kubernetes"] {
        let _ = root.write(&format!("sys/auth/{kind}"), json!({ "type": kind })).await.ok();
    }
    let login =
        json!({ "bind_secret_id": false, "token_bound_cidrs": "127.0.0.1/32", "token_policies": "app" });
    let _ = root.write("auth/approle/role/api", login).await.ok();
    let _ = root.write("auth/approle/role/api/role-id", json!({ "role_id": "api" })).await.ok();
    accessor(root, "approle").await
}

async fn accessor(root: &Api, path: &str) -> String {
    root.read(&format!("sys/auth/{path}")).await.ok().string("accessor").to_owned()
}

#[tokio::test]
async fn a_lost_vault_is_replaced_by_a_new_ca_in_the_anchor_and_what_was_exported() {
    let mut site = Site::new().await;
    let answer = site.pod_reads().await.ok();
    let before = site.stage.caller(&answer).await.unwrap();
    let (documents, ca) = (site.documents().await, site.stage.ca_pem("iamra").await);
    let mut report = vec![site.run("export").await.ok().trim_end().to_owned()];

    site.lose_vault().await;
    enable_logins(site.stage.root()).await;
    let next = json!({ "common_name": "the CA after", "issuer_name": "prod-1" });
    let _ = site.stage.root().write("iamra/root/generate/internal", next).await.ok();
    report.push(site.run("import").await.ok().trim_end().to_owned());
    let untrusted = site.pod_reads().await;
    let next_ca = site.stage.ca_pem("iamra").await;
    site.stage.update_anchor(&next_ca).await.unwrap();

    // The engine repeats a refusal of AWS from its cache for a few seconds.
    let answer = until("a pod that reads again", Duration::from_secs(60), async || {
        Some(site.pod_reads().await).filter(|reply| reply.status == 200)
    })
    .await;
    report.push(format!("recovery: AWS with the old CA in the anchor: {}", untrusted.errors()));
    report.push(format!("recovery: the pod reads again, as {}", answer.string("arn")));
    say(&report.join("\n"));
    let after = site.stage.caller(&answer).await.unwrap();
    assert!(untrusted.refused(400).contains("Untrusted"), "{}", untrusted.text);
    assert_ne!(next_ca, ca);
    assert_eq!(role_of(&after.arn), role_of(&before.arn));
    assert_eq!(with_no_accessors(&site.documents().await), with_no_accessors(&documents));
}

#[tokio::test]
async fn an_import_into_the_same_mount_changes_nothing() {
    let site = Site::new().await;
    let before = site.documents().await;
    let _ = site.run("export").await.ok();

    let said = site.run("import").await.ok();

    assert_eq!(site.documents().await, before);
    assert!(said.contains("wrote 1 clusters") && said.contains("wrote 3 roles"), "{said}");
}

#[tokio::test]
async fn an_export_holds_no_secret_and_none_but_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new().await;
    let config = json!({ "proxy_url": "http://user:hush@proxy.example.com:3128" });
    let _ = site.stage.root().write("iamra/config", config).await.ok();

    let _ = site.run("export").await.ok();

    let texts = every_text(&site.export_folder());
    assert!(texts.contains("redacted") && texts.contains("BEGIN CERTIFICATE"), "{texts}");
    assert!(!texts.contains("hush") && !texts.contains("PRIVATE"), "{texts}");
    assert_eq!(fs::metadata(site.export_folder()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_second_export_takes_the_place_of_the_first() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    let _ = site.stage.root().delete("iamra/roles/demo").await.ok();

    let said = site.run("export").await.ok();

    assert!(said.contains("2 roles"), "{said}");
    assert!(!site.export_folder().join("roles/demo.json").exists());
    assert_eq!(site.entries(), ["iamra-export"], "nothing is left beside it");
}

#[tokio::test]
async fn an_export_that_fails_leaves_the_earlier_one_as_it_was() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    let before = every_text(&site.export_folder());
    let _ = site.stage.root().delete("iamra/roles/demo").await.ok();

    let failed = site.run_with("export", r#"path "iamra/rotation" { capabilities = ["read"] } path "iamra/config" { capabilities = ["read"] }"#).await;

    assert_ne!(failed.code, 0, "{}", failed.stdout);
    assert_eq!(every_text(&site.export_folder()), before);
    assert_eq!(site.entries(), ["iamra-export"]);
}

#[tokio::test]
async fn an_export_of_a_mount_that_is_not_there_is_refused_and_leaves_the_earlier_one() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    let before = every_text(&site.export_folder());
    let (vault, folder) = (&site.stage.vault, site.export_folder());
    let args = [folder.to_str().unwrap()];

    let refused =
        script(vault, vault.root_token(), "backup/export.sh", &args, &[("MOUNT", "elsewhere")]).await;

    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("no engine answers at elsewhere/"), "{}", refused.stderr);
    assert_eq!(every_text(&folder), before);
}

#[tokio::test]
async fn a_mount_with_nothing_in_it_is_exported() {
    let mut site = Site::new().await;
    site.lose_vault().await;

    let said = site.run("export").await.ok();

    assert!(said.contains("0 clusters, 0 trust anchors, 0 roles, 0 issuers"), "{said}");
}

#[tokio::test]
async fn an_export_takes_no_files_away_that_are_not_an_exports() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    fs::create_dir(site.export_folder().join(".git")).unwrap();

    let refused = site.run("export").await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains(".git"), "{}", refused.stderr);
    assert!(site.export_folder().join(".git").exists());
}

#[tokio::test]
async fn a_mount_without_config_is_exported_with_a_note() {
    let site = Site::new().await;
    let _ = site.stage.root().delete("iamra/config").await.ok();

    let exported = site.run("export").await;
    let imported = site.run("import").await.ok();

    assert!(exported.stderr.contains("has no config"), "{}", exported.stderr);
    let _ = exported.ok();
    assert!(imported.contains("iamra/config stays unchanged"), "{imported}");
    assert_eq!(site.stage.root().read("iamra/config").await.status, 404);
}

#[tokio::test]
async fn an_export_has_the_issuers_names_and_says_which_is_the_default() {
    let site = Site::new().await;
    let root = site.stage.root();
    let id = root.read("iamra/issuer/prod-1").await.ok().string("issuer_id").to_owned();

    let _ = site.run("export").await.ok();

    let issuers = fs::read_to_string(site.export_folder().join("issuers")).unwrap();
    assert_eq!(issuers.lines().count(), 2, "{issuers}");
    assert!(issuers.contains(&format!("{id} default prod-1\n")), "{issuers}");
    assert_eq!(issuers.matches("default").count(), 1, "{issuers}");
}

#[tokio::test]
async fn an_import_before_the_auth_methods_are_enabled_is_refused_whole() {
    let mut site = Site::new().await;
    let _ = site.run("export").await.ok();
    site.lose_vault().await;

    let refused = site.run("import").await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("no auth method is enabled at"), "{}", refused.stderr);
    assert!(site.stage.root().list("iamra/roles").await.keys().is_empty());
}

#[tokio::test]
async fn what_is_no_accessor_in_an_exported_folder_is_refused_and_not_run() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    let accessors = site.export_folder().join("accessors");
    let mark = site.folder.path().join("ran");
    let command = format!("x/x/;1e>{};s/y approle/\n", mark.display());
    fs::write(&accessors, fs::read_to_string(&accessors).unwrap() + &command).unwrap();

    let refused = site.run("import").await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("is not `auth_<type>_<id> <path>/`"), "{}", refused.stderr);
    assert!(!mark.exists());
}

#[tokio::test]
async fn an_import_that_cannot_see_the_auth_methods_writes_nothing() {
    let mut site = Site::new().await;
    let _ = site.run("export").await.ok();
    site.lose_vault().await;
    enable_logins(site.stage.root()).await;

    let rules = r#"path "iamra/*" { capabilities = ["create", "read", "update", "list"] }"#;
    let refused = site.run_with("import", rules).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("the token must read sys/auth"), "{}", refused.stderr);
    assert_eq!(site.stage.root().read("iamra/clusters/prod").await.status, 404);
}

#[tokio::test]
async fn an_import_names_the_roles_whose_issuer_is_not_there() {
    let mut site = Site::new().await;
    let _ = site.run("export").await.ok();
    site.lose_vault().await;
    enable_logins(site.stage.root()).await;

    let said = site.run("import").await.ok();

    assert!(said.contains("role app names the issuer prod-1, which does not exist"), "{said}");
    assert!(said.contains("common_name=iamra issuer_name=prod-1"), "{said}");
    let none =
        "the default issuer was prod-1, and there is none here: vault write iamra/root/generate/internal";
    assert!(said.contains(none), "{said}");
}

#[tokio::test]
async fn an_import_says_that_the_default_issuer_is_another_one() {
    let mut site = Site::new().await;
    let _ = site.run("export").await.ok();
    site.lose_vault().await;
    enable_logins(site.stage.root()).await;
    for name in ["other", "prod-1"] {
        let issuer = json!({ "common_name": name, "issuer_name": name });
        let _ = site.stage.root().write("iamra/root/generate/internal", issuer).await.ok();
    }

    let said = site.run("import").await.ok();

    assert!(said.contains("the default issuer was prod-1, and is another here"), "{said}");
}

#[tokio::test]
async fn an_import_keeps_a_field_that_the_export_does_not_name_and_tells_it() {
    let site = Site::new().await;
    let _ = site.run("export").await.ok();
    let _ = site.stage.root().patch("iamra/roles/app", json!({ "role_session_name": "app-1" })).await.ok();

    let said = site.run("import").await.ok();

    assert_eq!(site.stage.root().read("iamra/roles/app").await.ok().string("role_session_name"), "app-1");
    assert!(said.contains("iamra/roles/app differs from the export"), "{said}");
    assert_eq!(said.matches("differs").count(), 1, "{said}");
}

#[tokio::test]
async fn an_import_names_the_roles_that_named_an_issuer_by_its_id() {
    let mut site = Site::new().await;
    let id = site.stage.root().read("iamra/issuer/prod-1").await.ok().string("issuer_id").to_owned();
    let _ = site.stage.root().patch("iamra/roles/app", json!({ "issuer_ref": id })).await.ok();
    let _ = site.run("export").await.ok();
    site.lose_vault().await;
    enable_logins(site.stage.root()).await;
    let next = json!({ "common_name": "the CA after", "issuer_name": "prod-1" });
    let _ = site.stage.root().write("iamra/root/generate/internal", next).await.ok();

    let said = site.run("import").await.ok();

    assert!(said.contains("vault patch iamra/roles/app issuer_ref=prod-1"), "{said}");
    assert!(!said.contains("not there") && !said.contains("the default issuer was"), "{said}");
}

#[tokio::test]
async fn a_raft_snapshot_brings_the_same_ca_back_on_another_server() {
    let mut stage = Stage::on(Vault::with_plugin(Settings::of(Storage::Raft)).await).await;
    let _ = stage.creds("demo").await.ok();
    let (ca, keys) = (stage.ca_pem("iamra").await, stage.vault.keys());
    let folder = tempfile::tempdir().unwrap();
    let snapshot = folder.path().join("vault.snap");
    let file = snapshot.to_str().unwrap();
    let _ = stage.vault.cli(&["operator", "raft", "snapshot", "save", file]).await.ok();

    stage.vault = Vault::with_plugin(Settings::of(Storage::Raft)).await;
    stage.vault.restore(&snapshot, &keys).await;

    let answer = stage.creds("demo").await.ok();
    stage.caller(&answer).await.unwrap();
    assert_eq!(stage.ca_pem("iamra").await, ca);
    say("recovery: a raft snapshot on another server: the same CA, and AWS took no change");
}

/// `arn:aws:sts::…:assumed-role/<role>` without the session's name.
fn role_of(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(role, _)| role)
}

/// Documents with the accessors of auth mounts, which differ between two Vaults, left out.
fn with_no_accessors(documents: &[Value]) -> Vec<String> {
    let without = |word: &str| match word.split_once("auth_") {
        Some((before, rest)) => {
            let tail = rest
                .trim_start_matches(|character: char| character.is_ascii_alphanumeric() || character == '_');
            format!("{before}{tail}")
        }
        None => word.to_owned(),
    };
    documents.iter().map(|document| without(&document.to_string())).collect()
}

fn every_text(folder: &Path) -> String {
    let mut texts = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        texts += &if path.is_dir() { every_text(&path) } else { fs::read_to_string(&path).unwrap() };
    }
    texts
}
