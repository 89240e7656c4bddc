//! A real Vault Agent or Proxy on a shipped configuration: of `vault-config/agent` for a host outside Kubernetes, or of the overlay
//! `native-sidecar`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness::sts::Credentials;
use harness::{ROLE_ARN, Reply, Stage, binaries, free_pair};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config_file;

/// The texts in the shipped files that a user replaces with his own values, with the text around each.
const ADDRESS: &str = "https://vault.example.com:8200";
const PORT: &str = "127.0.0.1:8100";

/// The same in the overlay `native-sidecar`.
const SIDECAR_TOKEN: &str = "/var/run/secrets/vault/token";
const SIDECAR_PORT: &str = "127.0.0.1:8200";

/// The workload of all examples: engine role, policy and login.
pub const NAME: &str = "payments-api";

/// A running Agent or Proxy with a folder of its own; both end on drop.
pub struct Host {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Host {
    /// Starts `vault <program>` on a shipped file with this server's address, a login of its own and a folder of its own.
    ///
    /// # Panics
    /// When the file does not name what it must, or the program cannot be started.
    pub async fn start(stage: &Stage, program: &str, file: &str, token_ttls: [&str; 2]) -> Host {
        Host::start_edited(stage, program, file, token_ttls, [ADDRESS, ADDRESS]).await
    }

    /// The same with a text of the file replaced, to show its purpose.
    ///
    /// # Panics
    /// When the text is not in the file, or the program cannot be started.
    pub async fn start_edited(
        stage: &Stage,
        program: &str,
        file: &str,
        token_ttls: [&str; 2],
        edit: [&str; 2],
    ) -> Host {
        Host::start_in(stage, program, file, token_ttls, edit, &[]).await
    }

    /// The same with variables in the program's environment.
    ///
    /// # Panics
    /// When the text is not in the file, or the program cannot be started.
    pub async fn start_in(
        stage: &Stage,
        program: &str,
        file: &str,
        token_ttls: [&str; 2],
        [old, new]: [&str; 2],
        environment: &[(&str, &str)],
    ) -> Host {
        let (folder, port) = (own_folder(), free_pair());
        let kind = if file == "listener.hcl" { "container" } else { "file" };
        log_in_as(stage, folder.path(), kind, token_ttls).await;
        let shipped =
            fs::read_to_string(config_file(&format!("agent/{file}"))).expect("a shipped configuration");
        assert!(shipped.contains(ADDRESS) && shipped.contains(old), "{file} has no {ADDRESS} or no {old}");
        let config = with_own_values(&shipped.replace(old, new), stage, folder.path(), port);
        spawn(folder, port, program, &config, environment)
    }

    /// Starts the Proxy of the overlay `native-sidecar` on its configuration, for a pod whose service account has this token.
    ///
    /// # Panics
    /// When the overlay does not name what it must, or the Proxy cannot be started.
    pub fn sidecar(stage: &Stage, token: &str) -> Host {
        let (folder, port) = (own_folder(), free_pair());
        let file = binaries::workspace().join("k8s/overlays/native-sidecar/proxy-config.yaml");
        let manifest = fs::read_to_string(file).expect("a shipped manifest");
        let (_, shipped) = manifest.split_once("  proxy.hcl: |\n").expect("the Proxy's configuration");
        assert!(shipped.contains(SIDECAR_TOKEN) && shipped.contains(SIDECAR_PORT), "{shipped}");
        let etc = folder.path().join("etc");
        let config = shipped
            .replace(SIDECAR_TOKEN, &etc.join("token").display().to_string())
            .replace(SIDECAR_PORT, &format!("127.0.0.1:{port}"));
        let host = spawn(folder, port, "proxy", &config, &[("VAULT_ADDR", &stage.vault.addr())]);
        host.becomes(token);
        host
    }

    /// Puts another service account's token in place of the sidecar's.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn becomes(&self, token: &str) {
        let file = self.folder.path().join("etc").join("token");
        fs::write(file, token).expect("the temporary folder is writable");
    }

    /// The path of a file that the shipped configuration puts under `/run/iamra`.
    pub fn run(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }

    /// The text of such a file; none before it exists.
    pub fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.run(name)).ok()
    }

    /// The program's output so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the listener for `/v1/<path>` as an SDK does; none while nothing listens.
    pub async fn ask(&self, path: &str, token: Option<&str>) -> Option<Reply> {
        let url = format!("http://127.0.0.1:{}/v1/{path}", self.port);
        let client = Client::builder().no_proxy().tls_certs_only(std::iter::empty()).build().ok()?;
        let mut request = client.get(url);
        if let Some(token) = token {
            request = request.header("X-Vault-Token", token);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (content_type, cache_control) = (header("content-type"), header("cache-control"));
        let text = response.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Some(Reply { status, body, text, content_type, cache_control })
    }
}

impl Drop for Host {
    #[expect(clippy::disallowed_macros, reason = "a failed test's output, shown by the test runner")]
    fn drop(&mut self) {
        harness::kill(self.child.id());
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the host's log ---\n{}", self.log());
        }
    }
}

/// A folder with `etc/` and `run/`.
fn own_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("host-").tempdir().expect("a temporary folder");
    for name in ["etc", "run"] {
        fs::create_dir(folder.path().join(name)).expect("the temporary folder is writable");
    }
    folder
}

/// Starts `vault <program>` on a configuration with nothing but these variables in its environment.
fn spawn(folder: TempDir, port: u16, program: &str, config: &str, environment: &[(&str, &str)]) -> Host {
    let file = folder.path().join("etc").join("config.hcl");
    fs::write(&file, config).expect("the temporary folder is writable");
    let log = File::create(folder.path().join("log")).expect("the temporary folder is writable");
    let child = Command::new(binaries::vault())
        .arg(program)
        .arg(format!("-config={}", file.display()))
        .env_clear()
        .env("HOME", folder.path())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("an open file"))
        .stderr(log)
        .spawn()
        .expect("vault starts");
    Host { child, port, folder }
}

/// Makes the engine role, the shipped policy and a login (`approle`) that has it, and writes the login to `etc/`.
async fn log_in_as(stage: &Stage, folder: &Path, kind: &str, [ttl, max_ttl]: [&str; 2]) {
    let root = stage.root();
    let role = json!({ "role_arn": ROLE_ARN, "common_name": "prod.payments.api" });
    let _ = root.write(&format!("iamra/roles/{NAME}"), role).await.ok();
    let policy = fs::read_to_string(config_file(&format!("policies/application-{kind}.hcl")));
    let policy = policy.expect("a shipped policy");
    let _ = root.write(&format!("sys/policies/acl/{NAME}"), json!({ "policy": policy })).await.ok();
    let _ = root.write("sys/auth/approle", json!({ "type": "approle" })).await.ok();
    let login = json!({
        "token_policies": [NAME], "token_no_default_policy": true, "token_ttl": ttl, "token_max_ttl": max_ttl,
    });
    let path = format!("auth/approle/role/{NAME}");
    let _ = root.write(&path, login).await.ok();
    let role_id = root.read(&format!("{path}/role-id")).await.ok();
    let secret_id = root.write(&format!("{path}/secret-id"), json!({})).await.ok();
    for (name, id) in [("role-id", role_id.string("role_id")), ("secret-id", secret_id.string("secret_id"))] {
        fs::write(folder.join("etc").join(name), id).expect("the temporary folder is writable");
    }
}

/// The shipped text with the user's values; everything else stays.
fn with_own_values(shipped: &str, stage: &Stage, folder: &Path, port: u16) -> String {
    shipped
        .replace(ADDRESS, &stage.vault.addr())
        .replace(PORT, &format!("127.0.0.1:{port}"))
        .replace("/etc/iamra", &folder.join("etc").display().to_string())
        .replace("/run/iamra", &folder.join("run").display().to_string())
}

/// The credentials in the text of a credentials file.
pub fn in_credentials_file(text: &str) -> Option<Credentials> {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    Some(Credentials {
        access_key: value("aws_access_key_id")?,
        secret_key: value("aws_secret_access_key")?,
        session_token: Some(value("aws_session_token")?),
    })
}

/// The credentials in a document of `credential_process` or of the container endpoint, which name the token differently.
pub fn in_document(document: &Value, token: &str) -> Option<Credentials> {
    let text = |key: &str| document[key].as_str().map(str::to_owned);
    Some(Credentials {
        access_key: text("AccessKeyId")?,
        secret_key: text("SecretAccessKey")?,
        session_token: Some(text(token)?),
    })
}
