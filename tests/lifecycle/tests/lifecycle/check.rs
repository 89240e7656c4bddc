//! `check/:role`: each link of the way to a session is named when it breaks, with a cure.

mod above;
mod loops;
mod places;
mod refusals;

use aws_emulator::Knobs;
use harness::ROLE_ARN;
use lifecycle::{World, role_of};
use serde_json::{Map, Value, json};
use vault_backend::Entity;

/// The keys of the links, in order.
const LINKS: [&str; 16] = [
    "01_ca",
    "02_chain",
    "03_certificate",
    "04_account_and_region",
    "05_endpoint",
    "06_clock",
    "07_trust_anchor",
    "08_profile",
    "09_ca_above",
    "10_session_name",
    "11_trust_policy",
    "12_create_session",
    "13_identity",
    "14_duration",
    "15_source_identity",
    "16_session_tags",
];

/// Lets the IAM role ask for the certificate's name, as it should.
async fn tighten(world: &World) {
    world
        .change(|state| {
            role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"]["StringEquals"] =
                json!({ "aws:PrincipalTag/x509Subject/CN": "demo" });
        })
        .await;
}

/// A set-up with nothing to complain of.
async fn healthy() -> World {
    let world = World::new().await;
    tighten(&world).await;
    world
}

/// The same without roles of the engine's own at AWS.
async fn healthy_by_hand() -> World {
    let world = World::by_hand().await;
    tighten(&world).await;
    world
}

async fn check(world: &World) -> Map<String, Value> {
    world.ok(world.mount.read("check/demo").await)
}

#[track_caller]
fn text<'a>(answer: &'a Map<String, Value>, link: &str) -> &'a str {
    answer[link].as_str().unwrap_or_else(|| panic!("no {link} in {answer:?}"))
}

#[tokio::test]
async fn a_healthy_set_up_is_ok_in_every_link() {
    let world = healthy().await;

    let answer = check(&world).await;

    for link in LINKS {
        assert!(text(&answer, link).starts_with("ok: "), "{link}: {}", answer[link]);
    }
    assert_eq!(answer["summary"], "ok: 16 ok, 0 with a warning, 0 broken, 0 not checked");
    assert_eq!((&answer["broken"], &answer["warnings"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn without_a_check_role_what_create_session_shows_counts_and_the_rest_says_how() {
    let world = healthy_by_hand().await;

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!([]), "{answer:?}");
    assert!(text(&answer, "07_trust_anchor").contains("succeeded through this anchor"), "{answer:?}");
    assert!(text(&answer, "08_profile").starts_with("ok: "), "{answer:?}");
    assert!(text(&answer, "11_trust_policy").contains("vault write test/trust-anchors/"), "{answer:?}");
}

#[tokio::test]
async fn a_trust_policy_that_asks_nothing_of_the_certificate_is_warned_of() {
    let world = World::new().await;

    let answer = check(&world).await;

    assert_eq!(answer["warnings"], json!(["11_trust_policy"]), "{answer:?}");
    assert!(text(&answer, "11_trust_policy").contains("no condition tests the certificate"), "{answer:?}");
    assert!(text(&answer, "11_trust_policy").contains(" — cure: "), "{answer:?}");
}

#[tokio::test]
async fn a_condition_that_an_absent_tag_satisfies_is_warned_of() {
    for (operator, value) in [("StringEqualsIfExists", "demo"), ("StringNotEquals", "other")] {
        let world = World::new().await;
        world
            .change(|state| {
                role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"][operator] =
                    json!({ "aws:PrincipalTag/x509Subject/CN": value });
            })
            .await;

        let answer = check(&world).await;

        let said = text(&answer, "11_trust_policy");
        assert!(said.starts_with("warning: ") && said.contains(operator), "{said}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_no_other_proxy_advised() {
    let world = healthy().await;
    // the emulator is no proxy: to a request for a tunnel it says that there is no such operation
    let proxy = world.aws.url();
    let mut config = world.config();
    // as AWS is asked: of an http endpoint a proxy makes no tunnel
    config["endpoint"] = json!("https://127.0.0.1:1");
    config["proxy_url"] = json!(proxy);
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    let said = text(&answer, "05_endpoint");
    assert!(
        said.contains(&format!("the proxy {proxy} (proxy_url) refuses a tunnel to 127.0.0.1:")),
        "{said}"
    );
    assert!(
        said.contains("(404 Not Found)") && said.contains("ask the proxy's operator to allow the connection"),
        "{said}"
    );
    assert!(!said.contains("through a proxy"), "{said}");
}

#[tokio::test]
async fn a_session_that_the_profile_shortens_is_warned_of() {
    let world = healthy().await;
    world.change(|state| state["profiles"][0]["duration_seconds"] = json!(1800)).await;

    let answer = check(&world).await;

    let said = text(&answer, "14_duration");
    assert!(said.starts_with("warning: ") && said.contains("durationSeconds is 1800"), "{said}");
    assert!(said.contains("vault patch test/roles/demo session_duration=1800"), "{said}");
}

#[tokio::test]
async fn a_mapping_that_leaves_the_subject_out_is_warned_of() {
    let world = World::new().await;
    world
        .change(|state| {
            state["profiles"][0]["attribute_mappings"] = json!({ "x509Issuer": ["*"] });
        })
        .await;

    let answer = check(&world).await;

    let said = text(&answer, "16_session_tags");
    assert!(said.starts_with("warning: ") && said.contains("does not map x509Subject/CN"), "{said}");
}

#[tokio::test]
async fn a_mapping_of_what_the_shipped_template_maps_is_ok() {
    let world = healthy().await;
    let mapped = json!({ "x509Subject": ["CN", "O", "OU"], "x509SAN": ["URI"] });
    world.change(|state| state["profiles"][0]["attribute_mappings"] = mapped).await;

    let answer = check(&world).await;

    assert_eq!(text(&answer, "16_session_tags"), "ok: x509Subject/CN", "{answer:#?}");
}

#[tokio::test]
async fn tags_are_not_said_to_be_there_where_nobody_looked_at_the_mapping() {
    let world = healthy_by_hand().await;

    let answer = check(&world).await;

    let said = text(&answer, "16_session_tags");
    assert!(said.starts_with("not checked: ") && said.contains("x509Subject/CN"), "{said}");
}

#[tokio::test]
async fn a_condition_that_keeps_the_certificate_out_is_named_with_both_values() {
    let world = World::new().await;
    world
        .change(|state| {
            role_of(state, "demo")["trust_policy"]["Statement"][0]["Condition"]["StringEquals"] = json!({
                "aws:PrincipalTag/x509Subject/CN": "demoo", "aws:PrincipalTag/x509Subject/OU": "payments",
            });
        })
        .await;

    let answer = check(&world).await;

    let said = text(&answer, "11_trust_policy");
    assert!(said.contains("x509Subject/CN must be \"demoo\" but is \"demo\""), "{said}");
    assert!(said.contains("x509Subject/OU must be \"payments\" but is absent"), "{said}");
    assert_eq!(said.matches("update-assume-role-policy").count(), 1, "{said}");
}

#[tokio::test]
async fn an_anchor_that_keeps_the_engine_itself_out_is_to_be_mended_by_hand() {
    let world = healthy().await;
    let other = World::by_hand().await;
    world.anchor_holds(&other.pem("ca/pem").await).await;

    let answer = check(&world).await;

    let said = text(&answer, "07_trust_anchor");
    assert!(said.contains("test/trust-bundle > bundle.pem") && !said.contains("/sync"), "{said}");
}

#[tokio::test]
async fn a_role_that_names_a_disabled_issuer_is_to_name_another_one() {
    let world = healthy().await;
    let root = json!({ "common_name": "second root", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    world.ok(world.mount.write("roles/demo", json!({ "role_arn": ROLE_ARN, "issuer_ref": "second" })).await);
    world.ok(world.mount.write("issuer/second", json!({ "disabled": true, "force": true })).await);

    let answer = check(&world).await;

    let said = text(&answer, "01_ca");
    assert!(said.ends_with("cure: vault patch test/roles/demo issuer_ref=default"), "{said}");
}

#[tokio::test]
async fn what_was_mended_is_seen_at_once_and_a_check_spoils_no_read() {
    let world = healthy().await;
    world.change(|state| state["profiles"][0]["enabled"] = json!(false)).await;
    let broken = check(&world).await;
    world.change(|state| state["profiles"][0]["enabled"] = json!(true)).await;

    let mended = check(&world).await;
    let read = world.creds("demo").await;

    assert_eq!(broken["broken"], json!(["08_profile", "12_create_session"]), "{broken:?}");
    assert_eq!(mended["broken"], json!([]), "{mended:?}");
    assert_eq!(read.status, 200, "{read:?}");
}

#[tokio::test]
async fn each_check_asks_anew_although_a_session_is_kept() {
    let world = healthy_by_hand().await;
    let shared = json!({ "role_arn": ROLE_ARN, "session_sharing": "identity" });
    world.ok(world.mount.write("roles/demo", shared).await);
    world.ok(world.creds("demo").await);

    check(&world).await;
    check(&world).await;

    assert_eq!(world.asked("CreateSession").await, 3);
}

#[tokio::test]
async fn no_credentials_are_in_an_answer_good_or_bad() {
    let world = healthy().await;
    let good = check(&world).await;
    world.aws.set_knobs(Knobs { answer: aws_emulator::AnswerKind::HalfJson, ..Knobs::default() });
    let bad = check(&world).await;

    let sessions = world.aws.sessions();

    assert!(sessions.len() >= 2, "the engine's and the check's");
    for answer in [json!(good).to_string(), json!(bad).to_string()] {
        for session in &sessions {
            assert!(!answer.contains(&session.access_key_id), "{answer}");
        }
        assert!(!answer.contains("IQoJb3JpZ2luX2Vj") && !answer.contains("secret"), "{answer}");
    }
}

#[tokio::test]
async fn an_operator_checks_in_the_place_of_another_caller() {
    let world = World::new().await;
    let role = json!({ "role_arn": ROLE_ARN, "common_name": "{{identity.entity.name}}" });
    world.ok(world.mount.write("roles/demo", role).await);
    let entity = Entity { id: "entity-1".to_owned(), name: "payments".to_owned(), ..Entity::default() };
    world.mount.system.change(|fixed| fixed.entities.push(entity));

    let own = check(&world).await;
    let theirs = world.ok(world.mount.write("check/demo", json!({ "entity_id": "entity-1" })).await);

    let said = text(&own, "03_certificate");
    assert!(said.starts_with("broken: "), "{said}");
    assert!(said.contains("vault write test/check/demo entity_id="), "{said}");
    assert_eq!(theirs["15_source_identity"], "ok: CN=payments", "{theirs:?}");
}

#[tokio::test]
async fn an_entity_that_is_not_there_and_none_are_refused() {
    let world = healthy().await;
    for (body, words) in [
        (json!({ "entity_id": "nobody" }), "entity_id: Vault knows no entity \"nobody\""),
        (json!({ "entity_id": "" }), "entity_id: a value is required"),
        (json!({}), "entity_id: a value is required"),
    ] {
        let reply = world.mount.write("check/demo", body).await;

        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error.contains(words), "{}", reply.error);
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_is_refused() {
    let world = World::by_hand().await;

    let reply = world.mount.read("check/none").await;

    assert_eq!(reply.status, 400);
    assert!(reply.error.contains("there is no role \"none\""), "{}", reply.error);
}

#[tokio::test]
async fn a_permission_that_the_check_role_lacks_is_named() {
    for (action, link) in [
        ("rolesanywhere:GetTrustAnchor", "07_trust_anchor"),
        ("rolesanywhere:GetProfile", "08_profile"),
        ("iam:GetRole", "11_trust_policy"),
    ] {
        let world = healthy().await;
        world.forbid("iamra-check", action).await;
        world.change(|state| state["roles"][0]["max_session_duration"] = json!(3600)).await;
        world.ok(world.mount.patch("roles/demo", json!({ "role_session_name": "web" })).await);

        let answer = check(&world).await;

        let said = text(&answer, link);
        assert!(said.starts_with("not checked: ") && said.contains(action), "{link}: {said}");
    }
}

#[tokio::test]
async fn a_session_that_sts_denies_is_broken_at_its_identity() {
    let world = healthy().await;
    let deny = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Deny", "Action": "*", "Resource": "*" },
    ]});
    world.put_policy("demo", "locked", deny).await;

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["13_identity"]), "{answer:?}");
    let said = text(&answer, "13_identity");
    assert!(said.contains("policy of the VPC endpoint"), "{said}");
}

#[tokio::test]
async fn without_a_look_at_the_profile_a_shorter_session_is_told_in_whole_minutes() {
    let world = healthy_by_hand().await;
    world.change(|state| state["profiles"][0]["duration_seconds"] = json!(1800)).await;

    let answer = check(&world).await;

    let said = text(&answer, "14_duration");
    assert!(said.ends_with("vault patch test/roles/demo session_duration=1800"), "{said}");
}

#[tokio::test]
async fn a_strict_check_fails_where_a_link_is_broken_and_says_which() {
    let world = healthy().await;
    let strict = json!({ "strict": true });
    let well = world.mount.read_with("check/demo", strict.clone()).await;
    world.change(|state| state["profiles"][0]["enabled"] = json!(false)).await;

    let broken = world.mount.read_with("check/demo", strict).await;

    assert_eq!(well.status, 200, "{well:?}");
    assert_eq!(broken.status, 400, "{broken:?}");
    assert!(
        broken.error.contains("08_profile: broken: ") && broken.error.contains("enable-profile"),
        "{broken:?}"
    );
}
