//! What Helm and kustomize make of our files: the chart of the node agent gives what `k8s/node-agent/deploy` gives and refuses a wrong value
//! by its name, and each kustomization gives objects that keep the rules, also where a patch alone does not show it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use harness::binaries::{helm, kustomize, workspace};
use serde_json::{Map, Value, json};

use crate::k8s_rules::manifest::{Manifest, files};
use crate::k8s_rules::rules;

const CHART: &str = "k8s/charts/iamra-node-agent";

/// Helm's own labels.
const HELMS: [&str; 4] = [
    "helm.sh/chart",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
];

/// What rolls the `DaemonSet` when a setting changes; kustomize has a hash in the `ConfigMap`'s name for that.
const CHECKSUM: &str = "checksum/config";

#[test]
fn the_chart_gives_the_objects_of_the_kustomization() {
    let charted = by_name(rendered(&["--values", "ci/deploy-values.yaml"]).unwrap());

    let mut expected = by_name(kustomized("k8s/node-agent/deploy"));
    expected.retain(|name, _| !name.starts_with("Namespace "));
    assert_eq!(charted.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, object) in &charted {
        let [charted, expected] = [object, &expected[name]].map(|object| format!("{object:#}"));
        assert_eq!(charted, expected, "{name}");
    }
}

#[test]
fn what_the_chart_gives_keeps_every_rule() {
    let values = files(&format!("{CHART}/ci"));

    for values in &values {
        for object in rendered(&["--values", values.to_str().unwrap()]).unwrap() {
            let path = if object["kind"] == "DaemonSet" { rules::AGENT } else { CHART };
            let manifest = Manifest { path: path.to_owned(), documents: vec![object] };

            assert_eq!(rules::broken(&manifest), Vec::<String>::new(), "{}", values.display());
        }
    }
    assert!(values.len() >= 3, "{values:?}");
}

#[test]
fn what_a_kustomization_gives_keeps_every_rule() {
    let names = files("k8s").into_iter().filter(|path| path.ends_with("kustomization.yaml"));
    let all: Vec<Manifest> = names
        .map(|path| Manifest::read(&path))
        .filter(|manifest| manifest.documents[0]["kind"] == "Kustomization")
        .collect();

    for Manifest { path, .. } in &all {
        for object in kustomized(path.trim_end_matches("/kustomization.yaml")) {
            // our own cluster has what the others have, and the rules for the files of its overlays say what may differ
            if path.starts_with("k8s/overlays/local/") {
                continue;
            }
            let path = if object["metadata"]["name"] == "iamra-node-agent" { rules::AGENT } else { path };
            let manifest = Manifest { path: path.to_owned(), documents: vec![object] };

            assert_eq!(rules::broken(&manifest), Vec::<String>::new());
        }
    }
    assert!(all.len() >= 25, "this test looks at the wrong folder: {}", all.len());
}

#[test]
fn without_an_address_of_vault_the_chart_says_what_is_missing() {
    for arguments in [&[][..], &["--set", "vault.address="], &["--set-json", "vault.address=[]"]] {
        let error = rendered(arguments).unwrap_err();

        assert!(error.contains("vault.address is missing: set it to"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_wrong_value_is_refused_by_its_name() {
    for (value, name) in [
        ("vault.address=\"vault:8200\"", "/vault/address"),
        ("vault.address=\"https://user@vault\"", "/vault/address"),
        ("vault.address=\"https://a:8200,https://b:8200\"", "/vault/address"),
        ("vault.address=[\"https://a\",\"b\"]", "/vault/address/1"),
        ("vault.adress=\"https://a\"", "'adress' not allowed"),
        ("vault.ca.configMap=\"Vault_CA\"", "/vault/ca/configMap"),
        ("vault.ca.pem=\"/etc/vault/ca.pem\"", "/vault/ca/pem"),
        ("authMount=\"a//b\"", "/authMount"),
        ("authMount=\"\"", "/authMount"),
        ("authRole=\"a/b\"", "/authRole"),
        ("mount=\"../sys\"", "/mount"),
        ("rolePattern=\"{pod}\"", "/rolePattern"),
        ("fallbackRole=\"a/b\"", "/fallbackRole"),
        ("fallbackRole=\"a..b\"", "/fallbackRole"),
        ("listen=[\"169.254.170.23\"]", "/listen/0"),
        ("listen=[\"0.0.0.0:80\"]", "/listen/0"),
        ("listen=[\"[::]:80\"]", "/listen/0"),
        ("answerTimeout=0", "/answerTimeout"),
        ("answerTimeout=11", "/answerTimeout"),
        ("answerTimeout=\"3\"", "/answerTimeout"),
        ("maxConnections=0", "/maxConnections"),
        ("connectionsPerPod=65536", "/connectionsPerPod"),
        ("requestsPerSecond=1.5", "/requestsPerSecond"),
        ("logLevel=\"verbose\"", "/logLevel"),
        ("link.name=\"a-name-of-16-byte\"", "/link/name"),
        ("link.addresses=[\"169.254.170.23\"]", "/link/addresses/0"),
        ("metrics.port=0", "/metrics/port"),
        ("networkPolicy.enabled=\"yes\"", "/networkPolicy/enabled"),
        ("networkPolicy.vaultPorts=[]", "/networkPolicy/vaultPorts"),
        ("image.repository=\"\"", "/image/repository"),
        ("image.tag=\"a b\"", "/image/tag"),
        ("image.pullPolicy=\"Sometimes\"", "/image/pullPolicy"),
        ("image.pullSecrets=[{\"name\":\"a\"}]", "/image/pullSecrets/0"),
        ("resources.limits=null", "'limits'"),
        ("resources.requests.cpu=\"little\"", "/resources/requests/cpu"),
        ("tolerations=[{\"operator\":\"Exist\"}]", "/tolerations/0/operator"),
        ("nodeSelector.pool=1", "/nodeSelector/pool"),
        ("affinity.nodes={}", "'nodes' not allowed"),
        ("priorityClassName=\"High!\"", "/priorityClassName"),
        ("podAnnotations.a=true", "/podAnnotations/a"),
        ("hostNetwork=false", "'hostNetwork' not allowed"),
    ] {
        let error = rendered(&["--values", "ci/minimal-values.yaml", "--set-json", value]).unwrap_err();

        assert!(error.contains(name), "{value} is not refused as {name}: {error}");
    }
}

#[test]
fn two_ways_to_name_a_ca_are_one_too_many() {
    let pem = ["BEGIN", "END"].map(|word| format!("-----{word} CERTIFICATE-----")).join("\nx\n");
    let pem = format!("vault.ca.pem={}", json!(pem));
    let with = |more: &[&str]| {
        rendered(&[&["--values", "ci/minimal-values.yaml", "--set-json", &pem], more].concat())
    };

    let error = with(&["--set", "vault.ca.configMap=vault-ca"]).unwrap_err();
    let objects = by_name(with(&[]).unwrap());

    assert!(error.contains("vault.ca.configMap and vault.ca.pem exclude each other"), "{error}");
    let volume = &objects["DaemonSet iamra-node-agent"]["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["configMap"]["name"], "iamra-node-agent-vault-ca");
    let made = &objects["ConfigMap iamra-node-agent-vault-ca"]["data"]["ca.pem"];
    assert!(made.as_str().is_some_and(|text| text.contains("BEGIN CERTIFICATE")), "{made}");
    assert_eq!(objects["ConfigMap iamra-node-agent"]["data"]["VAULT_CACERT"], "/etc/vault/ca.pem");
}

#[test]
fn a_changed_setting_rolls_the_pods_and_nothing_else_does() {
    let checksum = |more: &[&str]| {
        let objects = rendered(&[&["--values", "ci/minimal-values.yaml"], more].concat()).unwrap();
        let daemon_set = objects.into_iter().find(|object| object["kind"] == "DaemonSet").unwrap();
        daemon_set["spec"]["template"]["metadata"]["annotations"][CHECKSUM].as_str().unwrap().to_owned()
    };

    let before = checksum(&[]);

    assert_ne!(checksum(&["--set", "logLevel=debug"]), before);
    assert_eq!(checksum(&["--set", "networkPolicy.enabled=false"]), before);
}

#[test]
fn every_setting_of_the_agent_is_one_of_the_chart() {
    let options = fs::read_to_string(workspace().join("k8s/node-agent/src/options.rs")).unwrap();
    let variables: BTreeSet<&str> = options
        .split("env = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| !name.starts_with("AWS_"))
        .collect();

    let objects = rendered(&["--values", "ci/every-values.yaml"]).unwrap();

    let given = json!(objects).to_string();
    for variable in &variables {
        assert!(given.contains(&format!("\"{variable}\"")), "ci/every-values.yaml does not give {variable}");
    }
    assert!(variables.len() >= 14, "{variables:?}");
}

#[test]
fn every_value_is_in_the_schema_and_has_a_comment() {
    let schema: Value = serde_json::from_str(&text_of("values.schema.json")).unwrap();
    let [mut expected, mut explained] = [BTreeSet::new(), BTreeSet::new()];
    properties(&schema, "", &mut expected);
    expected.remove("global");

    let values = text_of("values.yaml");
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut before = "";
    for line in values.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some((key, _)) = line.trim_start().split_once(':').filter(|(key, _)| !key.contains(['#', '-']))
        {
            above.retain(|(other, _)| *other < indent);
            above.push((indent, key));
            if before.trim_start().starts_with("# ") {
                explained.insert(above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join("."));
            }
        }
        before = line;
    }

    assert_eq!(explained, expected);
}

#[test]
fn the_chart_has_the_version_of_the_workspace() {
    let chart = Manifest::read(&workspace().join(CHART).join("Chart.yaml"));

    let chart = &chart.documents[0];
    assert_eq!([&chart["version"], &chart["appVersion"]], [env!("CARGO_PKG_VERSION"); 2]);
}

/// The names that a schema spells out, with dots between them.
fn properties(schema: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        found.insert(format!("{prefix}{name}"));
        properties(inner, &format!("{prefix}{name}."), found);
    }
}

fn text_of(file: &str) -> String {
    let path = workspace().join(CHART).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The objects that Helm makes of the chart, or what it says against its values.
fn rendered(arguments: &[&str]) -> Result<Vec<Value>, String> {
    let name = Path::new(CHART).file_name().and_then(|name| name.to_str()).unwrap();
    let command = ["template", name, ".", "--namespace", "iamra-node-agent"];
    let run = Command::new(helm())
        .current_dir(workspace().join(CHART))
        .args(command)
        .args(arguments)
        .output()
        .expect("helm starts");
    if run.status.success() {
        Ok(Manifest::of("helm template", &String::from_utf8_lossy(&run.stdout)).documents)
    } else {
        Err(String::from_utf8_lossy(&run.stderr).into_owned())
    }
}

fn kustomized(folder: &str) -> Vec<Value> {
    let run = Command::new(kustomize())
        .arg("build")
        .arg(workspace().join(folder))
        .output()
        .expect("kustomize starts");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{folder}: {said}");
    Manifest::of("kustomize build", &String::from_utf8_lossy(&run.stdout)).documents
}

/// Objects by kind and name, without what differs by nature: Helm's labels, its checksum, and the hash in the `ConfigMap`'s name.
fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let hashed = objects
        .iter()
        .filter(|object| object["kind"] == "ConfigMap")
        .filter_map(|object| object["metadata"]["name"].as_str())
        .find(|name| is_hashed(name))
        .map(|name| json!(name).to_string());
    objects
        .into_iter()
        .map(|mut object| {
            if let Some(hashed) = &hashed {
                object = object.to_string().replace(hashed, "\"iamra-node-agent\"").parse().unwrap();
            }
            without_helms(&mut object);
            let [kind, name] =
                [&object["kind"], &object["metadata"]["name"]].map(|text| text.as_str().unwrap());
            (format!("{kind} {name}"), object)
        })
        .collect()
}

/// A name with kustomize's ten characters at its end.
fn is_hashed(name: &str) -> bool {
    name.strip_prefix("iamra-node-agent-").is_some_and(|hash| hash.len() == 10 && !hash.contains('-'))
}

fn without_helms(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_helms),
        Value::Object(mapping) => {
            for key in ["labels", "annotations"] {
                drop_helms(mapping, key);
            }
            mapping.values_mut().for_each(without_helms);
        }
        _ => {}
    }
}

fn drop_helms(mapping: &mut Map<String, Value>, key: &str) {
    let Some(Value::Object(marks)) = mapping.get_mut(key) else { return };
    marks.retain(|name, _| !HELMS.contains(&name.as_str()) && name != CHECKSUM);
    if marks.is_empty() {
        mapping.remove(key);
    }
}
