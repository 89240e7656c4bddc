//! A real Vault server as a value. A test starts, calls, restarts, seals or kills it; it cleans up on drop.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::settings::DEV_ROOT_TOKEN;
use crate::{Api, AuditDevice, CliRun, LogLine, Reply, Settings, Storage, binaries, ports, processes, until};

/// A cold start on a busy two-core machine takes under two seconds, a raft election one more. The rest is for a stalled machine.
const START: Duration = Duration::from_secs(90);

/// The time that a log line may take through Vault, on a machine that stalls.
const LOGGED: Duration = Duration::from_secs(60);

/// The number of tries of a start, because another process may take a port after the check and before its use.
const TRIES: usize = 3;

/// A running Vault server with a folder and a port pair of its own.
pub struct Vault {
    child: Child,
    port: u16,
    settings: Settings,
    api: Api,
    root_token: String,
    unseal_key: String,
    folder: TempDir,
}

/// A plugin in the catalog of a server.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Its name in the catalog, and the type to mount.
    pub name: String,
    /// The version it reports of itself, such as `v0.1.0`.
    pub version: String,
    /// The SHA-256 of its binary, in hex.
    pub sha256: String,
}

/// A server's root token and its one unseal key, which outlive it.
#[derive(Clone)]
pub struct Keys {
    root_token: String,
    unseal_key: String,
}

impl Vault {
    /// A dev server with the plugin registered.
    pub async fn dev() -> Vault {
        Vault::with_plugin(Settings::of(Storage::Memory)).await
    }

    /// An unsealed server on the file backend with the plugin registered.
    pub async fn server_file() -> Vault {
        Vault::with_plugin(Settings::of(Storage::File)).await
    }

    /// An unsealed single node on integrated storage with the plugin registered.
    pub async fn server_raft() -> Vault {
        Vault::with_plugin(Settings::of(Storage::Raft)).await
    }

    /// A server with these settings and the plugin registered.
    pub async fn with_plugin(settings: Settings) -> Vault {
        let vault = Vault::bare(settings).await;
        vault.register(binaries::plugin()).await;
        vault
    }

    /// A server with these settings and nothing in its catalog.
    ///
    /// # Panics
    /// When it does not start; the message holds the end of its log.
    pub async fn bare(settings: Settings) -> Vault {
        let mut vault = Vault::started(settings).await;
        (vault.root_token, vault.unseal_key) = vault.first_keys().await;
        vault.api = vault.api.with_token(&vault.root_token);
        vault.unseal().await;
        vault
    }

    /// A server whose settings make it join the cluster of `first`, with nothing in its plugin folder.
    pub(crate) async fn joining(settings: Settings, first: &Vault) -> Vault {
        let mut vault = Vault::started(settings).await;
        vault.root_token.clone_from(&first.root_token);
        vault.unseal_key.clone_from(&first.unseal_key);
        vault.api = vault.api.with_token(&vault.root_token);
        vault.unseal().await;
        vault
    }

    /// A server that answers and is not initialised yet.
    async fn started(settings: Settings) -> Vault {
        let folder = tempfile::Builder::new().prefix("vault-").tempdir().expect("a temporary folder");
        for name in ["plugins", "data", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("the temporary folder is writable");
        }
        let (child, port) = start(&settings, folder.path()).await;
        let api = Api::new(format!("http://127.0.0.1:{port}"), None);
        let (root_token, unseal_key) = (String::new(), String::new());
        Vault { child, port, settings, api, root_token, unseal_key, folder }
    }

    /// The root token and the one unseal key: a dev server prints them, any other is initialised here.
    async fn first_keys(&self) -> (String, String) {
        if self.settings.storage == Storage::Memory {
            return (DEV_ROOT_TOKEN.to_owned(), self.printed("Unseal Key: ").await);
        }
        let init =
            self.api.write("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await.ok();
        let text = |value: &Value| value.as_str().expect("init answers with texts").to_owned();
        (text(&init.body["root_token"]), text(&init.body["keys_base64"][0]))
    }

    async fn printed(&self, label: &str) -> String {
        let file = self.folder().join("vault.out");
        until(&format!("{label:?} on the server's output"), START, async || {
            let out = fs::read_to_string(&file).ok()?;
            out.lines().find_map(|line| line.strip_prefix(label)).map(str::to_owned)
        })
        .await
    }

    /// Registers a plugin binary by its SHA-256 under its file name, with the version it reports.
    pub async fn register(&self, binary: &Path) -> Plugin {
        let (name, home) = self.install(binary);
        let sha256 = sha256_of(&home);
        let version = reported_version(&home);
        let entry = json!({ "sha256": sha256, "command": name, "version": version });
        let _ = self.api.write(&format!("sys/plugins/catalog/secret/{name}"), entry).await.ok();
        Plugin { name, version, sha256 }
    }

    /// Puts a plugin binary into the plugin folder, and returns its file name and its path there.
    pub fn install(&self, binary: &Path) -> (String, PathBuf) {
        let name = binary.file_name().and_then(|name| name.to_str()).expect("a file name").to_owned();
        let home = self.folder().join("plugins").join(&name);
        if fs::hard_link(binary, &home).is_err() {
            copy(binary, &home);
        }
        (name, home)
    }

    /// Mounts a secrets engine: a builtin one or a registered plugin.
    pub async fn mount(&self, path: &str, kind: &str) {
        let _ = self.api.write(&format!("sys/mounts/{path}"), json!({ "type": kind })).await.ok();
    }

    /// The server's address, `http://127.0.0.1:<port>`.
    pub fn addr(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The server's process id, which no other process has while it runs.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The root token.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// The folder with the server's data, plugins, temporary files and logs.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder lives as long as the server")
    }

    /// The HTTP API as root.
    pub fn root(&self) -> &Api {
        &self.api
    }

    /// One call of the HTTP API as root, to `/v1/<path>`.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.api.call(method, path, body).await
    }

    /// Runs `vault <args>` as root.
    pub async fn cli(&self, args: &[&str]) -> CliRun {
        CliRun::of(&self.addr(), &self.root_token, self.folder(), args).await
    }

    /// The same with another token.
    pub async fn cli_with(&self, token: &str, args: &[&str]) -> CliRun {
        CliRun::of(&self.addr(), token, self.folder(), args).await
    }

    /// Enables an audit device that writes to a file.
    pub async fn audit(&self) -> AuditDevice {
        let file = self.folder().join("audit.log");
        let body = json!({ "type": "file", "options": { "file_path": file } });
        let _ = self.api.write("sys/audit/file", body).await.ok();
        AuditDevice { file }
    }

    /// A token that holds one policy with these rules.
    pub async fn token(&self, policy: &str, rules: &str) -> String {
        let _ = self.api.write(&format!("sys/policies/acl/{policy}"), json!({ "policy": rules })).await.ok();
        let body = json!({ "policies": [policy], "no_default_policy": true, "ttl": "1h" });
        let created = self.api.write("auth/token/create", body).await.ok();
        created.body["auth"]["client_token"].as_str().expect("a created token").to_owned()
    }

    /// Everything the server logged so far, as written.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log_text(&self) -> String {
        let bytes = fs::read(self.folder.path().join("vault.log")).expect("the server's log is readable");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The structured lines the server logged so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.log_text().lines().filter_map(LogLine::parse).collect()
    }

    /// Waits for a log line, because a plugin's lines take a moment on their way through Vault.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&LogLine) -> bool) -> LogLine {
        until(&format!("the log line: {what}"), LOGGED, async || self.logs().into_iter().find(&wanted)).await
    }

    /// Ids of the running plugin processes that this server has started, orphans included.
    pub fn plugin_pids(&self) -> Vec<u32> {
        processes::running_from(&self.folder().join("plugins"))
    }

    /// The same, if there must be at least one: a loop over none would prove nothing.
    ///
    /// # Panics
    /// When none runs.
    pub fn live_plugins(&self) -> Vec<u32> {
        let pids = self.plugin_pids();
        assert!(!pids.is_empty(), "no plugin process runs");
        pids
    }

    /// Seals the server.
    pub async fn seal(&self) {
        let _ = self.api.call("PUT", "sys/seal", None).await.ok();
    }

    /// Unseals the server and waits until it serves, even if it is unsealed already.
    pub async fn unseal(&self) {
        if self.settings.member.is_some() {
            return self.unseal_as_a_member().await;
        }
        if self.settings.storage != Storage::Memory || self.health().await != Some(200) {
            let _ = self.api.write("sys/unseal", json!({ "key": self.unseal_key })).await.ok();
        }
        until("an active, unsealed server", START, async || (self.health().await == Some(200)).then_some(()))
            .await;
    }

    /// A member takes the key once it has met the cluster, and serves as the active node or as a standby.
    async fn unseal_as_a_member(&self) {
        until("an unsealed member of the cluster", START, async || {
            if matches!(self.health().await, Some(200 | 429)) {
                return Some(());
            }
            let key = json!({ "key": self.unseal_key });
            let _ = self.api.try_call("POST", "sys/unseal", Some(key), &[]).await;
            None
        })
        .await;
    }

    /// The status of `sys/health`: 200 active, 429 standby, 503 sealed; none while nothing listens.
    pub(crate) async fn health(&self) -> Option<u16> {
        Some(self.api.try_call("GET", "sys/health", None, &[]).await.ok()?.status)
    }

    /// Restores a raft snapshot of `lost` and unseals with that server's key; its root token counts from now on.
    ///
    /// # Panics
    /// When Vault refuses the snapshot.
    pub async fn restore(&mut self, snapshot: &Path, lost: &Keys) {
        let file = snapshot.to_str().expect("a path in UTF-8");
        let _ = self.cli(&["operator", "raft", "snapshot", "restore", "-force", file]).await.ok();
        let Keys { root_token, unseal_key } = lost.clone();
        (self.root_token, self.unseal_key) = (root_token, unseal_key);
        self.api = self.api.with_token(&self.root_token);
        until("a server that is sealed by what it restored", START, async || {
            (self.health().await == Some(503)).then_some(())
        })
        .await;
        self.unseal().await;
    }

    /// The keys that a snapshot of this server needs when it is restored.
    pub fn keys(&self) -> Keys {
        Keys { root_token: self.root_token.clone(), unseal_key: self.unseal_key.clone() }
    }

    /// Shuts the server down, starts it again on the same storage and unseals it.
    ///
    /// # Panics
    /// On a dev server, which would come back empty.
    pub async fn restart(&mut self) {
        processes::terminate(self.child.id());
        processes::has_ended(self.child.id(), START).await;
        self.start_again().await;
    }

    /// Restarts a server that has ended on the same storage and unseals it.
    ///
    /// # Panics
    /// On a dev server, which would come back empty.
    pub async fn start_again(&mut self) {
        assert_ne!(
            self.settings.storage,
            Storage::Memory,
            "a dev server forgets: use the file or raft storage"
        );
        let _ = self.child.wait();
        let (child, port) = start(&self.settings, self.folder.path()).await;
        self.child = child;
        self.port = port;
        self.api = Api::new(self.addr(), Some(self.root_token.clone()));
        self.unseal().await;
    }

    /// Kills the server with SIGKILL. Its plugins are not notified.
    pub fn kill9(&mut self) {
        processes::kill(self.child.id());
        let _ = self.child.wait();
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let plugins = self.folder.path().canonicalize().map(|folder| folder.join("plugins"));
        self.kill9();
        for pid in plugins.iter().flat_map(|folder| processes::running_from(folder)) {
            processes::kill(pid);
        }
        if std::thread::panicking() {
            say_last_words(&self.log_text());
        }
    }
}

/// Prints the end of a failed test's server log, where a reader looks first.
#[expect(clippy::disallowed_macros, reason = "a failed test's output, shown by the test runner")]
fn say_last_words(log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(25)..];
    eprintln!("--- end of the server's log ---");
    for line in tail {
        eprintln!("{}", line.chars().take(600).collect::<String>());
    }
}

/// Starts a server process and waits until it answers. If another process took its port, it starts on a new one, but a member of
/// a cluster keeps its port.
async fn start(settings: &Settings, folder: &Path) -> (Child, u16) {
    for _ in 0..TRIES {
        let port = settings.member.as_ref().map_or_else(ports::free_pair, |member| member.port);
        let mut child = settings.spawn(folder, port);
        if answers(&mut child, port).await {
            return (child, port);
        }
        let _ = child.wait();
    }
    let log = fs::read_to_string(folder.join("vault.log")).unwrap_or_default();
    let out = fs::read_to_string(folder.join("vault.out")).unwrap_or_default();
    panic!("vault did not start {TRIES} times: {out}\n{log}");
}

/// Whether the server answers on its port; false if it ends first.
async fn answers(child: &mut Child, port: u16) -> bool {
    let api = Api::new(format!("http://127.0.0.1:{port}"), None);
    until("a server that answers or ends", START, async || {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return Some(false);
        }
        let health = api.try_call("GET", "sys/health?uninitcode=200&sealedcode=200", None, &[]).await;
        health.is_ok_and(|reply| reply.status == 200 && reply.body.is_object()).then_some(true)
    })
    .await
}

/// Copies a program, in a process of its own: a child that another thread starts meanwhile would inherit a file that this process
/// writes, and until it is done with that the system refuses to start the copy ("text file busy").
fn copy(program: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg(program).arg(to).status().expect("cp runs");
    assert!(status.success(), "the plugin is readable and the folder writable");
}

/// The SHA-256 of a file in hex, as the catalog requires it.
///
/// # Panics
/// When it cannot be read.
pub fn sha256_of(file: &Path) -> String {
    hex::encode(digest(&SHA256, &fs::read(file).expect("the file is readable")))
}

/// The version a plugin prints with `--version`, with the `v` that the catalog compares.
fn reported_version(binary: &Path) -> String {
    let run = std::process::Command::new(binary).arg("--version").output().expect("the plugin runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    let version = version_in(&printed).unwrap_or_else(|| panic!("no version in: {printed:?}"));
    format!("v{version}")
}

/// The first word that starts like a version, without its `v`.
fn version_in(printed: &str) -> Option<&str> {
    printed
        .split_whitespace()
        .map(|word| word.strip_prefix('v').unwrap_or(word))
        .find(|word| word.starts_with(|character: char| character.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_beside_a_name_that_starts_with_v() {
        assert_eq!(version_in("vault-plugin-x v0.1.0\n"), Some("0.1.0"));
        assert_eq!(version_in("0.2.0+abc"), Some("0.2.0+abc"));
        assert_eq!(version_in("vault-plugin-x"), None);
    }
}
