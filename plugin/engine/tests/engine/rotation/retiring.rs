//! Issuers that go: disabled, renamed, deleted.

use super::*;

#[tokio::test]
async fn the_default_is_neither_disabled_nor_deleted_unless_forced() {
    let mount = prepared().await;

    let disabling = refused(&mount, "issuer/default", json!({ "disabled": true })).await;
    let deleting = mount.delete("issuer/one").await;

    for error in [&disabling, &deleting.error] {
        assert!(error.contains("\"one\" is the default") && error.contains("test/rotation"), "{error}");
    }
    assert_eq!((deleting.status, state_of(&mount, "one").await), (400, json!("current")));
}

#[tokio::test]
async fn a_default_that_was_disabled_by_force_signs_nothing_and_says_so() {
    let mount = prepared().await;
    let role = json!({ "role_arn": ROLE, "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE });
    done(&mount, "roles/app", role).await;

    done(&mount, "issuer/one", json!({ "disabled": true, "force": true })).await;

    let reply = mount.read("creds/app").await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.error, "issuer_ref: the issuer \"one\" is disabled: vault read test/rotation");
    assert_eq!(mount.read("ca/pem").await.status, 204);
    let step = mount.read("rotation").await.data["next_step"].clone();
    assert!(step.as_str().unwrap().ends_with("test/config/issuers default=two"), "{step}");
}

#[tokio::test]
async fn an_issuer_that_roles_name_is_not_disabled_or_deleted_unless_forced() {
    let mount = prepared().await;
    let id = mount.read("issuer/two").await.data["issuer_id"].clone();
    for (role, reference) in [("by-name", json!("two")), ("by-id", id)] {
        done(&mount, &format!("roles/{role}"), json!({ "role_arn": ROLE, "issuer_ref": reference })).await;
    }

    let disabling = refused(&mount, "issuer/two", json!({ "disabled": true })).await;
    let deleting = mount.delete("issuer/two").await;

    for error in [&disabling, &deleting.error] {
        assert!(
            error.contains("2 roles name the issuer \"two\"") && error.contains("by-id, by-name"),
            "{error}"
        );
    }
    done(&mount, "issuer/two", json!({ "disabled": true, "force": true })).await;
    assert_eq!(state_of(&mount, "two").await, "disabled");
}

#[tokio::test]
async fn a_role_that_names_no_usable_issuer_is_taken_with_a_warning() {
    let mount = prepared().await;
    done(&mount, "issuer/two", json!({ "disabled": true })).await;

    for (reference, words) in [("three", "there is no issuer \"three\""), ("two", "\"two\" is disabled")] {
        let role = json!({ "role_arn": ROLE, "common_name": "app", "issuer_ref": reference });
        let warnings = done(&mount, "roles/app", role).await.warnings;

        assert!(warnings.iter().any(|text| text.contains(words)), "{warnings:?}");
    }
}

#[tokio::test]
async fn a_rename_keeps_id_and_place_and_is_refused_while_a_role_uses_the_name() {
    let mount = prepared().await;
    done(&mount, "roles/app", json!({ "role_arn": ROLE, "issuer_ref": "two" })).await;

    let named = refused(&mount, "issuer/two", json!({ "issuer_name": "2027" })).await;
    let taken = refused(&mount, "issuer/one", json!({ "issuer_name": "two" })).await;
    let renamed = mount.patch("issuer/one", json!({ "issuer_name": "2026" })).await;

    assert!(named.contains("the role \"app\" names this issuer as \"two\""), "{named}");
    assert!(taken.contains("is already the name of issuer"), "{taken}");
    assert_eq!((renamed.error.as_str(), &renamed.data["is_default"]), ("", &json!(true)));
    assert_eq!(state_of(&mount, "2026").await, "current");
    assert_eq!(mount.read("issuer/one").await.status, 404);
}

#[tokio::test]
async fn a_change_of_nothing_puts_nothing() {
    let mount = switched().await;
    let puts = mount.storage.puts();

    done(&mount, "issuer/two", json!({ "issuer_name": "two", "disabled": false })).await;
    done(&mount, "config/issuers", json!({ "default": "two" })).await;

    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn a_name_is_taken_away_and_never_becomes_one_that_means_something_else() {
    let mount = with_ca().await;

    for nothing in [json!(null), json!("")] {
        done(&mount, "issuer/default", json!({ "issuer_name": "one" })).await;
        let reply = mount.patch("issuer/one", json!({ "issuer_name": nothing })).await;

        assert_eq!((reply.error.as_str(), &reply.data["issuer_name"]), ("", &Value::Null));
    }
    let reply = mount.patch("issuer/default", json!({ "issuer_name": "default" })).await;
    assert_eq!((reply.status, reply.error.as_str()), (400, "issuer_name: \"default\" is reserved"));
}

#[tokio::test]
async fn a_name_that_a_role_uses_is_not_taken_away() {
    let mount = with_ca().await;
    mount.write("roles/app", json!({ "role_arn": ROLE, "issuer_ref": "one" })).await;

    let reply = mount.write("issuer/one", json!({ "issuer_name": "" })).await;

    assert!(reply.status == 400 && reply.error.starts_with("issuer_name: the role \"app\""), "{reply:?}");
}

#[tokio::test]
async fn a_deleted_issuer_takes_its_key_along() {
    let mount = switched().await;
    let key_id = mount.read("issuer/one").await.data["key_id"].as_str().unwrap().to_owned();

    assert_eq!(mount.delete("issuer/one").await.error, "");

    assert_eq!(mount.storage.get(&format!("key/{key_id}")).await.unwrap(), None);
    assert_eq!(mount.list("issuers").await.data["keys"].as_array().unwrap().len(), 1);
    assert_eq!(mount.read("issuer/one").await.status, 404);
    assert_eq!(mount.delete("issuer/one").await.status, 204, "a repeated command finds nothing to do");
}

#[tokio::test]
async fn a_deletion_that_a_crash_ends_leaves_no_key_after_the_next_start() {
    for writes in 0..5 {
        let mount = switched().await;
        mount.storage.break_after(writes);
        let reply = mount.delete("issuer/one").await;
        let survived = mount.storage.survived();

        let mount = over(survived).await;

        let gone = mount.read("issuer/one").await.status == 404;
        assert_eq!(gone, writes > 0, "after {writes} writes: {reply:?}");
        assert_eq!(mount.storage.list("key/").await.unwrap().len(), if gone { 1 } else { 2 });
        assert_eq!(state_of(&mount, "two").await, "current", "after {writes} writes");
        assert_eq!(mount.delete("issuer/one").await.status, 204, "after {writes} writes");
    }
}

/// A mount whose storage cut off a deletion of the default by force after so many writes, and takes writes again.
async fn cut_off_after(writes: usize) -> TestMount<Engine> {
    let mount = prepared().await;
    mount.storage.break_after(writes);
    mount.delete_with("issuer/one", json!({ "force": "true" })).await;
    mount.storage.break_after(usize::MAX);
    mount
}

#[tokio::test]
async fn a_default_is_deleted_whole_or_not_at_all_by_a_deletion_that_a_crash_ends() {
    for writes in 0..5 {
        let survived = cut_off_after(writes).await.storage.survived();

        let mount: TestMount<Engine> = TestMount::over(survived).await.unwrap();

        let is_whole = mount.read("issuer/one").await.status == 200;
        let default = mount.read("config/issuers").await.data["default"].clone();
        assert_eq!((is_whole, default.is_string()), (writes == 0, writes == 0), "after {writes} writes");
        assert_eq!(mount.storage.list("key/").await.unwrap().len(), if is_whole { 2 } else { 1 });
        let stored: Value = mount.storage.get_json("config/issuers").await.unwrap().unwrap();
        assert_eq!(stored["default"].is_string(), is_whole, "after {writes} writes: {stored}");
    }
}

#[tokio::test]
async fn no_role_follows_a_default_whose_deletion_storage_cut_off() {
    for writes in 1..5 {
        let mount = cut_off_after(writes).await;

        assert_eq!(mount.read("config/issuers").await.data["default"], Value::Null, "after {writes} writes");
        assert_eq!(state_of(&mount, "two").await, "next", "after {writes} writes");
        let repeated = mount.delete_with("issuer/one", json!({ "force": "true" })).await;
        assert_eq!(repeated.status, 204, "after {writes} writes: {repeated:?}");
        assert_eq!(mount.storage.list("issuer/").await.unwrap().len(), 1, "after {writes} writes");
        assert_eq!(mount.storage.list("key/").await.unwrap().len(), 1, "after {writes} writes");
    }
}

#[tokio::test]
async fn a_key_that_two_certificates_share_stays_until_the_last_of_them_goes() {
    let mount = mount().await;
    done(&mount, IMPORT, named(&brought("first", today()), "first")).await;
    let key_id = mount.read("issuer/first").await.data["key_id"].clone();
    let mut twin = stored(&mount, "first").await;
    twin["id"] = json!("twin");
    twin["name"] = json!("twin");
    mount.storage.put_json("issuer/twin", &twin).await.unwrap();
    let kept = async || mount.storage.list("key/").await.unwrap();

    assert_eq!(mount.delete("issuer/twin").await.status, 204);
    let after_the_twin = kept().await;
    assert_eq!(mount.delete_with("issuer/first", json!({ "force": "true" })).await.status, 204);

    assert_eq!(after_the_twin, [key_id.as_str().unwrap()]);
    assert!(kept().await.is_empty());
}

#[tokio::test]
async fn a_default_deleted_by_force_hands_nothing_to_the_other_one() {
    let mount = prepared().await;

    let reply = mount.delete_with("issuer/one", json!({ "force": "true" })).await;

    assert_eq!(reply.error, "");
    let mount = over(mount.storage.survived()).await;
    assert_eq!(mount.read("config/issuers").await.data["default"], Value::Null);
    assert_eq!(state_of(&mount, "two").await, "next");
}
