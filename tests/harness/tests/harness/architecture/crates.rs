//! Which crate may use which, in the manifests and the resolved tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use harness::binaries::workspace;
use serde_json::Value;

use super::{NODE_AGENT, files_under};

const PLUGIN: &str = "vault-plugin-secrets-iamra";

/// The crate that tests of every crate may use, because it depends on no crate of ours.
const REPLAYS: &str = "seeds";

/// Every crate of ours.
const OURS: [&str; 14] = [
    "proto",
    PLUGIN,
    NODE_AGENT,
    "engine",
    "identity",
    "vault-backend",
    "goplugin",
    "rolesanywhere",
    "ca",
    "sessions",
    "trace",
    "aws-emulator",
    "harness",
    "e2e",
];

#[test]
fn the_emulator_depends_on_nothing_under_plugin() {
    let plugin_folder = workspace().canonicalize().unwrap().join("plugin");
    for dependency in dependencies("aws-emulator") {
        let path = dependency["path"].as_str().map(Path::new);

        assert!(!path.is_some_and(|path| path.starts_with(&plugin_folder)), "{dependency}");
    }
    assert_knows_none_of(
        "aws-emulator",
        &[PLUGIN, "engine", "vault-backend", "goplugin", "rolesanywhere", "ca", "proto"],
    );
}

#[test]
fn the_emulator_uses_another_x509_and_crypto_stack() {
    let foreign = ["aws-lc-rs", "aws-lc-sys", "rcgen", "x509-parser", "aws-sigv4"];

    let named: Vec<_> = dependencies("aws-emulator").iter().map(name_of).collect();
    let linked = tree("aws-emulator", "normal");

    for name in foreign {
        assert!(!named.contains(&name), "the emulator's manifest names {name}");
        assert!(!linked.contains_key(name), "the emulator links {name}");
    }
    assert!(linked.contains_key("x509-cert"), "this test looks at the wrong tree");
}

#[test]
fn the_plugin_and_the_emulator_share_no_crypto_crate_directly() {
    let of = |package| -> BTreeSet<String> { direct(package) };
    let crypto = |names: BTreeSet<String>| -> BTreeSet<String> {
        let known =
            ["rsa", "p256", "p384", "p521", "x509-cert", "der", "spki", "sha2", "sha1", "hmac", "ring"];
        names.into_iter().filter(|name| known.contains(&name.as_str())).collect()
    };

    for package in ["ca", "rolesanywhere", "engine", "identity", "goplugin"] {
        assert_eq!(crypto(of(package)), BTreeSet::new(), "{package} uses a crate of the emulator's stack");
    }
}

#[test]
fn goplugin_knows_no_vault_and_no_aws() {
    assert_knows_none_of("goplugin", &["vault-backend", "engine", "rolesanywhere", "ca", PLUGIN]);
}

#[test]
fn vault_backend_knows_no_aws_and_no_ca() {
    assert_knows_none_of("vault-backend", &["engine", "rolesanywhere", "ca", PLUGIN]);
}

#[test]
fn identity_knows_no_storage_of_the_engine_and_no_call_of_aws() {
    assert_knows_none_of("identity", &["engine", "rolesanywhere", "sessions", PLUGIN]);
}

#[test]
fn rolesanywhere_knows_none_of_our_crates() {
    assert_stands_alone("rolesanywhere");
}

#[test]
fn ca_knows_none_of_our_crates_and_no_network() {
    assert_stands_alone("ca");
    for name in ["tokio", "reqwest", "http", "hyper"] {
        assert!(!direct("ca").contains(name), "ca does no I/O, yet names {name}");
    }
}

#[test]
fn sessions_knows_none_of_our_crates_and_no_network() {
    assert_stands_alone("sessions");
    for name in ["reqwest", "http", "hyper"] {
        assert!(!direct("sessions").contains(name), "sessions decides who is served, yet names {name}");
    }
}

#[test]
fn trace_knows_none_of_our_crates_and_reads_what_it_is_given() {
    assert_stands_alone("trace");
    for name in ["tokio", "reqwest", "http", "hyper"] {
        assert!(!direct("trace").contains(name), "trace works offline, yet names {name}");
    }
    for file in files_under(&workspace().join("plugin/trace/src")) {
        let text = fs::read_to_string(&file).unwrap();

        for opener in ["std::fs", "File::open", "std::env", "std::net"] {
            assert!(!text.contains(opener), "{} says {opener}", file.display());
        }
    }
}

#[test]
fn the_node_agent_knows_none_of_our_crates_and_nothing_of_the_wire_to_vault() {
    assert_stands_alone(NODE_AGENT);
    let linked = tree(NODE_AGENT, "normal,build");
    for name in
        ["proto", "tonic", "prost", "engine", "vault-backend", "goplugin", "sessions", "rolesanywhere"]
    {
        assert!(!linked.contains_key(name), "the node agent links {name}");
    }
    assert!(
        linked.contains_key("hyper") && linked.contains_key("rtnetlink"),
        "this test looks at the wrong tree"
    );
}

#[test]
fn proto_knows_none_of_our_crates() {
    assert_stands_alone("proto");
}

#[test]
fn what_replays_seeds_knows_nothing() {
    assert_eq!(direct(REPLAYS), BTreeSet::new());
}

#[test]
fn nothing_that_ships_depends_on_a_test_crate() {
    for package in [
        PLUGIN,
        NODE_AGENT,
        "engine",
        "identity",
        "vault-backend",
        "goplugin",
        "rolesanywhere",
        "ca",
        "sessions",
        "trace",
        "proto",
    ] {
        for dependency in dependencies(package).iter().filter(|dependency| dependency["kind"] != "dev") {
            let name = name_of(dependency);

            assert!(!["aws-emulator", "harness", "e2e", REPLAYS].contains(&name), "{package} ships {name}");
        }
    }
}

/// A crate below the plugin knows nothing of the program that is built on it: names are parameters of its caller.
#[test]
fn no_library_says_what_is_built_on_it() {
    let words: [(&str, &[&str]); 5] = [
        ("plugin/goplugin", &["iamra", "aws_sigv4", "\"aws"]),
        ("plugin/vault-backend", &["iamra"]),
        ("plugin/rolesanywhere/src", &["iamra", "vault"]),
        ("plugin/sessions/src", &["iamra"]),
        ("plugin/ca/src", &["iamra"]),
    ];
    for (folder, forbidden) in words {
        let files = files_under(&workspace().join(folder));

        assert!(files.len() >= 2, "{folder} is not where it was");
        for file in files {
            let text = fs::read_to_string(&file).unwrap_or_default().to_lowercase();
            let said: Vec<_> = forbidden.iter().filter(|word| text.contains(**word)).collect();

            assert!(said.is_empty(), "{} says {said:?}", file.display());
        }
    }
}

#[test]
fn no_ring_is_linked_into_what_ships() {
    for (package, part) in [(PLUGIN, "tonic"), (NODE_AGENT, "hyper")] {
        let linked = tree(package, "normal,build");

        assert!(
            !linked.contains_key("ring"),
            "a second crypto provider makes rustls panic at its first default"
        );
        assert!(
            linked.contains_key(part) && linked.contains_key("aws-lc-rs"),
            "this test looks at the wrong tree"
        );
    }
}

#[test]
fn the_plugin_links_one_version_of_each_wire_and_tls_crate() {
    let linked = tree(PLUGIN, "normal");
    let once = [
        "tonic",
        "prost",
        "tokio",
        "hyper",
        "h2",
        "http",
        "tower",
        "rustls",
        "tokio-rustls",
        "rustls-webpki",
        "aws-lc-rs",
        "aws-lc-sys",
        "rcgen",
        "x509-parser",
        "reqwest",
        "time",
    ];

    for name in once {
        let versions = linked.get(name).cloned().unwrap_or_default();

        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();

        assert!(manifest.contains("[lints]\nworkspace = true"), "{} sets its own lints", package["name"]);
    }
}

#[test]
fn every_crate_of_the_workspace_is_known_here() {
    for package in packages() {
        let name = name_of(package);

        assert!(
            OURS.contains(&name) || folder_of(package).contains("/tests/"),
            "{name} needs an arrow in this file"
        );
    }
}

/// `cargo run -p` of a package with several programs needs to be told which.
#[test]
fn every_program_that_make_runs_is_named() {
    let makefile = fs::read_to_string(workspace().join("Makefile")).unwrap();
    let mut runs = 0;
    for line in makefile.lines().filter(|line| line.contains("cargo run ") && !line.contains("--bin ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "-p").unwrap_or_else(|| panic!("no package: {line}"));
        let package = packages().iter().find(|package| package["name"] == words[at + 1]).expect("a package");
        let targets = package["targets"].as_array().into_iter().flatten();
        let programs = targets.filter(|target| target["kind"][0] == "bin").count();

        assert!(programs == 1 || package["default_run"].is_string(), "{line}: {programs} programs");
        runs += 1;
    }
    assert!(runs >= 2, "this test looks at the wrong lines");
}

fn assert_knows_none_of(package: &str, others: &[&str]) {
    let known = closure(package);
    for other in others {
        assert!(!known.contains(*other), "{package} reaches {other}: {known:?}");
    }
}

fn assert_stands_alone(package: &str) {
    let ours: BTreeSet<&str> = packages().iter().map(name_of).collect();
    let is_another = |name: &String| ours.contains(name.as_str()) && name != package && name != REPLAYS;
    let known: Vec<String> = closure(package).into_iter().filter(is_another).collect();
    assert!(known.is_empty(), "{package} reaches {known:?}");
}

/// Every package that a package of ours reaches through manifests of ours: normal and build dependencies at any
/// distance, and its own development dependencies.
fn closure(package: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = direct(package).into_iter().collect();
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) && packages().iter().any(|package| package["name"] == name.as_str()) {
            let shipped = dependencies(&name).iter().filter(|dependency| dependency["kind"] != "dev");
            open.extend(shipped.map(|dependency| name_of(dependency).to_owned()));
        }
    }
    reached
}

fn direct(package: &str) -> BTreeSet<String> {
    dependencies(package).iter().map(|dependency| name_of(dependency).to_owned()).collect()
}

fn dependencies(package: &str) -> &'static [Value] {
    let found = packages().iter().find(|candidate| candidate["name"] == package);
    let found = found.unwrap_or_else(|| panic!("no package {package} in the workspace"));
    found["dependencies"].as_array().expect("cargo lists dependencies")
}

fn name_of(named: &'static Value) -> &'static str {
    named["name"].as_str().expect("cargo names it")
}

fn folder_of(package: &Value) -> &str {
    package["manifest_path"].as_str().expect("cargo says where it is")
}

/// The packages of this workspace, as `cargo metadata` reads them from the manifests.
fn packages() -> &'static [Value] {
    static PACKAGES: OnceLock<Value> = OnceLock::new();
    let metadata = PACKAGES.get_or_init(|| {
        serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--no-deps", "--locked"]))
            .expect("JSON")
    });
    metadata["packages"].as_array().expect("cargo lists packages")
}

/// Names and versions of everything one package alone pulls in, with features resolved for it alone.
fn tree(package: &str, edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let printed =
        cargo(&["tree", "--locked", "--package", package, "--edges", edges, "--prefix=none", "--format={p}"]);
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in printed.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    versions
}

fn cargo(arguments: &[&str]) -> String {
    let run =
        Command::new(env!("CARGO")).current_dir(workspace()).args(arguments).output().expect("cargo runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).expect("cargo prints UTF-8")
}
