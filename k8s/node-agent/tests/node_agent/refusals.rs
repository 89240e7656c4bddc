//! Each refusal of Vault and of the engine, as a pod reads it.

use serde_json::json;

use crate::client::{pod, token, token_that_ends};
use crate::fake_vault::{Asked, Said, logged_in, now};
use crate::world::World;

/// A world whose Vault says this to a login.
async fn on_login(said: Said) -> World {
    let world = World::new().await;
    world.vault.answers(move |_| Some(said.clone()));
    world
}

/// A world whose Vault says this to a read, after a login that it grants.
async fn on_read(said: Said) -> World {
    let world = World::new().await;
    world.vault.answers(move |asked| Some(read_or_login(asked, &said)));
    world
}

fn read_or_login(asked: &Asked, said: &Said) -> Said {
    if asked.path.ends_with("/login") { logged_in(&asked.account) } else { said.clone() }
}

#[tokio::test]
async fn a_pod_gets_the_session_of_its_own_role() {
    let world = World::new().await;

    let answered = world.ask("payments", "api").await.ok();

    assert_eq!(answered.body["AccountId"], "111122223333");
    assert_eq!(answered.header("content-type"), Some("application/json"));
    assert_eq!(answered.header("cache-control"), Some("no-store"));
    assert_eq!(answered.header("connection"), Some("close"));
    assert_eq!(world.vault.reads(), ["iamra/container/payments.api"]);
    let login = &world.vault.log()[0];
    assert_eq!((login.path.as_str(), &login.body["role"]), ("auth/kubernetes/login", &json!("associations")));
}

#[tokio::test]
async fn a_service_account_without_a_role_is_told_the_command_that_makes_one() {
    let world = on_read(Said::refusal(400, "RoleNotFound", "role: there is no role \"payments.web\"")).await;

    let (code, message) = world.ask("payments", "web").await.refused(400);

    assert_eq!(code, "RoleNotFound");
    assert_eq!(
        message,
        "service account payments/web has no engine role payments.web: vault write iamra/roles/payments.web role_arn=<arn> \
         subject=kubernetes"
    );
}

#[tokio::test]
async fn where_the_engine_has_no_role_of_a_pod_the_fallback_is_read_and_named_if_it_is_missing_too() {
    let world = World::with(&["--fallback-role", "prod-pods"]).await;
    let no_role = Said::refusal(400, "RoleNotFound", "role: there is no role");
    let missing = no_role.clone();
    world.vault.answers(move |asked| {
        let is_fallback = asked.path.ends_with("/prod-pods");
        let session = Said::session("fallback", 1, now() + time::Duration::hours(1));
        Some(if is_fallback { session } else { read_or_login(asked, &missing) })
    });
    let served = world.ask("payments", "web").await.ok();
    world.vault.answers(move |asked| Some(read_or_login(asked, &no_role)));
    let (code, message) = world.ask("payments", "other").await.refused(400);

    assert_eq!(served.access_key_id(), "ASIA1fallback");
    assert_eq!(code, "RoleNotFound");
    assert!(
        message.contains("no engine role payments.other")
            && message.contains("by the fallback role prod-pods: "),
        "{message}"
    );
    let reads = world.vault.reads();
    assert_eq!(&reads[..2], ["iamra/container/payments.web", "iamra/container/prod-pods"]);
    assert_eq!(world.vault.logins(), 2);
}

#[tokio::test]
async fn another_accounts_role_in_the_path_is_refused_by_the_policy() {
    let world = World::with(&["--fallback-role", "prod-pods"]).await;

    let answered = world.ask_at("/v1/credentials/payments.api", &token("payments", "web"), pod(1)).await;

    let (code, message) = answered.refused(403);
    assert_eq!(code, "PolicyDenied");
    assert!(
        message.contains("do not let service account payments/web read iamra/container/payments.api"),
        "{message}"
    );
    assert_eq!(world.vault.reads(), ["iamra/container/payments.api"]);
}

#[tokio::test]
async fn one_token_never_gets_what_another_role_or_token_was_answered() {
    let world = World::new().await;
    let (api, web) = (token("payments", "api"), token("payments", "web"));
    let first = world.ask_with(&api, pod(1)).await.ok();

    let second = world.ask_with(&web, pod(1)).await.ok();
    let (code, _) = world.ask_at("/v1/credentials/payments.web", &api, pod(1)).await.refused(403);

    assert!(
        first.access_key_id().ends_with("payments.api") && second.access_key_id().ends_with("payments.web")
    );
    assert_eq!(code, "PolicyDenied");
}

#[tokio::test]
async fn a_login_that_vault_refuses_is_told_by_its_reason() {
    let no_role = r#"invalid role name "associations""#;
    let audience = "1 error occurred:\n\t* invalid audience (aud) claim: audience claim does not match any expected audience\n\n";
    for (said, status, code, words) in [
        (Said::error(400, no_role), 403, "AuthRoleNotFound", "setup.sh --cluster <name> --associations"),
        (
            Said::error(403, audience),
            403,
            "LoginRefused",
            "the token is for \"iamra\": give the projected volume the audience",
        ),
        (
            Said::error(403, "1 error occurred:\n\t* namespace not authorized\n\n"),
            403,
            "LoginRefused",
            "namespace not authorized",
        ),
        (Said::error(403, "permission denied"), 403, "LoginRefused", "Kubernetes did not confirm the token"),
        (
            Said::error(404, "no handler for route \"auth/kubernetes/login\". route entry not found."),
            403,
            "NoAuthMethod",
            "vault auth list",
        ),
        (
            Said::error(500, "could not load backend configuration"),
            503,
            "VaultFailed",
            "could not load backend configuration",
        ),
        (
            Said::error(429, "request path \"auth/kubernetes/login\": rate limit quota exceeded"),
            503,
            "VaultThrottled",
            "quota",
        ),
    ] {
        let (found, message) = on_login(said).await.ask("payments", "api").await.refused(status);

        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_token_that_has_ended_is_told_as_such_but_vault_decides() {
    let world = on_login(Said::error(403, "permission denied")).await;
    let ended = token_that_ends("payments", "api", time::macros::datetime!(2026-01-02 12:00 UTC));

    let (code, message) = world.ask_with(&ended, pod(1)).await.refused(403);

    assert_eq!(code, "LoginRefused");
    assert!(message.contains("its token ended at 2026-01-02T12:00:00Z"), "{message}");
    assert_eq!(world.vault.logins(), 1);
}

#[tokio::test]
async fn a_read_that_vault_refuses_is_told_by_its_reason() {
    for (said, status, code, words) in [
        (
            Said::error(403, "1 error occurred:\n\t* permission denied\n\n"),
            403,
            "PolicyDenied",
            "Vault's policies do not let",
        ),
        (Said::error(404, "no handler for route"), 404, "NoEngine", "IAMRA_MOUNT"),
        (Said::error(400, "missing client token"), 400, "VaultRefused", "missing client token"),
    ] {
        let (found, message) = on_read(said).await.ask("payments", "api").await.refused(status);

        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn the_engines_own_refusals_pass_through_with_whether_a_retry_helps() {
    for (status, code, retry_after) in [
        (400, "AccessDeniedException", None),
        (400, "NotConfigured", None),
        (503, "ThrottlingException", Some("1")),
        (503, "SessionRevoked", Some("1")),
        (500, "InternalError", Some("1")),
    ] {
        let world = on_read(Said::refusal(status, code, "as the engine says it")).await;

        let answered = world.ask("payments", "api").await;

        assert_eq!(answered.header("retry-after"), retry_after, "{code}");
        assert_eq!(answered.refused(status), (code.to_owned(), "as the engine says it".to_owned()));
    }
}

#[tokio::test]
async fn a_refusal_is_repeated_without_asking_vault_again() {
    let world = on_login(Said::error(403, "permission denied")).await;

    for _ in 0..5 {
        world.ask_with(&token("payments", "api"), pod(1)).await.refused(403);
    }

    // tokens made in two seconds differ
    assert!(world.vault.logins() <= 2, "{}", world.vault.logins());
}

#[tokio::test]
async fn the_namespace_of_vault_the_mounts_and_the_pattern_are_the_operators() {
    let arguments = [
        "--vault-namespace",
        "team",
        "--auth-mount",
        "k8s/prod",
        "--auth-role",
        "pods",
        "--mount",
        "aws/ra",
        "--role-pattern",
        "p-{namespace}.{service_account}",
    ];
    let world = World::with(&arguments).await;

    let _refused = world.ask("payments", "api").await;

    let log = world.vault.log();
    let asked: Vec<_> = log.iter().map(|asked| (asked.path.as_str(), asked.namespace.as_deref())).collect();
    assert_eq!(
        asked,
        [("auth/k8s/prod/login", Some("team")), ("aws/ra/container/p-payments.api", Some("team"))]
    );
    assert_eq!(log[0].body["role"], "pods");
}
