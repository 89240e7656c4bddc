//! A release folder: the checks of a user before Vault runs the plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{Settings, Storage, Vault, binaries};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The commands of RELEASING.md, with a public key that came another way.
const CHECK: &str = "openssl pkeyutl -verify -rawin -pubin -inkey ../release.pub -in SHA256SUMS -sigfile SHA256SUMS.sig \
                     && sha256sum --check SHA256SUMS";

/// A commit of a tree that may have no git.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const NODE_AGENT: &str = "iamra-node-agent";

/// A release that was signed with a key of its own.
struct Release {
    folder: TempDir,
}

impl Release {
    fn new() -> Release {
        let release = Release { folder: tempfile::tempdir().unwrap() };
        let made = shell(
            release.folder.path(),
            "openssl genpkey -algorithm ed25519 -out release.pem && openssl pkey -in release.pem -pubout -out release.pub",
        );
        assert!(made.status.success(), "{made:?}");
        let run = release.dist("amd64");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        release
    }

    /// Runs the script on both programs, for any named architecture.
    fn dist(&self, architecture: &str) -> Output {
        let folder = self.folder.path();
        let version = env!("CARGO_PKG_VERSION");
        let (sboms, packages) = (folder.join("sbom"), folder.join("packages"));
        fs::create_dir_all(&sboms).unwrap();
        fs::create_dir_all(&packages).unwrap();
        let mut dist = Command::new(binaries::workspace().join("tests/tools/dist"));
        dist.arg(self.dist_folder())
            .arg(&sboms)
            .arg(&packages)
            .env("SOURCE_COMMIT", COMMIT)
            .env("RELEASE_KEY", folder.join("release.pem"));
        let node_agent = binaries::workspace().join("target/node-agent").join(NODE_AGENT);
        for (program, binary) in [(binaries::PLUGIN, binaries::plugin()), (NODE_AGENT, &node_agent)] {
            let bom = format!("path+file:///here#{program}@{version}");
            let bom = json!({ "metadata": { "component": { "bom-ref": bom } } });
            let bom = serde_json::to_string_pretty(&bom).unwrap();
            fs::write(sboms.join(format!("{program}.cdx.json")), bom).unwrap();
            dist.arg(format!("{architecture}={}", binary.display()));
        }
        dist.output().unwrap()
    }

    fn dist_folder(&self) -> PathBuf {
        self.folder.path().join("dist")
    }

    fn binary(&self) -> PathBuf {
        let version = env!("CARGO_PKG_VERSION");
        self.dist_folder().join(format!("vault-plugin-secrets-iamra_v{version}_linux_amd64"))
    }

    fn checks(&self) -> bool {
        shell(&self.dist_folder(), CHECK).status.success()
    }
}

fn shell(folder: &Path, command: &str) -> Output {
    Command::new("bash").args(["-c", command]).current_dir(folder).output().unwrap()
}

#[tokio::test]
async fn a_checked_release_is_what_vault_runs() {
    let release = Release::new();
    assert!(release.checks());
    let sums = fs::read_to_string(release.dist_folder().join("SHA256SUMS")).unwrap();
    let file = release.binary().file_name().unwrap().to_str().unwrap().to_owned();
    let sum = sums.lines().find_map(|line| line.strip_suffix(&format!("  {file}"))).unwrap();
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    vault.install(&release.binary());

    let (sha256, command) = (format!("-sha256={sum}"), format!("-command={file}"));
    let version = concat!("-version=v", env!("CARGO_PKG_VERSION"));
    let _ =
        vault.cli(&["plugin", "register", &sha256, version, &command, "secret", binaries::PLUGIN]).await.ok();
    vault.mount("iamra", binaries::PLUGIN).await;

    assert_eq!(vault.root().read("sys/mounts/iamra").await.ok().string("running_sha256"), sum);
}

#[test]
fn a_release_has_both_programs_each_with_its_bill_of_materials_and_the_recipe_of_its_image() {
    let release = Release::new();

    let version = env!("CARGO_PKG_VERSION");
    for program in [binaries::PLUGIN, NODE_AGENT] {
        for file in ["_linux_amd64", ".cdx.json", ".Dockerfile"] {
            let file = release.dist_folder().join(format!("{program}_v{version}{file}"));
            assert!(file.is_file(), "{}: run `make node-agent`", file.display());
        }
    }
    let recipe =
        fs::read_to_string(release.dist_folder().join(format!("{NODE_AGENT}_v{version}.Dockerfile")));
    assert!(recipe.unwrap().contains(&format!("COPY {NODE_AGENT} ")));
}

#[test]
fn a_changed_binary_and_a_changed_sum_are_noticed() {
    let release = Release::new();
    let changed = shell(&release.dist_folder(), "printf x >> vault-plugin-secrets-iamra_*_amd64");
    assert!(changed.status.success());
    assert!(!release.checks(), "a changed binary");

    let resummed = shell(&release.dist_folder(), "sha256sum vault-plugin-secrets-iamra_* > SHA256SUMS");

    assert!(resummed.status.success());
    assert!(!release.checks(), "a changed binary with a changed sum");
}

#[test]
fn a_binary_for_another_machine_than_it_is_named_for_is_refused() {
    let release = Release::new();

    let refused = release.dist("arm64");

    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is for amd64, not for arm64"), "{said}");
}

#[test]
fn a_signed_statement_says_of_which_commit_each_file_was_built() {
    let release = Release::new();

    let folder = release.dist_folder();
    let envelope = fs::read_to_string(folder.join("provenance.intoto.jsonl")).unwrap();
    let envelope: Value = serde_json::from_str(&envelope).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let commit = &statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"];
    assert_eq!(commit, COMMIT);
    let binary = release.binary();
    let name = binary.file_name().unwrap().to_str().unwrap();
    let subject = statement["subject"].as_array().unwrap().iter().find(|subject| subject["name"] == name);
    assert_eq!(subject.unwrap()["digest"]["sha256"], harness::sha256_of(&binary));
    // what a verifier of DSSE checks: the type and the body, each after its length
    let kind = envelope["payloadType"].as_str().unwrap();
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    fs::write(folder.join("../signed"), [head.as_bytes(), &payload].concat()).unwrap();
    let signature = STANDARD.decode(envelope["signatures"][0]["sig"].as_str().unwrap()).unwrap();
    fs::write(folder.join("../signature"), signature).unwrap();
    let verify =
        "openssl pkeyutl -verify -rawin -pubin -inkey ../release.pub -in ../signed -sigfile ../signature";
    assert!(shell(&folder, verify).status.success());
}

/// Makes the Debian package of this version of the plugin, and returns it.
fn package(folder: &Path, version: &str) -> PathBuf {
    let deb = binaries::workspace().join("tests/tools/deb");
    let made = Command::new(deb)
        .arg(folder)
        .args([binaries::PLUGIN, version, "amd64"])
        .arg(binaries::plugin())
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder.join(format!("{}_{version}_amd64.deb", binaries::PLUGIN))
}

/// A machine as far as dpkg knows, in this folder.
fn dpkg(root: &Path, arguments: &[&str]) {
    let state = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(state.join(folder)).unwrap();
    }
    for file in ["status", "available"] {
        fs::OpenOptions::new().create(true).append(true).open(state.join(file)).unwrap();
    }
    let root = format!("--root={}", root.display());
    let flags = ["--force-not-root", "--force-script-chrootless", "--force-architecture", "--log=/dev/null"];
    let run = Command::new("dpkg").arg(root).args(flags).args(arguments).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn an_upgraded_package_leaves_the_file_that_vault_runs_until_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (package(folder.path(), "0.1.0"), package(folder.path(), "0.2.0"));
    let root = folder.path().join("root");
    let plugins = root.join("opt/vault/plugins");
    let file = |version: &str| plugins.join(format!("{}_v{version}", binaries::PLUGIN));

    dpkg(&root, &["--install", old.to_str().unwrap()]);
    assert!(shell(&plugins, "sha256sum --check *.sha256").status.success());
    dpkg(&root, &["--install", new.to_str().unwrap()]);

    assert!(file("0.1.0").is_file() && file("0.2.0").is_file());
    assert!(shell(&plugins, "sha256sum --check *.sha256").status.success());
    dpkg(&root, &["--remove", binaries::PLUGIN]);
    assert!(!file("0.1.0").exists() && !file("0.2.0").exists());
}

#[test]
fn a_package_is_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().unwrap();

    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let made = [&one, &two].map(|folder| {
        fs::create_dir(folder).unwrap();
        fs::read(package(folder, "0.1.0")).unwrap()
    });

    assert!(made[0] == made[1], "two runs gave different packages");
}
