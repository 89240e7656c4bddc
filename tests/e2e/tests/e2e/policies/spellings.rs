//! One resource has one path: a policy's rule for it holds for every way to spell it.
//!
//! The paths come from the engine's own OpenAPI document, so that a new route is included automatically.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use e2e::say;
use harness::{ROLE_ARN, Stage};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The engine role of the story, in a form that roles of associations have.
const DOTTED: &str = "web.demo";

/// One operation of a route, with names that exist in its path.
pub(super) struct Door {
    pub(super) method: &'static str,
    /// Below the mount, as policies name it: with a slash at its end for a LIST.
    pub(super) path: String,
    /// The same with `+` for each name.
    pattern: String,
}

/// The answer without the body.
struct Outcome {
    status: u16,
    location: Option<String>,
    text: String,
}

/// Every operation for which Vault asks a policy.
pub(super) async fn doors(stage: &Stage) -> Vec<Door> {
    let help = stage.root().read("iamra/?help=1").await.ok();
    let paths = help.body["openapi"]["paths"].as_object().expect("the engine describes its paths").clone();
    let guarded = paths.iter().filter(|(_, item)| item.get("x-vault-unauthenticated").is_none());
    guarded.flat_map(|(template, item)| doors_at(template, item)).collect()
}

fn doors_at(template: &str, item: &Value) -> Vec<Door> {
    let template = template.trim_start_matches('/');
    let of = |method| Door { method, path: named(template), pattern: filled(template, |_| "+") };
    let methods = [("get", "GET"), ("post", "POST"), ("patch", "PATCH"), ("delete", "DELETE")];
    let offered = methods.into_iter().filter(|(name, _)| item.get(*name).is_some());
    let is_list = template.ends_with('/');
    offered.map(|(_, method)| of(if is_list { "LIST" } else { method })).collect()
}

/// The template with the names of the story's objects.
fn named(template: &str) -> String {
    filled(template, |name| match (name, template.split('/').next()) {
        ("ref", _) => "default",
        ("serial", _) => "7a2b",
        ("name", Some("clusters")) => "prod",
        ("name", Some("trust-anchors")) => "main",
        ("name" | "role", _) => DOTTED,
        _ => panic!("a name for {{{name}}} in {template}"),
    })
}

fn filled(template: &str, name: impl Fn(&str) -> &'static str) -> String {
    let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(parameter) => name(parameter).to_owned(),
        None => text.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Other ways to write the path of `door` below `/v1/`, as they go over the wire. A name in capitals is another name.
fn spellings(door: &Door) -> Vec<String> {
    let path = door.path.trim_end_matches('/');
    let (head, last) = path.rsplit_once('/').unwrap_or(("", path));
    let last_at = if head.is_empty() { String::new() } else { format!("{head}/") };
    let whole = format!("iamra/{path}");
    let mut all: Vec<String> =
        ["/", "//", "%2f", "%2F", "/.", "/./", "/%2e", "/%2E/", "/x/..", "/x/%2e%2e", "/%2e%2e/", "%2f."]
            .iter()
            .chain(&["%00", "%20", "%0a", "%0d", ";", "%3b", "%3f", "%23", "%5c", "%252f", "."])
            .map(|end| format!("{whole}{end}"))
            .collect();
    for between in ["//", "%2f", "/./", "/%2e/", "/x/../", "/x/%2e%2e/", "%5c", "/%2f"] {
        all.push(format!("iamra{between}{path}"));
        all.push(format!("iamra/{}", path.replace('/', between)));
    }
    if !door.pattern.ends_with('+') {
        all.push(format!("iamra/{last_at}{}", last.to_uppercase()));
    }
    all.push(format!("iamra/{}", path.to_uppercase()));
    all.push(format!("IAMRA/{path}"));
    all.push(format!("iamra/{last_at}%{:02x}{}", last.as_bytes()[0], &last[1..]));
    all.push(format!("iamra/%{:02X}{}", path.as_bytes()[0], &path[1..]));
    all.push(format!("sys/../{whole}"));
    all.push(format!("{whole}?list=true"));
    all.push(format!("{whole}?list=true&x=/"));
    all.push(format!("{whole}/?list=false"));
    all.sort();
    all.dedup();
    all
}

/// Sends the path unchanged, because clients would normalise it.
async fn ask(stage: &Stage, token: &str, method: &str, target: &str) -> Outcome {
    let address = stage.vault.addr();
    let host = address.split_once("://").expect("an URL").1;
    let (body, kind) = match method {
        "POST" => ("{}", "application/json"),
        "PATCH" => ("{}", "application/merge-patch+json"),
        _ => ("", "application/json"),
    };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Vault-Token: {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    for _ in 0..3 {
        let mut connection = TcpStream::connect(host).await.expect("Vault listens");
        connection.write_all(request.as_bytes()).await.expect("Vault reads");
        // For a path without a route the server closes the connection during the body, and that may overtake its answer.
        let read = connection.read_to_end(&mut answer).await;
        if read.is_ok() || !answer.is_empty() {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let location = text.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned);
    Outcome { status: status.unwrap_or_else(|| panic!("{method} {target}: {text:?}")), location, text }
}

/// The same, going where Vault sends the client; a client keeps its token and, for all it knows, its method.
async fn ask_on(stage: &Stage, token: &str, method: &str, path: &str) -> Outcome {
    let mut outcome = ask(stage, token, method, &format!("/v1/{path}")).await;
    for _ in 0..3 {
        let Some(next) = outcome.location.take().filter(|_| (300..400).contains(&outcome.status)) else {
            break;
        };
        outcome = ask(stage, token, method, &next).await;
    }
    outcome
}

/// Whether nothing of the engine's was done: a policy refused, no route has the path, or Vault does not pass such a path on.
fn is_shut(outcome: &Outcome) -> bool {
    let body = outcome.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match outcome.status {
        403 | 405 => true,
        404 => body.contains("unsupported path") || body.contains("no handler for route"),
        400 => body.is_empty() || body.contains("cannot write to a path ending in '/'"),
        _ => false,
    }
}

/// All of the mount, but what `rules` say of single paths.
fn policy(rules: &[(String, &str)]) -> String {
    let mut text = String::from(
        "path \"iamra/*\" { capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"sudo\"] }\n",
    );
    for (path, rule) in rules {
        let _ = writeln!(text, "path \"iamra/{path}\" {{ {rule} }}");
    }
    text
}

const DENY: &str = "capabilities = [\"deny\"]";
/// Nothing that the walk sends has this parameter.
const NEVER: &str = "capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"sudo\"]\n  required_parameters = [\"never\"]";

async fn world() -> Stage {
    let stage = Stage::dev().await;
    stage.manage_anchor().await;
    let _ = stage.root().write("iamra/clusters/prod", json!({ "accessor": "auth_kubernetes_1a" })).await.ok();
    let role = format!("iamra/roles/{DOTTED}");
    let _ = stage.root().write(&role, json!({ "role_arn": ROLE_ARN })).await.ok();
    stage
}

/// Spells each door in each way under `rules`, which shut it.
async fn walk(stage: &Stage, name: &str, doors: &[&Door], rules: &[(String, &str)]) {
    let token = stage.vault.token(name, &policy(rules)).await;
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for Door { method, path, .. } in doors {
        let as_it_is = ask_on(stage, &token, method, &format!("iamra/{path}")).await;
        assert_eq!(as_it_is.status, 403, "{name}: {method} {path} is not shut: {}", as_it_is.text);
    }
    for door in doors {
        for spelling in spellings(door) {
            let outcome = ask_on(stage, &token, door.method, &spelling).await;
            assert!(is_shut(&outcome), "{name}: {} {spelling} went in: {}", door.method, outcome.text);
            *statuses.entry(outcome.status).or_default() += 1;
        }
    }
    let sent: usize = statuses.values().sum();
    say(&format!("{name}: {} operations, {sent} spellings, by status {statuses:?}", doors.len()));
}

#[tokio::test]
async fn no_spelling_of_a_path_walks_round_a_policy() {
    let stage = world().await;
    let doors = doors(&stage).await;
    let all: Vec<&Door> = doors.iter().collect();
    let named: Vec<&Door> = doors.iter().filter(|door| door.pattern.contains('+')).collect();
    let writes: Vec<&Door> = doors.iter().filter(|door| ["POST", "PATCH"].contains(&door.method)).collect();

    let exact: Vec<_> = all.iter().map(|door| (door.path.clone(), DENY)).collect();
    walk(&stage, "exact", &all, &exact).await;
    let plus: Vec<_> = named.iter().map(|door| (door.pattern.clone(), DENY)).collect();
    walk(&stage, "plus", &named, &plus).await;
    let parameters: Vec<_> = writes.iter().map(|door| (door.path.clone(), NEVER)).collect();
    walk(&stage, "parameters", &writes, &parameters).await;

    let _ = stage.creds(DOTTED).await.ok();
}
