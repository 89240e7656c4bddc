//! Two accounts at one address: a hub whose sessions come from Roles Anywhere, and a target with a role for them.

use crate::client::{Answer, Keys, escape};
use crate::world::{ACTIONS, ROOT, World, permitted, policy, trust_policy};
use aws_emulator::{Emulator, Options};
use serde_json::{Value, json};

pub(crate) const OTHER: &str = "444455556666";
pub(crate) const HUB: &str = "arn:aws:iam::111122223333:role/demo";
pub(crate) const TARGET: &str = "arn:aws:iam::444455556666:role/apps/target";

/// The hub's account, and at the same address the target's.
pub(crate) struct Two {
    pub(crate) hub: World,
    pub(crate) target: Emulator,
}

impl Two {
    /// Both sides allow everything that a hop needs.
    pub(crate) async fn start() -> Two {
        Two::start_with(|_| (), |_| ()).await
    }

    /// Starts with states that were edited.
    pub(crate) async fn start_with(hub: impl FnOnce(&mut Value), target: impl FnOnce(&mut Value)) -> Two {
        let hub = World::start_with(Two::allowing(hub)).await;
        Two::beside(hub, target).await
    }

    /// The same with TLS, as clients of other authors want it.
    pub(crate) async fn start_tls() -> Two {
        Two::start_tls_with(|_| (), |_| ()).await
    }

    pub(crate) async fn start_tls_with(hub: impl FnOnce(&mut Value), target: impl FnOnce(&mut Value)) -> Two {
        Two::beside(World::start_tls_with(Two::allowing(hub)).await, target).await
    }

    fn allowing(hub: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Value) {
        |state| {
            permitted(json!([allow(&ACTIONS, TARGET)]))(state);
            hub(state);
        }
    }

    async fn beside(hub: World, target: impl FnOnce(&mut Value)) -> Two {
        let mut state = other_account();
        target(&mut state);
        let state = serde_json::from_value(state).expect("the state is what the emulator reads");
        let target = Emulator::start(state, Options::default()).await;
        hub.emulator().join(&target);
        Two { hub, target }
    }

    /// A session of the hub, whose source identity is `CN=payments`.
    pub(crate) async fn hub_session(&self) -> Keys {
        Keys::from(&self.hub.session(&ROOT.device("payments")).await)
    }

    /// The answer to a hop of the hub with these parameters beside role and session name.
    pub(crate) async fn hop(&self, more: &[(&str, &str)]) -> Answer {
        self.hop_as(self.hub_session().await, TARGET, more).await
    }

    pub(crate) async fn hop_as(&self, keys: Keys, role: &str, more: &[(&str, &str)]) -> Answer {
        let mut call = self.hub.caller_identity(keys);
        let mut pairs = vec![("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role)];
        if !more.iter().any(|(name, _)| *name == "RoleSessionName") {
            pairs.push(("RoleSessionName", "01ff"));
        }
        pairs.extend(more);
        let form: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        call.body = form.join("&").into_bytes();
        call.send().await
    }

    /// The refusal of a hop, by exactly this rule.
    pub(crate) async fn refuses(&self, answer: &Answer, status: u16, code: &str, rule: &str) {
        assert_eq!((answer.status, answer.element("Code")), (status, code.to_owned()), "{}", answer.text());
        let entry = self.hub.log_entry(answer).await;
        assert_eq!((&entry["operation"], &entry["rule"]), (&json!("AssumeRole"), &json!(rule)), "{entry}");
        assert_eq!(self.target.sessions(), [], "a refusal left a session");
    }

    /// An `AccessDenied` for this action, in AWS's words.
    pub(crate) async fn denies(&self, answer: &Answer, action: &str, rule: &str) {
        self.refuses(answer, 403, "AccessDenied", rule).await;
        let sessions = self.hub.admin("sessions").await;
        let last = sessions.as_array().unwrap().last().unwrap();
        let who = last["assumed_role_arn"].as_str().unwrap();
        let words = format!("User: {who} is not authorized to perform: {action} on resource: {TARGET}");
        assert!(answer.element("Message").starts_with(&words), "{}", answer.text());
    }

    pub(crate) async fn identity(&self, keys: Keys) -> Answer {
        self.hub.caller_identity(keys).send().await
    }

    /// Gives the target's role an inline policy.
    pub(crate) fn deny_in_target(&self, statement: &Value) {
        let mut state = self.target.state();
        state.roles[0].policies.insert("revoked".to_owned(), policy(json!([statement])));
        self.target.set_state(state);
    }
}

/// An account with one role, which trusts the hub's account.
pub(crate) fn other_account() -> Value {
    json!({
        "account": OTHER,
        "roles": [{
            "name": "target", "path": "/apps/", "max_session_duration": 7200,
            "trust_policy": trusting(&ACTIONS, &Value::Null),
        }],
    })
}

/// A trust policy that allows the hub's account these actions.
pub(crate) fn trusting(actions: &[&str], condition: &Value) -> Value {
    let mut policy = trust_policy(actions, condition);
    policy["Statement"][0]["Principal"] = json!({ "AWS": "arn:aws:iam::111122223333:root" });
    policy
}

pub(crate) fn allow(actions: &[&str], resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

pub(crate) fn keys_of(answer: &Answer) -> Keys {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Keys {
        access_key_id: answer.element("AccessKeyId"),
        secret_access_key: answer.element("SecretAccessKey"),
        security_token: Some(answer.element("SessionToken")),
    }
}
