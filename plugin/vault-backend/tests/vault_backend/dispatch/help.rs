//! What path-help and the `OpenAPI` document say of a backend.

use serde_json::{Value, json};

use super::probe;

#[tokio::test]
async fn help_of_the_mount_lists_every_path() {
    let help = probe().await.help("").await;

    let text = help.data["help"].as_str().unwrap();
    assert!(text.contains("Keeps notes."), "{text}");
    for line in ["    notes\n        The names of the notes.", "    notes/{name}\n        One note."] {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn help_of_a_path_reads_well() {
    let help = probe().await.help("notes/a").await;

    assert_eq!(help.data["help"], HELP);
}

const HELP: &str = "Request:        notes/a
Matching Route: notes/{name}
Operations:     read, write, patch, delete

One note.

## PARAMETERS

    colour (string)

        The paper. One of: white, blue. Default: white.

    name (string)

        The note's name.

    text (string)

        What the note says. Required where nothing is stored.

## DESCRIPTION

A note has a text and a paper.

It is kept until it is deleted.

A write changes what it names. Null or an empty text unsets a field: its default
is in force again. A list is replaced whole. Pairs are replaced whole by a
write, and merged by a patch. What a read returns, a write takes. A write
creates what is not there, and a patch fails there. For a clean slate delete
first, then write.
";

#[tokio::test]
async fn help_of_an_unknown_path_is_404() {
    assert_eq!(probe().await.help("nothing").await.status, 404);
}

#[tokio::test]
async fn the_openapi_document_describes_paths_and_bodies() {
    let help = probe().await.help("").await;

    let document = &help.data["openapi"];
    let note = &document["paths"]["/notes/{name}"];
    assert_eq!(note["parameters"][0]["name"], "name");
    assert_eq!(note["x-vault-createSupported"], true);
    let schema = &note["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(schema, "#/components/schemas/TestNotesNameWriteRequest");
    let body = &document["components"]["schemas"]["TestNotesNameWriteRequest"];
    assert_eq!(body["required"], Value::Null, "a change may leave out what is stored");
    let pin = &document["components"]["schemas"]["TestPinnedWriteRequest"];
    assert_eq!(pin["required"], json!(["note"]));
    assert_eq!(body["properties"]["colour"]["enum"], json!(["white", "blue"]));
    assert_eq!(document["paths"]["/notes/"]["get"]["parameters"][0]["name"], "list");
}

#[tokio::test]
async fn the_openapi_document_marks_special_paths_and_leaves_operation_ids_to_vault() {
    let help = probe().await.help("").await;

    let document = &help.data["openapi"];
    assert_eq!(document["paths"]["/notes/{name}"]["x-vault-sudo"], true);
    assert_eq!(document["paths"]["/raw"]["x-vault-unauthenticated"], true);
    assert_eq!(document["paths"]["/who"]["x-vault-sudo"], Value::Null);
    assert!(!document.to_string().contains("operationId"));
}
