//! Identities that log in with a name alone, and an engine role that knows them by it.

use std::time::Duration;

use harness::{Api, Stage, until};
use serde_json::{Value, json};

const POLICY: &str = r#"
path "iamra/creds/app" { capabilities = ["read", "update"] }
path "iamra/container/app" { capabilities = ["read"] }
"#;

/// The names that can log in at a server.
pub struct Names {
    root: Api,
    accessor: String,
}

impl Names {
    /// Lets every name log in, with the rules of `policy`.
    pub async fn enable(root: &Api, policy: &str) -> Names {
        let _ = root.write("sys/policies/acl/app", json!({ "policy": policy })).await.ok();
        let _ = root.write("sys/auth/approle", json!({ "type": "approle" })).await.ok();
        let accessor = root.read("sys/auth/approle").await.ok().string("accessor").to_owned();
        Names { root: root.clone(), accessor }
    }

    /// The template that stands for a caller's name.
    pub fn template(&self) -> String {
        format!("{{{{identity.entity.aliases.{}.name}}}}", self.accessor)
    }

    /// A fresh token of the user called `name`.
    ///
    /// # Panics
    /// When Vault returns none.
    pub async fn token(&self, name: &str) -> String {
        let path = format!("auth/approle/role/{name}");
        let role =
            json!({ "bind_secret_id": false, "token_bound_cidrs": "127.0.0.1/32", "token_policies": "app" });
        let _ = self.root.write(&path, role).await.ok();
        let _ = self.root.write(&format!("{path}/role-id"), json!({ "role_id": name })).await.ok();
        let login = json!({ "role_id": name });
        let login = self.root.without_token().write("auth/approle/login", login).await.ok();
        login.body["auth"]["client_token"].as_str().expect("a token").to_owned()
    }
}

/// A stage on which every name can log in and read `app` as itself.
pub struct Users {
    /// The Vault and the AWS.
    pub stage: Stage,
    names: Names,
}

impl Users {
    /// The usual role: the subject names the caller, so that sessions are shared by identity.
    pub async fn new() -> Users {
        let stage = Stage::dev().await;
        let names = Names::enable(stage.root(), POLICY).await;
        let users = Users { stage, names };
        users.write_role(json!({})).await;
        users
    }

    /// Writes the role with further fields, whole, as a controller would.
    pub async fn write_role(&self, more: Value) {
        let mut role = json!({ "role_arn": harness::ROLE_ARN, "common_name": self.names.template() });
        merge(&mut role, &more);
        let _ = self.stage.root().write("iamra/roles/app", role).await.ok();
    }

    /// Writes the mount's config with further fields.
    pub async fn configure(&self, more: Value) {
        let mut config = self.stage.config();
        merge(&mut config, &more);
        let _ = self.stage.root().write("iamra/config", config).await.ok();
    }

    /// A fresh token of the user called `name`.
    ///
    /// # Panics
    /// When Vault returns none.
    pub async fn login(&self, name: &str) -> Api {
        self.stage.root().with_token(&self.names.token(name).await)
    }

    /// The number of CreateSession calls that AWS has seen, with any outcome.
    pub async fn calls(&self) -> usize {
        self.stage.aws_log().await.iter().filter(|entry| entry["operation"] == "CreateSession").count()
    }

    /// Waits until AWS has seen this number of them.
    pub async fn called(&self, times: usize) {
        until(&format!("{times} calls of CreateSession"), Duration::from_secs(60), async || {
            (self.calls().await >= times).then_some(())
        })
        .await;
    }
}

fn merge(whole: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
}
