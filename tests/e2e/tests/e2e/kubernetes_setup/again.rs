//! The script over the objects of an earlier run, or of a person.

use harness::{Api, PROFILE_ARN, TRUST_ANCHOR_ARN};
use serde_json::json;

use super::{NAME, WRITTEN, all, plainly, run, set_up};

#[tokio::test]
async fn a_second_run_writes_the_same_again() {
    let stage = set_up(&["payments/api"]).await;
    let before = all(stage.root(), &WRITTEN).await;

    let _ = run(&stage.vault, &["payments/api"]).await.ok();

    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

/// The fields that operators set by hand, as docs/kubernetes.md and the engine's own cures advise.
async fn tuned_by_hand(root: &Api) {
    let role = json!({
        "lease": "static", "trust_anchor_arn": TRUST_ANCHOR_ARN, "profile_arn": PROFILE_ARN, "role_session_name": "payments.api",
        "key_type": "ec-p384", "certificate_ttl": "20m", "session_duration": 7200, "session_sharing": "none",
        "dns_sans": "api.example.com",
    });
    let _ = root.patch(WRITTEN[0], role).await.ok();
    let rules = root.read(WRITTEN[1]).await.ok().string("policy").to_owned();
    let rules = format!("{rules}\npath \"secret/api\" {{\n  capabilities = [\"read\"]\n}}");
    let _ = root.write(WRITTEN[1], json!({ "policy": rules })).await.ok();
    let login = json!({
        "token_policies": [NAME, "more"], "token_ttl": 600, "token_bound_cidrs": "10.0.0.0/8",
        "alias_name_source": "serviceaccount_name", "bound_service_account_namespace_selector": r#"{"matchLabels":{"team":"a"}}"#,
    });
    let _ = root.write(WRITTEN[2], login).await.ok();
}

#[tokio::test]
async fn a_second_run_takes_nothing_back_that_it_does_not_name() {
    let stage = set_up(&["payments/api"]).await;
    tuned_by_hand(stage.root()).await;
    let before = all(stage.root(), &WRITTEN).await;

    let _ = plainly(&stage.vault, &["payments/api"]).await.ok();
    let _ = run(&stage.vault, &["payments/api"]).await.ok();

    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

/// The vault command reads a file in place of such a value.
#[tokio::test]
async fn a_value_that_begins_with_an_at_sign_stays_that_value() {
    const AT: &str = "@/etc/hostname";
    let stage = set_up(&["--audience", AT, "payments/api"]).await;
    let root = stage.root();
    let login = root.read("auth/kubernetes/config").await.ok();
    let login = json!({ "kubernetes_host": login.string("kubernetes_host"), "issuer": AT,
        "kubernetes_ca_cert": login.string("kubernetes_ca_cert"), "disable_local_ca_jwt": true });
    let _ = root.write("auth/kubernetes/config", login).await.ok();

    let args =
        ["--kubernetes-host", "https://127.0.0.1:7443", "--role-session-name", "@payments", "payments/api"];
    let _ = plainly(&stage.vault, &args).await.ok();

    assert_eq!(root.read(WRITTEN[2]).await.ok().string("audience"), AT);
    assert_eq!(root.read("auth/kubernetes/config").await.ok().string("issuer"), AT);
    assert_eq!(root.read(WRITTEN[0]).await.ok().string("role_session_name"), "@payments");
}

#[tokio::test]
async fn an_option_changes_what_it_names_and_nothing_else() {
    let stage = set_up(&["payments/api"]).await;
    tuned_by_hand(stage.root()).await;
    let mut expected = all(stage.root(), &WRITTEN).await;
    let arn = "arn:aws:iam::111122223333:role/other";

    let args = ["--certificate-ttl", "15m", "--audience", "elsewhere", &format!("payments/api={arn}")];
    let _ = plainly(&stage.vault, &args).await.ok();

    (expected[0]["certificate_ttl"], expected[0]["role_arn"]) = (json!(900), json!(arn));
    expected[2]["audience"] = json!("elsewhere");
    assert_eq!(all(stage.root(), &WRITTEN).await, expected);
}

#[tokio::test]
async fn each_field_of_a_role_has_its_option_and_default_takes_it_out() {
    let stage = set_up(&["payments/api"]).await;
    let fields = [
        ("profile_arn", PROFILE_ARN),
        ("trust_anchor_arn", TRUST_ANCHOR_ARN),
        ("role_session_name", "payments.api"),
        ("lease", "static"),
        ("key_type", "rsa-2048"),
    ];
    let options: Vec<_> = fields.iter().map(|(field, _)| format!("--{}", field.replace('_', "-"))).collect();
    let given: Vec<&str> =
        options.iter().zip(fields).flat_map(|(option, (_, value))| [option.as_str(), value]).collect();
    let default: Vec<&str> = options.iter().flat_map(|option| [option.as_str(), "default"]).collect();
    let before = all(stage.root(), &WRITTEN).await;

    let _ = plainly(&stage.vault, &[&given[..], &["payments/api"]].concat()).await.ok();
    let role = stage.root().read(WRITTEN[0]).await.ok();
    let _ = plainly(&stage.vault, &[&default[..], &["payments/api"]].concat()).await.ok();

    for (field, value) in fields {
        assert_eq!(role.data()[field], value, "{field}");
    }
    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

#[tokio::test]
async fn a_way_over_a_policy_that_was_changed_by_hand_is_refused() {
    let stage = set_up(&["payments/api"]).await;
    tuned_by_hand(stage.root()).await;
    let before = all(stage.root(), &WRITTEN).await;

    let refused = plainly(&stage.vault, &["--way", "container", "--lease", "leased", "payments/api"]).await;

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("vault policy delete payments-api"), "{}", refused.stderr);
    assert_eq!(all(stage.root(), &WRITTEN).await, before);
}

#[tokio::test]
async fn a_policy_keeps_its_way_until_another_is_asked_for() {
    let stage = set_up(&["--way", "container", "payments/api"]).await;
    let policy = async || stage.root().read(WRITTEN[1]).await.ok().string("policy").to_owned();
    let given = policy().await;

    let _ = plainly(&stage.vault, &["payments/api"]).await.ok();
    let kept = policy().await;
    let _ = plainly(&stage.vault, &["--way", "file", "payments/api"]).await.ok();

    assert_eq!(kept, given);
    assert!(policy().await.contains("iamra/creds/payments-api"));
    assert!(!policy().await.contains("container"));
}
