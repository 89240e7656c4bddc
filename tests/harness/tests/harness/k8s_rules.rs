//! The rules for all manifests of ours, checked on the parsed YAML of `k8s/` and `vault-config/`; a test shows that each rule can fail, and
//! where each exception ends. The rules for the scripts and documents beside them are in `shipped.rs`. What charts give is in `charts.rs`.
//!
//! A patch holds only what it adds, so a container is judged where its image is named.

pub(crate) mod manifest;
pub(crate) mod rules;
mod shipped;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::binaries::workspace;
use manifest::{Manifest, files};
use serde_json::{Value, json};

/// The ways in that the injector, a sidecar or the node agent brings, which our own cluster runs as well.
const LOCAL: [&str; 9] = [
    "container-credentials",
    "credential-process",
    "credentials-file",
    "job",
    "native-sidecar",
    "pod-identity",
    "pod-identity-host-network",
    "pod-identity-init-container",
    "pod-identity-job",
];

#[test]
fn every_manifest_keeps_every_rule() {
    let manifests: Vec<_> = ["k8s", "vault-config"].iter().flat_map(|folder| read_all(folder)).collect();

    let broken: Vec<_> = manifests.iter().flat_map(rules::broken).collect();

    assert!(manifests.len() > 20, "this test looks at the wrong folder: {} files", manifests.len());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn k8s_holds_no_key_no_certificate_and_no_arn() {
    // the code beside the manifests has made-up ones in its tests
    let is_code = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let texts: Vec<_> = files("k8s")
        .into_iter()
        .filter(|path| !is_code(path))
        .map(|path| (fs::read_to_string(&path).unwrap(), path))
        .collect();

    for (text, path) in &texts {
        for secret in ["arn:aws", "AKIA", "ASIA", "-----BEGIN", "hvs."] {
            assert!(!text.contains(secret), "{} holds {secret}", path.display());
        }
    }
    assert!(texts.len() > 20, "this test looks at the wrong folder");
}

#[test]
fn every_file_of_a_kustomization_is_named_by_it() {
    let kustomizations: Vec<_> =
        files("k8s").into_iter().filter(|path| path.ends_with("kustomization.yaml")).collect();

    for path in &kustomizations {
        let folder = path.parent().unwrap();
        let beside: BTreeSet<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|file| file.is_file() && file != path)
            .collect();
        let named: BTreeSet<PathBuf> = named_by(path).iter().map(|name| folder.join(name)).collect();

        for file in &named {
            assert!(file.exists(), "{} names {}, which is not there", path.display(), file.display());
        }
        assert_eq!(
            beside.difference(&named).collect::<Vec<_>>(),
            Vec::<&PathBuf>::new(),
            "unnamed in {}",
            folder.display()
        );
    }
    assert!(kustomizations.len() >= 15, "this test looks at the wrong folder");
}

#[test]
fn every_way_of_our_cluster_is_the_users_overlay_with_other_images() {
    for way in LOCAL {
        let path = files("k8s")
            .into_iter()
            .find(|path| path.ends_with(format!("overlays/local/{way}/kustomization.yaml")))
            .unwrap_or_else(|| panic!("overlays/local has no {way}"));

        let named = named_by(&path);

        assert_eq!(named, [format!("../../{way}"), "../../../components/local-cluster".to_owned()], "{way}");
    }
}

#[test]
fn our_cluster_has_an_overlay_for_every_way_of_the_node_agent() {
    let overlays = workspace().join("k8s/overlays");

    let ways: BTreeSet<String> = fs::read_dir(overlays)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("pod-identity"))
        .collect();

    let local = LOCAL.iter().filter(|way| way.starts_with("pod-identity")).map(|way| (*way).to_owned());
    assert_eq!(ways, local.collect());
}

#[test]
fn the_policy_adds_what_the_component_adds() {
    let component = Manifest::read(&workspace().join("k8s/components/pod-identity/kustomization.yaml"));
    let mut added = BTreeSet::new();
    component.each(&mut |mapping| {
        if let Some(value) = mapping.get("value").filter(|_| mapping.contains_key("path")) {
            leaves(value, &mut added);
        }
    });

    let policy = Manifest::read(&workspace().join("k8s/node-agent/admission/policy.yaml"));
    let expression = policy.documents[0]["spec"]["mutations"][0]["jsonPatch"]["expression"].as_str().unwrap();
    for (name, value) in &added {
        let said = format!("{name}: {}", value.replace('"', "'"));
        assert!(expression.contains(&said), "the policy does not add {said}");
    }
    assert!(added.len() >= 9, "the component adds only {added:?}");
}

/// Every name with a value that is no list and no mapping, as JSON.
fn leaves(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(mapping) => {
            for (name, inner) in mapping {
                if !inner.is_array() && !inner.is_object() {
                    found.insert((name.clone(), inner.to_string()));
                }
                leaves(inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_hosts_network_is_refused() {
    assert_refused("spec: {hostNetwork: true}", "hostNetwork");
    assert_refused("spec: {volumes: [{name: x, hostPath: {path: /}}]}", "hostPath");
}

#[test]
fn the_nodes_network_is_for_the_agent_and_for_the_example_of_such_a_pod() {
    let example = "k8s/overlays/pod-identity-host-network/kustomization.yaml";
    let network = "spec: {hostNetwork: true}";

    for path in [rules::AGENT, example] {
        assert_eq!(broken(path, network), Vec::<String>::new());
        assert_refused_in(path, "spec: {hostPID: true}", "hostPID");
        assert_refused_in(path, "spec: {volumes: [{name: x, hostPath: {path: /}}]}", "hostPath");
    }
    for path in [
        "k8s/node-agent/deploy/service.yaml",
        "k8s/node-agent/other.yaml",
        "k8s/overlays/pod-identity/kustomization.yaml",
        "k8s/overlays/local/pod-identity-host-network/kustomization.yaml",
    ] {
        assert_refused_in(path, network, "hostNetwork");
    }
}

#[test]
fn only_the_two_containers_of_the_agent_are_root_and_each_with_its_one_capability() {
    let root = GOOD_POD
        .replace("name: app", "name: link")
        .replace("runAsNonRoot: true, ", "")
        .replace("runAsUser: 10001", "runAsUser: 0")
        .replace("drop: [ALL]", "drop: [ALL], add: [NET_ADMIN]");
    assert_eq!(broken(rules::AGENT, &root), Vec::<String>::new());
    let agent = root.replace("name: link", "name: agent").replace("NET_ADMIN", "NET_BIND_SERVICE");
    assert_eq!(broken(rules::AGENT, &agent), Vec::<String>::new());

    for (from, to, why) in [
        ("add: [NET_ADMIN]", "add: [NET_ADMIN, NET_RAW]", "capabilities"),
        ("add: [NET_ADMIN]", "add: [NET_BIND_SERVICE]", "capabilities"),
        (", add: [NET_ADMIN]", "", "capabilities"),
        ("drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
        ("name: link", "name: agent", "capabilities"),
        ("name: link", "name: other", "runAsUser"),
        ("readOnlyRootFilesystem: true", "", "readOnlyRootFilesystem"),
        ("allowPrivilegeEscalation: false", "", "allowPrivilegeEscalation"),
        ("type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("limits: {memory: 64Mi}", "limits: {cpu: 1}", "limits"),
    ] {
        assert!(root.contains(from), "{from}");
        assert_refused_in(rules::AGENT, &root.replace(from, to), why);
    }
    for path in ["k8s/bad.yaml", "k8s/node-agent/deploy/other.yaml", "k8s/overlays/pod-identity/pod.yaml"] {
        assert_refused_in(path, &root, "runAsUser");
        assert_refused_in(path, &root, "capabilities");
    }
}

#[test]
fn a_container_that_may_be_root_or_write_its_root_is_refused() {
    for (from, to, why) in [
        ("runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
        ("runAsUser: 10001", "runAsUser: 0", "runAsUser"),
        ("readOnlyRootFilesystem: true", "", "readOnlyRootFilesystem"),
        ("allowPrivilegeEscalation: false", "", "allowPrivilegeEscalation"),
        ("drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
        ("type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
        ("limits: {memory: 64Mi}", "limits: {cpu: 1}", "limits"),
    ] {
        assert!(GOOD_POD.contains(from), "{from}");

        assert_refused(&GOOD_POD.replace(from, to), why);
    }
    assert_eq!(rules::broken(&Manifest::of("good.yaml", GOOD_POD)), Vec::<String>::new());
}

#[test]
fn a_volume_on_disk_is_refused() {
    assert_refused("volumes: [{name: vault-secrets, emptyDir: {}}]", "Memory");
}

#[test]
fn an_aws_variable_that_no_way_needs_is_refused() {
    assert_refused("env: [{name: AWS_SECRET_ACCESS_KEY, value: x}]", "AWS_SECRET_ACCESS_KEY");
    assert_refused("env: [{name: AWS_ENDPOINT_URL_STS, value: x}]", "AWS_ENDPOINT_URL_STS");
    assert_refused(
        "patches: [{patch: \"[{op: add, path: /x, value: {env: [{name: AWS_PROFILE, value: x}]}}]\"}]",
        "AWS_PROFILE",
    );
}

#[test]
fn the_file_of_a_token_is_a_variable_only_where_the_node_agent_is_asked() {
    let variable = "env: [{name: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, value: x}]";

    for path in ["k8s/components/pod-identity/kustomization.yaml", "k8s/overlays/local/pod-identity/x.yaml"] {
        assert_eq!(broken(path, variable), Vec::<String>::new());
        assert_refused_in(path, "env: [{name: AWS_SECRET_ACCESS_KEY, value: x}]", "AWS_SECRET_ACCESS_KEY");
    }
    for path in ["k8s/base/deployment.yaml", "k8s/overlays/container-credentials/deployment.yaml"] {
        assert_refused_in(path, variable, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    }
}

#[test]
fn an_injected_file_that_others_can_read_is_refused() {
    for (from, to, why) in [
        (r#"agent-inject-perms-aws.json: "0400""#, r#"agent-inject-perms-aws.json: "0444""#, "perms"),
        ("agent-inject-perms-aws.json", "agent-inject-perms-other", "perms"),
        ("error-on-missing-key-aws.json", "error-on-missing-key-other", "missing-key"),
        (r#"client-max-retries: "0""#, r#"client-max-retries: "2""#, "client-max-retries"),
        (r#"exit-on-retry-failure: "false""#, r#"exit-on-retry-failure: "true""#, "exit-on-retry-failure"),
        (r#"run-as-same-user: "true""#, r#"run-as-same-user: "false""#, "same-user"),
        ("role: r", "other: r", "role"),
        ("cache-use-auto-auth-token: force", r#"cache-use-auto-auth-token: "true""#, "force"),
    ] {
        assert!(GOOD_ANNOTATIONS.contains(from), "{from}");

        assert_refused(&GOOD_ANNOTATIONS.replace(from, to), why);
    }
    assert_eq!(rules::broken(&Manifest::of("good.yaml", GOOD_ANNOTATIONS)), Vec::<String>::new());
}

#[test]
fn a_token_for_the_api_server_is_refused() {
    assert_refused("sources: [{serviceAccountToken: {path: token}}]", "audience");
    assert_refused("automountServiceAccountToken: true", "automountServiceAccountToken");
}

#[test]
fn a_token_for_vault_is_not_one_for_the_node_agent() {
    let token =
        |audience: &str| format!("sources: [{{serviceAccountToken: {{path: t, audience: {audience}}}}}]");
    let (agents, vaults) = ("k8s/components/pod-identity/kustomization.yaml", "k8s/overlays/job/job.yaml");

    assert_eq!(broken(agents, &token("iamra")), Vec::<String>::new());
    assert_eq!(broken(vaults, &token("vault")), Vec::<String>::new());
    assert_refused_in(agents, &token("vault"), "audience is not iamra");
    assert_refused_in(agents, &token("sts.amazonaws.com"), "audience is not iamra");
    assert_refused_in(vaults, &token("iamra"), "audience is not vault");
}

#[test]
fn an_agent_that_writes_world_readable_files_or_gives_up_is_refused() {
    let config = "data: {agent.hcl: 'auto_auth { } retry { num_retries = -1 } exit_on_retry_failure = false template { }'}";

    assert_refused(config, "perms");
    assert_refused(&config.replace("num_retries = -1", ""), "num_retries");
    assert_refused(&config.replace("exit_on_retry_failure = false", ""), "exit_on_retry_failure");
}

#[test]
fn a_listener_of_an_agent_or_for_a_callers_own_token_is_refused() {
    let proxy = r#"data: {proxy.hcl: 'auto_auth { } num_retries = -1 listener "tcp" { } use_auto_auth_token = "force"'}"#;

    assert_refused(
        &proxy.replace("listener", "exit_on_retry_failure = false template { } listener"),
        "template",
    );
    assert_refused(&proxy.replace("\"force\"", "true"), "force");
    assert_eq!(rules::broken(&Manifest::of("good.yaml", proxy)), Vec::<String>::new());
}

#[test]
fn the_native_sidecar_has_started_when_what_the_application_asks_has_an_answer() {
    let job =
        read_all("k8s/overlays/native-sidecar").into_iter().find(|file| file.path.ends_with("job.yaml"));

    let pod = &job.expect("the overlay's Job").documents[0]["spec"]["template"]["spec"];
    let [sidecar, prepare] = [0, 1].map(|index| &pod["initContainers"][index]);

    let mut variables = prepare["env"].as_array().into_iter().flatten();
    let asked = variables.find(|variable| variable["name"] == "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let probe = sidecar["startupProbe"]["exec"]["command"].as_array().and_then(|words| words.last());
    assert_eq!(probe, asked.map(|variable| &variable["value"]));
    assert_eq!((&sidecar["command"][1], &sidecar["restartPolicy"]), (&json!("proxy"), &json!("Always")));
}

const GOOD_POD: &str = "
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: app
      image: x
      securityContext:
        runAsUser: 10001
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
      resources: {requests: {cpu: 1m}, limits: {memory: 64Mi}}
";

const GOOD_ANNOTATIONS: &str = r#"
annotations:
  vault.hashicorp.com/agent-inject: "true"
  vault.hashicorp.com/role: r
  vault.hashicorp.com/agent-inject-template-aws.json: '{{ x }}'
  vault.hashicorp.com/agent-inject-perms-aws.json: "0400"
  vault.hashicorp.com/error-on-missing-key-aws.json: "true"
  vault.hashicorp.com/client-max-retries: "0"
  vault.hashicorp.com/template-config-exit-on-retry-failure: "false"
  vault.hashicorp.com/agent-run-as-same-user: "true"
  vault.hashicorp.com/agent-service-account-token-volume-name: vault-token
  vault.hashicorp.com/agent-cache-enable: "true"
  vault.hashicorp.com/agent-cache-use-auto-auth-token: force
"#;

fn assert_refused(yaml: &str, why: &str) {
    assert_refused_in("k8s/bad.yaml", yaml, why);
}

fn assert_refused_in(path: &str, yaml: &str, why: &str) {
    let broken = broken(path, yaml);

    assert!(broken.iter().any(|said| said.contains(why)), "no rule says {why}: {broken:?}\n{path}: {yaml}");
}

fn broken(path: &str, yaml: &str) -> Vec<String> {
    rules::broken(&Manifest::of(path, yaml))
}

fn read_all(folder: &str) -> Vec<Manifest> {
    files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml") && !is_template(path))
        .map(|path| Manifest::read(&path))
        .collect()
}

/// The templates of a chart become YAML in Helm alone.
fn is_template(path: &Path) -> bool {
    let charts = workspace().join("k8s/charts");
    path.starts_with(charts) && path.parent().is_some_and(|folder| folder.ends_with("templates"))
}

/// Every file and folder that a kustomization names, in its order.
fn named_by(path: &Path) -> Vec<String> {
    let manifest = Manifest::read(path);
    let document = &manifest.documents[0];
    let each = |of: &Value, key: &str| of[key].as_array().cloned().unwrap_or_default();
    let names = ["resources", "components"].iter().flat_map(|key| each(document, key));
    let patches = each(document, "patches").into_iter().map(|patch| patch["path"].clone());
    let generated = each(document, "configMapGenerator")
        .into_iter()
        .flat_map(|generator| ["envs", "files"].map(|key| each(&generator, key)).concat());
    let generated = generated.map(|file| match file.as_str().and_then(|name| name.split_once('=')) {
        Some((_, name)) => Value::from(name),
        None => file,
    });
    let all = names.chain(patches).chain(generated);
    all.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}
