//! `vault path-help` reads well.

use harness::{Stage, Vault};

async fn help(stage: &Stage, path: &str) -> String {
    stage.vault.cli(&["path-help", path]).await.ok()
}

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

#[tokio::test]
async fn the_mount_lists_its_paths() {
    let stage = stage().await;

    let text = help(&stage, "iamra/").await;

    for path in
        ["config", "roles", "creds", "sts", "container", "issuers", "root/generate/internal", "ca/pem"]
    {
        assert!(text.contains(path), "no {path} in: {text}");
    }
}

#[tokio::test]
async fn a_role_explains_each_of_its_fields() {
    let stage = stage().await;

    let text = help(&stage, "iamra/roles/x").await;

    for field in
        ["role_arn", "profile_arn", "trust_anchor_arn", "session_duration", "certificate_ttl", "key_type"]
    {
        assert!(text.contains(&format!("{field} (")), "no {field} in: {text}");
    }
    assert!(text.contains("900") && text.contains("43200"), "no bounds in: {text}");
}

#[tokio::test]
async fn every_path_says_what_it_is_and_what_can_be_done_with_it() {
    let stage = stage().await;

    for path in [
        "creds/x",
        "sts/x",
        "container/x",
        "roles/x",
        "roles/",
        "config",
        "issuers/",
        "issuer/x",
        "config/issuers",
        "ca/pem",
        "ca_chain",
    ] {
        let text = help(&stage, &format!("iamra/{path}")).await;

        assert!(text.contains("Operations: "), "{path}: {text}");
        let synopsis =
            text.lines().skip_while(|line| !line.trim().is_empty()).find(|line| !line.trim().is_empty());
        assert!(synopsis.is_some_and(|line| !line.starts_with("##")), "{path}: {text}");
    }
}

#[tokio::test]
async fn help_for_a_path_that_is_none_is_an_error() {
    let stage = stage().await;

    let run = stage.vault.cli(&["path-help", "iamra/no/such/path"]).await;

    assert_ne!(run.code, 0, "{}", run.stdout);
}
