//! Roles with `target_role_arn`: their fields, and what their callers receive, in process.

mod fields;
mod places;

use std::time::Duration;

use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, with_ca_calling};
use engine::Engine;
use serde_json::{Value, json};
use tokio::time::sleep;
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Alias, Backend as _, Entity};

pub(crate) const TARGET: &str = "arn:aws:iam::444455556666:role/apps/target";

/// A mount with a CA and the role `app`, which leads into a second account.
async fn chained(aws: &Aws, more: Value) -> TestMount<Engine> {
    let mount = with_ca_calling(aws).await;
    let config =
        json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0 });
    assert_eq!(mount.write("config", config).await.error, "");
    assert_eq!(mount.write("roles/app", role(more)).await.error, "");
    mount
}

/// A role with a target; callers share its sessions.
fn role(more: Value) -> Value {
    let mut role = json!({ "role_arn": ROLE, "target_role_arn": TARGET, "session_sharing": "identity" });
    let Value::Object(more) = more else { panic!("{more} are no fields") };
    role.as_object_mut().unwrap().extend(more);
    role
}

async fn read(mount: &TestMount<Engine>) -> TestResponse {
    let reply = mount.read("creds/app").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

fn pod(namespace: &str) -> Entity {
    let metadata = [("service_account_namespace", namespace), ("service_account_name", "api")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let alias = Alias { mount_accessor: "auth_kubernetes_1".to_owned(), metadata, ..Alias::default() };
    Entity { id: format!("entity-{namespace}"), aliases: vec![alias], ..Entity::default() }
}

#[tokio::test]
async fn callers_receive_the_hop_and_never_the_first_session() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({ "external_id": "pool:42/a" })).await;

    let reply = read(&mount).await;

    let data = &reply.data;
    assert_eq!(data["access_key"], "ASIAHOP0000000000002");
    assert_eq!((&data["account_id"], &data["role_arn"]), (&json!("444455556666"), &json!(TARGET)));
    assert_eq!(data["source_identity"], "CN=app");
    let serial = data["serial_number"].as_str().unwrap().replace(':', "");
    assert_eq!(data["role_session_name"], json!(serial));
    assert_eq!(data["arn"], json!(format!("arn:aws:sts::444455556666:assumed-role/target/{serial}")));
    let hops = aws.hops();
    assert_eq!((aws.granted(), hops.len()), (1, 1));
    assert_eq!((&*hops[0]["RoleSessionName"], &*hops[0]["ExternalId"]), (&*serial, "pool:42/a"));
    // the hub is an hour long, and some of it was over when the hop was asked for
    let asked: u64 = hops[0]["DurationSeconds"].parse().unwrap();
    assert!((3590..=3600).contains(&asked), "{asked}");
    assert!(!format!("{reply:?}").contains("wJalrXUtnFEMI"), "the first session's key");
}

#[tokio::test]
async fn a_container_document_is_the_hops() {
    let mount = chained(&Aws::granting(), json!({})).await;

    let reply = mount.read("container/app").await;

    let body: Value = serde_json::from_slice(reply.raw.as_deref().unwrap()).unwrap();
    assert_eq!((&body["AccountId"], &body["Token"]), (&json!("444455556666"), &json!("hoptoken")));
}

#[tokio::test]
async fn reads_share_one_hop_and_one_first_session() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({})).await;

    let (one, two) = tokio::join!(read(&mount), read(&mount));
    let three = read(&mount).await;

    assert_eq!(one.data["access_key"], two.data["access_key"]);
    assert_eq!(one.data["access_key"], three.data["access_key"]);
    assert_eq!((aws.granted(), aws.hops().len()), (1, 1));
}

#[tokio::test]
async fn a_changed_role_ends_hops_and_the_sessions_that_made_them() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({})).await;
    let before = read(&mount).await;

    mount.write("roles/app", role(json!({ "external_id": "other" }))).await;
    let after = read(&mount).await;

    assert_ne!(before.data["access_key"], after.data["access_key"]);
    assert_ne!(before.data["serial_number"], after.data["serial_number"]);
    assert_eq!((aws.granted(), aws.hops().len()), (2, 2));
}

#[tokio::test]
async fn an_identical_write_ends_nothing() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({ "session_tags": { "team": "a" } })).await;
    let before = read(&mount).await;

    mount.write("roles/app", role(json!({ "session_tags": { "team": "a" } }))).await;

    assert_eq!(before.data["access_key"], read(&mount).await.data["access_key"]);
}

#[tokio::test]
async fn tags_of_two_namespaces_make_two_hops_of_one_first_session() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({})).await;
    mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_1" })).await;
    let tagged = role(json!({
        "standard_tags": "kubernetes", "session_tags": { "team": "{{kubernetes.namespace}}-x" },
        "transitive_tag_keys": "team",
    }));
    assert_eq!(mount.write("roles/app", tagged).await.error, "");

    for namespace in ["payments", "orders"] {
        read(&mount.beside(pod(namespace))).await;
    }

    let hops = aws.hops();
    assert_eq!((aws.granted(), hops.len()), (1, 2));
    let tags: Vec<(&str, &str)> = (1..=4)
        .map(|number| {
            let part = |name: &str| &*hops[0][&format!("Tags.member.{number}.{name}")];
            (part("Key"), part("Value"))
        })
        .collect();
    let expected = [
        ("eks-cluster-name", "prod"),
        ("kubernetes-namespace", "payments"),
        ("kubernetes-service-account", "api"),
        ("team", "payments-x"),
    ];
    assert_eq!(tags.iter().copied().collect::<std::collections::BTreeSet<_>>(), expected.into());
    assert_eq!(hops[0]["TransitiveTagKeys.member.1"], "team");
}

#[tokio::test]
async fn a_callers_ttl_is_the_hops_and_an_hour_at_most() {
    let aws = Aws::granting();
    let longest = json!({ "session_duration": 43_200, "allow_caller_ttl": true });
    let mount = chained(&aws, longest).await;

    let short = mount.write("creds/app", json!({ "ttl": "900" })).await;
    let long = mount.write("creds/app", json!({ "ttl": "3601" })).await;

    assert_eq!((short.status, long.status), (200, 400), "{short:?} {long:?}");
    assert!(long.error.contains("3601") && long.error.contains("3600"), "{}", long.error);
    assert_eq!(aws.hops()[0]["DurationSeconds"], "900");
    let body: Value = serde_json::from_slice(aws.requests()[0].body()).unwrap();
    assert_eq!(body["durationSeconds"], 43_200);
}

const REFUSED: [(u16, &str, &str, &str); 5] = [
    (
        403,
        "AccessDenied",
        "User: arn:aws:sts::111122223333:assumed-role/app/01 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/apps/target",
        "the target's trust policy needs a statement",
    ),
    (
        403,
        "AccessDenied",
        "User: arn:aws:sts::111122223333:assumed-role/app/01 is not authorized to perform: sts:SetSourceIdentity on resource: arn:aws:iam::444455556666:role/apps/target",
        "must both allow sts:SetSourceIdentity",
    ),
    (
        403,
        "AccessDenied",
        "User: arn:aws:sts::111122223333:assumed-role/app/01 is not authorized to perform: sts:TagSession on resource: arn:aws:iam::444455556666:role/apps/target",
        "needs sts:TagSession beside sts:AssumeRole",
    ),
    (400, "PackedPolicyTooLarge", "Packed size of session tags consumes 120%", "set fewer tags"),
    (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        "one hour at most",
    ),
];

#[tokio::test]
async fn a_refused_hop_is_told_by_what_is_missing() {
    for (status, code, text, cure) in REFUSED {
        let mount = chained(&Aws::granting().refusing_hops(status, code, text), json!({})).await;

        let reply = mount.read("creds/app").await;

        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(reply.error.contains(code) && reply.error.contains(cure), "{}", reply.error);
        let document = mount.read("container/app").await;
        let body: Value = serde_json::from_slice(document.raw.as_deref().unwrap()).unwrap();
        assert_eq!(body["code"], code);
    }
}

#[tokio::test]
async fn a_throttled_hop_is_for_later_and_pauses_no_create_session() {
    let aws = Aws::granting().refusing_hops(400, "Throttling", "Rate exceeded");
    let mount = chained(&aws, json!({})).await;

    let reply = mount.read("container/app").await;

    let body: Value = serde_json::from_slice(reply.raw.as_deref().unwrap()).unwrap();
    assert_eq!((reply.status, &body["code"]), (503, &json!("ThrottlingException")), "{body}");
    mount.write("roles/plain", json!({ "role_arn": ROLE })).await;
    assert_eq!(mount.read("creds/plain").await.status, 200);
}

#[tokio::test]
async fn who_has_a_hop_is_found_under_the_session_that_made_it() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({})).await.asked_by(pod("payments"));
    let reply = read(&mount).await;
    sleep(Duration::from_millis(20)).await;

    let serial = reply.data["serial_number"].as_str().unwrap().replace(':', "-");
    let known = mount.read(&format!("sessions/{serial}")).await;

    assert_eq!(known.status, 200, "{known:?}");
    assert_eq!(known.data["access_key"], "ASIAEXAMPLE000000001");
    assert_eq!(known.data["role_arn"], ROLE);
    assert_eq!(known.data["holders"][0]["entity_id"], "entity-payments");
    let hop = &known.data["hops"][0];
    assert_eq!((&hop["target_role_arn"], &hop["access_key"]), (&json!(TARGET), &reply.data["access_key"]));
    assert_eq!(hop["expiration"], reply.data["expiration"]);
}

#[tokio::test]
async fn a_mount_that_closes_gives_no_hop() {
    let mount = chained(&Aws::granting(), json!({})).await;
    read(&mount).await;

    mount.backend.cleanup();

    assert_eq!(mount.read("creds/app").await.status, 503);
}

#[tokio::test]
async fn the_preview_shows_target_and_tags() {
    let mount = chained(&Aws::granting(), json!({ "session_tags": { "team": "{{role.name}}" } })).await;

    let reply = mount.read("preview/app").await;

    assert_eq!(reply.data["target_role_arn"], TARGET);
    assert_eq!(reply.data["target_session_tags"], json!({ "team": "app" }));
    assert_eq!(reply.data["target_session_duration"], 3600);
}

#[tokio::test(start_paused = true)]
async fn hops_wait_under_a_limit_of_their_own_and_say_so() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({ "session_sharing": "none" })).await;
    let limits = json!({
        "rate_limit": 1000, "rate_burst": 1000, "assume_role_rate_limit": 1, "assume_role_rate_burst": 2,
    });
    assert_eq!(mount.write("config", limits).await.error, "");

    let replies = futures_util::future::join_all((0..20).map(|_| mount.read("creds/app"))).await;

    let (granted, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert!((3..18).contains(&granted.len()), "two at once and one a second: {}", granted.len());
    let text = "no session yet: it waits for its turn under the rate limit of AssumeRole; ask again in ";
    for reply in refused {
        assert!(reply.status == 503 && reply.error.contains(text), "{reply:?}");
    }
}

#[tokio::test]
async fn a_changed_limit_ends_no_hop() {
    let aws = Aws::granting();
    let mount = chained(&aws, json!({})).await;
    let before = read(&mount).await;

    mount.write("config", json!({ "assume_role_rate_limit": 7, "assume_role_rate_burst": 7 })).await;

    assert_eq!(before.data["access_key"], read(&mount).await.data["access_key"]);
}

#[tokio::test(start_paused = true)]
async fn a_check_of_a_throttled_hop_names_the_limit_to_lower() {
    let aws = Aws::granting().refusing_hops(400, "Throttling", "Rate exceeded");
    let mount = chained(&aws, json!({})).await;

    let report = mount.read("check/app").await;

    let verdict = report.data["17_target_role"].as_str().unwrap();
    assert!(verdict.contains("lower assume_role_rate_limit of test/config"), "{report:?}");
}
