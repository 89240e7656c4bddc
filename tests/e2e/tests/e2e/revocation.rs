//! A credential has leaked: the operator's commands, and the calls that AWS accepts afterwards.

use std::fs;

use e2e::kubernetes::Cluster;
use e2e::users::Users;
use e2e::{config_file, pages, say};
use harness::{Api, ROLE_ARN, Reply, Stage};
use serde_json::{Value, json};

/// The `vault` command of a responder to an incident.
struct Incident {
    users: Users,
    token: String,
}

impl Incident {
    async fn begin() -> Incident {
        let users = Users::new().await;
        let stage = &users.stage;
        stage.manage_anchor().await;
        let policy = fs::read_to_string(config_file("policies/incident.hcl")).unwrap();
        let token = stage.vault.token("incident", &policy).await;
        Incident { users, token }
    }

    fn stage(&self) -> &Stage {
        &self.users.stage
    }

    /// Runs a command that succeeds.
    async fn vault(&self, arguments: &[&str]) -> String {
        let printed = self.stage().vault.cli_with(&self.token, arguments).await.ok();
        say(&format!("$ vault {}\n{printed}", arguments.join(" ")));
        printed
    }

    /// Whether AWS accepts the next signed call of each.
    async fn live(&self, sessions: &[&Reply]) -> Vec<bool> {
        let mut live = Vec::new();
        for session in sessions {
            live.push(self.stage().caller(session).await.is_ok());
        }
        say(&format!("    signed calls that AWS takes now: {live:?}"));
        live
    }
}

#[tokio::test]
async fn a_revoked_session_is_refused_its_neighbours_go_on_and_the_break_glass_ends_them_all() {
    let incident = Incident::begin().await;
    let leaked = incident.stage().creds("demo").await.ok();
    let (one, two) = (incident.stage().creds("demo").await.ok(), incident.stage().creds("demo").await.ok());
    assert_eq!(incident.live(&[&leaked, &one, &two]).await, [true, true, true]);

    let serial = format!("serial_number={}", leaked.string("serial_number"));
    incident.vault(&["write", "iamra/revoke", &serial]).await;
    assert_eq!(incident.live(&[&leaked, &one, &two]).await, [false, true, true]);

    incident.vault(&["write", "-force", "iamra/roles/demo/revoke-sessions"]).await;
    let next = incident.stage().creds("demo").await.ok();
    assert_eq!(incident.live(&[&leaked, &one, &two, &next]).await, [false, false, false, true]);
}

#[tokio::test]
async fn the_end_of_a_lease_denies_nothing_at_aws() {
    let incident = Incident::begin().await;
    let session = incident.stage().creds("demo").await.ok();

    let lease = session.body["lease_id"].as_str().unwrap().to_owned();
    let _ = incident.stage().root().write("sys/leases/revoke", json!({ "lease_id": lease })).await.ok();

    assert_eq!(incident.live(&[&session]).await, [true]);
    assert!(incident.stage().aws_log().await.iter().all(|entry| entry["operation"] != "PutRolePolicy"));
}

#[tokio::test]
async fn the_operators_policy_does_not_reach_the_break_glass() {
    let incident = Incident::begin().await;
    let policy = fs::read_to_string(config_file("policies/operator.hcl")).unwrap();
    let operator =
        incident.stage().root().with_token(&incident.stage().vault.token("operator", &policy).await);

    for path in ["iamra/revoke", "iamra/roles/demo/revoke-sessions"] {
        assert_eq!(operator.write(path, json!({})).await.status, 403, "{path}");
    }
}

/// A session of the role `app`, as the user's pod reads it.
async fn read(user: &Api) -> Reply {
    user.read("iamra/creds/app").await.ok()
}

async fn entity_of(user: &Api) -> String {
    user.read("auth/token/lookup-self").await.ok().string("entity_id").to_owned()
}

/// The session of a pod of the cluster `prod`, whose role names the cluster.
async fn session_of_a_pod(stage: &Stage, cluster: &Cluster) -> Reply {
    let write = async |path: &str, body| drop(stage.root().write(path, body).await.ok());
    write("sys/auth/prod", json!({ "type": "kubernetes" })).await;
    write("auth/prod/config", json!({ "kubernetes_host": cluster.host(), "disable_local_ca_jwt": true }))
        .await;
    let accessor = stage.root().read("sys/auth/prod").await.ok().string("accessor").to_owned();
    write("iamra/clusters/prod", json!({ "accessor": accessor })).await;
    let name = "{{kubernetes.cluster}}.{{kubernetes.namespace}}.{{kubernetes.service_account}}";
    write("iamra/roles/pods", json!({ "role_arn": ROLE_ARN, "common_name": name })).await;
    let policy = "path \"iamra/creds/pods\" { capabilities = [\"read\"] }";
    write("sys/policies/acl/pods", json!({ "policy": policy })).await;
    let role = json!({
        "bound_service_account_names": "*", "bound_service_account_namespaces": "*", "audience": "vault",
        "token_policies": "pods",
    });
    write("auth/prod/role/pods", role).await;
    let login = json!({ "role": "pods", "jwt": cluster.token("payments", "api") });
    let login = stage.root().without_token().write("auth/prod/login", login).await.ok();
    let pod = stage.root().with_token(login.body["auth"]["client_token"].as_str().expect("a token"));
    pod.read("iamra/creds/pods").await.ok()
}

#[tokio::test]
async fn each_command_of_the_page_ends_what_it_says_and_no_more() {
    let incident = Incident::begin().await;
    let (one, two, three) = (
        incident.users.login("one").await,
        incident.users.login("two").await,
        incident.users.login("three").await,
    );
    let first = [read(&one).await, read(&two).await, read(&three).await];
    let cluster = Cluster::start().await;
    let pod = session_of_a_pod(incident.stage(), &cluster).await;
    let next = json!({ "common_name": "pods, next", "issuer_name": "next" });
    let _ = incident.stage().root().write("iamra/root/generate/internal", next).await.ok();
    let current = incident.stage().root().read("iamra/rotation").await.ok().string("current").to_owned();
    let placed = [
        ("4f:0c:…", first[0].string("serial_number").to_owned()),
        ("<entity>", entity_of(&two).await),
        ("<cluster>", "prod".to_owned()),
        ("<issuer>", current),
    ];

    let mut commands = pages::commands("operate/leaked-credential.md", "revoke").into_iter();
    let mut run = async || {
        let command = commands.next().expect("the page has seven commands");
        let filled = placed.iter().fold(command, |text, (place, value)| text.replace(place, value));
        incident.vault(&filled.split(' ').collect::<Vec<_>>()).await
    };
    let live = async |sessions: &[Reply; 3]| incident.live(&sessions.each_ref()).await;

    let listed: Value = serde_json::from_str(&run().await).unwrap();
    let name = pod.string("serial_number").replace(':', "");
    assert_eq!(listed["data"]["keys"], json!([name]), "the page's namespace is the pod's");
    assert_eq!(listed["data"]["key_info"][&name]["service_account"], "api");
    run().await;
    assert_eq!(two.read("iamra/creds/app").await.status, 403, "the caller is cut off in Vault");
    assert_eq!(live(&first).await, [true; 3], "and nobody at AWS");
    run().await;
    assert_eq!(live(&first).await, [false, true, true], "one session, by its serial number");
    run().await;
    assert_eq!(live(&first).await, [false, false, true], "those of one caller");
    let before = incident.live(&[&pod]).await;
    run().await;
    assert_eq!(
        (before, incident.live(&[&pod]).await),
        (vec![true], vec![false]),
        "those of a cluster's pods"
    );
    assert_eq!(live(&first).await, [false, false, true], "and no others");
    run().await;
    let entity = format!("identity/entity/id/{}", placed[1].1);
    let _ = incident.stage().root().write(&entity, json!({ "disabled": false })).await.ok();
    let second = [read(&one).await, read(&two).await, read(&three).await];
    assert_eq!((live(&first).await, live(&second).await), (vec![false; 3], vec![true; 3]), "up to now");
    let report = run().await;
    let third = [read(&one).await, read(&two).await, read(&three).await];
    assert_eq!((live(&second).await, live(&third).await), (vec![false; 3], vec![true; 3]), "{report}");
    assert!(!report.contains("failed:"), "{report}");
    assert_eq!(commands.next(), None);
}

#[tokio::test]
async fn what_was_handed_out_before_a_merge_of_entities_ends_by_the_former_id() {
    let incident = Incident::begin().await;
    let gone = incident.users.login("one").await;
    let session = read(&gone).await;
    let former = entity_of(&gone).await;
    let root = incident.stage().root();
    let survivor = root.write("identity/entity", json!({ "name": "survivor" })).await.ok();
    let id = survivor.string("id").to_owned();
    let merge = json!({ "to_entity_id": id, "from_entity_ids": [former] });
    let _ = root.write("identity/entity/merge", merge).await.ok();

    let entity = root.read(&format!("identity/entity/id/{id}")).await.ok();
    let listed = entity.data()["merged_entity_ids"][0].as_str().expect("an id").to_owned();
    let none = root.write("iamra/revoke", json!({ "entity_id": id })).await;
    let lived_on = incident.live(&[&session]).await;
    let _ = root.write("iamra/revoke", json!({ "entity_id": listed })).await.ok();

    assert!(none.refused(400).contains("merged_entity_ids"), "{none:?}");
    assert_eq!((lived_on, incident.live(&[&session]).await), (vec![true], vec![false]));
}

#[tokio::test]
async fn sessions_of_an_iam_role_with_dots_in_a_row_end_though_vault_takes_no_such_key() {
    let incident = Incident::begin().await;
    let (stage, role) = (incident.stage(), ROLE_ARN.replace("role/demo", "role/..app..one"));
    let mut account = stage.admin("GET", "state", None).await;
    let roles = account["roles"].as_array_mut().unwrap();
    let mut dotted = roles.iter().find(|role| role["name"] == "demo").unwrap().clone();
    dotted["name"] = json!("..app..one");
    roles.push(dotted);
    account["profiles"][0]["role_arns"].as_array_mut().unwrap().push(json!(role));
    stage.admin("PUT", "state", Some(account)).await;
    let _ = stage.root().write("iamra/roles/dotted", json!({ "role_arn": role })).await.ok();
    let leaked = stage.creds("dotted").await.ok();

    let reply = stage.root().write("iamra/roles/dotted/revoke-sessions", json!({})).await.ok();

    assert_eq!(incident.live(&[&leaked]).await, [false]);
    assert!(!reply.body.to_string().contains("could not record"), "{:?}", reply.body);
}
