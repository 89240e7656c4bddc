//! Which crate and which floor may use which: each arrow of ARCHITECTURE.md, checked in the manifests and the resolved tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use harness::binaries::workspace;
use harness::structure::{Crate, name, percentile};
use serde_json::Value;

const PLUGIN: &str = "vault-plugin-secrets-iamra";
const NODE_AGENT: &str = "iamra-node-agent";

/// The crate that tests of every crate may use, because it depends on no crate of ours.
const REPLAYS: &str = "seeds";

/// Every crate of ours.
const OURS: [&str; 13] = [
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
    "aws-emulator",
    "harness",
    "e2e",
];

/// The floors of the engine, the lowest first: a folder or file of one uses those below it, and none beside or above it.
const FLOORS: [&[&str]; 12] = [
    &["ground"],
    &["records"],
    &["store"],
    &["issuers"],
    &["snapshot"],
    &["credentials"],
    &["management"],
    &["incident", "check"],
    &["engine"],
    &["paths"],
    &["backend"],
    &["claims"],
];

/// Words of Vault's requests and of the mount as a whole, and the only folders and files of the engine that know them.
const PATHS_ALONE: [(&str, &[&str]); 5] = [
    ("Response", &["paths", "backend", "claims"]),
    ("Params", &["paths", "backend"]),
    ("Field", &["paths", "backend"]),
    ("Route", &["paths", "backend"]),
    ("Engine", &["paths", "backend", "engine", "claims"]),
];

/// Names that may be defined more than once: each crate's error, the part of the engine that is named after what it gives, and
/// names that no other file sees.
const NAMED_TWICE: [&str; 6] = ["Error", "Credentials", "Entry", "Inner", "Row", "State"];

#[test]
fn a_floor_of_the_engine_uses_those_below_it_alone() {
    let floor = |module: &[String]| {
        let first = module.first()?;
        Some(
            FLOORS
                .iter()
                .position(|floor| floor.contains(&first.as_str()))
                .unwrap_or_else(|| panic!("{first} is on no floor: add it to FLOORS")),
        )
    };
    for (from, others) in sources("engine").uses() {
        for to in others {
            let (Some(here), Some(there)) = (floor(&from), floor(&to)) else { continue };
            let is_below = there < here || from.first() == to.first();

            assert!(is_below, "{} uses {}, which is not below it", name(&from), name(&to));
        }
    }
}

#[test]
fn only_paths_knows_requests_answers_and_the_whole_engine() {
    for module in sources("engine").modules() {
        let words = module.words();
        for (word, knowing) in PATHS_ALONE {
            let knows = module.path.first().is_none_or(|first| knowing.contains(&first.as_str()));

            assert!(knows || !words.contains(word), "{} says {word}", name(&module.path));
        }
    }
}

#[test]
fn no_file_and_no_folder_of_what_ships_goes_in_a_circle() {
    for (package, sources) in crates_that_ship() {
        let circles = sources.circles();

        assert!(circles.is_empty(), "{package}: {circles:?}");
    }
}

#[test]
fn files_and_functions_of_what_ships_stay_short() {
    for (package, sources) in crates_that_ship() {
        let measures = sources.measures();
        let (files, functions) = (&measures.files, &measures.functions);

        assert!(percentile(files, 100) <= 450, "{package}: {:?}", files[0]);
        assert!(percentile(functions, 100) <= 60, "{package}: {:?}", functions[0]);
        assert!(percentile(functions, 90) <= 25, "{package}: the 90th percentile");
        assert!(percentile(functions, 50) <= 8, "{package}: the median");
    }
}

#[test]
fn the_engine_identity_and_the_node_agent_say_in_doc_comments_what_their_code_does_not() {
    for (package, sources) in
        [("engine", sources("engine")), ("identity", sources("identity")), (NODE_AGENT, node_agent())]
    {
        let percent = sources.measures().doc_percent();

        assert!(percent >= 12.0, "{package}: {percent:.1} % of the lines");
    }
}

#[test]
fn the_name_of_a_type_means_one_thing_across_the_plugin() {
    let plugin: Vec<_> =
        crates_of_the_plugin().into_iter().map(|package| (sources(&package), package)).collect();

    assert_each_type_has_a_name_of_its_own(
        plugin.iter().map(|(sources, package)| (package.as_str(), sources)),
        300,
    );
}

#[test]
fn the_name_of_a_type_means_one_thing_in_the_node_agent() {
    assert_each_type_has_a_name_of_its_own([(NODE_AGENT, &node_agent())].into_iter(), 50);
}

/// Holds that no two files define a type of one name, among at least `least` of them.
fn assert_each_type_has_a_name_of_its_own<'a>(
    crates: impl Iterator<Item = (&'a str, &'a Crate)>,
    least: usize,
) {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (package, sources) in crates {
        for module in sources.modules() {
            for defined in module.types() {
                places.entry(defined).or_default().push(format!("{package}/src/{}", module.file.display()));
            }
        }
    }
    assert!(places.len() > least, "only {} types found", places.len());
    places.retain(|name, _| !NAMED_TWICE.contains(&name.as_str()));

    let doubled: Vec<_> = places.iter().filter(|(_, files)| files.len() > 1).collect();

    assert!(doubled.is_empty(), "{doubled:#?}");
}

/// The crates of the plugin, and the node agent, by name.
fn crates_that_ship() -> Vec<(String, Crate)> {
    let plugin = crates_of_the_plugin().into_iter().map(|package| (package.clone(), sources(&package)));
    plugin.chain([(NODE_AGENT.to_owned(), node_agent())]).collect()
}

fn crates_of_the_plugin() -> Vec<String> {
    let entries = fs::read_dir(workspace().join("plugin")).unwrap();
    let names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(names.len() >= 7, "this test looks at the wrong folder: {names:?}");
    names
}

fn node_agent() -> Crate {
    read(&workspace().join("k8s/node-agent/src"))
}

fn sources(package: &str) -> Crate {
    read(&workspace().join("plugin").join(package).join("src"))
}

fn read(folder: &Path) -> Crate {
    let read = Crate::read(folder);
    assert!(!read.modules().is_empty(), "{} has no sources", folder.display());
    read
}

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
fn every_target_of_the_fuzzer_has_seeds_that_a_test_replays() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(workspace().join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect()
    };
    let targets = names("fuzz/fuzz_targets");
    let manifest = fs::read_to_string(workspace().join("fuzz/Cargo.toml")).unwrap();
    let sources = files_under(&workspace().join("plugin"));
    let code: String = sources.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();

    assert_eq!(names("fuzz/seeds"), targets);
    for target in targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "fuzz/Cargo.toml does not build {target}"
        );
        assert!(code.contains(&format!("seeds::replay(\"{target}\"")), "no test replays fuzz/seeds/{target}");
    }
}

/// `cargo-fuzz` resolves a workspace of its own: it tries the shipped versions only while both lock files agree.
#[test]
fn the_fuzzer_builds_the_versions_that_ship() {
    let locked = |file: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(workspace().join(file)).unwrap();
        let packages = text.split("[[package]]").skip(1).filter(|package| package.contains("source = "));
        packages.filter_map(|package| Some(package.split_once("source = ")?.0.trim().to_owned())).collect()
    };

    let (fuzzed, ours) = (locked("fuzz/Cargo.lock"), locked("Cargo.lock"));
    let others: Vec<_> = fuzzed.difference(&ours).filter(|one| !only_fuzzed(one)).collect();

    assert!(others.is_empty(), "update fuzz/Cargo.lock to the versions of Cargo.lock: {others:?}");
    assert!(fuzzed.len() > 100, "this test looks at the wrong file");
}

fn only_fuzzed(package: &str) -> bool {
    ["libfuzzer-sys", "arbitrary"].iter().any(|name| package.contains(&format!("name = \"{name}\"")))
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

fn files_under(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a readable folder").path())
        .flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] })
        .collect()
}
