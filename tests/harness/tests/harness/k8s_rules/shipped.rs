//! The rules for shipped text: scripts begin alike, documents agree with the files beside them, and every fetched image is named by its digest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::binaries::workspace;

use super::manifest::files;

const SCRIPTS: [&str; 6] = [
    "aws/parameters.sh",
    "backup/export.sh",
    "backup/import.sh",
    "dev/setup.sh",
    "kubernetes/setup.sh",
    "plugin/register.sh",
];

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files that a person keeps under version control, by their path.
fn texts(folders: &[&str]) -> Vec<(String, String)> {
    let all = folders.iter().flat_map(|folder| files(folder));
    all.filter_map(|path| {
        let text = fs::read_to_string(&path).ok()?;
        Some((path.strip_prefix(workspace()).unwrap().display().to_string(), text))
    })
    .collect()
}

#[test]
fn every_script_begins_alike() {
    let beginnings: BTreeSet<String> = SCRIPTS
        .iter()
        .map(|script| {
            let text = read(Path::new("vault-config").join(script));
            let (_, rest) = text.split_once("# The same lines are in every script here").expect(script);
            rest.split_once("# To here.").expect(script).0.to_owned()
        })
        .collect();

    let scripts = files("vault-config");
    let scripts = scripts.iter().filter(|path| path.extension().is_some_and(|extension| extension == "sh"));
    assert_eq!(beginnings.len(), 1, "{beginnings:#?}");
    assert!(beginnings.first().unwrap().contains("VAULT_FORMAT=table"), "{beginnings:?}");
    assert_eq!(scripts.count(), SCRIPTS.len(), "a script is not in this list");
}

#[test]
fn every_pin_of_python_has_its_hash() {
    let pins: Vec<_> =
        texts(&["tests"]).into_iter().filter(|(path, _)| path.ends_with("requirements.txt")).collect();

    for (path, text) in &pins {
        let text = text.replace("\\\n", " ");
        for pin in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(pin.contains("==") && pin.contains("--hash=sha256:"), "{path}: {pin}");
        }
    }
    assert!(pins.len() >= 6, "this test looks at the wrong folder: {pins:?}");
}

#[test]
fn nothing_that_is_downloaded_is_piped_into_a_shell() {
    let mut texts = texts(&["k8s", "vault-config", "tests/tools", "tests/cluster", "tests/sdks"]);
    texts.extend(pages());
    texts.extend(["README.md", "Makefile"].map(|file| (file.to_owned(), read(file))));

    for (path, text) in &texts {
        for line in text.lines().filter(|line| line.contains("curl ") || line.contains("wget ")) {
            let piped = line.split('|').skip(1).map(str::trim_start);
            let shell = piped.filter(|command| command.starts_with("sh") || command.starts_with("bash"));
            assert_eq!(shell.count(), 0, "{path}: {line}");
        }
    }
}

/// Our own cluster has no TLS, and an emulator for AWS.
fn is_local(path: &str) -> bool {
    path.starts_with("k8s/overlays/local/") || path.starts_with("k8s/components/local-cluster/")
}

#[test]
fn vault_is_asked_over_https_but_on_loopback() {
    let mut texts = texts(&["k8s", "vault-config"]);
    texts.extend(pages());
    for (path, text) in texts.iter().filter(|(path, _)| !is_local(path)) {
        for line in text.lines() {
            let plain = line.replace("http://127.0.0.1", "");
            assert!(!plain.contains("http://vault") && !plain.contains("http://$"), "{path}: {line}");
        }
    }
    assert!(read("k8s/vault/values.yaml").contains("tlsDisable: false"));
}

#[test]
fn each_way_of_a_host_has_the_policy_that_opens_its_path() {
    let text = read("docs/hosts-and-ci.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains(".hcl` | `application-"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();

    for row in &rows {
        let way = read(Path::new("vault-config/agent").join(row[1]));
        let path = ["iamra/creds/payments-api", "iamra/container/payments-api"];
        let path = path.into_iter().find(|path| way.contains(path)).expect(row[1]);
        let policy = read(Path::new("vault-config/policies").join(row[2]));
        assert!(policy.contains(&format!("path \"{path}\"")), "{row:?}");
    }
    assert_eq!(rows.len(), 3);
}

#[test]
fn the_patch_of_the_page_is_what_the_overlay_adds() {
    let text = read("docs/kubernetes.md");
    let diff = text.split("```diff\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a diff");
    let shown: Vec<&str> = diff.lines().filter_map(|line| line.strip_prefix('+')).map(str::trim).collect();

    let overlay = read("k8s/overlays/container-credentials/deployment.yaml");
    let structure = ["spec:", "containers:", "- name: app", "env:", "volumes:"];
    let (_, added) = overlay.split_once("    metadata:\n").expect("a pod's template");
    let added: Vec<&str> = added
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && !structure.contains(line))
        .collect();

    assert_eq!(shown, added);
}

/// Every code that the node agent itself answers pods with.
fn codes() -> BTreeSet<String> {
    let files =
        files("k8s/node-agent/src").into_iter().filter(|path| !path.display().to_string().contains("/ecr"));
    let texts = files.map(|path| fs::read_to_string(path).unwrap());
    let shipped: Vec<String> =
        texts.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()).collect();
    let words = shipped.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
    let is_code = |word: &&str| {
        let capitals = word.chars().filter(char::is_ascii_uppercase).count();
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && capitals >= 2
            && word.len() > 6
            && word.chars().all(|c| c.is_ascii_alphabetic())
            && word.chars().any(|c| c.is_ascii_lowercase())
    };
    words.filter(is_code).map(str::to_owned).collect()
}

#[test]
fn the_node_agents_page_has_a_row_for_every_code() {
    let page = read("docs/node-agent.md");
    // the code of the engine that the agent knows, a member of AWS's document, and how names of both are written
    let others = ["SessionRevoked", "AccessKeyId", "PascalCase"];

    let codes = codes();
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| !others.contains(&code.as_str()) && !page.contains(&format!("`{code}`")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
    assert!(codes.contains("PolicyDenied") && codes.contains("HeadTooSlow"), "{codes:?}");
}

/// By hand a workload gets what the component adds: the same variables, mount and volume.
#[test]
fn the_patch_of_the_node_agents_page_is_what_the_component_adds() {
    let text = read("docs/node-agent.md");
    let diff = text.split("```diff\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a diff");
    let words = |text: &str| -> BTreeSet<String> {
        let values = text.lines().filter_map(|line| line.trim_start_matches(['+', ' ', '-']).split_once(':'));
        values
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, value)| !value.is_empty() && !["op", "path", "kind"].contains(key))
            .map(|(key, value)| format!("{key}: {value}"))
            .collect()
    };
    let added = diff.lines().filter(|line| line.starts_with('+')).collect::<Vec<_>>().join("\n");
    let component = read("k8s/components/pod-identity/kustomization.yaml");
    let (_, patch) = component.split_once("patch: |").expect("a patch");

    assert_eq!(words(&added.replace("path: token", "")), words(patch));
    assert!(added.contains("path: token\n") && patch.contains("path: token\n"));
}

/// A heading as the anchor that hosts of repositories give it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
        .collect::<String>()
        .replace(' ', "-")
}

/// Pages that a person writes; those of the reference are generated.
fn pages() -> Vec<(String, String)> {
    let is_page = |path: &str| {
        let is_others = ["docs/reference/", "docs/decisions/"].iter().any(|folder| path.starts_with(folder));
        Path::new(path).extension().is_some_and(|extension| extension == "md") && !is_others
    };
    texts(&["docs"]).into_iter().filter(|(path, _)| is_page(path)).collect()
}

#[test]
fn long_pages_link_to_each_of_their_parts() {
    let long: Vec<_> = pages().into_iter().filter(|(_, text)| text.lines().count() > 100).collect();

    for (page, text) in &long {
        for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(text.contains(&format!("](#{})", anchor(heading))), "{page} does not link to {heading}");
        }
    }
    assert!(long.len() >= 5, "this test looks at the wrong folder: {long:?}");
}

#[test]
fn the_readme_is_a_page_that_one_reads_at_once() {
    assert!(read("README.md").lines().count() <= 150);
}
