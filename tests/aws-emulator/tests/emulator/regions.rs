//! One account in several regions: what is of a region, what is of the account, and regions that are unwell.

use crate::client::{Answer, Call, Keys, Prepared, SignedCall, escape};
use crate::two_accounts::{TARGET, Two, keys_of};
use crate::world::{
    ACTIONS, ANCHOR, ANCHOR_ID, PROFILE, PROFILE_ID, ROLE, ROOT, World, default_state, management_keys,
};
use crate::world::{policy, trust_policy};
use aws_emulator::State;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const HOME: &str = "eu-central-1";
pub(crate) const WEST: &str = "eu-west-1";

/// The same resource in the west.
fn in_the_west(arn: &str) -> String {
    arn.replace(HOME, WEST)
}

/// The account has the same anchor and profile in the west.
pub(crate) fn two_regions(state: &mut Value) {
    let front = state.clone();
    state["regions"] =
        json!({ WEST: { "trust_anchors": front["trust_anchors"], "profiles": front["profiles"] } });
}

async fn world() -> World {
    World::start_with(two_regions).await
}

async fn world_with(knobs: Value) -> World {
    let world = world().await;
    world.put_knobs(knobs).await;
    world
}

/// A correct `CreateSession` in this region.
fn call(world: &World, region: &'static str) -> Call {
    let there = |arn: &str| arn.replace(HOME, region);
    let call = world.call(&ROOT.device("payments")).set("trustAnchorArn", there(ANCHOR));
    call.set("profileArn", there(PROFILE)).but(|call| call.region = region)
}

fn signed(world: &World, region: &'static str) -> Prepared {
    call(world, region).sign()
}

fn sts(world: &World, region: &'static str, keys: Keys) -> SignedCall {
    SignedCall { region, ..world.caller_identity(keys) }
}

fn management(world: &World, region: &'static str, method: Method, path: &str, body: &Value) -> SignedCall {
    let mut call = SignedCall::management(world.client.clone(), &world.url(), management_keys());
    call.region = region;
    call.method = method;
    path.clone_into(&mut call.path);
    call.body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    call
}

async fn assert_rule(world: &World, answer: &Answer, rule: &str) {
    assert_eq!(world.log_entry(answer).await["rule"], rule, "{}", answer.text());
}

#[tokio::test]
async fn a_session_is_made_in_each_region_and_is_valid_in_all() {
    let world = world().await;

    for made in [HOME, WEST] {
        let session = call(&world, made).send().await.session();
        let shown = world.session_page(&session).await;
        assert_eq!(
            (&shown["region"], shown["subject_arn"].as_str().unwrap().contains(made)),
            (&json!(made), true)
        );
        for asked in [HOME, WEST] {
            let answer = sts(&world, asked, Keys::from(&session)).send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(world.log_entry(&answer).await["region"], asked);
        }
    }
}

#[tokio::test]
async fn anchor_and_profile_are_of_the_region_that_is_asked() {
    let world = world().await;

    let anchor = call(&world, WEST).set("trustAnchorArn", ANCHOR).send().await;
    let profile = call(&world, WEST).set("profileArn", PROFILE).send().await;
    let home = call(&world, HOME).set("trustAnchorArn", in_the_west(ANCHOR)).send().await;
    let nowhere = call(&world, "eu-north-1").send().await;

    for (answer, rule) in [(&anchor, "anchor.region"), (&profile, "profile.region"), (&home, "anchor.region")]
    {
        assert_rule(&world, answer, rule).await;
    }
    assert_eq!(nowhere.status, 403, "{}", nowhere.text());
}

#[tokio::test]
async fn a_trust_policy_admits_the_anchors_that_it_names_region_by_region() {
    let on = |arns: Value| {
        move |state: &mut Value| {
            two_regions(state);
            let condition = json!({ "ArnEquals": { "aws:SourceArn": arns } });
            state["roles"][0]["trust_policy"] = trust_policy(&ACTIONS, &condition);
        }
    };
    let one = World::start_with(on(json!(ANCHOR))).await;
    let both = World::start_with(on(json!([ANCHOR, in_the_west(ANCHOR)]))).await;

    let refused = call(&one, WEST).send().await;
    let statuses = [call(&both, HOME).send().await.status, call(&both, WEST).send().await.status];

    assert_eq!(call(&one, HOME).send().await.status, 201);
    assert_rule(&one, &refused, "role.trust_policy_condition").await;
    assert_eq!(statuses, [201, 201]);
}

#[tokio::test]
async fn the_management_api_sees_and_changes_its_own_region() {
    let world = world().await;
    let path = format!("/trustanchor/{ANCHOR_ID}/disable");

    let disabled = management(&world, WEST, Method::POST, &path, &Value::Null).send().await;
    let made = json!({ "name": "second", "roleArns": [ROLE], "enabled": true });
    let created = management(&world, WEST, Method::POST, "/profiles", &made).send().await;
    let here = management(&world, HOME, Method::GET, "/profiles", &Value::Null).send().await;
    let there = management(&world, WEST, Method::GET, "/profiles", &Value::Null).send().await;

    assert_eq!(disabled.json()["trustAnchor"]["trustAnchorArn"], in_the_west(ANCHOR), "{}", disabled.text());
    assert_eq!(created.status, 201, "{}", created.text());
    let counts = [&here, &there].map(|answer| answer.json()["profiles"].as_array().unwrap().len());
    assert_eq!(counts, [1, 2]);
    assert_eq!([call(&world, HOME).send().await.status, call(&world, WEST).send().await.status], [201, 403]);
    let state = world.emulator().state();
    assert_eq!(
        (state.region.as_str(), state.profiles.len(), state.regions[WEST].profiles.len()),
        (HOME, 1, 2)
    );
    assert!(state.trust_anchors[0].enabled && !state.regions[WEST].trust_anchors[0].enabled);
}

#[tokio::test]
async fn a_role_is_the_same_in_all_regions() {
    let world = world().await;
    let sessions = [call(&world, HOME).send().await.session(), call(&world, WEST).send().await.session()];
    let deny = json!([{ "Effect": "Deny", "Action": "*", "Resource": "*" }]);
    let document = policy(deny).to_string();
    let put = [("RoleName", "demo"), ("PolicyName", "revoked"), ("PolicyDocument", document.as_str())];

    assert_eq!(world.iam("PutRolePolicy", &put).await.status, 200);

    for (session, region) in sessions.iter().zip([WEST, HOME]) {
        assert_eq!(sts(&world, region, Keys::from(session)).send().await.status, 403);
    }
}

#[tokio::test]
async fn each_region_has_its_own_quota() {
    let world = world_with(json!({ "max_tps": 1 })).await;

    let mut statuses = Vec::new();
    for region in [HOME, WEST, HOME, WEST] {
        statuses.push(signed(&world, region).send().await.status);
    }

    assert_eq!(statuses, [201, 201, 429, 429]);
}

#[tokio::test]
async fn a_region_may_have_another_quota() {
    let world = world_with(json!({ "max_tps": 100, "regions": { WEST: { "max_tps": 1 } } })).await;

    let mut statuses = Vec::new();
    for region in [HOME, WEST, HOME, WEST] {
        statuses.push(signed(&world, region).send().await.status);
    }

    assert_eq!(statuses, [201, 201, 201, 429]);
}

#[tokio::test]
async fn a_dead_region_closes_connections_and_the_other_one_answers() {
    let world = world_with(json!({ "regions": { WEST: { "dead": true } } })).await;
    let session = Keys::from(&call(&world, HOME).send().await.session());

    let dead = signed(&world, WEST).try_send().await;
    let sts_dead = sts(&world, WEST, session.clone()).try_send().await;

    assert!(dead.is_err() && sts_dead.is_err(), "{dead:?} {sts_dead:?}");
    assert_eq!(sts(&world, HOME, session).send().await.status, 200);
    let log = world.admin("log").await;
    assert_eq!((&log[1]["outcome"], &log[1]["region"]), (&json!("dropped"), &json!(WEST)), "{log:#}");
}

#[tokio::test]
async fn a_region_that_comes_back_makes_sessions_again() {
    let world = world_with(json!({ "regions": { WEST: { "dead": true } } })).await;
    assert!(signed(&world, WEST).try_send().await.is_err());

    world.put_knobs(json!({})).await;

    assert_eq!(signed(&world, WEST).send().await.status, 201);
}

/// `CreateSession`, a call of the management API, of STS and of ECR in the west.
async fn answers(world: &World) -> [Answer; 4] {
    let mut ecr = SignedCall::authorization_token(world.client.clone(), &world.url(), management_keys());
    ecr.region = WEST;
    [
        signed(world, WEST).send().await,
        management(world, WEST, Method::GET, "/trustanchors", &Value::Null).send().await,
        sts(world, WEST, management_keys()).send().await,
        ecr.send().await,
    ]
}

#[tokio::test]
async fn a_region_that_fails_does_so_with_its_status() {
    let world = world_with(json!({ "regions": { WEST: { "failing": 500 } } })).await;

    let answers = answers(&world).await;

    for (answer, rule) in
        answers.iter().zip(["unavailable", "unavailable", "sts.unavailable", "ecr.unavailable"])
    {
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert_rule(&world, answer, rule).await;
    }
    assert_eq!(signed(&world, HOME).send().await.status, 201);
}

#[tokio::test]
async fn a_region_that_throttles_says_so_in_each_services_words() {
    let world = world_with(json!({ "regions": { WEST: { "throttled": true } } })).await;

    let [session, anchors, sts, ecr] = answers(&world).await;

    assert_eq!((session.status, session.error_type()), (429, "ThrottlingException"));
    assert_eq!((anchors.status, anchors.error_type()), (429, "ThrottlingException"));
    assert_eq!((sts.status, sts.element("Code")), (400, "Throttling".to_owned()));
    assert_eq!(ecr.status, 400, "{}", ecr.text());
    assert_rule(&world, &sts, "sts.throttled").await;
    assert_eq!(world.log_entry(&session).await["outcome"], "throttled");
}

#[tokio::test]
async fn a_region_that_is_not_enabled_knows_no_key() {
    let world = world_with(json!({ "regions": { WEST: { "not_enabled": true } } })).await;

    let [session, anchors, sts, ecr] = answers(&world).await;

    for (answer, rule) in [
        (&session, "region.not_enabled"),
        (&anchors, "region.not_enabled"),
        (&sts, "region.not_enabled_sts"),
        (&ecr, "region.not_enabled_ecr"),
    ] {
        assert_rule(&world, answer, rule).await;
        assert!(answer.text().contains("The security token included in the request is invalid."));
    }
    assert_eq!((anchors.status, anchors.error_type()), (403, "UnrecognizedClientException"));
    assert_eq!((sts.status, sts.element("Code")), (403, "InvalidClientTokenId".to_owned()));
}

#[tokio::test]
async fn a_slow_region_is_slow_alone() {
    let world = world_with(json!({ "regions": { WEST: { "latency_ms": 400 } } })).await;
    let start = Instant::now();
    assert_eq!(signed(&world, WEST).send().await.status, 201);
    let slow = start.elapsed();
    let start = Instant::now();
    assert_eq!(signed(&world, HOME).send().await.status, 201);

    assert!(slow >= Duration::from_millis(400) && start.elapsed() < slow, "{slow:?}");
}

#[tokio::test]
async fn a_region_may_have_another_time() {
    let world = world_with(json!({ "regions": { WEST: { "clock_offset_seconds": 400 } } })).await;

    let here = signed(&world, HOME).send().await;
    let there = signed(&world, WEST).send().await;
    let then = crate::clock::now() + time::Duration::seconds(400);
    let later = call(&world, WEST).signed_at(then).send().await;

    assert_eq!([here.status, later.status], [201, 201], "{}", later.text());
    assert_rule(&world, &there, "signature.clock").await;
    assert!(crate::world::seconds_until(&later.session().expiration) > 3900);
}

#[tokio::test]
async fn iam_stands_in_no_region() {
    let world =
        world_with(json!({ "regions": { "us-east-1": { "dead": true }, WEST: { "dead": true } } })).await;

    let answer = world.iam("GetRole", &[("RoleName", "demo")]).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn an_address_of_one_region_takes_calls_of_that_region_alone() {
    let mut world = world().await;
    let west = world.open(WEST);
    let at = |call: Call| call.but(|call| call.url.clone_from(&west));

    let own = at(call(&world, WEST)).send().await;
    let foreign = at(call(&world, HOME)).send().await;
    let home = SignedCall { url: west.clone(), ..sts(&world, HOME, management_keys()) }.send().await;
    world.put_knobs(json!({ "regions": { WEST: { "dead": true } } })).await;
    let dead = at(call(&world, HOME)).sign().try_send().await;

    assert_eq!(own.session().subject_arn.split(':').nth(3), Some(WEST));
    assert_rule(&world, &foreign, "anchor.region").await;
    assert_eq!(home.element("Code"), "SignatureDoesNotMatch", "{}", home.text());
    assert!(dead.is_err(), "{dead:?}");
}

#[tokio::test]
async fn a_hop_asks_the_sts_of_its_region() {
    let two = Two::start_with(two_regions, |_| ()).await;
    let keys = Keys::from(&call(&two.hub, WEST).send().await.session());
    let hop = |region: &'static str, keys: Keys| {
        let mut call = sts(&two.hub, region, keys);
        let body =
            format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=01ff&RoleArn={}", escape(TARGET));
        call.body = body.into_bytes();
        call
    };
    two.hub.put_knobs(json!({ "regions": { HOME: { "failing": 503 } } })).await;

    let home = hop(HOME, keys.clone()).send().await;
    let west = hop(WEST, keys).send().await;
    let there = sts(&two.hub, HOME, keys_of(&west)).send().await;

    assert_eq!([home.status, west.status, there.status], [503, 200, 503], "{}", west.text());
    assert_eq!(two.target.sessions().len(), 1);
}

#[tokio::test]
async fn the_next_hops_are_throttled_or_fail_by_a_knob_of_their_own() {
    let two = Two::start().await;
    two.hub
        .put_knobs(json!({ "sts_throttle_next": 1, "sts_fail_next": { "count": 1, "status": 500 } }))
        .await;

    let keys = two.hub_session().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(two.hop_as(keys.clone(), TARGET, &[]).await.status);
    }

    assert_eq!(seen, [500, 400, 200]);
}

#[tokio::test]
async fn the_pages_of_another_account_are_asked_for_by_its_number() {
    let two = Two::start().await;
    two.hop(&[]).await;

    let state = two.hub.admin("state?account=444455556666").await;
    let sessions = two.hub.admin("sessions?account=444455556666").await;

    assert_eq!(state["account"], "444455556666");
    assert_eq!(sessions[0]["assumed_role_arn"], "arn:aws:sts::444455556666:assumed-role/target/01ff");
    assert!(two.hub.admin("state?account=000000000000").await["error"].is_string());
}

#[test]
fn a_region_is_checked_as_strictly_as_the_one_in_front() {
    let mut state = default_state();
    two_regions(&mut state);
    let profiles = &mut state["regions"][WEST]["profiles"];
    profiles[0]["duration_seconds"] = json!(0);

    let error = State::from_json(state.to_string().as_bytes()).unwrap_err();

    assert_eq!(error.to_string(), format!("profile `{PROFILE_ID}`: duration_seconds: 0"));
}
