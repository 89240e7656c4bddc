//! `docs/reference`: the committed pages are those that routes, policies and metrics make. `make reference` writes them.

mod audit;
mod markdown;
mod metrics;
mod policies;
mod routes;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use engine::Engine;
use vault_backend::reference::{PathReference, paths};

use crate::aws::Aws;
use crate::mounts::{ANCHOR, PROFILE, ROLE, with_ca, with_ca_calling};

/// A page that shows paths: its file, its title, a sentence that opens it, and its paths in order.
pub(crate) struct Page {
    file: &'static str,
    title: &'static str,
    about: &'static str,
    templates: &'static [&'static str],
}

/// Every page of paths. A path stands on one page.
const PAGES: [Page; 9] = [
    Page {
        file: "config.md",
        title: "config",
        about: "How the engine reaches AWS, and the defaults of roles.",
        templates: &["config"],
    },
    Page {
        file: "roles.md",
        title: "roles",
        about: "A role decides which IAM role a caller gets, which certificate names the caller, and how long a session lasts.",
        templates: &["roles", "roles/{name}"],
    },
    Page {
        file: "creds.md",
        title: "creds and sts",
        about: "AWS credentials under a lease. `sts/{role}` is the same path under the name that Vault's aws engine has for it.",
        templates: &["creds/{role}", "sts/{role}"],
    },
    Page {
        file: "container.md",
        title: "container",
        about: "AWS credentials in the form that the AWS SDKs fetch and refresh themselves.",
        templates: &["container/{role}"],
    },
    Page {
        file: "clusters.md",
        title: "clusters",
        about: "A cluster is one auth mount under a name that templates and certificates use.",
        templates: &["clusters", "clusters/{name}"],
    },
    Page {
        file: "issuers.md",
        title: "issuers and rotation",
        about: "The certificate authorities of the mount: how one is made, published, rotated and retired.",
        templates: &[
            "root/generate/internal",
            "intermediate/generate/internal",
            "intermediate/set-signed",
            "issuers/import/bundle",
            "issuers",
            "issuer/{ref}",
            "config/issuers",
            "rotation",
            "trust-bundle",
            "ca/pem",
            "ca_chain",
        ],
    },
    Page {
        file: "trust-anchors.md",
        title: "trust-anchors",
        about: "Trust anchors at AWS that the engine manages.",
        templates: &["trust-anchors", "trust-anchors/{name}", "trust-anchors/{name}/sync"],
    },
    Page {
        file: "incidents.md",
        title: "sessions, revoke and compromised",
        about: "Paths that show who has which session, and that deny sessions at AWS after a leak.",
        templates: &[
            "sessions",
            "sessions/{serial}",
            "revoke",
            "roles/{name}/revoke-sessions",
            "issuer/{ref}/compromised",
        ],
    },
    Page {
        file: "diagnosis.md",
        title: "preview, check and metrics",
        about: "Paths that explain an identity or a refusal, and the numbers of a mount. None of them returns credentials.",
        templates: &["preview/{role}", "check/{role}", "metrics"],
    },
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[tokio::test]
async fn every_page_is_what_the_code_says() {
    let paths = paths::<Engine>();
    let mut pages: Vec<(&str, String)> =
        PAGES.iter().map(|page| (page.file, routes::page(page, &paths))).collect();
    pages.push(("index.md", routes::index(&PAGES, &paths)));
    pages.push(("policies.md", policies::page(&repository())));
    pages.push(("audit.md", audit::page(&repository(), &paths)));
    pages.push(("metrics.md", metrics::page(&exposition().await)));
    let folder = repository().join("docs/reference");

    for (file, text) in &pages {
        hold(&folder.join(file), text);
    }

    let known: BTreeSet<&str> = pages.iter().map(|(file, _)| *file).collect();
    for entry in fs::read_dir(&folder).expect("docs/reference can be listed") {
        let name = entry.expect("an entry").file_name();
        assert!(
            name.to_str().is_some_and(|name| known.contains(name)),
            "docs/reference/{} is not generated",
            name.display()
        );
    }
}

#[test]
fn every_path_stands_on_one_page() {
    let mut shown: Vec<&str> = PAGES.iter().flat_map(|page| page.templates).copied().collect();
    shown.sort_unstable();

    let mut there: Vec<&str> = paths::<Engine>().iter().map(|path| path.template).collect();
    there.sort_unstable();

    assert_eq!(shown, there);
}

#[tokio::test]
async fn an_answer_of_creds_has_the_keys_that_are_described() {
    let mount = with_ca_calling(&Aws::granting()).await;
    let config = serde_json::json!({ "default_trust_anchor_arn": ANCHOR, "default_profile_arn": PROFILE });
    assert_eq!(mount.write("config", config).await.error, "");
    let role = serde_json::json!({ "role_arn": ROLE, "lease": "static" });
    assert_eq!(mount.write("roles/app", role).await.error, "");

    let creds = mount.read("creds/app").await;
    let container = mount.read("container/app").await;

    let document: serde_json::Value =
        serde_json::from_slice(&container.raw.expect("a document")).expect("JSON");
    let described = |template| described(&paths::<Engine>(), template);
    assert_eq!(keys(&creds.data), described("creds/{role}"));
    assert_eq!(keys(document.as_object().expect("an object")), described("container/{role}"));
}

fn keys(data: &serde_json::Map<String, serde_json::Value>) -> BTreeSet<String> {
    data.keys().cloned().collect()
}

fn described(paths: &[PathReference], template: &str) -> BTreeSet<String> {
    let path = paths.iter().find(|path| path.template == template).expect("the path is there");
    path.answer.iter().map(|key| key.name.to_owned()).collect()
}

/// What a mount shows that has an issuer, and has looked at a trust anchor of which it heard nothing.
async fn exposition() -> String {
    let mount = with_ca().await;
    let config = serde_json::json!({ "max_retries": 0 });
    assert_eq!(mount.write("config", config).await.error, "");
    let anchor = serde_json::json!({
        "trust_anchor_arn": ANCHOR, "profile_arn": PROFILE, "management_role_arn": ROLE,
    });
    assert_eq!(mount.write("trust-anchors/main", anchor).await.error, "");
    let _ = mount.periodic().await;
    String::from_utf8(mount.read("metrics").await.raw.expect("a text")).expect("UTF-8")
}

/// # Panics
/// When the committed page differs, unless pages are to be written.
fn hold(file: &Path, text: &str) {
    if is_to_be_written() {
        fs::write(file, text).expect("the page is written");
        return;
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    let differs = committed.lines().zip(text.lines()).find(|(committed, made)| committed != made);
    assert!(
        committed == text,
        "{} is out of date, first at {differs:?} (committed, made): `make reference` writes it",
        file.display()
    );
}

#[expect(clippy::disallowed_methods, reason = "how `make reference` asks for it")]
fn is_to_be_written() -> bool {
    std::env::var_os("UPDATE_DOCUMENTS").is_some()
}
