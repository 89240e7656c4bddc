//! A credential leaked: what an operator types, and what AWS takes afterwards.

use std::fs;

use e2e::clients::say;
use e2e::config_file;
use harness::{Reply, Stage};

/// The `vault` command as whoever answers an incident has it.
struct Incident {
    stage: Stage,
    token: String,
}

impl Incident {
    async fn begin() -> Incident {
        let stage = Stage::dev().await;
        stage.look_after_anchor().await;
        let policy = fs::read_to_string(config_file("policies/incident.hcl")).unwrap();
        let token = stage.vault.token("incident", &policy).await;
        Incident { stage, token }
    }

    /// Runs a command that succeeds.
    async fn vault(&self, arguments: &[&str]) {
        let printed = self.stage.vault.cli_with(&self.token, arguments).await.ok();
        say(&format!("$ vault {}\n{printed}", arguments.join(" ")));
    }

    /// Whether AWS takes the next signed call of each.
    async fn live(&self, sessions: &[&Reply]) -> Vec<bool> {
        let mut live = Vec::new();
        for session in sessions {
            live.push(self.stage.caller(session).await.is_ok());
        }
        say(&format!("    signed calls that AWS takes now: {live:?}"));
        live
    }
}

#[tokio::test]
async fn a_revoked_session_is_refused_its_neighbours_go_on_and_the_break_glass_ends_them_all() {
    let incident = Incident::begin().await;
    let leaked = incident.stage.creds("demo").await.ok();
    let (one, two) = (incident.stage.creds("demo").await.ok(), incident.stage.creds("demo").await.ok());
    assert_eq!(incident.live(&[&leaked, &one, &two]).await, [true, true, true]);

    let serial = format!("serial_number={}", leaked.string("serial_number"));
    incident.vault(&["write", "iamra/revoke", &serial]).await;
    assert_eq!(incident.live(&[&leaked, &one, &two]).await, [false, true, true]);

    incident.vault(&["write", "-force", "iamra/roles/demo/revoke-sessions"]).await;
    let next = incident.stage.creds("demo").await.ok();
    assert_eq!(incident.live(&[&leaked, &one, &two, &next]).await, [false, false, false, true]);
}

#[tokio::test]
async fn the_end_of_a_lease_denies_nothing_at_aws() {
    let incident = Incident::begin().await;
    let session = incident.stage.creds("demo").await.ok();

    let lease = session.body["lease_id"].as_str().unwrap().to_owned();
    let _ =
        incident.stage.root().write("sys/leases/revoke", serde_json::json!({ "lease_id": lease })).await.ok();

    assert_eq!(incident.live(&[&session]).await, [true]);
    assert!(incident.stage.aws_log().await.iter().all(|entry| entry["operation"] != "PutRolePolicy"));
}

#[tokio::test]
async fn the_operators_policy_does_not_reach_the_break_glass() {
    let incident = Incident::begin().await;
    let policy = fs::read_to_string(config_file("policies/operator.hcl")).unwrap();
    let operator = incident.stage.root().with_token(&incident.stage.vault.token("operator", &policy).await);

    for path in ["iamra/revoke", "iamra/roles/demo/revoke-sessions"] {
        assert_eq!(operator.write(path, serde_json::json!({})).await.status, 403, "{path}");
    }
}
