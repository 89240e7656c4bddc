//! `vault path-help` reads well.

use std::collections::BTreeSet;

use harness::{Stage, Vault};

use crate::openapi::{templates, with_values};

async fn help(stage: &Stage, path: &str) -> String {
    stage.vault.cli(&["path-help", path]).await.ok()
}

async fn stage() -> Stage {
    Stage::without_ca(Vault::dev().await).await
}

#[tokio::test]
async fn the_mount_lists_its_paths_as_the_openapi_document_does() {
    let stage = stage().await;

    let text = help(&stage, "iamra/").await;

    // a path has a column of its own, and its purpose is further to the right
    let listed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    let documented = templates(&stage).await;
    let documented: BTreeSet<&str> = documented.iter().map(|path| path.trim_end_matches('/')).collect();
    assert_eq!(listed, documented);
    for path in ["config", "roles", "creds/{role}", "sts/{role}", "container/{role}", "issuers", "ca/pem"] {
        assert!(listed.contains(path), "no {path} in: {text}");
    }
}

#[tokio::test]
async fn a_role_explains_each_of_its_fields() {
    let stage = stage().await;
    let role = serde_json::json!({ "role_arn": harness::ROLE_ARN });
    let _ = stage.root().write("iamra/roles/x", role).await.ok();
    let fields: Vec<String> = stage.root().read("iamra/roles/x").await.ok().data().keys().cloned().collect();

    let text = help(&stage, "iamra/roles/x").await;

    let optional = ["trust_anchor_arn", "profile_arn", "common_name", "role_session_name", "region"];
    for field in fields.iter().map(String::as_str).chain(optional) {
        assert!(text.contains(&format!("    {field} (")), "no {field} in: {text}");
    }
    assert!(text.contains("900") && text.contains("43200"), "no bounds in: {text}");
}

#[tokio::test]
async fn what_only_a_write_needs_is_not_called_required() {
    let stage = stage().await;

    let text = help(&stage, "iamra/check/x").await;

    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Required in a write.") && !text.contains("Required. "), "{text}");
}

#[tokio::test]
async fn the_path_for_sdks_names_their_variable_and_says_that_there_is_no_lease() {
    let stage = stage().await;

    let text = help(&stage, "iamra/container/x").await;

    for word in ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "no lease", "-format=raw"] {
        assert!(text.contains(word), "no {word} in: {text}");
    }
}

#[tokio::test]
async fn every_path_says_what_it_is_and_what_can_be_done_with_it() {
    let stage = stage().await;

    for template in templates(&stage).await {
        let path = with_values(&template);
        let text = help(&stage, &format!("iamra/{path}")).await;

        let matching = format!("Matching Route: {}\n", template.trim_end_matches('/'));
        assert!(text.contains(&matching) && text.contains("Operations: "), "{path}: {text}");
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
