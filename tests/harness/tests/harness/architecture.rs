//! The arrows of ARCHITECTURE.md: between the floors of the engine and between files here, between crates in `crates.rs`.

mod crates;
mod fuzzer;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use harness::binaries::workspace;
use harness::structure::{Crate, name, percentile};

const NODE_AGENT: &str = "iamra-node-agent";

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

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a readable folder").path())
        .flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] })
        .collect()
}
