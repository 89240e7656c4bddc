//! The commands of README and of the book's set-up pages, run as they are written: from a bare Vault to credentials, and the tutorial.

use std::fs;
use std::process::{Command, Stdio};

use e2e::kubernetes::{self, Cluster};
use e2e::node_agent::NodeAgent;
use e2e::templates::{Templates, mappings};
use e2e::{config_file, pages};
use harness::{
    ACCOUNT, PROFILE_ARN, Plugin, REGION, ROLE_ARN, Settings, Stage, Storage, TRUST_ANCHOR_ARN, Vault,
    binaries,
};
use serde_json::{Value, json};

const ROLE: &str = "payments-api";
const ASSOCIATION: &str = "payments.api";

/// The pages in the order in which an operator follows them.
const PAGES: [&str; 5] = [
    "getting-started.md",
    "kubernetes.md",
    "hosts-and-ci.md",
    "operate/monitoring.md",
    "operate/backup-and-recovery.md",
];

/// The commands of the blocks that are marked `sh` or `sh <kind>`, in their order.
fn blocks(kind: &str) -> Vec<String> {
    let blocks = PAGES.into_iter().flat_map(pages::blocks);
    let meant: Vec<String> =
        blocks.filter(|(mark, _)| mark.is_empty() || mark == kind).map(|(_, commands)| commands).collect();
    assert!(meant.len() > 5, "{meant:?}");
    meant
}

/// The trust policy that the page writes with the AWS CLI.
fn trust_policy() -> Value {
    let text = pages::text_of("getting-started.md");
    let (_, rest) = text.split_once("```json\n").expect("a trust policy");
    serde_json::from_str(rest.split("```").next().unwrap()).expect("it is JSON")
}

/// A server with the plugin's file in its folder, and an AWS that has the stack's role; the reader's shell.
struct Reader {
    stage: Stage,
}

impl Reader {
    async fn new() -> Reader {
        let vault = Vault::bare(Settings::of(Storage::Memory)).await;
        let Plugin { name, version, .. } = vault.register(binaries::plugin()).await;
        let _ =
            vault.root().delete(&format!("sys/plugins/catalog/secret/{name}?version={version}")).await.ok();
        let stage = Stage::beside(vault).await;
        let mut world = stage.admin("GET", "state", None).await;
        world["roles"][0]["name"] = json!(ROLE);
        world["roles"][0]["path"] = json!("/iamra/");
        world["roles"][0]["trust_policy"] = trust_policy();
        world["profiles"][0]["role_arns"] = json!([format!("arn:aws:iam::111122223333:role/iamra/{ROLE}")]);
        stage.admin("PUT", "state", Some(world)).await;
        Reader { stage }
    }

    /// Runs a block with the differences of this test: the project's path, an emulator for AWS, and no cluster.
    async fn run(&self, block: &str) -> String {
        let plugin = binaries::plugin().display().to_string();
        let commands = block
            .replace("target/plugin/vault-plugin-secrets-iamra", &plugin)
            .replace("vault-config/", &format!("{}/", config_file("").display()))
            .replace("setup.sh ", "setup.sh --kubernetes-host https://127.0.0.1:6443 --kubernetes-ca ca.pem ")
            .replace(
                "vault write iamra/config ",
                &format!("vault write iamra/config endpoint={} ", self.stage.aws.url()),
            );
        shell(&self.stage.vault, commands).await
    }

    /// Runs the blocks one after the other; AWS is set up once there is a CA, as the reader does with the stack.
    async fn run_all(&self, kind: &str) -> String {
        let mut said = String::new();
        for block in blocks(kind) {
            said += &self.run(&block).await;
            if block.contains("> ca.pem") {
                let pem = fs::read_to_string(self.stage.vault.folder().join("ca.pem")).unwrap();
                self.stage.trust(&pem).await;
            }
        }
        said
    }
}

/// Runs commands as the reader of a page does: root, in a folder of their own, with `vault` on PATH. Returns their output.
async fn shell(vault: &Vault, commands: String) -> String {
    let bin = vault.folder().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(fs::canonicalize(binaries::vault()).unwrap(), bin.join("vault")).unwrap();
    }
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(vault.folder())
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .env("HOME", vault.folder())
        .env("VAULT_ADDR", vault.addr())
        .env("VAULT_TOKEN", vault.root_token())
        .stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
    assert!(run.status.success(), "{commands}\n{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[tokio::test]
async fn from_a_bare_vault_to_the_credentials_of_a_service_account() {
    let reader = Reader::new().await;

    let said = reader.run_all("kubernetes").await;

    assert!(said.contains("register: mounted vault-plugin-secrets-iamra"), "{said}");
    assert!(said.contains("payments/api is prod.payments.api in AWS"), "{said}");
    assert!(said.contains("arn:aws:sts::111122223333:assumed-role/payments-api/"), "{said}");
}

#[tokio::test]
async fn from_a_bare_vault_to_the_login_of_a_host() {
    let reader = Reader::new().await;

    let _ = reader.run_all("host").await;

    let id = |name: &str| fs::read_to_string(reader.stage.vault.folder().join(name)).unwrap();
    let login = json!({ "role_id": id("role-id"), "secret_id": id("secret-id") });
    let root = reader.stage.root();
    let token = root.without_token().write("auth/approle/login", login).await.ok();
    let host = root.with_token(token.body["auth"]["client_token"].as_str().unwrap());
    let answer = host.read("iamra/creds/payments-api").await.ok();
    assert_eq!(reader.stage.caller(&answer).await.unwrap().arn, answer.string("arn"));
}

const TEMPLATES: Templates = Templates::within(concat!(env!("CARGO_TARGET_TMPDIR"), "/cfn-lint"));

/// The seven commands of README, a line each, with the reader's values.
fn seven_commands() -> Vec<String> {
    let text = fs::read_to_string(binaries::workspace().join("README.md")).unwrap();
    let (_, section) = text.split_once("\n## A pod in seven commands\n").expect("the section is there");
    let (_, block) = section.split_once("\n\n    ").expect("its first block");
    let block = block.split("\n\n").next().unwrap().replace("\\\n", "");
    let filled = [
        ("<sha256>", "$(sha256sum target/plugin/vault-plugin-secrets-iamra | cut -d' ' -f1)"),
        ("<the pod's policy>", "arn:aws:iam::111122223333:policy/payments-api"),
    ];
    let fill = |line: &str| {
        filled.iter().fold(line.trim().to_owned(), |line, (place, value)| line.replace(place, value))
    };
    block.lines().map(fill).collect()
}

/// What a command does with the output of another that begins so, and that other command.
fn substituted<'a>(command: &'a str, beginning: &str) -> Option<(&'a str, &'a str)> {
    let (before, rest) = command.split_once("$(")?;
    let inner = rest.strip_suffix(')')?;
    inner.starts_with(beginning).then_some((before, inner))
}

/// Makes the resources of the template with these parameters in the emulated AWS, `Key=Value` words; its output `Association`.
async fn create_stack(stage: &Stage, parameters: &str) -> String {
    let mut values = json!({
        "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION, "Profile.ProfileArn": PROFILE_ARN,
        "Role.Arn": format!("arn:aws:iam::{ACCOUNT}:role/iamra/{ASSOCIATION}"),
    });
    for word in parameters.split_whitespace() {
        let (key, value) = word.split_once('=').expect("Key=Value");
        values[key] = json!(value);
    }
    let made = TEMPLATES.resolve("aws/stack.yaml", &values).unwrap();
    let (role, profile) = (&made["resources"]["Role"], &made["resources"]["Profile"]);
    let mut world = stage.admin("GET", "state", None).await;
    world["roles"] = json!([{
        "name": role["RoleName"], "path": role["Path"], "max_session_duration": role["MaxSessionDuration"],
        "trust_policy": role["AssumeRolePolicyDocument"],
    }]);
    let of_profile = json!({
        "role_arns": profile["RoleArns"], "duration_seconds": profile["DurationSeconds"],
        "attribute_mappings": mappings(profile),
    });
    for (field, value) in of_profile.as_object().unwrap() {
        world["profiles"][0][field] = value.clone();
    }
    stage.admin("PUT", "state", Some(world)).await;
    made["outputs"]["Association"].as_str().expect("an output").to_owned()
}

#[tokio::test]
async fn the_seven_commands_of_the_readme_lead_to_the_credentials_of_the_pod() {
    let (reader, cluster) = (Reader::new().await, Cluster::start().await);
    let stage = &reader.stage;
    let commands = seven_commands();
    let mut association = String::new();

    for command in &commands {
        if let Some((write, _)) = substituted(command, "aws rolesanywhere create-trust-anchor ") {
            stage.trust(&reader.run("vault read -format=raw iamra/trust-bundle").await).await;
            let _ = reader.run(&format!("{write}{TRUST_ANCHOR_ARN}")).await;
        } else if let Some((_, words)) = substituted(command, "vault-config/aws/parameters.sh ") {
            association = create_stack(stage, &reader.run(words).await).await;
        } else if let Some((write, _)) = substituted(command, "aws cloudformation describe-stacks ") {
            let _ = reader.run(&format!("{write}{association}")).await;
        } else if let Some((_, folder)) = command.split_once("kubectl apply -k ") {
            assert!(binaries::workspace().join(folder).join("kustomization.yaml").exists(), "{command}");
        } else if let Some((_, options)) = command.split_once("setup.sh ") {
            let options: Vec<&str> = options.split(' ').collect();
            let _ = kubernetes::set_up(stage, &cluster, &options).await.ok();
        } else {
            let _ = reader.run(command).await;
        }
    }

    assert_eq!(commands.len(), 7, "{commands:?}");
    let agent = NodeAgent::start(&stage.vault.addr(), &[]).await;
    let document = agent.ask(&cluster.token_for("iamra", "payments", "api")).await.ok();
    let session = &stage.sessions().await[0];
    assert_eq!(session["access_key_id"], document["AccessKeyId"]);
    assert_eq!(session["source_identity"], "CN=prod.payments.api");
}

#[tokio::test]
async fn the_trust_policy_of_the_page_lets_in_one_service_account_alone() {
    let stage = Stage::dev().await;
    let mut world = stage.admin("GET", "state", None).await;
    world["roles"][0]["trust_policy"] = trust_policy();
    stage.admin("PUT", "state", Some(world)).await;
    for (role, cluster, namespace, account) in [
        ("api", "prod", "payments", "api"),
        ("web", "prod", "payments", "web"),
        ("billing", "prod", "billing", "api"),
        ("test", "test", "payments", "api"),
    ] {
        let subject = json!({ "role_arn": ROLE_ARN, "organization": cluster, "organizational_unit": namespace,
            "common_name": format!("{cluster}.{namespace}.{account}") });
        let _ = stage.root().write(&format!("iamra/roles/{role}"), subject).await.ok();
    }

    let answer = stage.creds("api").await.ok();

    assert_eq!(answer.string("source_identity"), "CN=prod.payments.api");
    for other in ["web", "billing", "test"] {
        assert!(stage.creds(other).await.refused(400).contains("Unable to assume role"), "{other}");
    }
}

#[tokio::test]
async fn the_tutorial_plays_with_what_make_dev_leaves_running() {
    let stage = Stage::dev().await;
    stage.to_play_with().await;
    let blocks = pages::blocks("tutorial.md").into_iter().filter(|(mark, _)| mark == "tutorial");

    let mut said = Vec::new();
    for (_, commands) in blocks {
        said.push(shell(&stage.vault, commands).await);
    }

    let [read, healthy, broken, ann, rotated, ended] = said.try_into().expect("six blocks");
    assert!(read.contains("source_identity") && read.contains("CN=app"), "{read}");
    assert!(
        healthy.contains("0 broken, 0 not checked") && healthy.contains("[11_trust_policy 14_duration]"),
        "{healthy}"
    );
    assert!(broken.contains("08_profile") && broken.contains("broken: "), "{broken}");
    assert!(ann.ends_with("CN=ann"), "{ann}");
    assert!(rotated.contains("steady") && rotated.contains("2027"), "{rotated}");
    assert!(ended.ends_with("iamra_revocations_total 1\n"), "{ended}");
}
