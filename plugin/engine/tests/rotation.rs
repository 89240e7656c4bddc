//! Several issuers in one mount, and one taking over from another: in process, no Vault, no AWS.

#![expect(clippy::large_futures, reason = "a test polls one future, and its size is of no matter")]

#[path = "identity/aws.rs"]
mod aws;
mod mounts;

use std::time::Duration;

use aws::Aws;
use ca::{CaProfile, Issuer, KeySpec, Subject};
use engine::Engine;
use mounts::{ANCHOR, PROFILE, ROLE, mount, on_a_standby, with_ca};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use vault_backend::Storage;
use vault_backend::testing::{Probe, Reply};

const ROOT: &str = "root/generate/internal";
const IMPORT: &str = "issuers/import/bundle";

fn root(name: &str) -> Value {
    json!({ "common_name": name, "issuer_name": name })
}

async fn done(mount: &Probe<Engine>, path: &str, body: Value) -> Reply {
    let reply = mount.write(path, body).await;
    assert!(reply.error.is_empty() && reply.status < 300, "{path}: {reply:?}");
    reply
}

async fn refused(mount: &Probe<Engine>, path: &str, body: Value) -> String {
    let reply = mount.write(path, body).await;
    assert_eq!(reply.status, 400, "{path}: {reply:?}");
    reply.error
}

/// A mount with the issuers `one`, the default, and `two`.
async fn prepared() -> Probe<Engine> {
    let mount = with_ca().await;
    done(&mount, ROOT, root("two")).await;
    mount
}

/// The same after the switch to `two`.
async fn switched() -> Probe<Engine> {
    let mount = prepared().await;
    done(&mount, "config/issuers", json!({ "default": "two" })).await;
    mount
}

async fn bundle(mount: &Probe<Engine>) -> String {
    String::from_utf8(mount.read("trust-bundle").await.raw.unwrap()).unwrap()
}

async fn certificate(mount: &Probe<Engine>, name: &str) -> String {
    mount.read(&format!("issuer/{name}")).await.data["certificate"].as_str().unwrap().to_owned()
}

async fn state_of(mount: &Probe<Engine>, name: &str) -> Value {
    mount.read(&format!("issuer/{name}")).await.data["state"].clone()
}

#[tokio::test]
async fn a_whole_rotation_is_told_step_by_step() {
    let mount = with_ca().await;
    let mut told = Vec::new();
    let mut tell = async |mount: &Probe<Engine>| {
        let data = mount.read("rotation").await.data;
        let certificates = bundle(mount).await.matches("BEGIN").count();
        assert_eq!(data["trust_bundle"], bundle(mount).await);
        told.push(format!("{} {} {} {certificates}", data["state"], data["current"], data["next_step"]));
    };

    tell(&mount).await;
    done(&mount, ROOT, root("two")).await;
    tell(&mount).await;
    done(&mount, "config/issuers", json!({ "default": "two" })).await;
    tell(&mount).await;
    done(&mount, "issuer/one", json!({ "disabled": true })).await;
    tell(&mount).await;

    assert!(
        told[0].starts_with("\"steady\" \"one\" \"nothing until") && told[0].ends_with(" 1"),
        "{told:#?}"
    );
    assert_eq!(
        told[1],
        "\"prepared\" \"one\" \"let every trust anchor hold trust_bundle, then switch: vault write test/config/issuers default=two\" 2"
    );
    assert_eq!(
        told[2],
        "\"switched\" \"two\" \"retire the previous issuer: vault write test/issuer/one disabled=true, then let every trust anchor hold trust_bundle\" 2"
    );
    assert!(told[3].starts_with("\"steady\" \"two\" ") && told[3].ends_with(" 1"), "{told:#?}");
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
async fn a_mount_without_an_issuer_has_an_empty_bundle_and_says_what_to_do() {
    let mount = mount().await;

    assert_eq!(mount.read("trust-bundle").await.status, 204);
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
    let place = json!({ "role_arn": ROLE, "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE });
    done(&mount, "roles/app", place).await;

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
    assert!(taken.contains("is the name of issuer"), "{taken}");
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
async fn a_name_is_replaced_and_never_taken_away() {
    let mount = with_ca().await;

    for name in [json!(null), json!(""), json!("default")] {
        let reply = mount.patch("issuer/one", json!({ "issuer_name": name })).await;

        assert_eq!(reply.status, 400, "{name}");
        assert!(reply.error.starts_with("issuer_name: "), "{}", reply.error);
    }
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
        let survived = copy(&mount.storage).await;

        let mount: Probe<Engine> = Probe::over(survived).await.unwrap();

        let gone = mount.read("issuer/one").await.status == 404;
        assert_eq!(gone, writes > 1, "after {writes} writes: {reply:?}");
        assert_eq!(mount.storage.list("key/").await.unwrap().len(), if gone { 1 } else { 2 });
        assert_eq!(state_of(&mount, "two").await, "current", "after {writes} writes");
        assert_eq!(mount.delete("issuer/one").await.status, 204, "after {writes} writes");
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
    let mount: Probe<Engine> = Probe::over(copy(&mount.storage).await).await.unwrap();
    assert_eq!(mount.read("config/issuers").await.data["default"], Value::Null);
    assert_eq!(state_of(&mount, "two").await, "next");
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
async fn an_import_of_what_is_there_is_answered_as_that_and_puts_nothing() {
    let mount = mount().await;
    let company = brought("company", today());
    let first = done(&mount, IMPORT, named(&company, "a")).await;
    let puts = mount.storage.puts();

    let again = done(&mount, IMPORT, named(&company, "a")).await;
    let nameless = done(&mount, IMPORT, company.clone()).await;
    let other = refused(&mount, IMPORT, named(&company, "b")).await;

    assert_eq!((&again.data, &nameless.data), (&first.data, &first.data));
    assert!(again.warnings[0].contains("was the issuer \"a\" already"), "{:?}", again.warnings);
    assert!(other.contains("is the issuer \"a\" already"), "{other}");
    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn an_import_that_a_crash_ended_stores_its_key_once() {
    let mount = mount().await;
    mount.storage.break_after(1);
    let company = brought("company", today());
    mount.write(IMPORT, company.clone()).await;
    let mount: Probe<Engine> = Probe::over(copy(&mount.storage).await).await.unwrap();

    done(&mount, IMPORT, company).await;

    assert_eq!(mount.storage.list("key/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn issuers_are_listed_with_state_and_end() {
    let mount = switched().await;

    let listed = mount.list("issuers").await.data;

    let mut told: Vec<String> = Vec::new();
    for info in listed["key_info"].as_object().unwrap().values() {
        assert!(info["not_after"].as_str().unwrap().ends_with('Z') && info["serial_number"].is_string());
        told.push(format!("{} {} {}", info["issuer_name"], info["state"], info["is_default"]));
    }
    told.sort();
    assert_eq!(told, ["\"one\" \"previous\" false", "\"two\" \"current\" true"]);
}

#[tokio::test]
async fn an_issuer_near_its_end_is_warned_of_wherever_it_is_read() {
    let aws = Aws::start().await;
    let mount = mount().await;
    let old = brought("old", today() - time::Duration::days(80));
    done(&mount, IMPORT, named(&old, "old")).await;
    configure(&mount, &aws).await;
    done(&mount, "roles/app", json!({ "role_arn": ROLE })).await;

    for path in ["issuer/old", "config/issuers", "rotation", "creds/app"] {
        let reply = mount.read(path).await;

        assert_eq!(reply.error, "", "{path}");
        assert!(
            reply.warnings.iter().any(|warning| warning.contains("the issuer ends at")),
            "{path}: {reply:?}"
        );
    }
    let warnings = mount.read("creds/app").await.warnings;
    assert!(
        warnings.iter().any(|text| text.contains("make or import the next issuer: vault write test/root"))
    );
}

#[tokio::test]
async fn an_expired_issuer_names_the_command_that_cures_it() {
    let mount = mount().await;
    store_issuer(&mount.storage, &self_signed("past", datetime!(2020-01-01 0:00 UTC))).await;
    configure(&mount, &Aws::start().await).await;
    done(&mount, "roles/app", json!({ "role_arn": ROLE })).await;

    let alone = mount.read("creds/app").await;
    done(&mount, ROOT, root("new")).await;
    let with_next = mount.write("roles/again", json!({ "role_arn": ROLE })).await;
    let with_next = (with_next.error, mount.read("creds/again").await.error);

    assert_eq!(alone.status, 400);
    assert!(
        alone.error.contains("expired at") && alone.error.contains("vault write test/root/generate"),
        "{alone:?}"
    );
    assert!(with_next.1.contains("vault write test/config/issuers default=new"), "{with_next:?}");
    assert_eq!(state_of(&mount, "past").await, "expired");
    assert_eq!(bundle(&mount).await.matches("BEGIN").count(), 1);
}

#[tokio::test]
async fn a_switch_ends_what_followers_had_and_a_disabled_issuer_what_is_its_own() {
    let aws = Aws::start().await;
    let mount = prepared().await;
    configure(&mount, &aws).await;
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
async fn an_issuer_of_before_states_were_stored_is_enabled() {
    let mount = with_ca().await;
    let mut record = stored(&mount, "one").await;
    assert_eq!(record.as_object_mut().unwrap().remove("state"), Some(json!("enabled")));
    let path = format!("issuer/{}", record["id"].as_str().unwrap());
    mount.storage.put_json(&path, &record).await.unwrap();

    let mount: Probe<Engine> = Probe::over(copy(&mount.storage).await).await.unwrap();

    assert_eq!(state_of(&mount, "one").await, "current");
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

/// An issuer's record as it stands in storage.
async fn stored(mount: &Probe<Engine>, name: &str) -> Value {
    let id = mount.read(&format!("issuer/{name}")).await.data["issuer_id"].clone();
    mount.storage.get_json(&format!("issuer/{}", id.as_str().unwrap())).await.unwrap().unwrap()
}

async fn configure(mount: &Probe<Engine>, aws: &Aws) {
    let config = json!({
        "endpoint": aws.url, "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE, "max_retries": 0,
    });
    done(mount, "config", config).await;
}

/// A self-signed CA of 90 days, made at `at`.
fn self_signed(name: &str, at: OffsetDateTime) -> Issuer {
    let subject = Subject { common_name: Some(name.to_owned()), ..Subject::default() };
    let profile = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(24 * 90) };
    Issuer::generate_root(&profile, at).unwrap()
}

/// A CA of this name, made at `at`, as a bundle with its key.
fn brought(name: &str, at: OffsetDateTime) -> Value {
    let issuer = self_signed(name, at);
    let key = pem::encode(&pem::Pem::new("PRIVATE KEY", issuer.key_pkcs8().expose()));
    json!({ "pem_bundle": issuer.certificate_pem() + &key })
}

fn named(bundle: &Value, name: &str) -> Value {
    json!({ "pem_bundle": bundle["pem_bundle"], "issuer_name": name })
}

#[expect(clippy::disallowed_methods, reason = "the engine under test reads the real clock")]
fn today() -> OffsetDateTime {
    OffsetDateTime::now_utc() - time::Duration::minutes(5)
}

/// Puts an issuer that no write would take, as if it had been taken when it was young, and makes it the default.
async fn store_issuer(storage: &Storage, issuer: &Issuer) {
    storage.put_sealed("key/k", issuer.key_pkcs8().expose().to_vec()).await.unwrap();
    let certificate = issuer.certificate_pem();
    let record =
        json!({ "id": "i", "name": "past", "key_id": "k", "certificate_pem": certificate, "chain_pem": [] });
    storage.put_json("issuer/i", &record).await.unwrap();
    storage.put_json("config/issuers", &json!({ "default": "i" })).await.unwrap();
}

async fn copy(from: &Storage) -> Storage {
    let to = Storage::in_memory();
    for folder in ["", "key/", "issuer/", "config/", "role/"] {
        for name in from.list(folder).await.unwrap() {
            let key = format!("{folder}{name}");
            if let Some(bytes) = from.get(&key).await.unwrap() {
                to.put(&key, bytes).await.unwrap();
            }
        }
    }
    to
}
