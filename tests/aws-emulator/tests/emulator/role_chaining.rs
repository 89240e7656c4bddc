//! `sts:AssumeRole` by a session: into a second account, with what goes along, and what each side must allow.

use crate::two_accounts::{HUB, OTHER, TARGET, Two, allow, keys_of, trusting};
use crate::world::{ACTIONS, ANCHOR, management_keys, permitted, policy};
use serde_json::{Value, json};

const BOUND: &str = "arn:aws:iam::111122223333:policy/bound";

/// The target trusts the hub's account on this condition.
fn on_condition(condition: Value) -> impl FnOnce(&mut Value) {
    move |state| state["roles"][0]["trust_policy"] = trusting(&ACTIONS, &condition)
}

#[tokio::test]
async fn a_session_becomes_a_role_of_another_account_and_keeps_its_source_identity() {
    let two = Two::start().await;

    let answer = two.hop(&[]).await;

    let who = two.identity(keys_of(&answer)).await;
    assert_eq!(who.element("Arn"), "arn:aws:sts::444455556666:assumed-role/target/01ff");
    assert_eq!(who.element("Account"), OTHER);
    assert_eq!(answer.element("SourceIdentity"), "CN=payments");
    assert!((3595..=3600).contains(&crate::world::seconds_until(&answer.element("Expiration"))));
    let session = &two.target.sessions()[0];
    assert_eq!((session.source_identity.as_str(), session.tags.len()), ("CN=payments", 0));
    assert_eq!(two.hub.log_entry(&answer).await["outcome"], "issued");
}

#[tokio::test]
async fn a_hop_without_policies_and_tags_has_no_packed_size() {
    let answer = Two::start().await.hop(&[]).await;

    assert!(!answer.text().contains("PackedPolicySize"), "{}", answer.text());
}

#[tokio::test]
async fn a_trust_policy_that_lacks_an_action_of_the_hop_denies_that_action() {
    for (lacking, named) in [("sts:AssumeRole", ACTIONS[0]), ("sts:SetSourceIdentity", ACTIONS[2])] {
        let rest: Vec<&str> = ACTIONS.into_iter().filter(|action| *action != lacking).collect();
        let two = Two::start_with(
            |_| (),
            |state| state["roles"][0]["trust_policy"] = trusting(&rest, &Value::Null),
        )
        .await;

        let answer = two.hop(&[]).await;

        two.denies(&answer, named, "assume_role.denied").await;
    }
}

#[tokio::test]
async fn a_hub_that_may_not_do_an_action_of_the_hop_is_denied_that_action() {
    for lacking in [ACTIONS[0], ACTIONS[2]] {
        let rest: Vec<&str> = ACTIONS.into_iter().filter(|action| *action != lacking).collect();
        let two = Two::start_with(permitted(json!([allow(&rest, TARGET)])), |_| ()).await;

        let answer = two.hop(&[]).await;

        two.denies(&answer, lacking, "assume_role.caller_denied").await;
    }
}

#[tokio::test]
async fn a_hub_that_may_assume_another_role_is_denied_this_one() {
    let two =
        Two::start_with(permitted(json!([allow(&ACTIONS, "arn:aws:iam::444455556666:role/b")])), |_| ())
            .await;

    let answer = two.hop(&[]).await;

    two.denies(&answer, "sts:AssumeRole", "assume_role.caller_denied").await;
}

#[tokio::test]
async fn a_boundary_of_the_hub_that_denies_hops_but_for_this_one_lets_it_through() {
    let bounded = |except: &'static str| {
        move |state: &mut Value| {
            let deny = json!({ "Effect": "Deny", "Action": "sts:AssumeRole", "NotResource": except });
            let boundary = policy(json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }, deny]));
            state["roles"][0]["permissions_boundary"] = json!({ "arn": BOUND, "policy": boundary });
        }
    };
    let through = Two::start_with(bounded(TARGET), |_| ()).await.hop(&[]).await;
    let two = Two::start_with(bounded("arn:aws:iam::444455556666:role/b"), |_| ()).await;

    let answer = two.hop(&[]).await;

    assert_eq!(through.status, 200, "{}", through.text());
    two.denies(&answer, "sts:AssumeRole", "assume_role.explicit_deny").await;
    assert!(answer.element("Message").ends_with(" with an explicit deny in a permissions boundary"));
}

#[tokio::test]
async fn a_boundary_of_the_hub_that_is_silent_on_hops_denies_them() {
    let two = Two::start_with(
        |state| {
            let boundary = policy(json!([allow(&["s3:*"], "*")]));
            state["roles"][0]["permissions_boundary"] = json!({ "arn": BOUND, "policy": boundary });
        },
        |_| (),
    )
    .await;

    let answer = two.hop(&[]).await;

    two.denies(&answer, "sts:AssumeRole", "assume_role.caller_denied").await;
}

#[tokio::test]
async fn a_revoked_hub_makes_no_hop() {
    let two = Two::start().await;
    let keys = two.hub_session().await;
    let deny = json!({ "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:SourceIdentity": "CN=payments" } } });
    let parameters = [("RoleName", "demo"), ("PolicyName", "revoked")];
    let document = policy(json!([deny])).to_string();
    let put = [&parameters[..], &[("PolicyDocument", &document)]].concat();
    assert_eq!(two.hub.iam("PutRolePolicy", &put).await.status, 200);

    let answer = two.hop_as(keys, TARGET, &[]).await;

    two.denies(&answer, "sts:AssumeRole", "assume_role.explicit_deny").await;
    assert!(answer.element("Message").ends_with(" with an explicit deny in an identity-based policy"));
}

#[tokio::test]
async fn a_deny_of_the_trust_policy_is_told_as_one() {
    let denying = |state: &mut Value| {
        let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "aws:SourceIdentity": "CN=payments" } } });
        state["roles"][0]["trust_policy"]["Statement"].as_array_mut().unwrap().push(deny);
    };
    let two = Two::start_with(|_| (), denying).await;

    let answer = two.hop(&[]).await;

    two.denies(&answer, "sts:AssumeRole", "assume_role.explicit_deny").await;
    assert!(answer.element("Message").ends_with(" with an explicit deny in a resource-based policy"));
}

#[tokio::test]
async fn the_source_identity_of_a_hub_cannot_be_changed() {
    let two = Two::start().await;

    let answer = two.hop(&[("SourceIdentity", "CN=orders")]).await;

    two.refuses(&answer, 400, "ValidationError", "assume_role.source_identity_set").await;
    assert_eq!(answer.element("Message"), "The source identity is already set for this assume role session");
}

#[tokio::test]
async fn a_user_sets_a_source_identity_where_both_sides_let_it() {
    let two = Two::start().await;

    let answer = two.hop_as(management_keys(), TARGET, &[("SourceIdentity", "alice@example.org")]).await;

    assert_eq!(answer.element("SourceIdentity"), "alice@example.org");
    assert_eq!(two.target.sessions()[0].source_identity, "alice@example.org");
}

#[tokio::test]
async fn conditions_of_the_target_see_the_hub_and_the_hop() {
    let condition = json!({ "StringEquals": {
        "sts:ExternalId": "pool:42/a", "sts:SourceIdentity": "CN=payments", "aws:SourceIdentity": "CN=payments",
        "sts:RoleSessionName": "01ff", "aws:PrincipalAccount": "111122223333", "aws:PrincipalTag/x509Subject/CN": "payments",
    }, "ArnEquals": { "aws:PrincipalArn": HUB }, "Null": { "aws:SourceArn": "true", "aws:TagKeys": "true" } });
    let two = Two::start_with(|_| (), on_condition(condition)).await;

    let without = two.hop(&[]).await;
    let other = two.hop(&[("ExternalId", "pool")]).await;
    two.denies(&other, "sts:AssumeRole", "assume_role.denied").await;
    let with = two.hop(&[("ExternalId", "pool:42/a")]).await;

    assert_eq!((without.status, with.status), (403, 200), "{}", with.text());
}

#[tokio::test]
async fn a_permission_of_the_hub_may_ask_for_the_external_id() {
    let mut statement = allow(&ACTIONS, TARGET);
    statement["Condition"] = json!({ "StringEquals": { "sts:ExternalId": "pool" } });
    let two = Two::start_with(permitted(json!([statement])), |_| ()).await;

    let refused = two.hop(&[]).await;
    two.denies(&refused, "sts:AssumeRole", "assume_role.caller_denied").await;
    let granted = two.hop(&[("ExternalId", "pool")]).await;

    assert_eq!(granted.status, 200, "{}", granted.text());
}

#[tokio::test]
async fn a_chained_session_is_an_hour_at_most_whatever_the_role_allows() {
    let two = Two::start().await;

    let chained = two.hop(&[("DurationSeconds", "3601")]).await;
    two.refuses(&chained, 400, "ValidationError", "assume_role.chained_duration").await;
    let by_a_user = two.hop_as(management_keys(), TARGET, &[("DurationSeconds", "7200")]).await;

    let words =
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
    assert_eq!(chained.element("Message"), words);
    assert_eq!(by_a_user.status, 200, "{}", by_a_user.text());
}

#[tokio::test]
async fn a_role_that_is_in_no_account_here_is_denied_as_one_that_trusts_nobody() {
    for role in ["arn:aws:iam::777788889999:role/target", "arn:aws:iam::444455556666:role/target"] {
        let two = Two::start_with(permitted(json!([allow(&ACTIONS, "*")])), |_| ()).await;

        let answer = two.hop_as(two.hub_session().await, role, &[]).await;

        two.refuses(&answer, 403, "AccessDenied", "assume_role.denied").await;
        assert!(answer.element("Message").ends_with(&format!("sts:AssumeRole on resource: {role}")));
    }
}

#[tokio::test]
async fn what_is_out_of_the_apis_bounds_is_named() {
    let long = |length: usize| "x".repeat(length);
    let (id, name, policy) = (long(1225), long(65), long(2049));
    let two = Two::start().await;
    let cases = [
        ("ExternalId", "x", "externalId", "length greater than or equal to 2"),
        ("ExternalId", &id, "externalId", "length less than or equal to 1224"),
        ("ExternalId", "a b", "externalId", "expression pattern: [\\w+=,.@:\\/-]*"),
        ("RoleSessionName", "x", "roleSessionName", "length greater than or equal to 2"),
        ("RoleSessionName", &name, "roleSessionName", "length less than or equal to 64"),
        ("RoleSessionName", "a/b", "roleSessionName", "expression pattern: [\\w+=,.@-]*"),
        ("DurationSeconds", "899", "durationSeconds", "value greater than or equal to 900"),
        ("DurationSeconds", "43201", "durationSeconds", "value less than or equal to 43200"),
        ("Policy", &policy, "policy", "length less than or equal to 2048"),
        ("Policy", "{\u{2014}}", "policy", "expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"),
        ("SourceIdentity", "x", "sourceIdentity", "length greater than or equal to 2"),
    ];
    for (parameter, value, member, constraint) in cases {
        let answer = two.hop(&[(parameter, value)]).await;

        two.refuses(&answer, 400, "ValidationError", "assume_role.bounds").await;
        let message = answer.element("Message");
        assert!(message.contains(&format!("at '{member}' failed")), "{message}");
        assert!(message.contains(constraint), "{message}");
    }
}

#[tokio::test]
async fn an_arn_that_is_not_a_roles_is_not_valid() {
    let two = Two::start().await;

    let answer = two.hop_as(two.hub_session().await, "arn:aws:iam::444455556666:user/target", &[]).await;

    two.refuses(&answer, 400, "ValidationError", "assume_role.arn").await;
}

#[tokio::test]
async fn a_hop_outlives_the_hub_that_made_it() {
    let two = Two::start_with(|state| state["profiles"][0]["duration_seconds"] = json!(1), |_| ()).await;
    let hub = two.hub_session().await;
    let hop = keys_of(&two.hop_as(hub.clone(), TARGET, &[]).await);

    two.hub.put_knobs(json!({ "clock_offset_seconds": 2 })).await;
    let ended = two.identity(hub).await;
    let living = two.identity(hop).await;

    assert_eq!((ended.status, ended.element("Code")), (403, "ExpiredToken".to_owned()));
    assert_eq!(living.status, 200, "{}", living.text());
}

#[tokio::test]
async fn a_deny_of_the_source_identity_in_the_target_account_ends_a_hop() {
    let two = Two::start().await;
    let hop = keys_of(&two.hop(&[]).await);
    let deny = |identity: &str| {
        json!({ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {
            "StringEquals": { "aws:SourceIdentity": identity },
            "DateLessThan": { "aws:TokenIssueTime": "2999-01-01T00:00:00Z" } } })
    };

    two.deny_in_target(&deny("CN=orders"));
    let other = two.identity(hop.clone()).await;
    two.deny_in_target(&deny("CN=payments"));
    let denied = two.identity(hop).await;

    assert_eq!((other.status, denied.status), (200, 403), "{}", denied.text());
    assert!(denied.element("Message").ends_with("with an explicit deny in an identity-based policy"));
}

#[tokio::test]
async fn a_deny_of_what_was_issued_before_leaves_later_hops_alone() {
    let two = Two::start().await;
    let hop = keys_of(&two.hop(&[]).await);
    two.deny_in_target(&json!({ "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": { "DateLessThan": { "aws:TokenIssueTime": "2000-01-01T00:00:00Z" } } }));

    let answer = two.identity(hop).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_session_assumes_a_role_of_its_own_account_that_names_it_without_a_permission() {
    let named = |principal: &'static str| {
        move |state: &mut Value| {
            permitted(json!([allow(&["s3:GetObject"], "*")]))(state);
            let mut trust = trusting(&ACTIONS, &Value::Null);
            trust["Statement"][0]["Principal"] = json!({ "AWS": principal });
            state["roles"].as_array_mut().unwrap().push(json!({ "name": "next", "trust_policy": trust }));
        }
    };
    let next = "arn:aws:iam::111122223333:role/next";

    let by_role = Two::start_with(named(HUB), |_| ()).await;
    let granted = by_role.hop_as(by_role.hub_session().await, next, &[]).await;
    let by_account = Two::start_with(named("111122223333"), |_| ()).await;
    let denied = by_account.hop_as(by_account.hub_session().await, next, &[]).await;

    assert_eq!(granted.status, 200, "{}", granted.text());
    by_account.refuses(&denied, 403, "AccessDenied", "assume_role.caller_denied").await;
}

#[tokio::test]
async fn an_anchor_of_the_hub_is_not_the_source_of_a_hop() {
    let two =
        Two::start_with(|_| (), on_condition(json!({ "ArnEquals": { "aws:SourceArn": ANCHOR } }))).await;

    let answer = two.hop(&[]).await;

    two.denies(&answer, "sts:AssumeRole", "assume_role.denied").await;
}
