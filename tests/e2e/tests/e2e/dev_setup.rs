//! The set-up script of `vault-config/dev` leads a bare dev server to its first credentials.

use std::process::Command;

use harness::{PROFILE_ARN, ROLE_ARN, Settings, Stage, Storage, TRUST_ANCHOR_ARN, Vault, binaries};

#[tokio::test]
async fn the_script_sets_up_a_mount_that_answers_creds() {
    let vault = Vault::bare(Settings::of(Storage::Memory)).await;
    let plugin = vault.register(binaries::plugin()).await;
    let stage = Stage::without_ca(vault).await;

    let run = Command::new("bash")
        .arg(binaries::workspace().join("vault-config/dev/setup.sh"))
        .env("VAULT_CLI", binaries::vault())
        .env("VAULT_ADDR", stage.vault.addr())
        .env("VAULT_TOKEN", stage.vault.root_token())
        .env("IAMRA_PLUGIN", &plugin.name)
        .env("IAMRA_SHA256", &plugin.sha256)
        .env("IAMRA_VERSION", &plugin.version)
        .env("IAMRA_MOUNT", "scripted")
        .env("IAMRA_ENDPOINT", stage.aws.url())
        .env("IAMRA_TRUST_ANCHOR_ARN", TRUST_ANCHOR_ARN)
        .env("IAMRA_PROFILE_ARN", PROFILE_ARN)
        .env("IAMRA_ROLE_ARN", ROLE_ARN)
        .output()
        .expect("bash runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    stage.trust(&stage.ca_pem("scripted").await).await;

    let answer = stage.root().read("scripted/creds/demo").await.ok();

    assert_eq!(stage.caller(&answer).await.expect("AWS knows the session").arn, answer.string("arn"));
}
