//! Associations: all pods of a cluster log in with one auth role and one policy, and each reads the engine role that is named after its
//! service account. The set-up is `kubernetes/setup.sh --associations`, as the node agent uses it.

use e2e::kubernetes::{self, Cluster};
use harness::{ACCOUNT, Api, CliRun, Reply, Stage, TRUST_ANCHOR_ARN};
use serde_json::{Value, json};

const ARN: &str = "arn:aws:iam::111122223333:role/iamra/payments.api";
const ROLE: &str = "iamra/roles/payments.api";

/// A stage with the cluster `prod`, whose pods log in for the audience `iamra`, and an IAM role for its `payments/api` alone.
pub(crate) struct Site {
    pub(crate) stage: Stage,
    pub(crate) prod: Cluster,
}

impl Site {
    pub(crate) async fn new() -> Site {
        let site = Site { stage: Stage::dev().await, prod: Cluster::start().await };
        site.trust().await;
        let _ = site.set_up(&site.prod, &["--cluster", "prod", "--associations"]).await.ok();
        site
    }

    /// Makes the IAM role `payments.api` trust `prod.payments.api` alone, as `aws/stack.yaml` does, and lists it in the profile.
    async fn trust(&self) {
        let mut state = self.stage.admin("GET", "state", None).await;
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "rolesanywhere.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": { "ArnEquals": { "aws:SourceArn": TRUST_ANCHOR_ARN }, "StringEquals": {
                "aws:SourceAccount": ACCOUNT, "aws:PrincipalTag/x509Subject/O": "prod",
                "aws:PrincipalTag/x509Subject/OU": "payments", "aws:PrincipalTag/x509Subject/CN": "prod.payments.api",
            } },
        }]});
        let role = json!({ "name": "payments.api", "path": "/iamra/", "max_session_duration": 43_200, "trust_policy": policy });
        state["roles"] = json!([state["roles"][0], role]);
        state["profiles"][0]["role_arns"] = json!([harness::ROLE_ARN, ARN]);
        self.stage.admin("PUT", "state", Some(state)).await;
    }

    /// Runs the set-up script for a cluster.
    async fn set_up(&self, cluster: &Cluster, args: &[&str]) -> CliRun {
        kubernetes::set_up(&self.stage, cluster, args).await
    }

    /// Writes the one object of a service account.
    pub(crate) async fn associate(&self, role: &str, more: Value) -> Reply {
        let mut fields = json!({ "role_arn": ARN, "subject": "kubernetes" });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.root().write(&format!("iamra/roles/{role}"), fields).await
    }

    /// What Vault says to a login at `auth/<path>`.
    pub(crate) async fn login(&self, path: &str, role: &str, token: String) -> Reply {
        let body = json!({ "role": role, "jwt": token });
        self.stage.root().without_token().write(&format!("auth/{path}/login"), body).await
    }

    /// A pod of `prod` that has logged in.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Api {
        let token = self.prod.token_for("iamra", namespace, name);
        self.with_token_of(&self.login("kubernetes", "associations", token).await.ok())
    }

    fn with_token_of(&self, login: &Reply) -> Api {
        self.stage.root().with_token(login.body["auth"]["client_token"].as_str().expect("a token"))
    }
}

/// The error of `container`, which is a document and not Vault's.
#[track_caller]
fn refused(reply: &Reply, code: &str) -> String {
    assert!(reply.status >= 400 && reply.body["code"] == code, "{} {}", reply.status, reply.text);
    reply.body["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn one_login_with_a_batch_token_opens_the_role_of_its_own_service_account_alone() {
    let site = Site::new().await;
    for role in ["payments.api", "payments.web", "payments.api.v2"] {
        let _ = site.associate(role, json!({})).await.ok();
    }
    let token = site.prod.token_for("iamra", "payments", "api");

    let login = site.login("kubernetes", "associations", token).await.ok();
    let api = site.with_token_of(&login);
    let document = api.read("iamra/container/payments.api").await.ok();

    let auth = &login.body["auth"];
    assert_eq!((&auth["token_type"], &auth["accessor"]), (&json!("batch"), &json!("")), "{}", login.text);
    assert_eq!((&auth["policies"], &auth["lease_duration"]), (&json!(["prod-associations"]), &json!(300)));
    let session = &site.stage.sessions().await[0];
    assert_eq!(session["access_key_id"], document.body["AccessKeyId"]);
    let assumed = session["assumed_role_arn"].as_str().unwrap();
    assert!(assumed.starts_with("arn:aws:sts::111122223333:assumed-role/payments.api/"), "{assumed}");
    assert_eq!(session["source_identity"], "CN=prod.payments.api");
    for path in
        ["container/payments.web", "container/payments.api.v2", "container/demo", "creds/payments.api"]
    {
        assert_eq!(api.read(&format!("iamra/{path}")).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_new_service_account_needs_one_object_and_a_deleted_one_is_refused() {
    let site = Site::new().await;
    let api = site.pod("payments", "api").await;

    let before = api.read("iamra/container/payments.api").await;
    let _ = site.associate("payments.api", json!({})).await.ok();
    let served = api.read("iamra/container/payments.api").await;
    let _ = site.stage.root().delete(ROLE).await.ok();
    let after = api.read("iamra/container/payments.api").await;

    assert_eq!(served.status, 200, "{}", served.text);
    for refusal in [before, after] {
        assert_eq!(refused(&refusal, "RoleNotFound"), "role: there is no role \"payments.api\"");
    }
}

#[tokio::test]
async fn aws_refuses_the_pod_of_another_service_account_that_an_association_names_by_mistake() {
    let site = Site::new().await;
    let _ = site.associate("payments.web", json!({})).await.ok();
    let web = site.pod("payments", "web").await;

    let refusal = web.read("iamra/container/payments.web").await;

    assert!(refusal.text.contains("Unable to assume role"), "{}", refusal.text);
}

#[tokio::test]
async fn a_service_account_with_dots_in_its_name_is_itself() {
    let site = Site::new().await;
    let _ = site.associate("payments.api.v2", json!({ "role_arn": harness::ROLE_ARN })).await.ok();
    let (dotted, other) = (site.pod("payments", "api.v2").await, site.pod("payments", "api").await);

    let document = dotted.read("iamra/container/payments.api.v2").await.ok();

    let session = &site.stage.sessions().await[0];
    assert_eq!(session["access_key_id"], document.body["AccessKeyId"]);
    assert_eq!(session["source_identity"], "CN=prod.payments.api.v2");
    assert_eq!(other.read("iamra/container/payments.api.v2").await.status, 403);
}

#[tokio::test]
async fn a_token_for_another_audience_logs_nobody_in() {
    let site = Site::new().await;

    for audience in ["vault", "https://kubernetes.default.svc"] {
        let token = site.prod.token_for(audience, "payments", "api");

        let login = site.login("kubernetes", "associations", token).await;

        assert!(login.status >= 400, "{audience}: {}", login.text);
    }
}

#[tokio::test]
async fn a_second_cluster_has_roles_of_its_own_under_its_prefix() {
    let site = Site::new().await;
    let dev = Cluster::start().await;
    let second = ["--cluster", "dev", "--associations", "--auth-mount", "dev", "--prefix", "dev_"];
    let _ = site.associate("payments.api", json!({})).await.ok();
    let _ = site.set_up(&dev, &second).await.ok();
    let several = site.associate("dev_payments.api", json!({})).await.refused(400);
    let anybody = json!({ "clusters": "dev", "role_arn": harness::ROLE_ARN });
    let _ = site.associate("dev_payments.api", anybody).await.ok();
    let token = dev.token_for("iamra", "payments", "api");

    let theirs = site.with_token_of(&site.login("dev", "dev_associations", token).await.ok());
    let ours = site.pod("payments", "api").await;

    assert!(several.starts_with("clusters: 2 are registered (dev, prod), "), "{several}");
    assert_eq!(ours.read("iamra/container/payments.api").await.status, 200);
    assert_eq!(theirs.read("iamra/container/dev_payments.api").await.status, 200);
    assert_eq!(ours.read("iamra/container/dev_payments.api").await.status, 403);
    assert_eq!(theirs.read("iamra/container/payments.api").await.status, 403);
    let identities: Vec<Value> =
        site.stage.sessions().await.iter().map(|session| session["source_identity"].clone()).collect();
    assert_eq!(identities, ["CN=prod.payments.api", "CN=dev.payments.api"]);
}

/// Without a prefix of its own, or with one that a namespace of the other cluster has, two clusters ask for the same role.
#[tokio::test]
async fn a_pod_of_another_cluster_that_asks_for_the_same_role_is_refused() {
    let site = Site::new().await;
    let dev = Cluster::start().await;
    let _ = site.associate("payments.api", json!({})).await.ok();
    let second = ["--cluster", "dev", "--associations", "--auth-mount", "dev"];
    let _ = site.set_up(&dev, &second).await.ok();
    let token = dev.token_for("iamra", "payments", "api");

    let theirs = site.with_token_of(&site.login("dev", "associations", token).await.ok());
    let refusal = theirs.read("iamra/container/payments.api").await;

    assert!(
        refusal.text.contains("this role accepts only callers of prod, but this caller is of dev"),
        "{}",
        refusal.text
    );
    assert!(site.stage.sessions().await.is_empty());
}

#[tokio::test]
async fn a_pod_without_a_role_of_its_own_has_the_fallback_as_itself() {
    let site = Site::new().await;
    let both = ["--cluster", "prod", "--associations", "--templates", "--way", "container"];
    let more = ["--role-arn", harness::ROLE_ARN, "--fallback", "prod-pods", "*"];
    let _ = site.set_up(&site.prod, &[&both[..], &more].concat()).await.ok();
    let report = site.pod("billing", "report").await;

    let own = report.read("iamra/container/billing.report").await;
    let fallback = report.read("iamra/container/prod-pods").await.ok();

    let _ = refused(&own, "RoleNotFound");
    let session = &site.stage.sessions().await[0];
    assert_eq!(session["access_key_id"], fallback.body["AccessKeyId"]);
    assert_eq!(session["source_identity"], "CN=prod.billing.report");
}

#[tokio::test]
async fn an_operator_sees_what_the_subject_amounts_to_and_whose_certificate_a_pod_gets() {
    let site = Site::new().await;
    let vault = &site.stage.vault;
    let _ = site.associate("payments.api", json!({})).await.ok();
    let token = site.prod.token_for("iamra", "payments", "api");
    let login = site.login("kubernetes", "associations", token).await.ok();
    let entity = format!("entity_id={}", login.body["auth"]["entity_id"].as_str().unwrap());

    let read = vault.cli(&["read", ROLE]).await.ok();
    let preview = vault.cli(&["write", "iamra/preview/payments.api", &entity]).await.ok();
    let check = vault.cli(&["write", "iamra/check/payments.api", &entity]).await.ok();
    let nobody = vault.cli(&["read", "iamra/preview/payments.api"]).await;

    assert!(read.contains("{{kubernetes.cluster}}.") && read.contains("subject"), "{read}");
    assert!(
        preview.contains("common_name by subject=kubernetes: {{kubernetes.cluster}} is \"prod\""),
        "{preview}"
    );
    assert!(check.contains("CN=prod.payments.api by subject=kubernetes (from clusters/prod, "), "{check}");
    assert!(
        nobody.stderr.contains("accepts only callers of prod: this token belongs to no entity"),
        "{}",
        nobody.stderr
    );
}
