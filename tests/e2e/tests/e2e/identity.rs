//! Pods of two clusters at AWS: each one has its own identity there, and none has another's. Equal pods share a session, so in most
//! stories an admitted pod leaves a cached session, which the other pods must not get.

use std::time::Duration;

use e2e::kubernetes::Cluster;
use e2e::{pages, script, tokens};
use harness::binaries::PLUGIN;
use harness::{ACCOUNT, Api, Reply, Stage, TRUST_ANCHOR_ARN, until};
use serde_json::{Value, json};

const PAYMENTS_ARN: &str = "arn:aws:iam::111122223333:role/payments";
const PODS_POLICY: &str = r#"
path "iamra/creds/pods" { capabilities = ["read"] }
path "iamra/container/pods" { capabilities = ["read"] }
path "iamra/preview/pods" { capabilities = ["read"] }
path "second/creds/pods" { capabilities = ["read"] }
"#;

/// A stage with two clusters that log in at `auth/prod` and `auth/dev`, and an IAM role for `prod`'s `payments/api` alone.
struct Pods {
    stage: Stage,
    prod: Cluster,
    dev: Cluster,
}

/// One engine role for every pod of every cluster.
fn role() -> Value {
    json!({
        "role_arn": PAYMENTS_ARN, "session_duration": 14_400,
        "common_name": "{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}",
        "organization": "{{kubernetes.cluster}}", "organizational_unit": "{{kubernetes.namespace}}",
        "uri_sans": "spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}",
    })
}

/// The conditions that admit `prod`'s `payments/api`, one for each fact that AWS has about it.
fn conditions() -> Value {
    json!({
        "aws:PrincipalTag/x509Subject/O": "prod", "aws:PrincipalTag/x509Subject/OU": "payments",
        "aws:PrincipalTag/x509Subject/CN": "prod.payments.api", "aws:SourceAccount": ACCOUNT,
        "aws:PrincipalTag/x509SAN/URI": "spiffe://prod/ns/payments/sa/api", "sts:SourceIdentity": "CN=prod.payments.api",
    })
}

impl Pods {
    async fn new() -> Pods {
        let pods =
            Pods { stage: Stage::dev().await, prod: Cluster::start().await, dev: Cluster::start().await };
        pods.trust(conditions()).await;
        let policy = json!({ "policy": PODS_POLICY });
        let _ = pods.stage.root().write("sys/policies/acl/pods", policy).await.ok();
        for (name, cluster) in [("prod", &pods.prod), ("dev", &pods.dev)] {
            pods.auth(name, cluster).await;
            let accessor = pods.accessor(name).await;
            let _ = pods
                .stage
                .root()
                .write(&format!("iamra/clusters/{name}"), json!({ "accessor": accessor }))
                .await
                .ok();
        }
        let _ = pods.stage.root().write("iamra/roles/pods", role()).await.ok();
        pods
    }

    /// Makes the IAM role `payments` trust sessions for which all of these hold, and lists it in the profile.
    async fn trust(&self, conditions: Value) {
        let mut state = self.stage.admin("GET", "state", None).await;
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "rolesanywhere.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": { "ArnEquals": { "aws:SourceArn": TRUST_ANCHOR_ARN }, "StringEquals": conditions },
        }]});
        let payments = json!({ "name": "payments", "path": "/", "max_session_duration": 43_200, "trust_policy": policy });
        state["roles"] = json!([state["roles"][0], payments]);
        state["profiles"][0]["role_arns"] = json!([harness::ROLE_ARN, PAYMENTS_ARN]);
        self.stage.admin("PUT", "state", Some(state)).await;
    }

    /// A Kubernetes auth method at `path` for `cluster`; every service account logs in.
    async fn auth(&self, path: &str, cluster: &Cluster) {
        let root = self.stage.root();
        let _ = root.write(&format!("sys/auth/{path}"), json!({ "type": "kubernetes" })).await.ok();
        let config = json!({
            "kubernetes_host": cluster.host(), "disable_local_ca_jwt": true, "use_annotations_as_alias_metadata": true,
        });
        let _ = root.write(&format!("auth/{path}/config"), config).await.ok();
        let role = json!({
            "bound_service_account_names": "*", "bound_service_account_namespaces": "*", "audience": "vault",
            "token_policies": "pods", "token_no_default_policy": true,
        });
        let _ = root.write(&format!("auth/{path}/role/pods"), role).await.ok();
    }

    async fn accessor(&self, path: &str) -> String {
        self.stage.root().read(&format!("sys/auth/{path}")).await.ok().string("accessor").to_owned()
    }

    async fn login(&self, path: &str, token: &str) -> Pod {
        let body = json!({ "role": "pods", "jwt": token });
        let reply = self.stage.root().without_token().write(&format!("auth/{path}/login"), body).await.ok();
        let text = |key: &str| reply.body["auth"][key].as_str().unwrap_or_default().to_owned();
        Pod { api: self.stage.root().with_token(&text("client_token")), entity: text("entity_id") }
    }

    async fn prod(&self, namespace: &str, name: &str) -> Pod {
        self.login("prod", &self.prod.token(namespace, name)).await
    }

    async fn dev(&self, namespace: &str, name: &str) -> Pod {
        self.login("dev", &self.dev.token(namespace, name)).await
    }

    /// The session in AWS's record whose key an answer has.
    async fn recorded(&self, answer: &Reply) -> Value {
        let key = answer.string("access_key").to_owned();
        self.stage
            .sessions()
            .await
            .into_iter()
            .find(|session| session["access_key_id"] == key)
            .expect("a session")
    }
}

/// A pod that has logged in.
struct Pod {
    api: Api,
    entity: String,
}

impl Pod {
    async fn creds(&self) -> Reply {
        self.api.read("iamra/creds/pods").await
    }
}

/// Asserts that AWS itself refused, because its trust policy saw another identity.
#[track_caller]
fn refused_by_aws(reply: &Reply) {
    let text = reply.refused(400);
    assert!(text.contains("Unable to assume role"), "{text}");
}

#[tokio::test]
async fn the_right_service_account_gets_in() {
    let pods = Pods::new().await;
    let api = pods.prod("payments", "api").await;

    let answer = api.creds().await.ok();

    assert_eq!(answer.string("source_identity"), "CN=prod.payments.api");
    assert_eq!(pods.stage.caller(&answer).await.unwrap().arn, answer.string("arn"));
    assert_eq!(api.api.read("iamra/container/pods").await.status, 200);
}

#[tokio::test]
async fn its_neighbour_its_namesake_elsewhere_and_its_new_name_do_not() {
    let pods = Pods::new().await;
    let _ = pods.prod("payments", "api").await.creds().await.ok();

    for (namespace, name) in
        [("payments", "web"), ("billing", "api"), ("payments", "api-2"), ("payments", "api.x")]
    {
        refused_by_aws(&pods.prod(namespace, name).await.creds().await);
    }
}

#[tokio::test]
async fn the_same_names_in_another_cluster_do_not() {
    let pods = Pods::new().await;
    let _ = pods.prod("payments", "api").await.creds().await.ok();

    let other = pods.dev("payments", "api").await.creds().await;

    refused_by_aws(&other);
    pods.trust(json!({ "aws:PrincipalTag/x509Subject/CN": "dev.payments.api" })).await;
    let dev = pods.dev("payments", "api").await;
    let answer = until("the cure to be seen", Duration::from_secs(60), async || {
        Some(dev.creds().await).filter(|reply| reply.status == 200)
    })
    .await;
    assert_eq!(answer.string("source_identity"), "CN=dev.payments.api");
}

#[tokio::test]
async fn each_condition_alone_keeps_the_neighbour_out() {
    let pods = Pods::new().await;
    let (api, web) = (pods.prod("payments", "api").await, pods.prod("payments", "web").await);

    for key in ["aws:PrincipalTag/x509Subject/CN", "aws:PrincipalTag/x509SAN/URI", "sts:SourceIdentity"] {
        pods.trust(json!({ key: conditions()[key] })).await;
        // a change of the role drops the refusals under earlier conditions
        let changed = json!({ "instance_properties": { "condition": key } });
        let _ = pods.stage.root().patch("iamra/roles/pods", changed).await.ok();

        let _ = api.creds().await.ok();
        refused_by_aws(&web.creds().await);
    }
    assert_eq!(pods.stage.sessions().await.len(), 3);
}

#[tokio::test]
async fn pods_that_are_the_same_share_a_session_and_those_of_another_cluster_do_not() {
    let pods = Pods::new().await;
    pods.trust(json!({ "aws:SourceAccount": ACCOUNT })).await;
    let (one, twin) = (pods.prod("payments", "api").await, pods.prod("payments", "api").await);
    let other = pods.dev("payments", "api").await;

    let (mine, same) = (one.creds().await.ok(), twin.creds().await.ok());
    let theirs = other.creds().await.ok();

    assert_eq!(mine.string("access_key"), same.string("access_key"));
    assert_ne!(mine.string("access_key"), theirs.string("access_key"));
    assert_eq!(theirs.string("source_identity"), "CN=dev.payments.api");
    assert_eq!(pods.stage.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_mount_that_takes_a_clusters_name_does_not_take_its_sessions() {
    let pods = Pods::new().await;
    let (prod, dev) = (pods.prod("payments", "api").await, pods.dev("payments", "api").await);
    let before = prod.creds().await.ok();
    let accessor = pods.accessor("dev").await;

    let _ = pods.stage.root().delete("iamra/clusters/dev").await.ok();
    let _ = pods.stage.root().write("iamra/clusters/prod", json!({ "accessor": accessor })).await.ok();
    let after = dev.creds().await.ok();

    assert_eq!(after.string("source_identity"), "CN=prod.payments.api");
    assert_ne!(before.string("access_key"), after.string("access_key"));
    assert_eq!(prod.creds().await.status, 400, "the old mount is no cluster any more");
}

#[tokio::test]
async fn a_preview_shows_the_tags_that_aws_then_records() {
    let pods = Pods::new().await;
    let api = pods.prod("payments", "api").await;

    let preview = api.api.read("iamra/preview/pods").await.ok();
    let sessions = pods.stage.sessions().await.len();
    let answer = api.creds().await.ok();

    assert_eq!(sessions, 0, "a preview makes no session");
    let recorded = pods.recorded(&answer).await;
    assert_eq!(preview.body["data"]["session_tags"], recorded["tags"]);
    assert_eq!(preview.string("source_identity"), recorded["source_identity"]);
}

#[tokio::test]
async fn an_auth_mount_that_is_not_registered_is_no_cluster() {
    let pods = Pods::new().await;
    pods.auth("rogue", &pods.dev).await;
    let rogue = pods.login("rogue", &pods.dev.token("payments", "api")).await;

    let text = rogue.creds().await.refused(400);

    assert!(text.starts_with("common_name: {{kubernetes.cluster}}: "), "{text}");
    assert!(text.contains("no alias under the auth mount of a registered cluster"), "{text}");
}

#[tokio::test]
async fn a_cluster_that_is_taken_off_the_register_has_no_pods_from_then_on() {
    let pods = Pods::new().await;
    let api = pods.prod("payments", "api").await;
    let _ = api.creds().await.ok();

    let _ = pods.stage.root().delete("iamra/clusters/prod").await.ok();

    assert_eq!(api.creds().await.status, 400);
}

#[tokio::test]
async fn a_caller_with_the_aliases_of_two_clusters_is_refused_and_the_merged_one_logs_in_again() {
    let pods = Pods::new().await;
    let (api, other) = (pods.prod("payments", "api").await, pods.dev("payments", "web").await);
    let merge = json!({ "to_entity_id": api.entity, "from_entity_ids": [other.entity] });
    let _ = pods.stage.root().write("identity/entity/merge", merge).await.ok();

    let both = api.creds().await.refused(400);
    let gone = other.creds().await.refused(400);

    assert!(both.contains("Vault does not tell which one logged in"), "{both}");
    assert!(both.contains("prod") && both.contains("dev"), "{both}");
    assert!(gone.contains("log in again"), "{gone}");
    assert!(pods.stage.sessions().await.is_empty());
}

#[tokio::test]
async fn an_alias_deleted_between_two_reads_ends_the_identity() {
    let pods = Pods::new().await;
    let api = pods.prod("payments", "api").await;
    let _ = api.creds().await.ok();
    let entity = pods.stage.root().read(&format!("identity/entity/id/{}", api.entity)).await.ok();
    let alias = entity.data()["aliases"][0]["id"].as_str().unwrap().to_owned();

    let _ = pods.stage.root().delete(&format!("identity/entity-alias/id/{alias}")).await.ok();

    assert!(api.creds().await.refused(400).contains("no alias under"));
}

#[tokio::test]
async fn a_disabled_entity_gets_nothing() {
    let pods = Pods::new().await;
    let api = pods.prod("payments", "api").await;

    let _ = pods
        .stage
        .root()
        .write(&format!("identity/entity/id/{}", api.entity), json!({ "disabled": true }))
        .await
        .ok();

    assert_eq!(api.creds().await.status, 403, "Vault itself refuses its tokens");
}

#[tokio::test]
async fn a_second_mount_knows_no_cluster_and_its_ca_opens_nothing() {
    let pods = Pods::new().await;
    let root = pods.stage.root();
    pods.stage.vault.mount("second", PLUGIN).await;
    let _ = root.write("second/root/generate/internal", json!({ "common_name": "second" })).await.ok();
    let _ = root.write("second/config", pods.stage.config()).await.ok();
    let written = root.write("second/roles/pods", role()).await.ok();
    let api = pods.prod("payments", "api").await;
    let _ = api.creds().await.ok();

    let unregistered = api.api.read("second/creds/pods").await.refused(400);
    let accessor = pods.accessor("prod").await;
    let _ = root.write("second/clusters/prod", json!({ "accessor": accessor })).await.ok();
    let untrusted = api.api.read("second/creds/pods").await.refused(400);

    assert!(
        written.warnings().iter().any(|warning| warning.contains("no cluster is registered")),
        "{}",
        written.text
    );
    assert!(unregistered.contains("vault write second/clusters/<name>"), "{unregistered}");
    assert!(untrusted.contains("Untrusted"), "{untrusted}");
    let _ = api.creds().await.ok();
}

#[tokio::test]
async fn names_too_long_for_a_common_name_are_shortened_and_whole_in_the_uri() {
    let pods = Pods::new().await;
    let (namespace, name) = ("kube-prometheus-stack", "kube-prometheus-stack-kube-state-metrics");
    pods.trust(json!({ "aws:PrincipalTag/x509SAN/URI": format!("spiffe://prod/ns/{namespace}/sa/{name}") }))
        .await;
    let pod = pods.prod(namespace, name).await;

    let answer = pod.creds().await.ok();

    let recorded = pods.recorded(&answer).await;
    let identity = answer.string("source_identity");
    assert!(
        identity.len() == 64 && identity.starts_with("CN=prod.kube-prometheus-stack.kube-prom-"),
        "{identity}"
    );
    assert_eq!(recorded["tags"]["x509Subject/CN"], identity.strip_prefix("CN=").unwrap());
    refused_by_aws(&pods.prod(namespace, &format!("{name}-2")).await.creds().await);
}

#[tokio::test]
async fn an_annotation_needs_the_flag_and_is_marked() {
    let pods = Pods::new().await;
    let token = pods.prod.token("payments", "api");
    pods.prod.annotate("payments", "api", "vault.hashicorp.com/alias-metadata-team", "blue");
    let api = pods.login("prod", &token).await;
    let accessor = pods.accessor("prod").await;
    let locality = format!("{{{{identity.entity.aliases.{accessor}.metadata.team}}}}");
    let root = pods.stage.root();

    let refused = root.patch("iamra/roles/pods", json!({ "locality": locality })).await.refused(400);
    let flagged = root
        .patch("iamra/roles/pods", json!({ "locality": locality, "allow_tenant_metadata": true }))
        .await
        .ok();

    assert!(refused.contains("allow_tenant_metadata"), "{refused}");
    assert!(
        flagged.warnings().iter().any(|warning| warning.contains("allow_tenant_metadata")),
        "{}",
        flagged.text
    );
    let preview = api.api.read("iamra/preview/pods").await.ok();
    let preview = preview.data();
    assert_eq!(preview["tenant_written"], json!(["locality"]), "{preview:?}");
    let said = |value: &serde_json::Value| {
        value.as_str().is_some_and(|text| text.contains("is \"blue\", from an annotation"))
    };
    assert!(preview.values().any(said), "{preview:?}");
    let answer = api.creds().await.ok();
    assert_eq!(pods.recorded(&answer).await["tags"]["x509Subject/L"], "blue");
}

#[tokio::test]
async fn an_annotation_cannot_pass_for_what_the_api_server_says() {
    let pods = Pods::new().await;
    let token = pods.prod.token("payments", "web");
    pods.prod.annotate("payments", "web", "vault.hashicorp.com/alias-metadata-service_account_name", "api");

    let body = json!({ "role": "pods", "jwt": token });
    let login = pods.stage.root().without_token().write("auth/prod/login", body).await;

    assert_eq!(login.status, 400, "{}", login.text);
}

#[tokio::test]
async fn a_role_for_one_cluster_takes_no_pod_of_another() {
    let pods = Pods::new().await;
    let _ = pods.stage.root().patch("iamra/roles/pods", json!({ "clusters": ["dev"] })).await.ok();

    let text = pods.prod("payments", "api").await.creds().await.refused(400);

    assert_eq!(text, "clusters: this role accepts only callers of dev, but this caller is of prod");
    assert!(pods.stage.root().delete("iamra/clusters/dev").await.refused(400).contains("pods"));
}

#[tokio::test]
async fn the_set_up_script_lets_each_pod_of_a_cluster_in_as_itself() {
    let pods = Pods::new().await;
    let stage = &pods.stage;
    let _ = stage.root().delete("iamra/clusters/prod").await.ok();
    let ca = stage.vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, stage.ca_pem("iamra").await).unwrap();
    let ca = ca.display().to_string();
    let args = [
        "--cluster",
        "prod",
        "--templates",
        "--role-arn",
        PAYMENTS_ARN,
        "--kubernetes-host",
        pods.prod.host(),
        "--kubernetes-ca",
        &ca,
        "payments",
    ];
    let _ = script(&stage.vault, stage.vault.root_token(), "kubernetes/setup.sh", &args, &[]).await.ok();
    let login = async |namespace: &str, name: &str| {
        let body = json!({ "role": "prod-pods", "jwt": pods.prod.token(namespace, name) });
        stage.root().without_token().write("auth/kubernetes/login", body).await
    };
    let read = async |login: Reply| {
        let token = login.ok().body["auth"]["client_token"].as_str().unwrap().to_owned();
        stage.root().with_token(&token).read("iamra/creds/prod-pods").await
    };

    let answer = read(login("payments", "api").await).await.ok();
    let neighbour = read(login("payments", "web").await).await;

    assert_eq!(answer.string("source_identity"), "CN=prod.payments.api");
    refused_by_aws(&neighbour);
    assert_eq!(login("billing", "api").await.status, 403, "another namespace does not log in");
}

/// The commands of docs/hosts-and-ci.md for a pod that logs in by JWT, in the cluster `ci`.
#[tokio::test]
async fn a_pod_that_logs_in_by_jwt_is_a_pod_once_its_mount_is_registered() {
    let stage = Stage::dev().await;
    let folder = stage.vault.folder();
    let key = tokens::sign(&folder, "payments", "api");
    let write = async |path: &str, body: Value| drop(stage.root().write(path, body).await.ok());
    write("sys/policies/acl/payments-api", json!({ "policy": PODS_POLICY })).await;
    let blocks = pages::blocks("hosts-and-ci.md");
    let (_, commands) =
        blocks.iter().find(|(mark, _)| mark == "jwt").expect("the commands of a login by JWT");
    let (_, fields) = commands.split_once("\nvault write auth/jwt/role/payments-api ").unwrap();
    let fields = fields.split("\nvault write").next().unwrap().replace('\\', "");

    let _ = stage.vault.cli(&["auth", "enable", "jwt"]).await.ok();
    write("auth/jwt/config", json!({ "jwt_validation_pubkeys": [key] })).await;
    let command: Vec<&str> =
        ["write", "auth/jwt/role/payments-api"].into_iter().chain(fields.split_whitespace()).collect();
    let _ = stage.vault.cli(&command).await.ok();
    let accessor = stage.root().read("sys/auth/jwt").await.ok().string("accessor").to_owned();
    write("iamra/clusters/ci", json!({ "accessor": accessor })).await;
    write("iamra/roles/pods", json!({ "role_arn": harness::ROLE_ARN, "common_name": role()["common_name"] }))
        .await;
    let login =
        json!({ "role": "payments-api", "jwt": std::fs::read_to_string(folder.join("token")).unwrap() });
    let login = stage.root().without_token().write("auth/jwt/login", login).await.ok();
    let pod = stage.root().with_token(login.body["auth"]["client_token"].as_str().unwrap());

    let answer = pod.read("iamra/creds/pods").await.ok();

    assert_eq!(answer.string("source_identity"), "CN=ci.payments.api");
}
