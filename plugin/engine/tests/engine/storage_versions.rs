//! What earlier versions stored is read, and what a later one stored is refused whole.

use std::path::PathBuf;

use engine::Engine;
use serde_json::{Map, Value, json};
use vault_backend::Storage;
use vault_backend::testing::TestMount;

/// The newest format, and the one that writes are in.
const NEWEST: u64 = 1;
/// The issuer of all stored examples.
const ISSUER: &str = "7d9e5c1a-3b1f-4a53-9d43-0c6f4c7d1e21";

/// A storage as some version left it, and what reads of it have to answer at least.
struct Example {
    name: &'static str,
    stored: Map<String, Value>,
    read: Map<String, Value>,
}

impl Example {
    fn load(name: &'static str) -> Example {
        let file =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stored").join(name).with_extension("json");
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut document: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let mut take = |part: &str| match document.remove(part) {
            Some(Value::Object(map)) => map,
            _ => panic!("{name} has no object {part}"),
        };
        Example { name, stored: take("stored"), read: take("read") }
    }

    /// Keys are texts in hex, everything else is a record.
    async fn storage(&self) -> Storage {
        let storage = Storage::in_memory();
        for (key, value) in &self.stored {
            match value {
                Value::String(bytes) => storage.put_sealed(key, hex::decode(bytes).unwrap()).await.unwrap(),
                record => storage.put_json(key, record).await.unwrap(),
            }
        }
        storage
    }

    async fn mount(&self) -> TestMount<Engine> {
        crate::mounts::over(self.storage().await).await
    }
}

/// Every format there ever was.
fn examples() -> [Example; 2] {
    ["before-formats", "format-1"].map(Example::load)
}

#[tokio::test]
async fn every_format_that_was_ever_written_is_read() {
    for example in examples() {
        let mount = example.mount().await;

        for (path, expected) in &example.read {
            let reply = mount.read(path).await;

            assert_eq!(reply.status, 200, "{} {path}: {}", example.name, reply.error);
            for (field, value) in expected.as_object().unwrap() {
                assert_eq!(&reply.data[field], value, "{} {path} {field}", example.name);
            }
        }
    }
}

/// The keys of the store, as the constants of its source have them: whole, or a prefix that ends in a slash.
fn keys_of_the_store() -> Vec<&'static str> {
    let declared = include_str!("../../src/store.rs").lines().filter(|line| line.contains("const "));
    declared.filter_map(|line| line.split_once(": &str = \"")?.1.strip_suffix("\";")).collect()
}

fn lacks(example: &Example, key: &str) -> bool {
    let is_one = |stored: &String| if key.ends_with('/') { stored.starts_with(key) } else { stored == key };
    !example.stored.keys().any(is_one)
}

#[test]
fn the_newest_example_has_a_record_of_each_kind_and_no_other() {
    let newest = Example::load("format-1");
    let keys = keys_of_the_store();

    let missing: Vec<_> = keys.iter().filter(|key| lacks(&newest, key)).collect();
    let is_known = |stored: &String| {
        keys.iter().any(|key| stored == key || key.ends_with('/') && stored.starts_with(key))
    };
    let unknown: Vec<_> = newest.stored.keys().filter(|stored| !is_known(stored)).collect();

    assert!(missing.is_empty(), "tests/stored/{}.json has no example of {missing:?}", newest.name);
    assert!(unknown.is_empty(), "no constant of store.rs is the key of {unknown:?}");
}

#[tokio::test]
async fn the_ca_of_every_format_is_loaded_with_its_key() {
    for example in examples() {
        let mount = example.mount().await;

        let reply = mount.read("preview/full").await;

        assert_eq!(reply.status, 200, "{}: {}", example.name, reply.error);
    }
}

#[tokio::test]
async fn what_an_earlier_version_noted_of_a_compromise_holds() {
    let mut example = Example::load("format-1");
    example.stored[ISSUER_KEY]["state"] = json!("disabled");
    let mount = example.mount().await;

    let reply = mount.write(ISSUER_KEY, json!({ "disabled": false })).await;

    assert_eq!(reply.status, 400, "{reply:?}");
    assert!(reply.error.contains("compromised since 2026-11-24T15:30:00Z"), "{}", reply.error);
}

#[tokio::test]
async fn what_is_written_is_the_newest_format_as_its_example_has_it() {
    let newest = Example::load("format-1");
    let before = Example::load("before-formats").mount().await;
    let mount = crate::mounts::mount().await;

    for path in ["config", "clusters/prod", "trust-anchors/home", "roles/full"] {
        let read = before.read(path).await;
        let written = mount.write(path, Value::Object(read.data)).await;
        assert!(written.status < 300, "{path}: {}", written.error);
    }

    for key in ["config", "cluster/prod", "trust-anchor/home", "role/full"] {
        let stored: Value = mount.storage.get_json(key).await.unwrap().unwrap();
        assert_eq!(
            stored, newest.stored[key],
            "{key} is written otherwise than format {NEWEST} is: if that was released, raise FORMAT in records.rs and add an example"
        );
    }
}

#[tokio::test]
async fn a_record_of_before_is_stamped_by_the_first_write_that_changes_it() {
    let mount = Example::load("before-formats").mount().await;

    let patched = mount.patch("roles/full", json!({ "certificate_ttl": 700 })).await;

    assert!(patched.status < 300, "{}", patched.error);
    let stored: Value = mount.storage.get_json("role/full").await.unwrap().unwrap();
    assert_eq!((&stored["format"], &stored["certificate_ttl"]), (&json!(NEWEST), &json!(700)));
}

/// A mount whose record `key` a later version wrote, with a field that changes what the rest means.
async fn with_a_later(key: &str) -> TestMount<Engine> {
    let mut example = Example::load("format-1");
    let record = example.stored.get_mut(key).unwrap();
    record["format"] = json!(NEWEST + 1);
    record["only_on_tuesdays"] = json!(true);
    example.mount().await
}

const ISSUER_KEY: &str = "issuer/7d9e5c1a-3b1f-4a53-9d43-0c6f4c7d1e21";

#[tokio::test]
async fn a_record_of_a_later_version_is_refused_by_name_and_with_the_cure() {
    for (key, path) in [
        ("config", "config"),
        ("role/full", "roles/full"),
        ("cluster/prod", "clusters/prod"),
        (ISSUER_KEY, "issuer/default"),
        ("config/issuers", "config/issuers"),
        ("trust-anchor/home", "trust-anchors/home"),
    ] {
        let mount = with_a_later(key).await;

        let reply = mount.read(path).await;

        assert_eq!(reply.status, 400, "{key}: {reply:?}");
        for words in [key, "format 2", "up to 1", env!("CARGO_PKG_VERSION"), "upgrade the plugin"] {
            assert!(reply.error.contains(words), "{key}: {}", reply.error);
        }
    }
}

#[tokio::test]
async fn no_credentials_are_given_on_half_of_what_was_stored() {
    for key in ["config", "role/full", "cluster/prod", ISSUER_KEY, "config/issuers"] {
        let mount = with_a_later(key).await;

        let reply = mount.read("creds/full").await;

        assert_eq!(reply.status, 400, "{key}: {reply:?}");
        assert!(reply.error.contains(key) && reply.error.contains("upgrade the plugin"), "{}", reply.error);
    }
}

#[tokio::test]
async fn a_record_of_a_later_version_is_not_written_over() {
    let role = json!({ "role_arn": crate::mounts::ROLE });
    let cluster = json!({ "accessor": "auth_kubernetes_2b" });
    for (key, path, body) in [
        ("config", "config", json!({ "max_retries": 1 })),
        ("role/full", "roles/full", role),
        ("cluster/prod", "clusters/prod", cluster),
        ("config/issuers", "config/issuers", json!({ "default": ISSUER })),
    ] {
        let mount = with_a_later(key).await;
        let before = mount.storage.get(key).await.unwrap();

        let reply = mount.write(path, body).await;

        assert_eq!(reply.status, 400, "{key}: {reply:?}");
        assert_eq!(mount.storage.get(key).await.unwrap(), before, "{key}");
    }
}

#[tokio::test]
async fn a_format_that_is_no_number_is_our_own_mistake_and_shows_no_content() {
    let mut example = Example::load("format-1");
    example.stored["role/full"]["format"] = json!("hush");

    let reply = example.mount().await.read("roles/full").await;

    assert_eq!((reply.status, reply.error.as_str()), (500, "internal error"));
}
