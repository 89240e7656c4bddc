//! Vault in the cluster: started as a chart would, then set up by the users' own files, and configured for the AWS beside it; then the node
//! agent, from the users' own manifests.
//!
//! ```text
//! kubectl apply -k manifests ─▶ init, unseal ─▶ vault-config/plugin/register.sh ─▶ CA ─▶ AWS trusts it ─▶ config
//! ```
//! Each story decides which service account may assume which role.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::binaries::{self, workspace};
use harness::{Api, PROFILE_ARN, Reply, TRUST_ANCHOR_ARN, admin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::account::{CLUSTER, PAYMENTS_API, state};
use crate::cluster::{Cluster, REST, TRIES, is_of_a_stalled_machine};
use crate::layout::Layout;

/// The Service's fixed address: see manifests/vault.yaml.
pub const VAULT: &str = "http://10.213.1.20:8200";

/// The container's user and group, who own the volume.
const USER: u32 = 100;
const GROUP: u32 = 1000;

/// Image start, plugin copy and Vault's own start, on two busy cores.
const START: Duration = Duration::from_secs(300);

/// The time for one check of Vault's health.
const TRY: Duration = Duration::from_secs(2);

/// The keys that only the initialiser of a Vault has.
#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    root_token: String,
    unseal_key: String,
}

/// Puts Vault, the plugin and the injector into a bare cluster.
pub(crate) async fn install(layout: &Layout, cluster: &Cluster) -> Result<(), String> {
    make_volume(layout, cluster).await?;
    let manifests = workspace().join("tests/cluster/manifests");
    kubectl(cluster, &["apply", "-k", &manifests.display().to_string()]).await?;
    let api = Api::new(VAULT.to_owned(), None);
    answers(&api).await?;
    let keys = initialise(layout, &api).await?;
    unseal(&api, &keys).await?;
    let root = api.with_token(&keys.root_token);
    register(cluster, &root_environment(&keys)).await?;
    introduce(cluster, &root).await?;
    admit_the_example(&root_environment(&keys)).await?;
    associate_the_example(&root_environment(&keys), &root).await?;
    let agent = workspace().join("k8s/overlays/local/node-agent");
    kubectl(cluster, &["apply", "-k", &agent.display().to_string()]).await?;
    let pulls = workspace().join("k8s/node-agent/ecr/rbac.yaml");
    kubectl(cluster, &["apply", "-f", &pulls.display().to_string()]).await?;
    for (condition, what) in [("Ready", "pod/vault-0"), ("Available", "deployment/vault-agent-injector")] {
        let condition = format!("--for=condition={condition}");
        kubectl(cluster, &["wait", "--namespace=vault", "--timeout=300s", &condition, what]).await?;
    }
    kubectl(
        cluster,
        &[
            "rollout",
            "status",
            "--namespace=iamra-node-agent",
            "--timeout=300s",
            "daemonset/iamra-node-agent",
        ],
    )
    .await?;
    injects(cluster).await
}

/// Tries a pod until the injector puts an Agent into it: it is ready before every node has a way to its Service, and the API
/// server admits pods without it until then.
async fn injects(cluster: &Cluster) -> Result<(), String> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "tried", "namespace": "default", "annotations": {
            "vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "tried",
        }},
        "spec": { "containers": [{ "name": "tried", "image": "docker.io/local/pause:1" }] },
    });
    let trial = ["create", "--dry-run=server", "--output=json", "--filename=-"];
    let deadline = Instant::now() + START;
    loop {
        let run = cluster.kubectl_with(&trial, Some(pod.to_string())).await;
        if run.ok && run.stdout.contains(r#""vault-agent""#) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("the injector injects nothing: {}{}", run.stdout, run.stderr));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

impl Cluster {
    /// Vault's API as root.
    pub fn vault(&self) -> Api {
        Api::new(VAULT.to_owned(), Some(root_token()))
    }

    /// Waits until Vault answers and unseals it, after its pod was replaced.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn unseal(&self) {
        let api = Api::new(VAULT.to_owned(), None);
        answers(&api).await.unwrap_or_else(|error| panic!("{error}"));
        unseal(&api, &keys()).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs one of the users' own scripts in `vault-config/` as root, and repeats it if a stalled machine broke a connection: a second run
    /// of each changes nothing.
    ///
    /// # Panics
    /// With its whole output if it fails.
    pub async fn script(&self, script: &str, arguments: &[&str]) -> String {
        let environment = root_environment(&keys());
        for _ in 1..TRIES {
            match run_script(script, arguments, &environment).await {
                Err(error) if is_of_a_stalled_machine(&error) => sleep(REST).await,
                done => return done.unwrap_or_else(|error| panic!("{error}")),
            }
        }
        run_script(script, arguments, &environment).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The folder behind the claim, owned by Vault's user: a volume of this kind has no other way to get an owner.
async fn make_volume(layout: &Layout, cluster: &Cluster) -> Result<(), String> {
    let folder = layout.vault_data();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    chown(&folder, Some(USER), Some(GROUP)).map_err(|error| format!("{}: {error}", folder.display()))?;
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": "vault-data" },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "cluster-folder",
            "claimRef": { "namespace": "vault", "name": "data-vault-0" },
            "hostPath": { "path": folder, "type": "Directory" },
        },
    });
    let run = cluster.kubectl_with(&["apply", "-f", "-"], Some(volume.to_string())).await;
    if run.ok { Ok(()) } else { Err(run.stderr) }
}

async fn answers(api: &Api) -> Result<(), String> {
    healthy(api, "sys/health?uninitcode=200&sealedcode=200").await
}

/// Each try is short, because a connection that was requested before the Service had a way to its pod is never made.
async fn healthy(api: &Api, path: &str) -> Result<(), String> {
    let deadline = Instant::now() + START;
    loop {
        let health = timeout(TRY, api.try_call("GET", path, None, &[])).await;
        if matches!(&health, Ok(Ok(reply)) if reply.status == 200) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("Vault is not healthy: {health:?}"));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn initialise(layout: &Layout, api: &Api) -> Result<Keys, String> {
    let body = json!({ "secret_shares": 1, "secret_threshold": 1 });
    let reply = call(api, "PUT", "sys/init", body).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let keys =
        Keys { root_token: text(&reply.body["root_token"]), unseal_key: text(&reply.body["keys_base64"][0]) };
    let file = layout.vault_keys();
    fs::write(&file, serde_json::to_string(&keys).unwrap_or_default())
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(keys)
}

async fn unseal(api: &Api, keys: &Keys) -> Result<(), String> {
    call(api, "PUT", "sys/unseal", json!({ "key": keys.unseal_key })).await?;
    healthy(api, "sys/health").await
}

/// As docs/kubernetes.md says: version and SHA-256 are what the init container printed, and are never taken from Vault's own folder.
async fn register(cluster: &Cluster, root: &[(String, String)]) -> Result<(), String> {
    let printed = kubectl(cluster, &["logs", "--namespace=vault", "--container=iamra", "vault-0"]).await?;
    let value = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name));
    let (Some(sha256), Some(version)) = (value("sha256="), value("version=")) else {
        return Err(format!("no version and SHA-256 in what install printed: {printed}"));
    };
    let environment = [
        root,
        &[("PLUGIN_SHA256".to_owned(), sha256.to_owned()), ("PLUGIN_VERSION".to_owned(), version.to_owned())],
    ]
    .concat();
    run_script("plugin/register.sh", &[], &environment).await.map(drop)
}

/// Makes the engine's CA, an AWS account that trusts it, and the configuration that leads there.
async fn introduce(cluster: &Cluster, root: &Api) -> Result<(), String> {
    call(root, "POST", "iamra/root/generate/internal", json!({ "common_name": "cluster test CA" })).await?;
    let pem = call(root, "GET", "iamra/ca/pem", Value::Null).await?.text;
    admin(cluster.aws(), "PUT", "state", Some(state(&pem))).await;
    let config = json!({
        "endpoint": cluster.aws_tls(),
        "endpoint_ca_pem": cluster.aws_ca_pem(),
        "default_trust_anchor_arn": TRUST_ANCHOR_ARN,
        "default_profile_arn": PROFILE_ARN,
    });
    call(root, "POST", "iamra/config", config).await.map(drop)
}

/// The service account of the examples in k8s/, as its README says.
async fn admit_the_example(root: &[(String, String)]) -> Result<(), String> {
    let options = ["--cluster", CLUSTER, "--role-arn", PAYMENTS_API, "payments/api"];
    run_script("kubernetes/setup.sh", &options, root).await.map(drop)
}

/// The same service account for the node agent: what the cluster needs once, and its one object.
async fn associate_the_example(environment: &[(String, String)], root: &Api) -> Result<(), String> {
    run_script("kubernetes/setup.sh", &["--cluster", CLUSTER, "--associations"], environment).await?;
    let association = json!({ "role_arn": PAYMENTS_API, "subject": "kubernetes" });
    call(root, "POST", "iamra/roles/payments.api", association).await.map(drop)
}

async fn call(api: &Api, method: &str, path: &str, body: Value) -> Result<Reply, String> {
    let body = (!body.is_null()).then_some(body);
    let reply = api.try_call(method, path, body, &[]).await.map_err(|error| format!("{path}: {error:?}"))?;
    if (200..300).contains(&reply.status) { Ok(reply) } else { Err(format!("{path}: {}", reply.text)) }
}

async fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
    let run = cluster.kubectl(arguments).await;
    if run.ok { Ok(run.stdout) } else { Err(format!("kubectl {}: {}", arguments.join(" "), run.stderr)) }
}

async fn run_script(
    script: &str,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<String, String> {
    let path = workspace().join("vault-config").join(script);
    let mut command = Command::new(&path);
    command.args(arguments).envs(environment.iter().cloned()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{script}: {said}{}", String::from_utf8_lossy(&output.stderr)))
}

fn root_environment(keys: &Keys) -> Vec<(String, String)> {
    vec![
        ("VAULT_ADDR".to_owned(), VAULT.to_owned()),
        ("VAULT_TOKEN".to_owned(), keys.root_token.clone()),
        ("VAULT_CLI".to_owned(), binaries::vault().display().to_string()),
    ]
}

/// The root token.
pub(crate) fn root_token() -> String {
    keys().root_token
}

fn keys() -> Keys {
    let file: PathBuf = Layout::of_workspace().vault_keys();
    let text = fs::read_to_string(file).expect("no Vault in the cluster: `make test-k8s` puts one there");
    serde_json::from_str(&text).expect("the keys are JSON")
}
