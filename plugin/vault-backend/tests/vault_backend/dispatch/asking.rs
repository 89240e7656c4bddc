//! What may be asked: paths, operations, and the fields of bodies and queries.

use serde_json::{Map, Value, json};

use super::probe;

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_operation_405() {
    let probe = probe().await;

    assert_eq!(probe.read("nothing/here").await.status, 404);
    assert_eq!(probe.write("nothing/here", json!({})).await.status, 404);
    assert_eq!(probe.read("notes/-a").await.status, 404);
    assert_eq!(probe.delete("raw").await.status, 405);
    assert_eq!(probe.patch("raw", json!({})).await.status, 405);
}

#[tokio::test]
async fn a_slash_at_the_end_reaches_nothing() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "one" })).await;

    let replies = [
        probe.read("notes/a/").await,
        probe.write("notes/a/", json!({ "text": "two" })).await,
        probe.patch("notes/a/", json!({ "text": "two" })).await,
        probe.delete("notes/a/").await,
        probe.write("notes/forbidden/", json!({ "text": "two" })).await,
        probe.help("notes/a/").await,
        probe.help("/").await,
    ];

    for reply in replies {
        assert_eq!((reply.status, reply.error.as_str()), (404, "unsupported path"));
    }
    assert_eq!(probe.read("notes/a").await.data["text"], "one");
    assert_eq!(probe.list("notes").await.status, 200);
}

#[tokio::test]
async fn an_unknown_field_is_a_400_wherever_something_is_changed() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "x" })).await;

    let written = probe.write("notes/a", json!({ "text": "x", "txet": "y" })).await;
    let patched = probe.patch("notes/a", json!({ "txet": null })).await;
    let deleted = probe.delete_with("notes/a", json!({ "txet": "y" })).await;

    for reply in [written, patched] {
        assert_eq!(
            (reply.status, reply.error.as_str()),
            (400, "unknown field \"txet\": the known fields are text, colour")
        );
    }
    assert_eq!((deleted.status, probe.read("notes/a").await.status), (400, 200));
}

#[tokio::test]
async fn a_read_ignores_what_it_does_not_know_and_says_so() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "x" })).await;
    let strange = json!({ "version": "-1", "role_arn": "", "list": ["a", "b"] });

    let read = probe.read_with("notes/a", strange.clone()).await;
    let raw = probe.read_with("raw", strange.clone()).await;
    let absent = probe.read_with("notes/b", strange).await;

    assert_eq!((read.status, &read.data["text"]), (200, &json!("x")));
    assert_eq!(
        read.warnings,
        ["ignored: \"list\", \"role_arn\", \"version\"; the parameters of a read here: none"]
    );
    assert_eq!((raw.status, raw.raw.as_deref()), (200, Some(&b"abcd"[..])));
    assert_eq!(absent.status, 404);
}

#[tokio::test]
async fn a_read_checks_what_it_does_know() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "x" })).await;

    let reply = probe.read_with("notes/a", json!({ "name": "b", "version": "-1" })).await;

    assert_eq!(
        (reply.status, reply.error.as_str()),
        (400, "name: the body's value differs from the path's \"a\"")
    );
}

#[tokio::test]
async fn a_warning_of_what_was_ignored_is_short() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "x" })).await;
    let many: Map<String, Value> = (0..1000).map(|n| (format!("{n:0>200}"), json!("y"))).collect();

    let reply = probe.read_with("notes/a", Value::Object(many)).await;

    assert_eq!(reply.status, 200);
    assert!(
        reply.warnings[0].len() < 1200 && reply.warnings[0].contains("and 992 more"),
        "{:?}",
        reply.warnings
    );
}

#[tokio::test]
async fn a_body_may_repeat_the_paths_name_but_not_contradict_it() {
    let probe = probe().await;

    let same = probe.write("notes/a", json!({ "name": "a", "text": "x" })).await;
    let other = probe.write("notes/a", json!({ "name": "b", "text": "x" })).await;

    assert_eq!(same.status, 200);
    assert_eq!(
        (other.status, other.error.as_str()),
        (400, "name: the body's value differs from the path's \"a\"")
    );
}

#[tokio::test]
async fn a_write_and_a_patch_change_what_they_name() {
    let probe = probe().await;
    probe.write("notes/a", json!({ "text": "x" })).await;

    let written = probe.write("notes/a", json!({ "colour": "blue" })).await;
    assert_eq!(probe.read("notes/a").await.data["colour"], "blue");
    let patched = probe.patch("notes/a", json!({ "colour": null })).await;

    assert_eq!(Value::Object(probe.read("notes/a").await.data), json!({ "text": "x", "colour": null }));
    assert_eq!([written.warnings, patched.warnings], [["it creases"], ["it creases"]]);
}

#[tokio::test]
async fn a_patch_of_nothing_is_refused() {
    let reply = probe().await.patch("notes/a", json!({ "text": "x" })).await;

    assert_eq!(
        (reply.status, reply.error.as_str()),
        (400, "notes/a: nothing is stored there to patch; a write makes it")
    );
}

#[tokio::test]
async fn a_text_of_prose_that_was_split_at_its_commas_is_answered_with_a_warning() {
    let probe = probe().await;

    let split = probe.write("signed", json!({ "names": "Acme, Inc.", "tags": "a,b" })).await;
    let listed = probe.write("signed", json!({ "names": ["Acme, Inc."] })).await;
    let one = probe.write("signed", json!({ "names": "Acme" })).await;

    assert_eq!(split.data["text"], "Acme; Inc.");
    let warning = "names: \"Acme, Inc.\" was taken as 2 values, \"Acme\" and \"Inc.\": a text is split at its commas, an element of a JSON list is not";
    assert_eq!(split.warnings, [warning]);
    assert_eq!(listed.data["text"], "Acme, Inc.");
    assert!(listed.warnings.is_empty() && one.warnings.is_empty());
}
