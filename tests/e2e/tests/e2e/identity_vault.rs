//! Callers that log in to Vault in another way than a pod, and their attacks.

use harness::{Api, Reply, Stage};
use serde_json::{Value, json};

const ROLE: &str = "iamra/roles/who";

/// A stage with the user `alice`, who has logged in.
struct Users {
    stage: Stage,
    alice: Api,
    entity: String,
    accessor: String,
}

impl Users {
    async fn new() -> Users {
        let stage = Stage::dev().await;
        let root = stage.root();
        let _ = root.write("sys/auth/userpass", json!({ "type": "userpass" })).await.ok();
        let rules = r#"path "iamra/+/who" { capabilities = ["read"] }"#;
        let _ = root.write("sys/policies/acl/who", json!({ "policy": rules })).await.ok();
        let user = json!({ "password": "x", "token_policies": "who" });
        let _ = root.write("auth/userpass/users/alice", user).await.ok();
        let login =
            root.without_token().write("auth/userpass/login/alice", json!({ "password": "x" })).await.ok();
        let text = |key: &str| login.body["auth"][key].as_str().unwrap().to_owned();
        let accessor = root.read("sys/auth/userpass").await.ok().string("accessor").to_owned();
        let alice = root.with_token(&text("client_token"));
        Users { entity: text("entity_id"), alice, accessor, stage }
    }

    async fn role(&self, fields: Value) {
        let mut role = json!({ "role_arn": harness::ROLE_ARN, "session_duration": 14_400 });
        role.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let _ = self.stage.root().write(ROLE, role).await.ok();
    }

    /// Vault's facts about the user.
    async fn entity(&self) -> Value {
        let entity = self.stage.root().read(&format!("identity/entity/id/{}", self.entity)).await.ok();
        entity.body["data"].clone()
    }

    async fn set_disabled(&self, disabled: bool) {
        let path = format!("identity/entity/id/{}", self.entity);
        let _ = self.stage.root().write(&path, json!({ "disabled": disabled })).await.ok();
    }

    /// Sets an operator's metadata on the entity.
    async fn note(&self, key: &str, value: &str) -> Reply {
        self.stage
            .root()
            .write(&format!("identity/entity/id/{}", self.entity), json!({ "metadata": { key: value } }))
            .await
    }

    async fn creds(&self) -> Reply {
        self.alice.read("iamra/creds/who").await
    }

    /// The answer of `creds`, and the tags that AWS recorded with it.
    async fn tags(&self) -> (Reply, Value) {
        let answer = self.creds().await.ok();
        let sessions = self.stage.sessions().await;
        let session = sessions.iter().find(|session| session["access_key_id"] == answer.string("access_key"));
        (answer, session.expect("a session")["tags"].clone())
    }
}

#[tokio::test]
async fn an_entity_and_its_alias_arrive_in_aws() {
    let users = Users::new().await;
    let _ = users.note("team", "Zürich 1").await.ok();
    let alias = format!("identity.entity.aliases.{}", users.accessor);
    users
        .role(json!({
            "common_name": format!("{{{{{alias}.name}}}}@{{{{role.name}}}}"), "organization": "{{identity.entity.metadata.team}}",
            "organizational_unit": "{{identity.entity.id}}",
        }))
        .await;

    let (answer, tags) = users.tags().await;

    assert_eq!(answer.string("source_identity"), "CN=alice@who");
    assert_eq!(tags["x509Subject/O"], "Zürich 1");
    assert_eq!(tags["x509Subject/OU"], users.entity);
    let preview = users.alice.read("iamra/preview/who").await.ok();
    assert_eq!(preview.data()["session_tags"], tags);
}

#[tokio::test]
async fn an_alias_deleted_between_two_reads_ends_the_identity() {
    let users = Users::new().await;
    users
        .role(json!({ "common_name": format!("{{{{identity.entity.aliases.{}.name}}}}", users.accessor) }))
        .await;
    let (first, shared) = (users.creds().await.ok(), users.creds().await.ok());
    let entity = users.entity().await;

    let alias = entity["aliases"][0]["id"].as_str().unwrap();
    let _ = users.stage.root().delete(&format!("identity/entity-alias/id/{alias}")).await.ok();
    let text = users.creds().await.refused(400);

    assert_eq!(first.string("access_key"), shared.string("access_key"));
    assert!(
        text.contains("no alias under the auth mount") && text.contains("log in through that mount"),
        "{text}"
    );
    assert_eq!(users.stage.sessions().await.len(), 1);
}

#[tokio::test]
async fn a_disabled_entity_is_turned_away_by_vault_until_it_is_enabled_again() {
    let users = Users::new().await;
    users.role(json!({ "common_name": "{{identity.entity.name}}" })).await;
    let before = users.creds().await.ok();

    users.set_disabled(true).await;
    for path in ["creds", "container", "preview"] {
        assert_eq!(users.alice.read(&format!("iamra/{path}/who")).await.status, 403, "{path}");
    }
    users.set_disabled(false).await;
    let after = users.creds().await.ok();

    assert_eq!(before.string("access_key"), after.string("access_key"));
    assert_eq!(users.stage.sessions().await.len(), 1);
}

#[tokio::test]
async fn a_gitlab_path_is_short_in_the_common_name_and_whole_in_the_unit() {
    let path = "project_path:group/app:ref_type:branch:ref:main";
    let users = Users::new().await;
    let entity = users.entity().await;
    let id = entity["aliases"][0]["id"].as_str().unwrap();
    let update = json!({ "custom_metadata": { "job": path } });
    let _ = users.stage.root().write(&format!("identity/entity-alias/id/{id}"), update).await.ok();
    let job = format!("identity.entity.aliases.{}.custom_metadata.job", users.accessor);
    users.role(json!({ "common_name": format!("{{{{{job} | short}}}}"), "organizational_unit": format!("{{{{{job}}}}}") })).await;

    let (answer, tags) = users.tags().await;

    let identity = answer.string("source_identity");
    assert!(identity.starts_with("CN=project_path-") && identity.len() == 40, "{identity}");
    assert_eq!(tags["x509Subject/OU"], path);
}

#[tokio::test]
async fn what_does_not_fit_a_common_name_is_refused_and_never_reaches_aws() {
    let users = Users::new().await;
    users.role(json!({ "common_name": "{{identity.entity.metadata.name}}" })).await;
    let long = "a".repeat(500);

    for value in [
        "a,CN=admin",
        "a\nCN=admin",
        "a\u{0}b",
        "аdmin",
        "ａdmin",
        "a/OU=admin",
        "{{role.name}}",
        "a b",
        long.as_str(),
    ] {
        let _ = users.note("name", value).await.ok();
        let text = users.creds().await.refused(400);

        assert!(text.starts_with("common_name: ") && !text.contains(['\n', '\0']), "{value:?}: {text}");
    }
    assert!(users.stage.sessions().await.is_empty());
}

#[tokio::test]
async fn what_looks_like_attributes_stays_one_value() {
    let users = Users::new().await;
    users.role(json!({ "common_name": "x.{{identity.entity.metadata.name}}", "organization": "{{identity.entity.metadata.name}}" })).await;
    let _ = users.note("name", "CN=admin+O=root").await.ok();

    let (answer, tags) = users.tags().await;

    assert_eq!(answer.string("source_identity"), "CN=x.CN=admin+O=root");
    assert_eq!(
        (&tags["x509Subject/CN"], &tags["x509Subject/O"]),
        (&json!("x.CN=admin+O=root"), &json!("CN=admin+O=root"))
    );
}

#[tokio::test]
async fn a_tag_that_aws_would_drop_is_refused() {
    let users = Users::new().await;
    users
        .role(json!({ "common_name": "{{role.name}}", "organization": "{{identity.entity.metadata.name}}" }))
        .await;

    for value in ["Smith, Jones", "R&D", "a\tb", "e\u{301}", "a\u{200b}b"] {
        let _ = users.note("name", value).await.ok();

        let text = users.creds().await.refused(400);

        assert!(text.starts_with("organization: ") && text.contains("may hold only"), "{text}");
    }
    assert!(users.stage.sessions().await.is_empty());
}

#[tokio::test]
async fn a_token_without_an_entity_gets_the_cure_to_log_in() {
    let users = Users::new().await;
    users.role(json!({ "common_name": "{{identity.entity.name}}" })).await;

    let text = users.stage.root().read("iamra/creds/who").await.refused(400);

    assert!(
        text.starts_with("common_name: {{identity.entity.name}}: this token belongs to no entity"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_missing_is_named_with_a_command_that_works() {
    let users = Users::new().await;
    users.role(json!({ "common_name": "{{identity.entity.metadata.team}}" })).await;
    let text = users.creds().await.refused(400);
    let (_, command) = text.split_once(": vault ").unwrap();

    let run: Vec<&str> = command.split(' ').collect();
    let with_value = run.iter().map(|word| word.replace("<value>", "blue")).collect::<Vec<_>>();
    let _ = users.stage.vault.cli(&with_value.iter().map(String::as_str).collect::<Vec<_>>()).await.ok();

    assert_eq!(users.creds().await.ok().string("source_identity"), "CN=blue");
}

#[tokio::test]
async fn a_bad_template_is_refused_when_the_role_is_written() {
    let users = Users::new().await;

    for (text, words) in [
        ("{{identity.entity.nam}}", "at character 3"),
        ("a{{role.name", "at character 2: {{ is not closed"),
        ("a}}", "at character 2: }} closes no {{"),
        ("{{identity.entity.name}}{{role.name}}", "nothing between them"),
    ] {
        let refused = users
            .stage
            .root()
            .write(ROLE, json!({ "role_arn": harness::ROLE_ARN, "common_name": text }))
            .await
            .refused(400);

        assert!(refused.starts_with("common_name: ") && refused.contains(words), "{refused}");
    }
    assert_eq!(users.stage.root().read(ROLE).await.status, 404);
}

#[tokio::test]
async fn a_session_is_named_by_a_template_where_the_profile_accepts_names() {
    let users = Users::new().await;
    let mut state = users.stage.admin("GET", "state", None).await;
    state["profiles"][0]["accept_role_session_name"] = json!(true);
    users.stage.admin("PUT", "state", Some(state)).await;
    users
        .role(json!({ "common_name": "{{role.name}}", "role_session_name": "job-{{identity.entity.id}}" }))
        .await;

    let (answer, _) = users.tags().await;

    let name = format!("job-{}", users.entity);
    assert!(answer.string("arn").ends_with(&format!("/{name}")), "{}", answer.string("arn"));
    let preview = users.alice.read("iamra/preview/who").await.ok();
    assert_eq!(preview.string("role_session_name"), name);
}
