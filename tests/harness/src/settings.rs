//! The settings of a server, and how they are passed to Vault.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::binaries;

/// A dev server's root token, the only token that it starts with.
pub(crate) const DEV_ROOT_TOKEN: &str = "root";

/// The storage of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A dev server: unsealed, in memory, gone when it ends.
    Memory,
    /// A server with the `file` backend.
    File,
    /// A single node with integrated storage.
    Raft,
}

/// The settings that may differ between servers beside their storage.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its storage.
    pub storage: Storage,
    /// Vault's log level; `debug` by default.
    pub log_level: &'static str,
    /// Environment variables of the server, and so of its plugins. Nothing else of the test's environment reaches them.
    pub environment: Vec<(String, String)>,
    /// A second listener, for HTTPS.
    pub tls: Option<TlsListener>,
    /// Its membership of a cluster, with [`Storage::Raft`]; a single node has none.
    pub member: Option<Member>,
}

/// A server's membership of a raft cluster, which knows it by name and address: both stay when the server is restarted.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name in the cluster.
    pub node_id: String,
    /// The lower port of its pair, see [`free_pair`](crate::free_pair).
    pub port: u16,
    /// The address of a server to join; the first one has none.
    pub join: Option<String>,
}

/// An HTTPS listener on loopback.
#[derive(Clone, Debug)]
pub struct TlsListener {
    /// Its port, such as one from [`free_pair`](crate::free_pair).
    pub port: u16,
    /// The file with the certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// The file with the key, PEM.
    pub key: PathBuf,
}

impl Settings {
    /// The usual settings for a storage.
    pub fn of(storage: Storage) -> Settings {
        Settings { storage, log_level: "debug", environment: Vec::new(), tls: None, member: None }
    }

    /// Starts the server process. `folder` holds `plugins/`, `data/`, `tmp/` and the two output files.
    pub(crate) fn spawn(&self, folder: &Path, port: u16) -> Child {
        let config = folder.join("vault.json");
        fs::write(&config, self.config(folder, port).to_string()).expect("the temporary folder is writable");
        let mut command = Command::new(binaries::vault());
        command.arg("server").arg("-log-format=json").arg(format!("-log-level={}", self.log_level));
        command.arg(format!("-config={}", config.display()));
        if self.storage == Storage::Memory {
            command.args(["-dev", "-dev-no-store-token"]).arg(format!("-dev-root-token-id={DEV_ROOT_TOKEN}"));
            command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        }
        command
            .env_clear()
            .env("HOME", folder)
            .env("TMPDIR", folder.join("tmp"))
            .envs(self.environment.iter().cloned())
            .stdin(std::process::Stdio::null())
            .stdout(appended(&folder.join("vault.out")))
            .stderr(appended(&folder.join("vault.log")))
            .spawn()
            .expect("vault starts")
    }

    fn config(&self, folder: &Path, port: u16) -> Value {
        let mut config = json!({ "plugin_directory": folder.join("plugins"), "disable_mlock": true });
        // Vault refuses an empty list.
        if let Some(listeners) = self.listeners(port).as_array().filter(|all| !all.is_empty()) {
            config["listener"] = json!(listeners);
        }
        let data = folder.join("data");
        let storage = match self.storage {
            Storage::Memory => return config,
            Storage::File => json!({ "file": { "path": data } }),
            Storage::Raft => json!({ "raft": self.raft(&data) }),
        };
        config["storage"] = storage;
        config["api_addr"] = json!(format!("http://127.0.0.1:{port}"));
        config["cluster_addr"] = json!(format!("https://127.0.0.1:{}", port + 1));
        config
    }

    fn raft(&self, data: &Path) -> Value {
        let node_id = self.member.as_ref().map_or("one", |member| &member.node_id);
        let mut raft = json!({ "path": data, "node_id": node_id, "performance_multiplier": "1" });
        if let Some(address) = self.member.as_ref().and_then(|member| member.join.as_ref()) {
            raft["retry_join"] = json!([{ "leader_api_addr": address }]);
        }
        raft
    }

    /// The listeners to configure; a dev server brings the one for HTTP itself.
    fn listeners(&self, port: u16) -> Value {
        let http = json!({ "tcp": {
            "address": format!("127.0.0.1:{port}"),
            "cluster_address": format!("127.0.0.1:{}", port + 1),
            "tls_disable": true,
        }});
        let https = self.tls.as_ref().map(TlsListener::config);
        (self.storage != Storage::Memory).then_some(http).into_iter().chain(https).collect()
    }
}

impl TlsListener {
    fn config(&self) -> Value {
        json!({ "tcp": {
            "address": format!("127.0.0.1:{}", self.port),
            "cluster_address": format!("127.0.0.1:{}", self.port + 1),
            "tls_cert_file": self.certificate,
            "tls_key_file": self.key,
        }})
    }
}

fn appended(file: &Path) -> File {
    File::options().create(true).append(true).open(file).expect("the temporary folder is writable")
}
