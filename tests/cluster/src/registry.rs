//! A registry of images in the place of ECR: CNCF Distribution with basic auth, and what makes kubelet and containerd take it for ECR.
//!
//! ```text
//! kubelet ── iamra-node-agent ecr ──▶ Vault, AWS: user and password
//!    └──▶ containerd ── <account>.dkr.ecr.<region>.amazonaws.com, which hosts.toml leads here ──▶ registry
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::binaries::workspace;

use crate::install::VAULT;
use crate::layout::{AWS_TLS, CONTAINERD, Layout, REGISTRY};
use crate::tools::run;

/// The one image of the registry, by the name that pods give: busybox.
pub const IMAGE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/payments/busybox:1";

/// What opens the registry: the emulator hands it out as ECR's password, for the user `AWS`.
pub(crate) const PASSWORD: &str = "opens-the-registry";
/// The same as the registry keeps it: bcrypt.
const HASHED: &str = "$2y$04$Bv/bFM2FF2K/69k56wevbupC69txz0aC9abRZWbdAy1t6seqmr.e.";

/// The image that is pushed.
const PUSHED: &str = "docker.io/local/busybox:1";
/// Where the registry keeps its images.
const STORAGE: &str = "/var/lib/registry";

/// The registry's command line, with its configuration.
pub(crate) fn command(layout: &Layout) -> Command {
    let users = layout.config("registry-users");
    write(&users, &format!("AWS:{HASHED}\n"));
    let config = layout.config("registry.yaml");
    let text = format!(
        r#"version: 0.1
log: {{ level: info, accesslog: {{ disabled: true }} }}
storage: {{ filesystem: {{ rootdirectory: {STORAGE} }} }}
http: {{ addr: "{REGISTRY}" }}
auth: {{ htpasswd: {{ realm: ecr, path: "{}" }} }}
"#,
        users.display()
    );
    write(&config, &text);
    let mut command = Command::new("/usr/bin/docker-registry");
    command.arg("serve").arg(config);
    command
}

/// Puts the image into the registry, under no name that containerd would find without asking it.
pub(crate) fn push() -> Result<(), String> {
    let (_, name) = IMAGE.split_once('/').expect("a registry and a name");
    let target = format!("{REGISTRY}/{name}");
    let login = format!("AWS:{PASSWORD}");
    let push = ["images", "push", "--plain-http", "--user", &login, &target, PUSHED];
    run("ctr", &[&["--address", CONTAINERD, "--namespace=k8s.io"], &push[..]].concat())
}

/// The folder in which containerd looks up where a registry's name leads.
pub(crate) fn hosts(layout: &Layout) -> PathBuf {
    layout.config("registries")
}

/// Leads the name of ECR's registry to ours.
pub(crate) fn serve_as_ecr(layout: &Layout) {
    let (host, _) = IMAGE.split_once('/').expect("a registry and a name");
    let folder = hosts(layout).join(host);
    fs::create_dir_all(&folder).expect("the cluster's folder is writable");
    let text = format!(
        "server = \"http://{REGISTRY}\"\n\n[host.\"http://{REGISTRY}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
    );
    write(&folder.join("hosts.toml"), &text);
}

/// The kubelet's configuration of the credential provider, ours as users get it but for addresses, and the folder of its program.
pub(crate) fn credential_provider(layout: &Layout) -> (PathBuf, PathBuf) {
    let shipped = workspace().join("k8s/node-agent/ecr/credential-provider-config.yaml");
    let shipped = fs::read_to_string(shipped).expect("it is there");
    let vault = format!("{VAULT} # yours");
    let ca = "      - name: VAULT_CACERT\n        value: /etc/kubernetes/vault-ca.pem # yours\n";
    let aws = format!(
        "      - name: AWS_ENDPOINT_URL_ECR\n        value: https://{AWS_TLS}\n      - name: AWS_CA_BUNDLE\n        value: {}\n",
        layout.aws_ca().display()
    );
    assert!(shipped.contains(ca), "the configuration names Vault's CA");
    let local = shipped.replace("https://vault.example.com:8200 # yours", &vault).replace(ca, &aws);
    assert!(local.contains(VAULT), "the configuration names Vault's address");
    let config = layout.config("credential-provider-config.yaml");
    write(&config, &local);
    let programs = workspace().join("target/node-agent");
    (config, programs.canonicalize().unwrap_or(programs))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the cluster's folder is writable");
}
