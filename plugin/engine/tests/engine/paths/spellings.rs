//! One resource has one path, also for a host that asks for what no policy allowed: over the whole route table.

use std::io::Write as _;

use engine::Engine;
use serde_json::json;
use vault_backend::testing::{TestMount, TestResponse};

use crate::mounts::{ANCHOR, PROFILE, ROLE, with_ca};

/// Each path of the mount, with names that exist; without the slash of a LIST.
async fn paths(mount: &TestMount<Engine>) -> Vec<String> {
    let document = mount.help("").await.data["openapi"].clone();
    let templates: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let named = templates.iter().map(|template| {
        let name = if template.contains("clusters") { "prod" } else { "app" };
        let path = template.trim_matches('/').replace("{ref}", "default").replace("{serial}", "7a");
        path.replace("{name}", name).replace("{role}", name)
    });
    named.collect()
}

/// What Vault may send for other spellings, decoded as it decodes them.
fn spellings(path: &str) -> Vec<String> {
    let mut all: Vec<String> = [
        "/", "//", "/.", "/..", "/./", "/x/..", "%2f", "%2F", " ", "\n", "\r", "\0", "\t", ";", "?", "#",
        "\\", ".", "\u{2215}", "\u{ff0f}",
    ]
    .iter()
    .map(|end| format!("{path}{end}"))
    .collect();
    all.extend(["/", "//", "./", "../", "x/../", " ", "\\"].iter().map(|start| format!("{start}{path}")));
    all.extend(
        ["//", "/./", "/x/../", "%2f", "\\"]
            .iter()
            .map(|between| path.replace('/', between))
            .filter(|other| other != path),
    );
    all.push(path.to_uppercase());
    all
}

async fn asked(mount: &TestMount<Engine>, path: &str) -> [TestResponse; 6] {
    [
        mount.read(path).await,
        mount.list(path).await,
        mount.write(path, json!({})).await,
        mount.patch(path, json!({})).await,
        mount.delete(path).await,
        mount.help(path).await,
    ]
}

#[tokio::test]
async fn every_resource_has_one_path_for_every_operation() {
    let mount = with_ca().await;
    mount.write("clusters/prod", json!({ "accessor": "auth_kubernetes_1a" })).await;
    mount.write("trust-anchors/app", json!({ "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE })).await;
    mount.write("roles/app", json!({ "role_arn": ROLE })).await;
    let stored = mount.storage.puts();
    let (paths, mut tried) = (paths(&mount).await, 0);

    for path in &paths {
        assert_eq!(mount.help(path).await.status, 200, "{path} is none of the mount's");
        for spelling in spellings(path) {
            for reply in asked(&mount, &spelling).await {
                assert_eq!((reply.status, reply.error.as_str()), (404, "unsupported path"), "{spelling:?}");
                tried += 1;
            }
        }
    }

    assert_eq!(mount.storage.puts(), stored);
    // past the capture of output: the walk says what it did
    let _ = writeln!(std::io::stdout(), "{} paths, {tried} requests with another spelling", paths.len());
}

#[tokio::test]
async fn a_name_with_dots_in_a_row_is_refused_with_the_rule_and_is_nowhere() {
    let mount = with_ca().await;
    let stored = mount.storage.puts();
    for (path, body) in [
        ("roles/a..b", json!({ "role_arn": ROLE })),
        ("clusters/a..b", json!({ "accessor": "auth_kubernetes_1a" })),
        ("trust-anchors/a..b", json!({ "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE })),
    ] {
        let written = mount.write(path, body).await;
        let (read, deleted) = (mount.read(path).await, mount.delete(path).await);

        assert_eq!((written.status, read.status, deleted.status), (400, 404, 204), "{path}: {written:?}");
        assert!(written.error.starts_with("name: ") && written.error.contains("\"a..b\""), "{written:?}");
    }
    for path in ["creds/a..b", "preview/a..b", "check/a..b"] {
        let reply = mount.read(path).await;

        assert_eq!(reply.status, 400, "{path}: {reply:?}");
        assert!(reply.error.contains("there is no role \"a..b\""), "{path}: {reply:?}");
    }
    assert_eq!(mount.storage.puts(), stored, "Vault would refuse every key with such a name");
}
