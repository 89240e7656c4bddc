//! Issuers as they come and as they near their end.

use super::*;

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
    assert!(again.warnings[0].contains("was already the issuer \"a\""), "{:?}", again.warnings);
    assert!(other.contains("is already the issuer \"a\""), "{other}");
    assert_eq!(mount.storage.puts(), puts);
}

#[tokio::test]
async fn an_import_that_a_crash_ended_stores_its_key_once() {
    let mount = mount().await;
    mount.storage.break_after(1);
    let company = brought("company", today());
    mount.write(IMPORT, company.clone()).await;
    let mount = over(mount.storage.survived()).await;

    done(&mount, IMPORT, company).await;

    assert_eq!(mount.storage.list("key/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn issuers_are_listed_with_state_and_end() {
    let mount = switched().await;

    let listed = mount.list("issuers").await.data;

    let mut issuers: Vec<String> = Vec::new();
    for info in listed["key_info"].as_object().unwrap().values() {
        assert!(info["not_after"].as_str().unwrap().ends_with('Z') && info["serial_number"].is_string());
        issuers.push(format!("{} {} {}", info["issuer_name"], info["state"], info["is_default"]));
    }
    issuers.sort();
    assert_eq!(issuers, ["\"one\" \"previous\" false", "\"two\" \"current\" true"]);
}

#[tokio::test]
async fn an_issuer_near_its_end_is_warned_of_wherever_it_is_read() {
    let mount = mount_calling(&Aws::granting()).await;
    let old = brought("old", today() - time::Duration::days(80));
    done(&mount, IMPORT, named(&old, "old")).await;
    configure(&mount).await;
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
    configure(&mount).await;
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
async fn an_issuer_of_before_states_were_stored_is_enabled() {
    let mount = with_ca().await;
    let mut record = stored(&mount, "one").await;
    assert_eq!(record.as_object_mut().unwrap().remove("state"), Some(json!("enabled")));
    let path = format!("issuer/{}", record["id"].as_str().unwrap());
    mount.storage.put_json(&path, &record).await.unwrap();

    let mount = over(mount.storage.survived()).await;

    assert_eq!(state_of(&mount, "one").await, "current");
}
