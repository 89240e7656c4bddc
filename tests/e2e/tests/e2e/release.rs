//! A release folder: the checks of a user before Vault runs the plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{Settings, Storage, Vault, binaries};
use serde_json::json;
use tempfile::TempDir;

/// The commands of RELEASING.md, with a public key that came another way.
const CHECK: &str = "openssl pkeyutl -verify -rawin -pubin -inkey ../release.pub -in SHA256SUMS -sigfile SHA256SUMS.sig \
                     && sha256sum --check SHA256SUMS";

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
        let sboms = folder.join("sbom");
        fs::create_dir_all(&sboms).unwrap();
        let mut dist = Command::new(binaries::workspace().join("tests/tools/dist"));
        dist.arg(self.dist_folder()).arg(&sboms).env("RELEASE_KEY", folder.join("release.pem"));
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
