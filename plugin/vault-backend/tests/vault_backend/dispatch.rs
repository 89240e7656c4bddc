//! From a call to its route and back, as Vault would show it.

mod asking;
mod help;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goplugin::hclog::HclogLayer;
use serde_json::{Map, Value, json};
use tracing_subscriber::layer::SubscriberExt as _;
use vault_backend::testing::TestMount;
use vault_backend::{
    Backend, Change, Entity, Fault, Field, Lease, LeaseEnd, Mount, Operation, Params, Raw, Request, Response,
    Route, SpecialPaths, Values,
};

struct Notes(Mount);

const NOTE: &[Field] = &[
    Field::string("name", "The note's name."),
    Field::string("text", "What the note says.").required(),
    Field::string("colour", "The paper.").one_of(&["white", "blue"]).default_text("white"),
];

struct Pin(String);

impl Params for Pin {
    const FIELDS: &'static [Field] = &[Field::string("note", "Which note.").required()];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        values.text("note").map(Self)
    }
}

struct Signed(Vec<String>);

impl Params for Signed {
    const FIELDS: &'static [Field] =
        &[Field::list("names", "Who signs.").prose(), Field::list("tags", "What it is about.")];

    fn from_values(values: &Values) -> Result<Self, Fault> {
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

    async fn periodic(self: Arc<Self>, _: Mount) -> Result<(), Fault> {
        Err(Fault::later("nothing to tick with"))
    }
}

fn key(request: &Request) -> String {
    format!("notes/{}", request.parameter("name"))
}

fn said(text: &str) -> Response {
    Response::data(Map::from_iter([("text".to_owned(), Value::from(text))]))
}

async fn list(notes: Arc<Notes>, _: Request, (): ()) -> Result<Response, Fault> {
    Ok(Response::list(notes.0.storage.list("notes/").await?))
}

async fn exists(notes: Arc<Notes>, request: Request) -> Result<bool, Fault> {
    match request.parameter("name") {
        "forbidden" => Err(Fault::caller("this name is not for notes")),
        _ => Ok(notes.0.storage.get(&key(&request)).await?.is_some()),
    }
}

async fn read(notes: Arc<Notes>, request: Request, (): ()) -> Result<Response, Fault> {
    let stored = notes.0.storage.get_json(&key(&request)).await?;
    Ok(stored.map_or_else(Response::not_found, Response::data))
}

async fn change(notes: Arc<Notes>, request: Request, change: Change) -> Result<Response, Fault> {
    let stored: Option<Map<String, Value>> = notes.0.storage.get_json(&key(&request)).await?;
    let note = change.onto(stored.as_ref())?;
    let note = json!({ "text": note.text("text")?, "colour": note.string("colour")? });
    notes.0.storage.put_json(&key(&request), &note).await?;
    Ok(if request.operation == Operation::Create { said("created") } else { Response::no_content() }
        .warn("it creases"))
}

async fn delete(notes: Arc<Notes>, request: Request, (): ()) -> Result<Response, Fault> {
    notes.0.storage.delete(&key(&request)).await?;
    Ok(Response::no_content())
}

async fn fail(_: Arc<Notes>, request: Request, (): ()) -> Result<Response, Fault> {
    match request.parameter("how") {
        "operator" => Err(Fault::operator("no paper").cure("vault write notes/paper")),
        "refused" => Err(Fault::refused("the printer says no")),
        "later" => Err(Fault::later("out of ink")),
        "bug" => Err(Fault::bug("the detail")),
        "read_only" => Err(Fault::read_only()),
        how => panic!("no way to fail: {how}"),
    }
}

async fn leased(_: Arc<Notes>, _: Request, (): ()) -> Result<Response, Fault> {
    let internal = Map::from_iter([("note".to_owned(), json!("a"))]);
    Ok(said("x").lease(Lease { internal, ..Lease::of(Duration::ZERO) }))
}

async fn raw(_: Arc<Notes>, _: Request, (): ()) -> Result<Response, Fault> {
    Ok(Response::raw(Raw::ok("text/plain", "abcd").no_store()))
}

async fn pin(_: Arc<Notes>, _: Request, pin: Pin) -> Result<Response, Fault> {
    Ok(said(&pin.0))
}

async fn who(notes: Arc<Notes>, request: Request, (): ()) -> Result<Response, Fault> {
    let id = request.entity_id.ok_or_else(|| Fault::caller("no entity: log in"))?;
    let entity = notes.0.system.entity_info(&id).await?;
    Ok(said(&entity.map(|entity| entity.name).unwrap_or_default()))
}

async fn signed(_: Arc<Notes>, _: Request, ask: Signed) -> Result<Response, Fault> {
    Ok(said(&ask.0.join("; ")))
}

async fn probe() -> TestMount<Notes> {
    TestMount::new().await.unwrap()
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
    let reply = probe().await.periodic().await;

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

/// `tracing` remembers for the whole process whether anybody listens to a span, and asks only the thread that reaches the span first
/// while there is one subscriber. Without a global subscriber another test's thread would answer "nobody" for this one.
fn keep_spans_enabled() {
    let _already_set = tracing::subscriber::set_global_default(tracing_subscriber::registry());
}

#[tokio::test]
async fn a_log_line_names_the_mount_and_a_bug_its_detail() {
    let lines = Lines::default();
    keep_spans_enabled();
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
