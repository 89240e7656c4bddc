//! Failures in a route's own form, and which of them stay Vault's.

use std::sync::Arc;

use serde_json::{Value, json};
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Backend, Fault, Mount, READ_ONLY, Raw, Request, Response, Route};

struct Printer;

impl Backend for Printer {
    const HELP: &'static str = "Prints.";

    fn new(_: Mount) -> Self {
        Self
    }

    fn routes() -> Vec<Route<Self>> {
        vec![Route::at("pages/{how}").read(page).delete(page).render_errors_with(form)]
    }
}

fn form(fault: &Fault) -> Raw {
    let body = json!({ "code": fault.name(), "message": fault.to_string() });
    Raw::failure(fault, "application/json", body.to_string()).no_store()
}

async fn page(_: Arc<Printer>, request: Request, (): ()) -> Result<Response, Fault> {
    Err(match request.parameter("how") {
        "caller" => Fault::caller("no such page"),
        "operator" => Fault::operator("no paper").cure("vault write paper"),
        "refused" => Fault::refused("the printer says no").named("NoInk"),
        "later" => Fault::later("warming up"),
        "bug" => Fault::bug("the detail"),
        "read_only" => Fault::read_only(),
        how => panic!("no way to fail: {how}"),
    })
}

async fn probe() -> TestMount<Printer> {
    TestMount::new().await.unwrap()
}

fn shown(reply: &TestResponse) -> (u16, Value) {
    let body = reply.raw.as_deref().unwrap_or_else(|| panic!("not raw: {reply:?}"));
    assert_eq!(reply.data["http_content_type"], "application/json");
    assert_eq!(reply.data["http_raw_cache_control"], "no-store");
    (reply.status, serde_json::from_slice(body).unwrap())
}

#[tokio::test]
async fn a_failure_keeps_its_status_and_text_in_the_routes_own_form() {
    let probe = probe().await;

    for (how, status, text) in [
        ("caller", 400, "no such page"),
        ("operator", 400, "no paper: vault write paper"),
        ("later", 503, "warming up"),
    ] {
        let reply = probe.read(&format!("pages/{how}")).await;

        assert_eq!(shown(&reply), (status, json!({ "code": null, "message": text })), "{how}");
    }
}

#[tokio::test]
async fn the_name_of_a_failure_reaches_the_form() {
    let reply = probe().await.read("pages/refused").await;

    assert_eq!(shown(&reply), (400, json!({ "code": "NoInk", "message": "the printer says no" })));
}

#[tokio::test]
async fn a_bug_and_a_panic_show_no_detail() {
    let probe = probe().await;

    for how in ["bug", "unforeseen"] {
        let reply = probe.read(&format!("pages/{how}")).await;

        assert_eq!(shown(&reply), (500, json!({ "code": null, "message": "internal error" })), "{how}");
    }
}

#[tokio::test]
async fn a_field_that_the_route_does_not_take_fails_in_its_form() {
    let reply = probe().await.delete_with("pages/caller", json!({ "colour": "blue" })).await;

    let (status, body) = shown(&reply);
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().contains("colour"), "{body}");
}

#[tokio::test]
async fn a_delete_fails_in_the_form_as_a_read_does() {
    assert_eq!(shown(&probe().await.delete("pages/later").await).0, 503);
}

#[tokio::test]
async fn a_node_that_may_not_write_still_says_vaults_exact_words() {
    let reply = probe().await.read("pages/read_only").await;

    assert_eq!((reply.raw, reply.error.as_str()), (None, READ_ONLY));
}

#[tokio::test]
async fn an_operation_that_the_route_does_not_have_is_vaults_405() {
    let reply = probe().await.write("pages/caller", json!({})).await;

    assert_eq!((reply.raw, reply.status), (None, 405));
}
