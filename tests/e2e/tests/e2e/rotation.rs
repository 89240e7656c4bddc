//! One CA takes over from another while callers go on reading. The AWS beside it holds at most two certificates in an anchor.

use std::time::Duration;

use e2e::load::Load;
use e2e::paper::{Flaw, Paper};
use e2e::{pages, pki, say};
use harness::sts::StsError;
use harness::{ROLE_ARN, Reply, Stage, Vault, kill, until};
use serde_json::{Value, json};

const ROOT: &str = "iamra/root/generate/internal";
/// About the middle of a command. Wherever the kill comes, the claim is the same.
const INTO_IT: Duration = Duration::from_millis(3);
const READERS: [&str; 5] = [
    "iamra/creds/fresh",
    "iamra/creds/shared",
    "iamra/container/shared",
    "iamra/creds/static",
    "iamra/creds/pinned",
];

/// A stage whose mount has the CA `old` in the anchor, roles of several kinds, and no bound on calls that matters here.
async fn stage() -> Stage {
    let stage = Stage::without_ca(Vault::dev().await).await;
    write(&stage, ROOT, json!({ "common_name": "pods, old", "issuer_name": "old" })).await;
    stage.trust(&stage.trust_bundle("iamra").await).await;
    let mut config = stage.config();
    config["rate_limit"] = json!(1000);
    config["rate_burst"] = json!(1000);
    write(&stage, "iamra/config", config).await;
    for (role, more) in [
        ("fresh", json!({ "session_sharing": "none" })),
        ("shared", json!({ "session_sharing": "identity" })),
        ("static", json!({ "session_sharing": "identity", "lease": "static" })),
        ("pinned", json!({ "session_sharing": "none", "issuer_ref": "old" })),
    ] {
        let mut role_body = more;
        role_body["role_arn"] = json!(ROLE_ARN);
        write(&stage, &format!("iamra/roles/{role}"), role_body).await;
    }
    stage
}

async fn write(stage: &Stage, path: &str, body: Value) -> Reply {
    stage.root().write(path, body).await.ok()
}

/// Prints the rotation's progress, as `vault read iamra/rotation` does, and returns its state.
async fn state_after(stage: &Stage, did: &str, load: Option<&Load>) -> String {
    let answer = stage.root().read("iamra/rotation").await.ok();
    let certificates = stage.trust_bundle("iamra").await.matches("BEGIN").count();
    let reads = load.map_or(0, Load::succeeded);
    say(&format!(
        "{did}\n    reads so far {reads}; state {}; current {}; certificates for the anchor {certificates}\n    next: {}",
        answer.body["data"]["state"],
        answer.body["data"]["current"],
        answer.string("next_step")
    ));
    answer.string("state").to_owned()
}

/// Puts the mount's bundle into the anchor, as its owner does.
async fn paste(stage: &Stage) {
    stage.update_anchor(&stage.trust_bundle("iamra").await).await.unwrap();
}

#[tokio::test]
async fn no_read_fails_while_one_ca_takes_over_from_another() {
    let stage = stage().await;
    let load = Load::of(stage.root(), &READERS);
    load.goes_on().await;
    assert_eq!(state_after(&stage, "callers read", Some(&load)).await, "steady");

    pki::sign_intermediate(&stage, "pods, new", "new").await;
    assert_eq!(
        state_after(&stage, "a next issuer, signed by Vault's PKI engine", Some(&load)).await,
        "prepared"
    );
    paste(&stage).await;
    load.goes_on().await;

    write(&stage, "iamra/config/issuers", json!({ "default": "new" })).await;
    assert_eq!(
        state_after(&stage, "the anchor holds both, and the default is switched", Some(&load)).await,
        "switched"
    );
    load.goes_on().await;

    let held = stage.root().write("iamra/issuer/old", json!({ "disabled": true })).await.refused(400);
    assert!(held.contains("1 roles name the issuer \"old\"") && held.contains("pinned"), "{held}");
    let _ = stage.root().patch("iamra/roles/pinned", json!({ "issuer_ref": "default" })).await.ok();
    write(&stage, "iamra/issuer/old", json!({ "disabled": true })).await;
    assert_eq!(
        state_after(&stage, "the pinned role follows, and the old issuer is retired", Some(&load)).await,
        "steady"
    );
    load.goes_on().await;
    paste(&stage).await;
    load.goes_on().await;
    let _ = stage.root().delete("iamra/issuer/old").await.ok();
    load.goes_on().await;
    assert_eq!(
        state_after(&stage, "the anchor holds the new one alone, and the old key is gone", Some(&load)).await,
        "steady"
    );

    let failures = load.end().await;
    assert!(failures.is_empty(), "{} failed: {failures:?}", failures.len());
    let answer = stage.creds("shared").await.ok();
    stage.caller(&answer).await.unwrap();
}

#[tokio::test]
async fn aws_takes_two_certificates_and_the_mount_never_asks_for_a_third() {
    let stage = stage().await;
    write(&stage, ROOT, json!({ "common_name": "pods, new", "issuer_name": "new" })).await;

    let third = stage.root().write(ROOT, json!({ "common_name": "third", "issuer_name": "third" })).await;
    let two = stage.trust_bundle("iamra").await;
    let three = format!("{two}{}", Paper::root("third", Flaw::None).certificate);

    assert!(third.refused(400).contains("vault write iamra/issuer/new disabled=true"), "{}", third.text);
    let refusal = stage.update_anchor(&three).await.unwrap_err();
    assert!(matches!(refusal, StsError::Refused { status: 400, .. }), "{refusal}");
    stage.update_anchor(&two).await.unwrap();
}

/// The state after each command of a rotation. A killed process leaves the state before or after it, and the command is repeated.
#[tokio::test]
async fn a_rotation_goes_on_after_the_process_was_killed_in_each_of_its_commands() {
    let stage = stage().await;
    let _ = stage.root().patch("iamra/roles/pinned", json!({ "issuer_ref": "default" })).await.ok();
    let root = json!({ "common_name": "pods, new", "issuer_name": "new" });
    for (method, path, body, states) in [
        ("POST", ROOT, Some(root), ["steady", "prepared"]),
        ("POST", "iamra/config/issuers", Some(json!({ "default": "new" })), ["prepared", "switched"]),
        ("POST", "iamra/issuer/old", Some(json!({ "disabled": true })), ["switched", "steady"]),
        ("DELETE", "iamra/issuer/old", None, ["steady", "steady"]),
    ] {
        let api = stage.root().clone();
        let command = (path, body.clone());
        let under_way = tokio::spawn(async move { api.call(method, command.0, command.1).await });
        tokio::time::sleep(INTO_IT).await;
        stage.vault.live_plugins().into_iter().for_each(kill);
        let _ = under_way.await.unwrap();

        let between = settled(&stage).await;
        assert!(states.contains(&between.as_str()), "{path}: {between}");
        until("the repeated command to be done", Duration::from_secs(60), async || {
            let reply = stage.root().call(method, path, body.clone()).await;
            let done = reply.status < 300 || reply.text.contains("is already the name of issuer");
            done.then_some(())
        })
        .await;
        assert_eq!(
            state_after(&stage, &format!("killed in {method} {path}, then repeated"), None).await,
            states[1]
        );
        paste(&stage).await;
    }

    assert_eq!(stage.root().list("iamra/issuers").await.ok().keys().len(), 1);
    let answer = stage.creds("fresh").await.ok();
    stage.caller(&answer).await.unwrap();
}

/// The state, once a new process answers.
async fn settled(stage: &Stage) -> String {
    until("a process that answers", Duration::from_secs(60), async || {
        let reply = stage.root().read("iamra/rotation").await;
        (reply.status == 200).then(|| reply.string("state").to_owned())
    })
    .await
}

#[tokio::test]
async fn the_commands_of_the_page_rotate_the_ca_under_load() {
    let stage = stage().await;
    write(&stage, "iamra/roles/pinned", json!({ "issuer_ref": "" })).await;
    write(&stage, "iamra/issuer/old", json!({ "issuer_name": "2026" })).await;
    let load = Load::of(stage.root(), &READERS);
    let commands = pages::commands("operate/rotate-the-ca.md", "rotate");

    for command in &commands {
        let (command, pasted) =
            command.split_once(" > ").map_or((command.as_str(), false), |(read, _)| (read, true));
        let said = stage.vault.cli(&command.split(' ').collect::<Vec<_>>()).await.ok();
        if pasted {
            stage.update_anchor(&said).await.unwrap();
        }
        load.goes_on().await;
    }

    assert_eq!(commands.len(), 6, "{commands:?}");
    let failures = load.end().await;
    assert!(failures.is_empty(), "{} failed: {failures:?}", failures.len());
    let current = stage.root().read("iamra/rotation").await.ok();
    assert_eq!((current.string("current"), current.string("state")), ("2027", "steady"));
}

#[tokio::test]
async fn the_command_line_renames_and_deletes_an_issuer() {
    let stage = stage().await;
    let cli = async |args: &[&str]| stage.vault.cli(args).await;
    let _ = cli(&["write", ROOT, "common_name=pods", "issuer_name=new"]).await.ok();

    let _ = cli(&["patch", "iamra/issuer/new", "issuer_name=2027"]).await.ok();
    let kept = cli(&["delete", "iamra/issuer/old"]).await;
    let _ = cli(&["delete", "iamra/issuer/old", "force=true"]).await.ok();
    let shown = cli(&["read", "iamra/rotation"]).await.ok();

    assert!(format!("{kept:?}").contains("is the default"), "{kept:?}");
    assert!(shown.contains("vault write iamra/config/issuers default=2027"), "{shown}");
}
