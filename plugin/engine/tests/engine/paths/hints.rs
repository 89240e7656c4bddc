//! An operator's fault ends with the command that cures it: whoever follows one command after the other gets there.

use engine::Engine;
use serde_json::{Map, Value, json};
use vault_backend::testing::{TestMount, TestResponse};
use vault_backend::{Alias, Entity};

use crate::mounts::{ANCHOR, PROFILE, ROLE, mount};

const MANAGEMENT: &str = "arn:aws:iam::111122223333:role/iamra-management";

/// What an operator puts in for `placeholder` in `field`.
fn filled(field: &str, placeholder: &str) -> String {
    let value = match (field, placeholder) {
        ("accessor", _) => "auth_kubernetes_1a",
        ("name", _) => "main",
        ("common_name", _) => "test CA",
        _ if field.ends_with("trust_anchor_arn") => ANCHOR,
        _ if field.ends_with("profile_arn") => PROFILE,
        _ if field.ends_with("role_arn") => MANAGEMENT,
        _ => panic!("nothing is known for {field}={placeholder}"),
    };
    value.to_owned()
}

/// A `vault write` or `vault patch` of this mount, as a text gives it.
#[derive(Debug)]
struct Command {
    patches: bool,
    path: String,
    body: Map<String, Value>,
}

impl Command {
    /// The first one in `text`; it reaches as far as words are a path or `field=value`.
    fn within(text: &str, mount_point: &str) -> Option<Command> {
        let starts = ["vault write ", "vault patch "].map(|verb| format!("{verb}{mount_point}"));
        let (at, start) =
            starts.iter().filter_map(|start| Some((text.find(start.as_str())?, start))).min()?;
        let rest = &text[at + start.len()..];
        let (path, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut body = Map::new();
        while let Some((field, after)) = rest.trim_start().split_once('=') {
            if !field.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_') {
                break;
            }
            let (value, after) = value(after);
            let is_placeholder = value.starts_with('<');
            let value = if is_placeholder { filled(field, &value) } else { value };
            body.insert(field.to_owned(), value.into());
            rest = after;
        }
        let path = path.replace("<name>", "main");
        Some(Command { patches: start.starts_with("vault patch"), path, body })
    }

    async fn run(self, mount: &TestMount<Engine>) -> TestResponse {
        let Command { patches, path, body } = self;
        let body = Value::Object(body);
        let reply = if patches { mount.patch(&path, body).await } else { mount.write(&path, body).await };
        assert!(reply.status < 300, "{path}: {reply:?}");
        reply
    }
}

/// One value of a shell command, in quotes, in angle brackets or up to a space, and what follows it. What another
/// command prints, `$(…)`, is told as a placeholder.
fn value(text: &str) -> (String, &str) {
    if text.starts_with("$(") {
        let mut open = 0;
        let end = text.find(|sign| {
            open += i32::from(sign == '(') - i32::from(sign == ')');
            sign == ')' && open == 0
        });
        let end = end.expect("the inner command ends") + 1;
        return (format!("<{}>", &text[2..end - 1]), &text[end..]);
    }
    for (open, close) in [('"', '"'), ('\'', '\''), ('<', '>')] {
        if let Some(inner) = text.strip_prefix(open) {
            let (value, rest) = inner.split_once(close).expect("the value ends");
            let value = value.trim_matches(['<', '>']);
            return (
                if open == '<' || inner.starts_with('<') { format!("<{value}>") } else { value.to_owned() },
                rest,
            );
        }
    }
    let end = text.find([' ', ',', '\n']).unwrap_or(text.len());
    (text[..end].trim_end_matches(';').to_owned(), &text[end..])
}

/// Does what each refusal of `ask` says until there is nothing left to do; the paths that were written on the way.
async fn follow(
    mount: &TestMount<Engine>,
    ask: impl AsyncFn() -> TestResponse,
) -> (Vec<String>, TestResponse) {
    let mut followed: Vec<String> = Vec::new();
    loop {
        let reply = ask().await;
        let Some(command) = Command::within(&reply.error, "test/") else {
            return (followed, reply);
        };
        let step = format!("{} {}", command.path, command.body.keys().cloned().collect::<Vec<_>>().join(" "));
        assert!(!followed.contains(&step), "asked for once more: {}", reply.error);
        command.run(mount).await;
        followed.push(step);
    }
}

/// A pod of the cluster whose auth mount a hint registers.
fn pod() -> Entity {
    let metadata = [
        ("service_account_namespace", "payments"),
        ("service_account_name", "api"),
        ("service_account_uid", "u-1"),
    ];
    let alias = Alias {
        mount_accessor: "auth_kubernetes_1a".to_owned(),
        mount_type: "kubernetes".to_owned(),
        metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Alias::default()
    };
    Entity { id: "entity-1".to_owned(), aliases: vec![alias], ..Entity::default() }
}

#[tokio::test]
async fn the_hints_of_a_read_lead_from_an_empty_mount_to_aws() {
    let mount = mount().await.asked_by(pod());
    // Nothing answers there, so that the way ends where AWS begins.
    mount.write("config", json!({ "endpoint": "https://127.0.0.1:9", "max_retries": 0 })).await;
    let role = json!({ "role_arn": ROLE, "common_name": "{{kubernetes.cluster}}.{{kubernetes.namespace}}" });
    mount.write("roles/app", role).await;

    let (followed, reply) = follow(&mount, async || mount.read("creds/app").await).await;

    let wanted = [
        "config default_profile_arn",
        "config default_trust_anchor_arn",
        "clusters/main accessor",
        "root/generate/internal common_name",
    ];
    assert!(wanted.iter().all(|step| followed.iter().any(|done| done == step)), "{followed:?}");
    assert_eq!(reply.status, 503, "AWS is asked, and not there: {reply:?}");
    let config = mount.read("config").await.data;
    assert_eq!((&config["default_trust_anchor_arn"], &config["max_retries"]), (&json!(ANCHOR), &json!(0)));
}

#[tokio::test]
async fn the_hint_about_an_unregistered_cluster_makes_the_role_acceptable() {
    let mount = mount().await;
    let role = json!({ "role_arn": ROLE, "clusters": ["prod"] });

    let (followed, reply) = follow(&mount, async || mount.write("roles/app", role.clone()).await).await;

    assert_eq!((followed, reply.error.as_str()), (vec!["clusters/prod accessor".to_owned()], ""));
}

#[tokio::test]
async fn the_hints_of_each_duty_add_to_one_trust_anchor() {
    let mount = mount().await;
    let config =
        json!({ "endpoint": "https://127.0.0.1:9", "sts_endpoint": "https://127.0.0.1:9", "max_retries": 0 });
    mount.write("config", config).await;
    mount.write("root/generate/internal", json!({ "common_name": "test CA" })).await;
    mount.write("roles/app", json!({ "role_arn": ROLE })).await;

    let revoked = follow(&mount, async || mount.write("roles/app/revoke-sessions", json!({})).await).await;
    let synced = follow(&mount, async || mount.write("trust-anchors/main/sync", json!({})).await).await;

    assert_eq!(revoked.0, ["trust-anchors/main profile_arn revocation_role_arn trust_anchor_arn"]);
    assert_eq!(synced.0, ["trust-anchors/main management_role_arn"]);
    let anchor = mount.read("trust-anchors/main").await.data;
    assert_eq!(
        (&anchor["revocation_role_arn"], &anchor["management_role_arn"]),
        (&json!(MANAGEMENT), &json!(MANAGEMENT))
    );
}

#[tokio::test]
async fn the_hint_about_a_disabled_issuer_lets_it_become_the_default() {
    let mount = mount().await;
    for name in ["one", "two"] {
        mount.write("root/generate/internal", json!({ "common_name": name, "issuer_name": name })).await;
    }
    mount.write("issuer/two", json!({ "disabled": true })).await;

    let ask = async || mount.write("config/issuers", json!({ "default": "two" })).await;
    let (followed, reply) = follow(&mount, ask).await;

    assert_eq!((followed, reply.error.as_str()), (vec!["issuer/two disabled".to_owned()], ""));
    assert_eq!(mount.read("issuer/two").await.data["issuer_name"], "two");
}

/// The commands of a document that write `path`, with their lines joined.
fn commands(document: &str, path: &str) -> Vec<Command> {
    let joined = document.replace("\\\n", " ");
    let lines =
        joined.lines().filter(|line| line.trim_start().starts_with(&format!("vault write iamra/{path} ")));
    lines.filter_map(|line| Command::within(line, "iamra/")).collect()
}

#[tokio::test]
async fn the_profile_is_kept_when_the_quick_start_and_then_the_book_are_followed() {
    let mount = mount().await;
    let quick_start = commands(include_str!("../../../../../README.md"), "config");
    let book = commands(include_str!("../../../../../docs/getting-started.md"), "config");
    assert!(!quick_start.is_empty() && book.len() == 2, "{quick_start:?} {book:?}");

    for command in quick_start.into_iter().chain(book) {
        command.run(&mount).await;
    }

    let config = mount.read("config").await.data;
    assert_eq!(config["default_profile_arn"], PROFILE);
    assert_eq!(config["allowed_role_arns"], json!(["arn:aws:iam::111122223333:role/iamra/*"]));
}
