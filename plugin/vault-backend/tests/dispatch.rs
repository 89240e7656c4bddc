//! From a call to its route and back, as Vault would show it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goplugin::hclog::HclogLayer;
use serde_json::{Map, Value, json};
use tracing_subscriber::layer::SubscriberExt as _;
use vault_backend::testing::Probe;
use vault_backend::{
    Answer, Ask, Backend, Change, Entity, Fault, Field, Lease, LeaseEnd, Mount, Operation, Raw, Request,
    Route, SpecialPaths, Values,
};

struct Notes(Mount);

const NOTE: &[Field] = &[
    Field::string("name", "The note's name."),
    Field::string("text", "What the note says.").required(),
    Field::string("colour", "The paper.").one_of(&["white", "blue"]).default_text("white"),
];

struct Pin(String);

impl Ask for Pin {
    const FIELDS: &'static [Field] = &[Field::string("note", "Which note.").required()];

    fn take(values: &Values) -> Result<Self, Fault> {
        values.text("note").map(Self)
    }
}

struct Signed(Vec<String>);

impl Ask for Signed {
    const FIELDS: &'static [Field] =
        &[Field::list("names", "Who signs.").prose(), Field::list("tags", "What it is about.")];

    fn take(values: &Values) -> Result<Self, Fault> {
        Ok(Self(values.list("names")?.unwrap_or_default()))
    }
}

impl Backend for Notes {
    const HELP: &'static str = "Keeps notes.";

    fn new(mount: Mount) -> Self {
        Self(mount)
    }

    fn routes() -> Vec<Route<Self>> {
        vec![
            Route::at("notes").synopsis("The names of the notes.").list(list),
            Route::at("notes/{name}")
                .synopsis("One note.")
                .description("A note has a text and a paper.\n\nIt is kept until it is deleted.")
                .exists(exists)
                .read(read)
                .change(NOTE, change)
                .delete(delete),
            Route::at("fails/{how}").read(fail),
            Route::at("leased").read(leased),
            Route::at("raw").read(raw),
            Route::at("pinned").write(pin),
            Route::at("who").read(who),
            Route::at("signed").write(signed),
        ]
    }

    fn special_paths() -> SpecialPaths {
        SpecialPaths { root: vec!["notes/+"], unauthenticated: vec!["raw"], ..SpecialPaths::default() }
    }

    async fn revoke(self: Arc<Self>, mount: Mount, lease: LeaseEnd) -> Result<(), Fault> {
        Ok(mount.storage.put_json("revoked", &lease.internal).await?)
    }

    async fn tick(self: Arc<Self>, _: Mount) -> Result<(), Fault> {
        Err(Fault::later("nothing to tick with"))
    }
}

fn key(request: &Request) -> String {
    format!("notes/{}", request.parameter("name"))
}

fn said(text: &str) -> Answer {
    Answer::data(Map::from_iter([("text".to_owned(), Value::from(text))]))
}

async fn list(notes: Arc<Notes>, _: Request, (): ()) -> Result<Answer, Fault> {
    Ok(Answer::list(notes.0.storage.list("notes/").await?))
}

async fn exists(notes: Arc<Notes>, request: Request) -> Result<bool, Fault> {
    match request.parameter("name") {
        "forbidden" => Err(Fault::caller("this name is not for notes")),
        _ => Ok(notes.0.storage.get(&key(&request)).await?.is_some()),
    }
}

async fn read(notes: Arc<Notes>, request: Request, (): ()) -> Result<Answer, Fault> {
    let stored = notes.0.storage.get_json(&key(&request)).await?;
    Ok(stored.map_or_else(Answer::absent, Answer::data))
}

async fn change(notes: Arc<Notes>, request: Request, change: Change) -> Result<Answer, Fault> {
    let stored: Option<Map<String, Value>> = notes.0.storage.get_json(&key(&request)).await?;
    let note = change.onto(stored.as_ref())?;
    let note = json!({ "text": note.text("text")?, "colour": note.string("colour")? });
    notes.0.storage.put_json(&key(&request), &note).await?;
    Ok(if request.operation == Operation::Create { said("created") } else { Answer::nothing() }
        .warn("it creases"))
}

async fn delete(notes: Arc<Notes>, request: Request, (): ()) -> Result<Answer, Fault> {
    notes.0.storage.delete(&key(&request)).await?;
    Ok(Answer::nothing())
}

async fn fail(_: Arc<Notes>, request: Request, (): ()) -> Result<Answer, Fault> {
    match request.parameter("how") {
        "operator" => Err(Fault::operator("no paper: vault write notes/paper")),
        "refused" => Err(Fault::refused("the printer says no")),
        "later" => Err(Fault::later("out of ink")),
        "bug" => Err(Fault::bug("the detail")),
        "read_only" => Err(Fault::read_only()),
        how => panic!("no way to fail: {how}"),
    }
}

async fn leased(_: Arc<Notes>, _: Request, (): ()) -> Result<Answer, Fault> {
    let internal = Map::from_iter([("note".to_owned(), json!("a"))]);
    Ok(said("x").lease(Lease { internal, ..Lease::of(Duration::ZERO) }))
}

async fn raw(_: Arc<Notes>, _: Request, (): ()) -> Result<Answer, Fault> {
    Ok(Answer::raw(Raw::ok("text/plain", "abcd").no_store()))
}

async fn pin(_: Arc<Notes>, _: Request, pin: Pin) -> Result<Answer, Fault> {
    Ok(said(&pin.0))
}

async fn who(notes: Arc<Notes>, request: Request, (): ()) -> Result<Answer, Fault> {
    let id = request.entity_id.ok_or_else(|| Fault::caller("no entity: log in"))?;
    let entity = notes.0.system.entity_info(&id).await?;
    Ok(said(&entity.map(|entity| entity.name).unwrap_or_default()))
}

async fn signed(_: Arc<Notes>, _: Request, ask: Signed) -> Result<Answer, Fault> {
    Ok(said(&ask.0.join("; ")))
}

async fn probe() -> Probe<Notes> {
    Probe::new().await.unwrap()
}

#[tokio::test]
async fn a_write_creates_first_and_updates_then() {
    let probe = probe().await;

    let first = probe.write("notes/a", json!({ "text": "one" })).await;
    let second = probe.write("notes/a", json!({ "text": "two" })).await;

    assert_eq!((first.status, &first.data["text"]), (200, &json!("created")));
    assert_eq!((second.status, second.data.len()), (200, 0));
    assert_eq!(probe.read("notes/a").await.data["text"], "two");
}

#[tokio::test]
async fn what_is_not_there_is_404_to_reads_and_lists() {
    let probe = probe().await;

    assert_eq!(probe.read("notes/a").await.status, 404);
    assert_eq!(probe.list("notes").await.status, 404);
    assert_eq!(probe.delete("notes/a").await.status, 204);
}

#[tokio::test]
async fn a_list_names_what_was_written() {
    let probe = probe().await;
    probe.write("notes/b", json!({ "text": "x" })).await;
    probe.write("notes/a", json!({ "text": "x" })).await;

    let listed = probe.list("notes").await;

    assert_eq!(listed.data["keys"], json!(["a", "b"]));
}

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

#[tokio::test]
async fn an_existence_check_that_blames_the_caller_is_a_400() {
    let reply = probe().await.write("notes/forbidden", json!({ "text": "x" })).await;

    assert_eq!((reply.status, reply.error.as_str()), (400, "this name is not for notes"));
}

#[tokio::test]
async fn each_fault_has_its_status() {
    let probe = probe().await;
    let expected = [
        ("operator", 400, "no paper: vault write notes/paper"),
        ("refused", 400, "the printer says no"),
        ("later", 503, "out of ink"),
        ("bug", 500, "internal error"),
        ("read_only", 500, "cannot write to readonly storage"),
    ];
    for (how, status, text) in expected {
        let reply = probe.read(&format!("fails/{how}")).await;

        assert_eq!((reply.status, reply.error.as_str()), (status, text), "{how}");
    }
}

#[tokio::test]
async fn a_handlers_panic_is_a_500_and_the_next_request_is_answered() {
    let probe = probe().await;

    let reply = probe.read("fails/panic").await;

    assert_eq!((reply.status, reply.error.as_str()), (500, "internal error"));
    assert_eq!(probe.read("raw").await.status, 200);
}

#[tokio::test]
async fn a_write_on_a_read_only_node_says_vaults_exact_words() {
    let probe = probe().await;
    probe.storage.fail_writes(true);

    let reply = probe.write("notes/a", json!({ "text": "x" })).await;

    assert_eq!(reply.error, "cannot write to readonly storage");
}

#[tokio::test]
async fn a_lease_of_nothing_lasts_a_second() {
    let reply = probe().await.read("leased").await;

    assert_eq!(reply.lease_nanoseconds, Some(1_000_000_000));
    assert_eq!(reply.internal["note"], "a");
}

#[tokio::test]
async fn a_lease_that_ends_reaches_the_backend_with_what_it_remembered() {
    let probe = probe().await;
    let internal = probe.read("leased").await.internal;

    let reply = probe.revoke(internal).await;

    assert_eq!(reply.status, 204);
    let revoked: Value = probe.storage.get_json("revoked").await.unwrap().unwrap();
    assert_eq!(revoked["note"], "a");
}

#[tokio::test]
async fn a_lease_is_not_renewed() {
    let reply = probe().await.renew().await;

    assert_eq!((reply.status, reply.error.contains("not renewable")), (400, true));
}

#[tokio::test]
async fn a_failing_tick_is_accepted() {
    let reply = probe().await.tick().await;

    assert_eq!((reply.error.as_str(), reply.data.len()), ("", 0));
}

#[tokio::test]
async fn a_raw_body_arrives_as_it_was_made() {
    let reply = probe().await.read("raw").await;

    assert_eq!((reply.status, reply.raw.as_deref()), (200, Some(&b"abcd"[..])));
    assert_eq!(reply.data["http_raw_cache_control"], "no-store");
}

#[tokio::test]
async fn a_handler_learns_who_asks() {
    let entity = Entity { id: "e-1".to_owned(), name: "bob".to_owned(), ..Entity::default() };

    let known = probe().await.asked_by(entity).read("who").await;
    let nobody = probe().await.read("who").await;

    assert_eq!(known.data["text"], "bob");
    assert_eq!((nobody.status, nobody.error.as_str()), (400, "no entity: log in"));
}

#[tokio::test]
async fn a_write_is_finished_although_the_caller_hangs_up() {
    let probe = Arc::new(probe().await);

    {
        let mut write = std::pin::pin!(probe.write("notes/a", json!({ "text": "x" })));
        let polled = futures_util::poll!(write.as_mut());
        assert!(polled.is_pending(), "the write has become a task of its own");
    }
    tokio::task::yield_now().await;

    assert_eq!(probe.storage.puts(), ["notes/a"]);
}

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

A write changes what it names, and creates what is not there. Null or an empty
text unsets a field: its default is in force again. A list is replaced whole.
Pairs are replaced whole by a write, and merged by a patch. A patch fails where
nothing is stored. What a read returns, a write takes. For a clean slate delete
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

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_log_line_names_the_mount_and_a_bug_its_detail() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(HclogLayer::new(lines.clone()));
    let _guard = tracing::subscriber::set_default(subscriber);

    probe().await.read("fails/bug").await;

    let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["@level"], &line["mount"], &line["detail"]),
        (&json!("error"), &json!("test/"), &json!("the detail"))
    );
    assert!(line.get("request_id").is_some(), "{line}");
}
