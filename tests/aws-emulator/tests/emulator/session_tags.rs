//! Session tags and session policies of `sts:AssumeRole`: their bounds, what is inherited, and what they leave of a role's permissions.

use crate::client::{Answer, Keys};
use crate::two_accounts::{OTHER, TARGET, Two, keys_of, trusting};
use crate::world::{ACTIONS, policy};
use serde_json::{Value, json};

const BACK: &str = "arn:aws:iam::111122223333:role/back";
const READS: &str = "arn:aws:iam::444455556666:policy/reads";

/// A tag as parameters.
fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let numbered = pairs.iter().enumerate().flat_map(|(at, (key, value))| {
        let name = |field: &str| format!("Tags.member.{}.{field}", at + 1);
        [(name("Key"), (*key).to_owned()), (name("Value"), (*value).to_owned())]
    });
    numbered.collect()
}

fn transitive(keys: &[&str]) -> Vec<(String, String)> {
    let numbered = keys.iter().enumerate();
    numbered.map(|(at, key)| (format!("TransitiveTagKeys.member.{}", at + 1), (*key).to_owned())).collect()
}

async fn hop(two: &Two, parameters: &[(String, String)]) -> Answer {
    hop_as(two, two.hub_session().await, TARGET, parameters).await
}

async fn hop_as(two: &Two, keys: Keys, role: &str, parameters: &[(String, String)]) -> Answer {
    let borrowed: Vec<(&str, &str)> =
        parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    two.hop_as(keys, role, &borrowed).await
}

async fn refuses(parameters: &[(String, String)], code: &str, rule: &str) -> String {
    let two = Two::start().await;
    let answer = hop(&two, parameters).await;
    two.refuses(&answer, 400, code, rule).await;
    answer.element("Message")
}

#[tokio::test]
async fn tags_are_those_of_the_session() {
    let two = Two::start().await;

    let answer =
        hop(&two, &tags(&[("eks-cluster-name", "prod"), ("kubernetes-namespace", "payments")])).await;

    let session = &two.target.sessions()[0];
    assert_eq!(session.tags["eks-cluster-name"], "prod");
    assert_eq!((session.tags.len(), session.transitive_tag_keys.len()), (2, 0));
    assert!(answer.element("PackedPolicySize").parse::<u32>().unwrap() > 0, "{}", answer.text());
}

#[tokio::test]
async fn tags_need_the_permission_of_both_sides() {
    let without: Vec<&str> = ACTIONS.into_iter().filter(|action| *action != "sts:TagSession").collect();
    let may =
        json!({ "tests": policy(json!([{ "Effect": "Allow", "Action": without, "Resource": TARGET }])) });
    let here = Two::start_with(|state| state["roles"][0]["policies"] = may, |_| ()).await;
    let trust = trusting(&without, &Value::Null);
    let there = Two::start_with(|_| (), |state| state["roles"][0]["trust_policy"] = trust).await;

    for (two, rule) in [(here, "assume_role.caller_denied"), (there, "assume_role.denied")] {
        let answer = hop(&two, &tags(&[("team", "blue")])).await;

        two.refuses(&answer, 403, "AccessDenied", rule).await;
        let words = format!("sts:TagSession on resource: {TARGET}");
        assert!(answer.element("Message").ends_with(&words), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_trust_policy_may_ask_for_a_tag_and_for_no_other() {
    let condition = json!({
        "StringEquals": { "aws:RequestTag/team": "blue" },
        "ForAllValues:StringEquals": { "aws:TagKeys": "team", "sts:TransitiveTagKeys": "team" },
    });
    let trust = trusting(&ACTIONS, &condition);
    let two = Two::start_with(|_| (), |state| state["roles"][0]["trust_policy"] = trust).await;

    let other = hop(&two, &tags(&[("team", "red")])).await;
    let more = hop(&two, &tags(&[("team", "blue"), ("role", "admin")])).await;
    let granted = hop(&two, &[tags(&[("team", "blue")]), transitive(&["team"])].concat()).await;

    assert_eq!([other.status, more.status, granted.status], [403, 403, 200], "{}", granted.text());
}

/// The target's role may go back into the hub's account, as the role `back`.
async fn round_trip(back_allows: &[&str]) -> Two {
    let mut trust = trusting(back_allows, &Value::Null);
    trust["Statement"][0]["Principal"] = json!({ "AWS": OTHER });
    let back = json!({ "name": "back", "trust_policy": trust });
    let all = json!({ "tests": policy(json!([{ "Effect": "Allow", "Action": "sts:*", "Resource": "*" }])) });
    Two::start_with(
        |state| state["roles"].as_array_mut().unwrap().push(back),
        |state| state["roles"][0]["policies"] = all,
    )
    .await
}

async fn tagged_hop(two: &Two) -> Keys {
    let passed = tags(&[("Team", "blue"), ("stage", "test")]);
    keys_of(&hop(two, &[passed, transitive(&["team"])].concat()).await)
}

#[tokio::test]
async fn transitive_tags_go_along_and_others_do_not() {
    let two = round_trip(&ACTIONS).await;

    let answer = hop_as(&two, tagged_hop(&two).await, BACK, &tags(&[("stage", "next")])).await;

    assert_eq!(answer.element("SourceIdentity"), "CN=payments");
    let sessions = two.hub.admin("sessions").await;
    assert_eq!(sessions[1]["tags"], json!({ "Team": "blue", "stage": "next" }), "{sessions:#}");
    assert_eq!(sessions[1]["transitive_tag_keys"], json!(["team"]));
}

#[tokio::test]
async fn inherited_tags_need_the_permission_as_passed_ones_do() {
    let two = round_trip(&["sts:AssumeRole", "sts:SetSourceIdentity"]).await;

    let answer = hop_as(&two, tagged_hop(&two).await, BACK, &[]).await;

    assert_eq!((answer.status, answer.element("Code")), (403, "AccessDenied".to_owned()));
    assert!(answer.element("Message").ends_with(&format!("sts:TagSession on resource: {BACK}")));
}

#[tokio::test]
async fn an_inherited_tag_cannot_be_passed_anew() {
    let two = round_trip(&ACTIONS).await;

    let answer = hop_as(&two, tagged_hop(&two).await, BACK, &tags(&[("TEAM", "red")])).await;

    assert_eq!((answer.status, answer.element("Code")), (400, "InvalidParameterValue".to_owned()));
    assert_eq!(two.target.log()[0].rule, "assume_role.inherited_tag");
    let words = "conflicts with a transitive tag key from the calling session.";
    assert!(answer.element("Message").ends_with(words), "{}", answer.text());
}

#[tokio::test]
async fn keys_that_differ_in_case_alone_are_one_key() {
    let message =
        refuses(&tags(&[("Team", "a"), ("team", "b")]), "InvalidParameterValue", "assume_role.duplicate_tag")
            .await;

    assert_eq!(message, "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
}

#[tokio::test]
async fn a_transitive_key_has_its_tag() {
    let asked = [tags(&[("team", "a")]), transitive(&["stage"])].concat();

    refuses(&asked, "InvalidParameterValue", "assume_role.transitive_without_tag").await;
}

#[tokio::test]
async fn a_tag_outside_its_bounds_is_named() {
    let (key, value) = ("k".repeat(129), "v".repeat(257));
    let cases = [
        ((key.as_str(), "v"), "'tags.1.member.key' failed", "less than or equal to 128"),
        (("", "v"), "'tags.1.member.key' failed", "greater than or equal to 1"),
        (("k", value.as_str()), "'tags.1.member.value' failed", "less than or equal to 256"),
        (("k", "a,b"), "'tags.1.member.value' failed", "expression pattern"),
        (("a*", "v"), "'tags.1.member.key' failed", "expression pattern"),
        (("aws:team", "v"), "'tags.1.member.key' failed", "expression pattern"),
    ];
    for (pair, member, constraint) in cases {
        let message = refuses(&tags(&[pair]), "ValidationError", "assume_role.bounds").await;

        assert!(message.contains(member) && message.contains(constraint), "{message}");
    }
}

#[tokio::test]
async fn fifty_tags_are_taken_and_one_more_is_not() {
    let many = |count: usize| -> Vec<(String, String)> {
        let keys: Vec<String> = (0..count).map(|number| format!("k{number}")).collect();
        tags(&keys.iter().map(|key| (key.as_str(), "v")).collect::<Vec<_>>())
    };
    let two = Two::start().await;

    let granted = hop(&two, &many(50)).await;
    let message = refuses(&many(51), "ValidationError", "assume_role.bounds").await;

    assert_eq!(granted.status, 200, "{}", granted.text());
    assert!(
        message.contains("at 'tags' failed") && message.contains("less than or equal to 50"),
        "{message}"
    );
}

#[tokio::test]
async fn tags_that_are_too_many_when_packed_are_refused() {
    let long = "v".repeat(250);
    let five = ["a", "b", "c", "d", "e"].map(|key| (key, long.as_str()));

    let message = refuses(&tags(&five), "PackedPolicyTooLarge", "assume_role.packed_tags").await;

    assert_eq!(message, "Packed size of session tags consumes 123% of allotted space.");
}

fn policy_of(statements: Value) -> (String, String) {
    ("Policy".to_owned(), policy(statements).to_string())
}

fn arns(arns: &[&str]) -> Vec<(String, String)> {
    let numbered = arns.iter().enumerate();
    numbered.map(|(at, arn)| (format!("PolicyArns.member.{}.arn", at + 1), (*arn).to_owned())).collect()
}

#[tokio::test]
async fn a_policy_that_is_too_large_when_packed_is_refused() {
    let buckets: Vec<String> = (0..50).map(|number| format!("arn:aws:s3:::bucket-{number}")).collect();
    let large = policy_of(json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": buckets }]));

    let message = refuses(&[large], "PackedPolicyTooLarge", "assume_role.packed_size").await;

    assert!(message.starts_with("Packed policy consumes 1"), "{message}");
}

#[tokio::test]
async fn a_policy_that_is_none_is_malformed() {
    let none = ("Policy".to_owned(), "{}".to_owned());

    let message = refuses(&[none], "MalformedPolicyDocument", "assume_role.malformed_policy").await;

    assert_eq!(message, "Syntax errors in policy.");
}

#[tokio::test]
async fn a_managed_policy_of_nobody_is_refused_and_so_are_eleven() {
    refuses(&arns(&[READS]), "ValidationError", "assume_role.unknown_policy").await;

    let message = refuses(&arns(&[READS; 11]), "ValidationError", "assume_role.bounds").await;

    assert!(message.contains("at 'policyArns' failed"), "{message}");
}

/// The target's role may read and write its policies; a managed policy allows reading.
async fn with_permissions() -> Two {
    let read = json!({ "Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*" });
    let all = json!({ "Effect": "Allow", "Action": "iam:*", "Resource": TARGET });
    Two::start_with(
        |_| (),
        move |state| {
            state["roles"][0]["policies"] = json!({ "tests": policy(json!([all])) });
            state["managed_policies"] = json!({ READS: policy(json!([read])) });
        },
    )
    .await
}

/// The statuses of a read and of a deletion by a hop with these session policies.
async fn read_and_delete(session_policies: &[(String, String)]) -> (u16, u16, String) {
    let two = with_permissions().await;
    let keys = keys_of(&hop(&two, session_policies).await);
    let named = [("RoleName", "target"), ("PolicyName", "tests")];
    let read = two.hub.iam_as(keys.clone(), "GetRolePolicy", &named).await;
    let deleted = two.hub.iam_as(keys, "DeleteRolePolicy", &named).await;
    (read.status, deleted.status, deleted.text())
}

#[tokio::test]
async fn without_session_policies_a_hop_may_do_what_its_role_may() {
    let (read, deleted, text) = read_and_delete(&[]).await;

    assert_eq!((read, deleted), (200, 200), "{text}");
}

#[tokio::test]
async fn an_inline_session_policy_leaves_what_both_allow() {
    let reads =
        policy_of(json!([{ "Effect": "Allow", "Action": ["iam:GetRolePolicy", "s3:*"], "Resource": "*" }]));

    let (read, deleted, text) = read_and_delete(&[reads]).await;

    assert_eq!((read, deleted), (200, 403));
    assert!(text.contains("because no session policy allows the iam:DeleteRolePolicy action"), "{text}");
}

#[tokio::test]
async fn a_managed_session_policy_does_the_same() {
    let (read, deleted, text) = read_and_delete(&arns(&[READS])).await;

    assert_eq!((read, deleted), (200, 403), "{text}");
}

#[tokio::test]
async fn a_session_policy_gives_nothing_that_the_role_has_not() {
    let two = Two::start().await;
    let all = policy_of(json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]));
    let keys = keys_of(&hop(&two, &[all]).await);

    let read = two.hub.iam_as(keys, "GetRole", &[("RoleName", "target")]).await;

    assert_eq!(read.status, 403, "{}", read.text());
    assert!(read.text().contains("because no identity-based policy allows"), "{}", read.text());
}

#[tokio::test]
async fn a_hop_of_a_hub_whose_session_policy_is_silent_on_hops_is_denied() {
    let cut = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "s3:*", "Resource": "*" } });
    let two = Two::start_with(|state| state["profiles"][0]["session_policy"] = cut, |_| ()).await;

    let answer = hop(&two, &[]).await;

    two.refuses(&answer, 403, "AccessDenied", "assume_role.caller_denied").await;
}
