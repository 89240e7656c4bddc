//! The operators' work while others read: they write roles, rotate the CA, and deny sessions at AWS.

use std::sync::Arc;
use std::time::Duration;

use harness::sts::caller_identity;
use harness::{Api, REGION, Reply};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::figures::Figures;
use super::world::{World, role};

/// The pause between two turns.
const PAUSE: Duration = Duration::from_secs(4);
/// The pause before a command is repeated.
const BACK_OFF: Duration = Duration::from_millis(500);
/// The time for a failover while AWS fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// An operator who repeats a command until it succeeds, at any member that answers.
pub(crate) struct Operator {
    apis: Vec<Api>,
    at: usize,
    aws: String,
    template: String,
    figures: Arc<Figures>,
}

impl Operator {
    pub(crate) fn of(world: &World, figures: &Arc<Figures>) -> Operator {
        Operator {
            apis: world.cluster.apis(),
            at: 0,
            aws: world.aws.url().to_owned(),
            template: world.template.clone(),
            figures: Arc::clone(figures),
        }
    }

    /// Works until `end`. A rotation that was begun is ended.
    pub(crate) async fn work(mut self, end: Instant) {
        let mut turn = 0;
        while Instant::now() < end {
            turn += 1;
            self.write_role(turn).await;
            if turn.is_multiple_of(2) {
                self.revoke(turn).await;
            }
            if turn.is_multiple_of(4) {
                self.rotate(turn / 4).await;
            }
            sleep(PAUSE).await;
        }
    }

    /// Changes a role, which drops its cached sessions, and writes the same again, which drops none.
    async fn write_role(&mut self, turn: usize) {
        let name = ["app", "static"][turn % 2];
        for _ in 0..2 {
            let body = role(&self.template, name, turn);
            self.done("POST", &format!("iamra/roles/{name}"), body).await;
        }
        self.figures.count(|counts| counts.role_writes += 1);
    }

    /// Denies the session that a reader received last, or all sessions of the role: AWS then accepts no more calls signed with them.
    async fn revoke(&mut self, turn: usize) {
        let Some(held) = self.figures.some_session_of_app(turn) else { return };
        self.figures.revocations.begin();
        if turn.is_multiple_of(8) {
            self.done("POST", "iamra/roles/app/revoke-sessions", json!({})).await;
        } else {
            let body = json!({ "serial_number": held.serial, "role": "app", "force": true });
            self.done("POST", "iamra/revoke", body).await;
        }
        self.figures.revocations.end();
        let who = caller_identity(&self.aws, REGION, None, &held.credentials).await;
        assert!(who.is_err(), "AWS takes the revoked {:?}: {who:?}", held.credentials);
        self.figures.count(|counts| counts.revocations += 1);
    }

    /// The CA number `nth` takes over from the one before.
    async fn rotate(&mut self, nth: usize) {
        let (old, new) = (format!("ca-{}", nth - 1), format!("ca-{nth}"));
        let root = json!({ "common_name": new, "issuer_name": new });
        let sync = "iamra/trust-anchors/main/sync";
        self.done("POST", "iamra/root/generate/internal", root).await;
        self.done("POST", sync, json!({})).await;
        self.done("POST", "iamra/config/issuers", json!({ "default": new })).await;
        self.done("POST", &format!("iamra/issuer/{old}"), json!({ "disabled": true })).await;
        self.done("POST", sync, json!({})).await;
        self.done("DELETE", &format!("iamra/issuer/{old}"), Value::Null).await;
        self.figures.count(|counts| counts.rotations += 1);
    }

    /// Sends a command until it succeeds. Each failure is one for which a client asks again.
    async fn done(&mut self, method: &str, path: &str, body: Value) {
        let body = (!body.is_null()).then_some(body);
        let began = Instant::now();
        loop {
            let api = &self.apis[self.at % self.apis.len()];
            let failure = match api.try_call(method, path, body.clone(), &[]).await {
                Ok(reply) if is_done(&reply) => return,
                Ok(reply) => {
                    let again = reply.status == 429 || reply.status >= 500;
                    assert!(again, "{method} {path}: {} {}", reply.status, reply.text);
                    format!("{} {}", reply.status, reply.text)
                }
                Err(_) => "no connection".to_owned(),
            };
            assert!(began.elapsed() < PATIENCE, "{method} {path} failed for {PATIENCE:?}: {failure}");
            self.figures.count(|counts| *counts.repeated.entry(failure).or_default() += 1);
            self.at += 1;
            sleep(BACK_OFF).await;
        }
    }
}

/// Whether it succeeded now, or in the try whose answer was lost.
fn is_done(reply: &Reply) -> bool {
    reply.status < 300 || reply.text.contains("is already the name of issuer")
}
