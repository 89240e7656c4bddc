//! The next issuer takes over: what the mount tells, what it refuses, and what a switch ends.

use super::*;

#[tokio::test]
async fn a_whole_rotation_is_told_step_by_step() {
    let mount = with_ca().await;
    let mut steps = Vec::new();
    let mut look = async |mount: &TestMount<Engine>| {
        let data = mount.read("rotation").await.data;
        let certificates = bundle(mount).await.matches("BEGIN").count();
        assert_eq!(data["trust_bundle"], bundle(mount).await);
        steps.push(format!("{} {} {} {certificates}", data["state"], data["current"], data["next_step"]));
    };

    look(&mount).await;
    done(&mount, ROOT, root("two")).await;
    look(&mount).await;
    done(&mount, "config/issuers", json!({ "default": "two" })).await;
    look(&mount).await;
    done(&mount, "issuer/one", json!({ "disabled": true })).await;
    look(&mount).await;

    assert!(
        steps[0].starts_with("\"steady\" \"one\" \"nothing until") && steps[0].ends_with(" 1"),
        "{steps:#?}"
    );
    assert_eq!(
        steps[1],
        "\"prepared\" \"one\" \"let every trust anchor hold trust_bundle, then switch: vault write test/config/issuers default=two\" 2"
    );
    assert_eq!(
        steps[2],
        "\"switched\" \"two\" \"retire the previous issuer: vault write test/issuer/one disabled=true, then let every trust anchor hold trust_bundle\" 2"
    );
    assert!(steps[3].starts_with("\"steady\" \"two\" ") && steps[3].ends_with(" 1"), "{steps:#?}");
}

#[tokio::test]
async fn the_bundle_holds_the_default_first_and_no_disabled_issuer() {
    let mount = switched().await;
    let (one, two) = (certificate(&mount, "one").await, certificate(&mount, "two").await);

    let during = bundle(&mount).await;
    done(&mount, "issuer/one", json!({ "disabled": true })).await;

    assert_eq!(during, format!("{two}{one}"));
    assert_eq!(bundle(&mount).await, two);
}

#[tokio::test]
async fn a_mount_without_an_issuer_has_no_bundle_and_says_what_to_do() {
    let mount = mount().await;

    let bundle = mount.read("trust-bundle").await;
    assert_eq!(bundle.status, 400, "{bundle:?}");
    assert!(bundle.error.contains("test/root/generate/internal"), "{}", bundle.error);
    let rotation = mount.read("rotation").await.data;
    assert_eq!(rotation["state"], "no current issuer");
    assert!(rotation["next_step"].as_str().unwrap().contains("test/root/generate/internal"));
}

#[tokio::test]
async fn a_standby_tells_the_bundle_itself_and_has_the_active_node_rotate() {
    let mount = on_a_standby().await;
    mount.storage.fail_writes(true);

    assert_eq!(bundle(&mount).await, certificate(&mount, "one").await);
    let reply = mount.write(ROOT, root("two")).await;
    assert_eq!(reply.error, vault_backend::READ_ONLY);
}

#[tokio::test]
async fn a_third_issuer_is_refused_however_it_comes_and_nothing_of_it_is_stored() {
    let mount = prepared().await;
    let csr = done(&mount, "intermediate/generate/internal", json!({ "common_name": "three" })).await;
    assert!(csr.data["csr"].is_string());
    let puts = mount.storage.puts();

    let made = refused(&mount, ROOT, root("three")).await;
    let brought = refused(&mount, IMPORT, brought("three", today())).await;

    for error in [made, brought] {
        assert!(error.contains("\"one\" (current) and \"two\" (next)"), "{error}");
        assert!(error.contains("test/issuer/two disabled=true"), "{error}");
    }
    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn a_disabled_issuer_makes_room_and_comes_back_only_where_there_is_some() {
    let mount = switched().await;
    done(&mount, "issuer/one", json!({ "disabled": true })).await;
    done(&mount, ROOT, root("three")).await;

    let crowded = refused(&mount, "issuer/one", json!({ "disabled": false })).await;
    done(&mount, "issuer/three", json!({ "disabled": true })).await;
    done(&mount, "issuer/one", json!({ "disabled": false })).await;

    assert!(crowded.contains("at most 2 certificates"), "{crowded}");
    assert_eq!(state_of(&mount, "one").await, "previous");
    assert_eq!(state_of(&mount, "three").await, "disabled");
}

#[tokio::test]
async fn a_switch_to_a_disabled_or_unknown_issuer_is_refused() {
    let mount = prepared().await;
    done(&mount, "issuer/two", json!({ "disabled": true })).await;

    let disabled = refused(&mount, "config/issuers", json!({ "default": "two" })).await;
    let unknown = refused(&mount, "config/issuers", json!({ "default": "three" })).await;

    assert!(disabled.contains("vault write test/issuer/two disabled=false"), "{disabled}");
    assert!(unknown.contains("there is no issuer \"three\""), "{unknown}");
    assert_eq!(state_of(&mount, "one").await, "current");
}

#[tokio::test]
async fn a_switch_can_be_taken_back() {
    let mount = switched().await;

    done(&mount, "config/issuers", json!({ "default": "one" })).await;

    assert_eq!(
        (state_of(&mount, "one").await, state_of(&mount, "two").await),
        (json!("current"), json!("previous"))
    );
    assert_eq!(bundle(&mount).await.matches("BEGIN").count(), 2);
}

#[tokio::test]
async fn a_switch_ends_what_followers_had_and_a_disabled_issuer_what_is_its_own() {
    let aws = Aws::granting();
    let mount = prepared_calling(&aws).await;
    configure(&mount).await;
    let shared =
        |issuer: &str| json!({ "role_arn": ROLE, "issuer_ref": issuer, "session_sharing": "identity" });
    done(&mount, "roles/follower", shared("default")).await;
    done(&mount, "roles/pinned", shared("one")).await;
    let read_both = async || {
        for role in ["follower", "pinned"] {
            assert_eq!(mount.read(&format!("creds/{role}")).await.error, "", "{role}");
        }
        aws.granted()
    };

    let before = (read_both().await, read_both().await);
    done(&mount, "config/issuers", json!({ "default": "two" })).await;
    let after_the_switch = read_both().await;
    done(&mount, "roles/pinned", shared("two")).await;
    done(&mount, "issuer/one", json!({ "disabled": true })).await;
    let after_the_end = read_both().await;

    assert_eq!((before, after_the_switch, after_the_end), ((2, 2), 3, 4));
}

#[tokio::test]
async fn two_operators_at_once_never_make_three_issuers() {
    let mount = with_ca().await;

    let (a, b) = tokio::join!(mount.write(ROOT, root("a")), mount.write(ROOT, root("b")));

    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{a:?} {b:?}");
    assert_eq!(mount.list("issuers").await.data["keys"].as_array().unwrap().len(), 2);
    assert_eq!(mount.storage.list("key/").await.unwrap().len(), 2);
}

#[tokio::test]
async fn one_who_switches_and_one_who_retires_at_once_leave_a_default_that_signs() {
    let mount = prepared().await;

    let (switch, retire) = tokio::join!(
        mount.write("config/issuers", json!({ "default": "two" })),
        mount.write("issuer/two", json!({ "disabled": true })),
    );

    assert!(switch.status == 200 || retire.status == 200, "{switch:?} {retire:?}");
    assert!(switch.status == 400 || retire.status == 400, "{switch:?} {retire:?}");
    assert_eq!(state_of(&mount, "default").await, "current");
}
