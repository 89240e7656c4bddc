//! Each way in which a client like ours is refused, provoked: the link is named, with a cure.
//!
//! The numbers are those of the list of negative cases of CreateSession that the emulator's rules name too. What is not here cannot
//! be met: the engine's certificates and signatures keep the rules (3 to 9, 35 to 51), and it sends no such parameters (25, 27,
//! 28, 53, 57).

use aws_emulator::{AnswerKind, Knobs};
use harness::{MANAGEMENT_PROFILE_ARN, PROFILE_ARN, TRUST_ANCHOR_ARN};
use lifecycle::{World, role_of};
use serde_json::{Value, json};

use super::{check, healthy, healthy_by_hand, text};

/// One refusal of AWS that a change of its state provokes.
struct Case {
    name: &'static str,
    provoke: fn(&mut Value),
    link: &'static str,
    cure: &'static str,
}

fn statement(state: &mut Value) -> &mut Value {
    &mut role_of(state, "demo")["trust_policy"]["Statement"][0]
}

fn without(state: &mut Value, action: &str) {
    statement(state)["Action"].as_array_mut().unwrap().retain(|known| known != action);
}

const CASES: &[Case] = &[
    Case {
        name: "15, an anchor that is not there",
        provoke: |state| state["trust_anchors"][0]["id"] = json!("00000000-0000-4000-8000-000000000000"),
        link: "07_trust_anchor",
        cure: "aws rolesanywhere list-trust-anchors",
    },
    Case {
        name: "31, an anchor that is disabled",
        provoke: |state| state["trust_anchors"][0]["enabled"] = json!(false),
        link: "07_trust_anchor",
        cure: "aws rolesanywhere enable-trust-anchor --region eu-central-1 --trust-anchor-id ",
    },
    Case {
        name: "16, a profile that is not there",
        provoke: |state| state["profiles"][0]["id"] = json!("00000000-0000-4000-8000-000000000000"),
        link: "08_profile",
        cure: "aws rolesanywhere list-profiles",
    },
    Case {
        name: "32, a profile that is disabled",
        provoke: |state| state["profiles"][0]["enabled"] = json!(false),
        link: "08_profile",
        cure: "aws rolesanywhere enable-profile --region eu-central-1 --profile-id ",
    },
    Case {
        name: "a profile without roles",
        provoke: |state| state["profiles"][0]["role_arns"] = json!([]),
        link: "08_profile",
        cure: "aws rolesanywhere",
    },
    Case {
        name: "17, a role that the profile does not list",
        provoke: |state| state["profiles"][0]["role_arns"] = json!(["arn:aws:iam::111122223333:role/other"]),
        link: "08_profile",
        cure: "arn:aws:iam::111122223333:role/demo; or name another profile: vault patch test/roles/demo",
    },
    Case {
        name: "18, no sts:SetSourceIdentity",
        provoke: |state| without(state, "sts:SetSourceIdentity"),
        link: "11_trust_policy",
        cure: "trust policy",
    },
    Case {
        name: "19, no sts:TagSession",
        provoke: |state| without(state, "sts:TagSession"),
        link: "11_trust_policy",
        cure: "trust policy",
    },
    Case {
        name: "20, a condition on another name",
        provoke: |state| {
            statement(state)["Condition"]["StringEquals"] = json!({ "aws:PrincipalTag/x509Subject/CN": "x" });
        },
        link: "11_trust_policy",
        cure: "change the role's trust policy",
    },
    Case {
        name: "21, a condition on another anchor",
        provoke: |state| {
            statement(state)["Condition"]["ArnEquals"]["aws:SourceArn"] =
                json!("arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/other");
        },
        link: "11_trust_policy",
        cure: "trust policy",
    },
    Case {
        name: "a role that is not there",
        provoke: |state| role_of(state, "demo")["name"] = json!("gone"),
        link: "11_trust_policy",
        cure: "aws iam",
    },
    Case {
        name: "24, longer than the role allows",
        provoke: |state| role_of(state, "demo")["max_session_duration"] = json!(1800),
        link: "14_duration",
        cure: "aws iam update-role --role-name demo --max-session-duration",
    },
    Case {
        name: "54, more policy and tags than fit",
        provoke: |state| {
            state["profiles"][0]["session_policy"] = {
                let buckets: Vec<String> = (0..200).map(|n| format!("arn:aws:s3:::bucket-{n}")).collect();
                json!({ "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Action": "s3:*", "Resource": buckets },
                ]})
            }
        },
        link: "16_session_tags",
        cure: "session policy",
    },
];

#[track_caller]
fn assert_blamed(case: &str, answer: &serde_json::Map<String, Value>, link: &str, cure: &str) {
    let broken: Vec<&str> = answer["broken"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(broken.iter().all(|name| [link, "12_create_session"].contains(name)), "{case}: {answer:#?}");
    assert!(broken.contains(&link), "{case}: {answer:#?}");
    let said = text(answer, link);
    let named = said.split_once(" — cure: ").map(|(_, named)| named);
    assert!(named.is_some_and(|named| named.contains(cure)), "{case}: {said}");
    if link != "12_create_session" {
        let session = text(answer, "12_create_session");
        assert!(session.ends_with(&format!("cure: see {link}")), "{case}: {session}");
    }
}

#[tokio::test]
async fn each_refusal_that_a_state_of_aws_provokes_is_named_where_the_engine_may_look() {
    for case in CASES {
        let world = healthy().await;
        world.change(case.provoke).await;

        let answer = check(&world).await;

        assert_blamed(case.name, &answer, case.link, case.cure);
    }
}

#[tokio::test]
async fn each_refusal_that_a_state_of_aws_provokes_is_named_by_its_text_alone() {
    for case in CASES {
        let world = healthy_by_hand().await;
        world.change(case.provoke).await;

        let answer = check(&world).await;

        assert_blamed(case.name, &answer, case.link, case.cure);
    }
}

#[tokio::test]
async fn case_1_an_anchor_that_holds_another_ca_is_named_with_what_to_put_there() {
    let foreign = World::by_hand().await.pem("ca/pem").await;
    // also where the engine looks after the anchor, which keeps it out too
    for world in [healthy().await, healthy_by_hand().await] {
        world.anchor_holds(&foreign).await;

        let answer = check(&world).await;

        assert_blamed("1", &answer, "07_trust_anchor", "vault read -format=raw test/trust-bundle");
    }
}

#[tokio::test]
async fn case_22_an_attribute_that_the_profile_does_not_map() {
    let worlds =
        [(healthy().await, "see 16_session_tags"), (healthy_by_hand().await, "vault read test/preview/demo")];
    for (world, cure) in worlds {
        let mapped = json!({ "x509Issuer": ["*"] });
        world.change(|state| state["profiles"][0]["attribute_mappings"] = mapped).await;

        let answer = check(&world).await;

        assert_blamed("22", &answer, "11_trust_policy", cure);
    }
}

#[tokio::test]
async fn case_14_a_name_that_the_profile_does_not_accept() {
    for world in [healthy().await, healthy_by_hand().await] {
        world.ok(world.mount.patch("roles/demo", json!({ "role_session_name": "web" })).await);

        let answer = check(&world).await;

        assert_blamed("14", &answer, "10_session_name", "--accept-role-session-name");
    }
}

#[tokio::test]
async fn case_10_a_clock_that_is_off_by_half_an_hour_and_case_34_by_years() {
    for seconds in [-1800, 1800, 20 * 365 * 86_400] {
        for world in [healthy().await, healthy_by_hand().await] {
            world.aws.set_knobs(Knobs { clock_offset_seconds: seconds, ..Knobs::default() });

            let answer = check(&world).await;

            assert_blamed("10", &answer, "06_clock", "set the clock");
            assert!(text(&answer, "06_clock").contains(" s "), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_two_minutes_is_a_warning() {
    let world = healthy().await;
    world.aws.set_knobs(Knobs { clock_offset_seconds: 120, ..Knobs::default() });

    let answer = check(&world).await;

    assert!(text(&answer, "06_clock").starts_with("warning: this host's clock is 1"), "{answer:?}");
    assert_eq!(answer["broken"], json!([]), "{answer:?}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_as_such_and_never_as_a_shorter_profile() {
    for (ahead, is_told) in [(-50, false), (50, false), (120, true)] {
        let world = healthy().await;
        world.aws.set_knobs(Knobs { clock_offset_seconds: ahead, ..Knobs::default() });

        let creds = world.creds("demo").await;
        let checked = check(&world).await;

        let said = creds.warnings.join("; ");
        assert_eq!(said.contains("this host's clock is 1"), is_told, "{ahead}: {said}");
        assert!(!said.contains("durationSeconds"), "{ahead}: {said}");
        assert!(text(&checked, "14_duration").starts_with("ok: "), "{ahead}: {checked:?}");
    }
}

#[tokio::test]
async fn a_shorter_profile_is_told_whatever_the_clock() {
    for ahead in [-50, 0, 120] {
        let world = healthy().await;
        world.change(|state| state["profiles"][0]["duration_seconds"] = json!(1800)).await;
        world.aws.set_knobs(Knobs { clock_offset_seconds: ahead, ..Knobs::default() });

        let said = world.creds("demo").await.warnings.join("; ");

        // the emulator's Date may be of the second after
        let is_shortened_to =
            |given| said.contains(&format!("AWS returned a session of {given} s instead of 3600 s"));
        assert!(is_shortened_to(1800) || is_shortened_to(1799), "{ahead}: {said}");
    }
}

#[tokio::test]
async fn case_23_a_tag_that_aws_leaves_out_and_a_policy_that_needs_it() {
    let world = healthy_by_hand().await;
    let root = json!({ "common_name": "Smith, Jones", "issuer_name": "second" });
    world.ok(world.mount.write("root/generate/internal", root).await);
    world.ok(world.mount.write("config/issuers", json!({ "default": "second" })).await);
    world.anchor_holds(&world.pem("ca/pem").await).await;
    world
        .change(|state| {
            statement(state)["Condition"]["StringEquals"] =
                json!({ "aws:PrincipalTag/x509Issuer/CN": "Smith, Jones" });
        })
        .await;

    let answer = check(&world).await;

    assert_blamed("23", &answer, "16_session_tags", "letters, digits");
    assert!(text(&answer, "16_session_tags").contains("failed to be mapped"), "{answer:?}");
}

#[tokio::test]
async fn case_29_arns_of_two_accounts_are_named_before_aws_is_asked() {
    let world = World::by_hand().await;
    let mut config = world.config();
    config["default_trust_anchor_arn"] = json!(TRUST_ANCHOR_ARN.replace("111122223333", "444455556666"));
    config["default_profile_arn"] = json!(PROFILE_ARN.replace("111122223333", "444455556666"));
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["04_account_and_region"]), "{answer:?}");
    let said = text(&answer, "04_account_and_region");
    assert!(said.contains("444455556666") && said.contains(" — cure: "), "{said}");
    assert_eq!(world.asked("CreateSession").await, 0);
}

#[tokio::test]
async fn a_role_that_the_config_does_not_allow_is_named_before_aws_is_asked() {
    let world = World::by_hand().await;
    let mut config = world.config();
    config["allowed_role_arns"] = json!(["arn:aws:iam::111122223333:role/other-*"]);
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["04_account_and_region"]), "{answer:?}");
    assert!(text(&answer, "04_account_and_region").contains("allowed_role_arns"), "{answer:?}");
    assert_eq!(world.asked("CreateSession").await, 0);
}

#[tokio::test]
async fn case_30_anchor_and_profile_of_a_region_that_has_them_not() {
    let world = healthy_by_hand().await;
    let mut config = world.config();
    config["default_trust_anchor_arn"] = json!(TRUST_ANCHOR_ARN.replace("eu-central-1", "eu-west-1"));
    config["default_profile_arn"] = json!(PROFILE_ARN.replace("eu-central-1", "eu-west-1"));
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    assert_blamed("30", &answer, "07_trust_anchor", "list-trust-anchors --region eu-west-1");
}

#[tokio::test]
async fn case_56_a_quota_that_is_used_up_is_told_as_such() {
    let world = healthy_by_hand().await;
    world.aws.set_knobs(Knobs { throttle_next: 20, ..Knobs::default() });

    let answer = check(&world).await;

    assert_blamed("56", &answer, "12_create_session", "rate_limit");
}

#[tokio::test]
async fn an_aws_that_fails_and_one_that_is_none_are_broken_at_the_endpoint() {
    for answer in [AnswerKind::Html, AnswerKind::Empty, AnswerKind::HalfJson, AnswerKind::ExpiredSession] {
        let world = healthy_by_hand().await;
        world.aws.set_knobs(Knobs { answer, ..Knobs::default() });

        let said = check(&world).await;

        assert_blamed("a bad answer", &said, "05_endpoint", "endpoint and proxy_url");
    }
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_named_and_nothing_is_asked_there() {
    let world = healthy_by_hand().await;
    let mut config = world.config();
    config["endpoint"] = json!("http://127.0.0.1:9");
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["05_endpoint"]), "{answer:?}");
    assert!(
        text(&answer, "05_endpoint").contains("cure: let Vault's nodes reach the endpoint"),
        "{answer:?}"
    );
    assert!(text(&answer, "12_create_session").starts_with("not checked: "), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_broken_at_the_endpoint() {
    let world = healthy_by_hand().await;
    let state = serde_json::from_value(world.state().await).unwrap();
    let tls = aws_emulator::Emulator::start(state, aws_emulator::Options { tls: true }).await;
    let mut config = world.config();
    config["endpoint"] = json!(tls.url());
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["05_endpoint"]), "{answer:?}");
    assert!(text(&answer, "05_endpoint").contains("endpoint_ca_pem"), "{answer:?}");
}

#[tokio::test]
async fn a_mount_without_a_ca_is_broken_at_the_first_link_with_the_command() {
    let world = World::by_hand().await;
    world.ok(world.mount.write("issuer/first", json!({ "disabled": true, "force": true })).await);

    let answer = check(&world).await;

    assert_eq!(answer["broken"], json!(["01_ca"]), "{answer:?}");
    assert!(text(&answer, "01_ca").contains("vault read test/rotation"), "{answer:?}");
}

#[tokio::test]
async fn a_misspelt_role_is_to_be_named_right_and_not_to_be_listed_in_the_profile() {
    let world = healthy().await;
    let misspelt = json!({ "role_arn": "arn:aws:iam::111122223333:role/dmeo" });
    world.ok(world.mount.patch("roles/demo", misspelt).await);

    let answer = check(&world).await;

    for link in ["08_profile", "12_create_session"] {
        let said = text(&answer, link);
        assert!(said.ends_with("cure: see 11_trust_policy"), "{link}: {said}");
    }
    let said = text(&answer, "11_trust_policy");
    assert!(said.contains("IAM has no role arn:aws:iam::111122223333:role/dmeo"), "{said}");
    assert!(said.ends_with("vault patch test/roles/demo role_arn=<arn>"), "{said}");
}

#[tokio::test]
async fn a_role_is_not_to_be_listed_in_the_profile_of_the_engines_own_sessions() {
    let world = healthy().await;
    let mut config = world.config();
    config["default_profile_arn"] = json!(MANAGEMENT_PROFILE_ARN);
    world.ok(world.mount.write("config", config).await);

    let answer = check(&world).await;

    let said = text(&answer, "08_profile");
    assert!(said.contains("for its own sessions (trust-anchors/main)"), "{said}");
    assert!(!said.contains("--role-arns"), "{said}");
}
