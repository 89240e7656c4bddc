//! The commands of `vault-config/README.md`, run as they stand there.

use std::fs;
use std::process::{Command, Stdio};

use e2e::config_file;
use harness::{Plugin, Settings, Stage, Storage, Vault, binaries};
use serde_json::json;

const ROLE: &str = "payments-api";

/// The commands of the blocks that are marked `sh` or `sh <kind>`, in their order.
fn blocks(kind: &str) -> Vec<String> {
    let text = fs::read_to_string(config_file("README.md")).unwrap();
    let mut found = Vec::new();
    for part in text.split("```sh").skip(1) {
        let (mark, rest) = part.split_once('\n').unwrap();
        let (commands, _) = rest.split_once("```").expect("a block ends");
        if mark.is_empty() || mark.trim() == kind {
            found.push(commands.to_owned());
        }
    }
    found
}

/// A server with the plugin's file in its folder, and an AWS that has the stack's role; the reader's shell.
struct Reader {
    stage: Stage,
}

impl Reader {
    async fn new() -> Reader {
        let vault = Vault::bare(Settings::of(Storage::Memory)).await;
        let Plugin { name, version, .. } = vault.register(binaries::plugin()).await;
        let _ =
            vault.root().delete(&format!("sys/plugins/catalog/secret/{name}?version={version}")).await.ok();
        let bin = vault.folder().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(fs::canonicalize(binaries::vault()).unwrap(), bin.join("vault")).unwrap();
        let stage = Stage::beside(vault).await;
        let mut world = stage.admin("GET", "state", None).await;
        world["roles"][0]["name"] = json!(ROLE);
        world["roles"][0]["path"] = json!("/iamra/");
        world["profiles"][0]["role_arns"] = json!([format!("arn:aws:iam::111122223333:role/iamra/{ROLE}")]);
        stage.admin("PUT", "state", Some(world)).await;
        Reader { stage }
    }

    /// Runs a block with what differs here: where this project is, an emulator for AWS, and a cluster that is not there.
    async fn run(&self, block: &str) -> String {
        let vault = &self.stage.vault;
        let plugin = binaries::plugin().display().to_string();
        let commands = block
            .replace("target/plugin/vault-plugin-secrets-iamra", &plugin)
            .replace("vault-config/", &format!("{}/", config_file("").display()))
            .replace("setup.sh ", "setup.sh --kubernetes-host https://127.0.0.1:6443 --kubernetes-ca ca.pem ")
            .replace(
                "vault write iamra/config ",
                &format!("vault write iamra/config endpoint={} ", self.stage.aws.url()),
            );
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &commands])
            .current_dir(vault.folder())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", vault.folder().join("bin").display()))
            .env("HOME", vault.folder())
            .env("VAULT_ADDR", vault.addr())
            .env("VAULT_TOKEN", vault.root_token())
            .stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
        assert!(run.status.success(), "{commands}\n{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// Runs the blocks one after the other; AWS is set up once there is a CA, as the reader does with the stack.
    async fn run_all(&self, kind: &str) -> String {
        let mut said = String::new();
        for block in blocks(kind) {
            said += &self.run(&block).await;
            if block.contains("> ca.pem") {
                let pem = fs::read_to_string(self.stage.vault.folder().join("ca.pem")).unwrap();
                self.stage.trust(&pem).await;
            }
        }
        said
    }
}

#[tokio::test]
async fn from_a_bare_vault_to_the_credentials_of_a_service_account() {
    let reader = Reader::new().await;

    let said = reader.run_all("kubernetes").await;

    assert!(said.contains("register: mounted vault-plugin-secrets-iamra"), "{said}");
    assert!(said.contains("payments/api is prod.payments.api in AWS"), "{said}");
    assert!(said.contains("arn:aws:sts::111122223333:assumed-role/payments-api/"), "{said}");
}

#[tokio::test]
async fn from_a_bare_vault_to_the_login_of_a_host() {
    let reader = Reader::new().await;

    let _ = reader.run_all("host").await;

    let id = |name: &str| fs::read_to_string(reader.stage.vault.folder().join(name)).unwrap();
    let login = json!({ "role_id": id("role-id"), "secret_id": id("secret-id") });
    let root = reader.stage.root();
    let token = root.without_token().write("auth/approle/login", login).await.ok();
    let host = root.with_token(token.body["auth"]["client_token"].as_str().unwrap());
    let answer = host.read("iamra/creds/payments-api").await.ok();
    assert_eq!(reader.stage.caller(&answer).await.unwrap().arn, answer.string("arn"));
}
