//! The record of answered calls as events of `CloudTrail`.

use crate::client::Keys;
use crate::two_accounts::Two;
use crate::world::{ROOT, World};
use serde_json::{Value, json};

async fn events(world: &World) -> Vec<Value> {
    world.admin("cloudtrail").await["Records"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_session_and_its_calls_have_one_access_key() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    let _ = world.caller_identity(&session).send().await;

    let events = events(&world).await;

    let made = &events[0]["responseElements"]["credentialSet"][0];
    assert_eq!(events[0]["eventSource"], "rolesanywhere.amazonaws.com");
    assert_eq!(made["credentials"]["accessKeyId"], json!(session.access_key_id));
    assert_eq!(made["sourceIdentity"], "CN=payments");
    let caller = &events[1]["userIdentity"];
    assert_eq!(
        (&events[1]["eventSource"], &events[1]["eventName"]),
        (&json!("sts.amazonaws.com"), &json!("GetCallerIdentity"))
    );
    assert_eq!(caller["accessKeyId"], json!(session.access_key_id));
    assert_eq!(caller["arn"], made["assumedRoleUser"]["arn"]);
    assert_eq!(caller["sessionContext"]["sourceIdentity"], "CN=payments");
}

#[tokio::test]
async fn a_hop_names_the_session_that_made_it() {
    let two = Two::start().await;
    let answer = two.hop(&[]).await;

    let events = events(&two.hub).await;

    let hop = events.iter().find(|event| event["eventName"] == "AssumeRole").unwrap();
    let hub = &events[0]["responseElements"]["credentialSet"][0]["credentials"];
    assert_eq!(hop["userIdentity"]["accessKeyId"], hub["accessKeyId"]);
    let made = &hop["responseElements"];
    assert_eq!(made["credentials"]["accessKeyId"], json!(answer.element("AccessKeyId")));
    assert_eq!(made["sourceIdentity"], "CN=payments");
}

#[tokio::test]
async fn no_event_has_a_secret() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    let keys = Keys::from(&session);

    let text = world.admin("cloudtrail").await.to_string();

    assert!(!text.contains(&keys.secret_access_key), "{text}");
    assert!(!text.contains(keys.security_token.as_deref().unwrap()), "{text}");
}

#[tokio::test]
async fn a_refused_call_has_its_code_and_no_answer() {
    let world = World::start().await;
    let session = world.session(&ROOT.device("payments")).await;
    let mut keys = Keys::from(&session);
    keys.secret_access_key = "wrong".to_owned();
    let _ = world.caller_identity(keys).send().await;

    let refused = events(&world).await.pop().unwrap();

    assert_eq!(
        (&refused["errorCode"], &refused["responseElements"]),
        (&json!("SignatureDoesNotMatch"), &Value::Null)
    );
}
