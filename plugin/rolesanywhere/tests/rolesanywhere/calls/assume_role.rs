//! AssumeRole by a session.

use super::{form, ok, pair, refused, region, signed_client};
use crate::script::{Script, Step};
use rolesanywhere::{AssumeRole, Error, ExposeSecret as _, HopRefusal, Remedy};
use time::macros::datetime;

const TARGET: &str = "arn:aws:iam::444455556666:role/apps/target";

fn request() -> AssumeRole {
    AssumeRole {
        role: TARGET.parse().unwrap(),
        session_name: "0a1b".to_owned(),
        duration: AssumeRole::MAX_DURATION,
        external_id: None,
        session_policy: None,
        session_policy_arns: Vec::new(),
        tags: [].into(),
        transitive_tag_keys: Vec::new(),
    }
}

fn granted(role: &str, expiration: &str) -> Step {
    ok(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <AssumeRoleResult>\n    \
         <SourceIdentity>CN=payments</SourceIdentity>\n    <AssumedRoleUser>\n      \
         <AssumedRoleId>AROAEXAMPLE:0a1b</AssumedRoleId>\n      <Arn>arn:aws:sts::444455556666:assumed-role/{role}/0a1b</Arn>\n    \
         </AssumedRoleUser>\n    <Credentials>\n      <AccessKeyId>ASIAEXAMPLEEXAMPLE99</AccessKeyId>\n      \
         <SecretAccessKey>secret/of+hop</SecretAccessKey>\n      <SessionToken>token//of+hop</SessionToken>\n      \
         <Expiration>{expiration}</Expiration>\n    </Credentials>\n    <PackedPolicySize>6</PackedPolicySize>\n  \
         </AssumeRoleResult>\n  <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\n</AssumeRoleResponse>"
    ))
}

#[tokio::test(start_paused = true)]
async fn a_hop_is_asked_of_the_regions_sts_and_read_whole() {
    let script = Script::of([granted("target", "2026-01-02T04:04:05Z")]);

    let session = signed_client(&script).assume_role(&region(), &request()).await.unwrap();

    assert_eq!(session.access_key_id, "ASIAEXAMPLEEXAMPLE99");
    assert_eq!(session.secret_access_key.expose_secret(), "secret/of+hop");
    assert_eq!(session.session_token.expose_secret(), "token//of+hop");
    assert_eq!(session.expiration, datetime!(2026-01-02 04:04:05 UTC));
    assert_eq!((session.role_session_name.as_str(), session.packed_policy_size), ("0a1b", Some(6)));
    assert_eq!(session.source_identity.as_deref(), Some("CN=payments"));
    assert_eq!((session.subject_arn, session.request_id.as_deref()), (None, Some("r-1")));
    assert_eq!(script.request(0).uri(), "https://sts.eu-central-1.amazonaws.com/");
    let asked = [
        pair("Action", "AssumeRole"),
        pair("Version", "2011-06-15"),
        pair("RoleArn", TARGET),
        pair("RoleSessionName", "0a1b"),
        pair("DurationSeconds", "3600"),
    ];
    assert_eq!(form(&script, 0), asked);
}

#[tokio::test(start_paused = true)]
async fn all_that_a_hop_may_have_is_sent_by_the_names_of_the_query_protocol() {
    let script = Script::of([granted("target", "2026-01-02T04:04:05Z")]);
    let request = AssumeRole {
        external_id: Some("pool:42/a".to_owned()),
        session_policy: Some("{}".to_owned()),
        session_policy_arns: vec![
            "arn:aws:iam::aws:policy/A".to_owned(),
            "arn:aws:iam::aws:policy/B".to_owned(),
        ],
        tags: [("a", "1"), ("b", "2 ü")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        transitive_tag_keys: vec!["a".to_owned()],
        ..request()
    };

    signed_client(&script).assume_role(&region(), &request).await.unwrap();

    let more = [
        pair("ExternalId", "pool:42/a"),
        pair("Policy", "{}"),
        pair("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/A"),
        pair("PolicyArns.member.2.arn", "arn:aws:iam::aws:policy/B"),
        pair("Tags.member.1.Key", "a"),
        pair("Tags.member.1.Value", "1"),
        pair("Tags.member.2.Key", "b"),
        pair("Tags.member.2.Value", "2 ü"),
        pair("TransitiveTagKeys.member.1", "a"),
    ];
    assert_eq!(form(&script, 0)[5..], more);
}

#[tokio::test(start_paused = true)]
async fn a_session_of_another_role_or_one_that_is_over_is_no_answer() {
    for (role, expiration) in [("other", "2026-01-02T04:04:05Z"), ("target", "2026-01-02T03:00:00Z")] {
        let script = Script::of([granted(role, expiration)]);

        let err = signed_client(&script).assume_role(&region(), &request()).await.unwrap_err();

        assert!(matches!(*err.cause, Error::BadAnswer { .. }), "{err:?}");
        assert!(!err.to_string().contains("secret/of+hop"), "{err}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_by_its_action() {
    let text = format!(
        "User: arn:aws:sts::111122223333:assumed-role/hub/01 is not authorized to perform: sts:TagSession on resource: {TARGET}"
    );
    let script = Script::of([refused(403, "AccessDenied", &text)]);

    let err = signed_client(&script).assume_role(&region(), &request()).await.unwrap_err();

    assert_eq!(HopRefusal::of(&err), Some(HopRefusal::TagSession));
    assert_eq!(script.attempts(), 1);
    assert!(err.to_string().starts_with("sts:AssumeRole: AWS refused with 403 AccessDenied"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_hop_is_to_be_waited_for() {
    let script = Script::of([refused(400, "Throttling", "Rate exceeded")]);

    let err = signed_client(&script).assume_role(&region(), &request()).await.unwrap_err();

    assert_eq!((err.remedy(), HopRefusal::of(&err)), (Remedy::Wait, None));
}
