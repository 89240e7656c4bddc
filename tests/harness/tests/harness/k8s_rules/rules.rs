//! The rules, one function each, which returns the faults of a mapping.

use serde_json::{Map, Value, json};

use super::manifest::Manifest;

type Mapping = Map<String, Value>;

/// The AWS variables that a way in needs. Everything else an SDK finds by itself, or must not find at all.
const AWS_VARIABLES: [&str; 4] =
    ["AWS_REGION", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

/// The further variable that tells an SDK where the token for the node agent is.
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The further variables that our own cluster needs: it has an emulator for AWS, and a CLI built on botocore.
const LOCAL_VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_DEFAULT_REGION"];

/// The plugin's folder: no secret, and it must be executable.
const ON_DISK: &str = "plugins";

/// The node agent's own pods.
pub(crate) const AGENT: &str = "k8s/node-agent/deploy/daemonset.yaml";

/// Where pods are on the network of their node: the agent, because its address is the node's, and the example of such a pod.
const ON_THE_NODES_NETWORK: [&str; 2] = [AGENT, "k8s/overlays/pod-identity-host-network/kustomization.yaml"];

/// The containers of the agent, which are root, because only root gets a capability; each has one.
const ROOTS: [(&str, &str); 2] = [("link", "NET_ADMIN"), ("agent", "NET_BIND_SERVICE")];

const PREFIX: &str = "vault.hashicorp.com/";

/// Everything that breaks a rule in a file, each with the file's name.
pub(crate) fn broken(manifest: &Manifest) -> Vec<String> {
    let local = ["k8s/components/local-cluster/", "k8s/overlays/local/"]
        .iter()
        .any(|folder| manifest.path.starts_with(folder));
    let identity = is_about_pod_identity(&manifest.path);
    let mut broken = Vec::new();
    manifest.each(&mut |mapping| {
        broken.extend(host(mapping, ON_THE_NODES_NETWORK.contains(&manifest.path.as_str())));
        broken.extend(pod(mapping, manifest.path == AGENT));
        broken.extend(helm_security(mapping));
        broken.extend(volume(mapping));
        broken.extend(variable(mapping, local, identity));
        broken.extend(annotations(mapping));
        broken.extend(token(mapping, if identity { "iamra" } else { "vault" }));
        broken.extend(mounted_token(mapping, manifest.path.starts_with("k8s/")));
        broken.extend(auto_auth_config(mapping));
    });
    broken.iter().map(|said| format!("{}: {said}", manifest.path)).collect()
}

/// The node agent, and what asks it with a token of its own.
fn is_about_pod_identity(path: &str) -> bool {
    let folders = [
        "k8s/node-agent/",
        "k8s/quick-start/",
        "k8s/components/pod-identity",
        "k8s/overlays/pod-identity",
        "k8s/overlays/local/pod-identity",
    ];
    folders.iter().any(|folder| path.starts_with(folder))
}

/// With the host's network the Agent's loopback is the node's: any process there could ask it.
fn host(mapping: &Mapping, may_be_on_its_network: bool) -> Vec<String> {
    ["hostNetwork", "hostPID", "hostIPC", "hostPath", "privileged"]
        .iter()
        .filter(|key| !(may_be_on_its_network && **key == "hostNetwork"))
        .filter(|key| mapping.get(**key).is_some_and(|value| value != &Value::Bool(false)))
        .map(|key| format!("{key} is set"))
        .collect()
}

/// A mapping with containers is a pod's spec; Helm's values bring init containers without one.
fn pod(mapping: &Mapping, is_agent: bool) -> Vec<String> {
    let none = Value::Null;
    let of_pod = mapping.get("securityContext").unwrap_or(&none);
    ["initContainers", "containers", "extraInitContainers"]
        .iter()
        .flat_map(|key| mapping.get(*key).and_then(Value::as_array).into_iter().flatten())
        .filter(|container| container["image"].is_string())
        .flat_map(|container| {
            let helm = mapping.contains_key("extraInitContainers");
            let root = ROOTS.iter().find(|(name, _)| is_agent && container["name"] == *name);
            let security = &container["securityContext"];
            let locked = match root {
                Some((_, capability)) => locked_root(security, of_pod, capability),
                None => locked(security, of_pod, helm),
            };
            [locked, resources(container)]
                .concat()
                .into_iter()
                .map(|said| format!("container {}: {said}", container["name"]))
        })
        .collect()
}

/// Helm's values keep the two security contexts beside each other.
fn helm_security(mapping: &Mapping) -> Vec<String> {
    match (mapping.get("pod"), mapping.get("container")) {
        (Some(pod @ Value::Object(_)), Some(container @ Value::Object(_))) => locked(container, pod, false),
        _ => Vec::new(),
    }
}

fn locked(container: &Value, pod: &Value, elsewhere: bool) -> Vec<String> {
    let user = either(container, pod, "runAsUser").as_u64();
    let checks = [
        ("runAsNonRoot is not true", either(container, pod, "runAsNonRoot") == &Value::Bool(true)),
        ("runAsUser is not a number above 0", user.is_some_and(|user| user > 0)),
        ("capabilities are not just drop: [ALL]", container["capabilities"] == json!({"drop": ["ALL"]})),
    ];
    let broken = checks.iter().filter(|(_, held)| !held).map(|(said, _)| (*said).to_owned());
    broken.chain(confined(container, pod, elsewhere)).collect()
}

/// Root with one capability may do that, and else no more than any user.
fn locked_root(container: &Value, pod: &Value, capability: &str) -> Vec<String> {
    let held = container["capabilities"] == json!({"drop": ["ALL"], "add": [capability]});
    let broken = (!held).then(|| format!("capabilities are not just drop: [ALL] and add: [{capability}]"));
    broken.into_iter().chain(confined(container, pod, false)).collect()
}

/// What holds for every user.
fn confined(container: &Value, pod: &Value, elsewhere: bool) -> Vec<String> {
    let profile = &either(container, pod, "seccompProfile")["type"];
    let checks = [
        ("readOnlyRootFilesystem is not true", container["readOnlyRootFilesystem"] == true),
        ("allowPrivilegeEscalation is not false", container["allowPrivilegeEscalation"] == false),
        ("seccompProfile is not RuntimeDefault", elsewhere || profile == "RuntimeDefault"),
    ];
    checks.iter().filter(|(_, held)| !held).map(|(said, _)| (*said).to_owned()).collect()
}

/// What a container says, else what its pod says.
fn either<'a>(container: &'a Value, pod: &'a Value, key: &str) -> &'a Value {
    if container[key].is_null() { &pod[key] } else { &container[key] }
}

fn resources(container: &Value) -> Vec<String> {
    let resources = &container["resources"];
    let checks = [
        ("resources.requests is empty", resources["requests"].is_object()),
        ("resources.limits has no memory", resources["limits"]["memory"].is_string()),
    ];
    checks.iter().filter(|(_, held)| !held).map(|(said, _)| (*said).to_owned()).collect()
}

/// A volume that may ever hold a credential is never on the node's disk.
fn volume(mapping: &Mapping) -> Option<String> {
    let medium = &mapping.get("emptyDir")?["medium"];
    let name = mapping.get("name").and_then(Value::as_str).unwrap_or_default();
    (name != ON_DISK && medium != "Memory").then(|| format!("the volume {name} is not in Memory"))
}

fn variable(mapping: &Mapping, local: bool, identity: bool) -> Option<String> {
    let name = mapping.get("name")?.as_str()?;
    let known = AWS_VARIABLES.contains(&name)
        || (local && LOCAL_VARIABLES.contains(&name))
        || (identity && name == TOKEN_FILE);
    (name.starts_with("AWS_") && !known).then(|| format!("the variable {name} is not needed by any way in"))
}

/// The injector's defaults are world-readable files, retries that hide our errors, and a sidecar that ends when AWS is away.
fn annotations(mapping: &Mapping) -> Vec<String> {
    let get = |name: &str| mapping.get(&format!("{PREFIX}{name}")).and_then(Value::as_str);
    if get("agent-inject") != Some("true") {
        return Vec::new();
    }
    let once = get("agent-pre-populate-only") == Some("true");
    let cached = get("agent-cache-enable") == Some("true");
    let checks = [
        ("role is missing", get("role").is_some()),
        ("client-max-retries is not 0", get("client-max-retries") == Some("0")),
        (
            "template-config-exit-on-retry-failure is not false",
            once || get("template-config-exit-on-retry-failure") == Some("false"),
        ),
        ("agent-run-as-same-user is not true", get("agent-run-as-same-user") == Some("true")),
        (
            "agent-service-account-token-volume-name is missing",
            get("agent-service-account-token-volume-name").is_some(),
        ),
        (
            "agent-cache-use-auto-auth-token is not force",
            !cached || get("agent-cache-use-auto-auth-token") == Some("force"),
        ),
    ];
    let general = checks.iter().filter(|(_, held)| !held).map(|(said, _)| (*said).to_owned());
    general.chain(injected_files(mapping)).collect()
}

fn injected_files(mapping: &Mapping) -> Vec<String> {
    let get = |name: String| mapping.get(&format!("{PREFIX}{name}")).and_then(Value::as_str);
    let names = mapping.keys().filter_map(|key| {
        let rest = key.strip_prefix(PREFIX)?;
        rest.strip_prefix("agent-inject-secret-").or_else(|| rest.strip_prefix("agent-inject-template-"))
    });
    names
        .flat_map(|file| {
            let template = get(format!("agent-inject-template-{file}"));
            let checks = [
                ("the template is not one line", template.is_some_and(|text| !text.contains('\n'))),
                (
                    "perms are not the owner's alone",
                    get(format!("agent-inject-perms-{file}")) == Some("0400"),
                ),
                (
                    "error-on-missing-key is not true",
                    get(format!("error-on-missing-key-{file}")) == Some("true"),
                ),
            ];
            let broken = checks.into_iter().filter(|(_, held)| !held);
            broken.map(|(said, _)| format!("injected file {file}: {said}")).collect::<Vec<_>>()
        })
        .collect()
}

/// A token made for Vault, or for the node agent, opens nothing at the API server.
fn token(mapping: &Mapping, audience: &str) -> Option<String> {
    let source = mapping.get("serviceAccountToken")?;
    (source["audience"] != audience).then(|| format!("a projected token's audience is not {audience}"))
}

/// An application has no token for the API server.
fn mounted_token(mapping: &Mapping, application: bool) -> Option<String> {
    let mounted = mapping.get("automountServiceAccountToken") == Some(&Value::Bool(true));
    (application && mounted).then(|| "automountServiceAccountToken is true".to_owned())
}

/// The configuration of an Agent or a Proxy in a `ConfigMap`: what the annotations say for injected ones. Templates are Agent's and a
/// listener is Proxy's, because Agent's own API proxy is pending removal.
fn auto_auth_config(mapping: &Mapping) -> Vec<String> {
    let configs = mapping.values().filter_map(Value::as_str).filter(|text| text.contains("auto_auth {"));
    configs
        .flat_map(|text| {
            let templates = text.matches("template {").count();
            let listens = text.contains("listener \"");
            let checks = [
                (
                    "a template of Agent's has no perms of 0400",
                    text.matches(r#"= "0400""#).count() == templates,
                ),
                ("vault.retry.num_retries is not -1", text.contains("num_retries = -1")),
                (
                    "Agent's exit_on_retry_failure is not false",
                    templates == 0 || text.contains("exit_on_retry_failure = false"),
                ),
                ("a listener stands beside a template", !listens || templates == 0),
                (
                    "use_auto_auth_token is not force",
                    !listens || text.contains(r#"use_auto_auth_token = "force""#),
                ),
            ];
            let broken = checks.into_iter().filter(|(_, held)| !held);
            broken.map(|(said, _)| said.to_owned()).collect::<Vec<_>>()
        })
        .collect()
}
