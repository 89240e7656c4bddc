//! The environment of every cell: a Vault with an HTTPS listener, an AWS with short sessions, a node agent, a Vault Agent with its files,
//! and a Vault Proxy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::kubernetes::{self, Cluster};
use e2e::node_agent::NodeAgent;
use harness::{ROLE_ARN, Settings, Stage, Storage, TlsListener, Vault, free_pair, until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::agent::Agent;

/// The name of Vault in a cluster, which is in the certificate and which no SDK takes for loopback.
pub(crate) const VAULT_NAME: &str = "vault.vault.svc";

/// Seconds that a session lasts: AWS's minimum is 900, the emulator's profile cuts to this.
pub(crate) const SESSION: u32 = 20;

/// The password of Java's trust store, which must have one.
pub(crate) const STORE_PASSWORD: &str = "changeit";

/// The time for Agent's first reads on a busy machine.
const WRITTEN: Duration = Duration::from_secs(90);

/// The application's whole policy; Agent and Proxy need the last two rules for their login.
const POLICY: &str = r#"
path "iamra/creds/demo" { capabilities = ["read"] }
path "iamra/container/demo" { capabilities = ["read"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
"#;

/// Ended and removed when dropped.
pub(crate) struct Grounds {
    pub(crate) stage: Stage,
    /// In front of this Vault, for the pods of a cluster.
    pub(crate) node_agent: NodeAgent,
    _cluster: Cluster,
    /// Dropped with the rest, which ends them.
    _agents: [Agent; 2],
    proxy_port: u16,
    vault_port: u16,
    folder: TempDir,
}

impl Grounds {
    /// Starts everything, and waits until both files are written once.
    pub(crate) async fn new() -> Grounds {
        let folder = tempfile::Builder::new().prefix("sdks-").tempdir().expect("a temporary folder");
        let listener = https(folder.path());
        let vault_port = listener.port;
        let settings = Settings { tls: Some(listener), ..Settings::of(Storage::Memory) };
        let stage = Stage::on(Vault::with_plugin(settings).await).await;
        let mut account = stage.aws.state();
        account.profiles[0].duration_seconds = SESSION;
        stage.aws.set_state(account);
        write_files(folder.path(), &stage.vault.token("demo", POLICY).await);
        let (cluster, node_agent) = node_agent(&stage, folder.path()).await;
        let proxy_port = free_pair();
        let vault = stage.vault.addr();
        let agents = [
            Agent::start("agent", folder.path(), &agent_config(&vault, folder.path())),
            Agent::start("proxy", folder.path(), &proxy_config(&vault, folder.path(), proxy_port)),
        ];
        let grounds =
            Grounds { stage, node_agent, _cluster: cluster, _agents: agents, proxy_port, vault_port, folder };
        for file in ["credentials", "aws.json"] {
            let path = grounds.path(file);
            let written = async || fs::read(&path).ok().filter(|content| !content.is_empty());
            until(&format!("Agent's {file}"), WRITTEN, written).await;
        }
        until("the Proxy's listener", WRITTEN, async || {
            std::net::TcpStream::connect(("127.0.0.1", proxy_port)).ok()
        })
        .await;
        grounds
    }

    /// The path of a file in this folder, as text for a variable.
    pub(crate) fn path(&self, file: &str) -> String {
        let path = self.folder.path().join(file);
        path.to_str().expect("a temporary path in UTF-8").to_owned()
    }

    /// The Proxy's listener.
    pub(crate) fn proxy_addr(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port)
    }

    /// Vault by the name in its certificate.
    pub(crate) fn vault_addr(&self) -> String {
        format!("https://{VAULT_NAME}:{}", self.vault_port)
    }

    /// When each session of this AWS ends, by the ARN that STS gives its holder.
    pub(crate) fn ends(&self) -> BTreeMap<String, OffsetDateTime> {
        let sessions = self.stage.aws.sessions().into_iter();
        sessions.map(|session| (session.assumed_role_arn, moment(&session.expiration))).collect()
    }

    /// When the session ends whose key the credentials file holds now.
    pub(crate) fn end_in_file(&self) -> OffsetDateTime {
        let file = fs::read_to_string(self.path("credentials")).expect("the file is never away");
        let session =
            self.stage.aws.sessions().into_iter().find(|session| file.contains(&session.access_key_id));
        moment(&session.expect("the file holds a session of this AWS").expiration)
    }
}

fn moment(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).expect("the emulator writes RFC 3339")
}

/// A node agent in front of the engine, and the file in which one of its pods has its token.
async fn node_agent(stage: &Stage, folder: &Path) -> (Cluster, NodeAgent) {
    let cluster = Cluster::start().await;
    let run = kubernetes::set_up(stage, &cluster, &["--cluster", "prod", "--associations"]).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let association = json!({ "role_arn": ROLE_ARN, "subject": "kubernetes" });
    let _ = stage.root().write("iamra/roles/payments.api", association).await.ok();
    let token = cluster.token_for("iamra", "payments", "api");
    fs::write(folder.join("service-account-token"), token).expect("the folder is writable");
    let agent = NodeAgent::start(&stage.vault.addr(), &[]).await;
    (cluster, agent)
}

/// A TLS listener whose certificate no SDK trusts by itself, and the files that make an SDK trust its CA.
fn https(folder: &Path) -> TlsListener {
    let (ca, server, key) = server_certificate();
    let listener = TlsListener {
        port: free_pair(),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    fs::write(folder.join("ca.pem"), ca).expect("the folder is writable");
    fs::write(&listener.certificate, server).expect("the folder is writable");
    fs::write(&listener.key, key).expect("the folder is writable");
    let store = ["-importcert", "-noprompt", "-alias", "vault", "-file", "ca.pem", "-keystore", "ca.p12"];
    let run =
        Command::new("keytool").current_dir(folder).args(store).args(["-storepass", STORE_PASSWORD]).output();
    let run = run.expect("keytool runs: it comes with Java");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    listener
}

/// PEM of a CA, of a certificate it gave to Vault, and of the key to that.
fn server_certificate() -> (String, String, String) {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "a private CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate().expect("a P-256 key");
    let ca = authority.self_signed(&key).expect("fixed parameters").pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().expect("a P-256 key");
    let mut server = CertificateParams::new([VAULT_NAME.to_owned()]).expect("a DNS name");
    server.distinguished_name.push(DnType::CommonName, VAULT_NAME);
    server.use_authority_key_identifier_extension = true;
    let server = server.signed_by(&key, &issuer).expect("fixed parameters").pem();
    (ca, server, key.serialize_pem())
}

/// The files that a pod would be given beside Agent's own.
fn write_files(folder: &Path, token: &str) {
    let process = format!("[default]\ncredential_process = cat {}\n", folder.join("aws.json").display());
    let files = [
        ("agent-token", token.to_owned()),
        ("token", format!("Bearer {token}")),
        ("token-and-newline", format!("Bearer {token}\n")),
        ("config", process),
        ("hosts", format!("127.0.0.1 localhost {VAULT_NAME}\n")),
    ];
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("the folder is writable");
    }
}

/// One Agent for all, as the injector configures it: it logs in, and keeps both files fresh.
fn agent_config(vault: &str, folder: &Path) -> Value {
    let template = |field: &str, file: &str| {
        json!({
            "contents": format!("{{{{ with secret \"iamra/creds/demo\" }}}}{{{{ .Data.{field} }}}}{{{{ end }}}}"),
            "destination": folder.join(file),
            "perms": "0600",
        })
    };
    json!({
        "vault": { "address": vault },
        "auto_auth": auto_auth(folder),
        "template": [template("credentials_file", "credentials"), template("credential_process", "aws.json")],
    })
}

/// One Proxy for all, as `vault-config/agent/listener.hcl` configures it: it logs in, and has a listener that adds its token.
fn proxy_config(vault: &str, folder: &Path, port: u16) -> Value {
    json!({
        "vault": { "address": vault },
        "auto_auth": auto_auth(folder),
        "api_proxy": { "use_auto_auth_token": "force" },
        "listener": [{ "tcp": { "address": format!("127.0.0.1:{port}"), "tls_disable": true } }],
    })
}

fn auto_auth(folder: &Path) -> Value {
    let token = json!({ "token_file_path": folder.join("agent-token") });
    json!({ "method": [{ "type": "token_file", "config": token }] })
}
