use serde_json::{Value, json};

use super::*;

const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5aefb5fe-2d37-4b67-9a2c-09e4c7b1b6b1";

fn found(statements: &Value) -> Vec<Finding> {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    lint(&document.to_string(), &ANCHOR.parse().unwrap())
}

/// The statement of AWS's manual, with these conditions.
fn with(conditions: &Value) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": { "Service": "rolesanywhere.amazonaws.com" },
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": conditions,
    })
}

fn source() -> Value {
    json!({ "aws:SourceArn": ANCHOR })
}

const CN: &str = "aws:PrincipalTag/x509Subject/CN";

#[test]
fn a_policy_as_it_should_be_gives_nothing_to_say() {
    let equals = json!({ "StringEquals": { CN: "prod.payments.api" }, "ArnEquals": source() });
    let identity = json!({ "StringLike": { "sts:SourceIdentity": "CN=prod.*" }, "StringEquals": source() });

    assert_eq!(found(&with(&equals)), []);
    assert_eq!(found(&with(&identity)), []);
}

#[test]
fn a_role_without_conditions_is_open_to_the_whole_ca_and_every_anchor() {
    assert_eq!(found(&with(&json!({}))), [Finding::Unconditioned, Finding::NoSourceArn]);
}

#[test]
fn a_statement_for_somebody_without_a_certificate_is_told_beside_ours() {
    let good = with(&json!({ "StringEquals": { CN: "prod.payments.api" }, "ArnEquals": source() }));
    for principal in [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["arn:aws:iam::1:root"] })] {
        let other = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:*" });

        let found = found(&json!([good, other]));

        assert!(matches!(&found[..], [Finding::OtherPrincipal { .. }]), "{principal}: {found:?}");
        assert!(!found[0].is_broken());
    }
}

#[test]
fn what_every_certificate_of_the_ca_has_is_no_condition_on_the_certificate() {
    let issuer =
        json!({ "StringEquals": { "aws:PrincipalTag/x509Issuer/CN": "root" }, "ArnEquals": source() });

    assert_eq!(found(&with(&issuer)), [Finding::Unconditioned]);
    for pattern in ["CN=*", "?*", "*?*", "CN=?*"] {
        let any = json!({ "StringLike": { "sts:SourceIdentity": pattern }, "ArnEquals": source() });

        let expected = Finding::AnyValue { key: "sts:SourceIdentity".to_owned() };
        assert_eq!(found(&with(&any)), [expected], "{pattern}");
    }
}

#[test]
fn an_operator_that_passes_when_the_tag_is_absent_is_named() {
    for operator in [
        "StringNotEquals",
        "StringEqualsIfExists",
        "StringNotLike",
        "ForAllValues:StringEquals",
        "stringlikeifexists",
    ] {
        let found = found(&with(&json!({ operator: { CN: "prod.payments.api" }, "ArnEquals": source() })));

        let expected = Finding::PassesWhenAbsent { operator: operator.to_owned(), key: CN.to_owned() };
        assert_eq!(found, [expected]);
        assert!(!found[0].is_broken() && found[0].to_string().contains(operator));
    }
}

#[test]
fn a_weak_condition_beside_a_strong_one_is_still_named() {
    let both = json!({
        "StringEquals": { CN: "prod.payments.api" },
        "StringNotEquals": { "aws:PrincipalTag/x509Subject/OU": "test" },
        "ArnEquals": source(),
    });

    let found = found(&with(&both));

    assert!(
        matches!(found.as_slice(), [Finding::PassesWhenAbsent { key, .. }] if key.ends_with("OU")),
        "{found:?}"
    );
}

#[test]
fn a_star_alone_asks_nothing_of_the_certificate() {
    let star = json!({ "StringLike": { CN: "*" }, "ArnEquals": source() });
    let present = json!({ "Null": { CN: "false" }, "ArnEquals": source() });
    let literal = json!({ "StringEquals": { CN: "*" }, "ArnEquals": source() });

    assert_eq!(found(&with(&star)), [Finding::AnyValue { key: CN.to_owned() }]);
    assert_eq!(found(&with(&present)), [Finding::AnyValue { key: CN.to_owned() }]);
    assert_eq!(found(&with(&literal)), []);
}

#[test]
fn a_missing_action_refuses_every_session() {
    let mut statement = with(&json!({ "StringEquals": { CN: "x" }, "ArnEquals": source() }));
    statement["Action"] = json!("sts:AssumeRole");

    let found = found(&statement);

    assert_eq!(
        found,
        [Finding::MissingAction("sts:TagSession"), Finding::MissingAction("sts:SetSourceIdentity")]
    );
    assert!(found.iter().all(Finding::is_broken));
}

#[test]
fn actions_may_be_patterns_and_in_statements_of_their_own() {
    let mut assume = with(&json!({ "StringEquals": { CN: "x" }, "ArnEquals": source() }));
    assume["Action"] = json!("STS:assumerole");
    let mut rest = with(&json!({}));
    rest["Action"] = json!(["sts:Tag*", "sts:SetSourceIdentit?"]);

    assert_eq!(found(&json!([assume, rest])), []);
}

#[test]
fn another_principal_is_no_entrance() {
    let mut statement = with(&json!({}));
    statement["Principal"] = json!({ "Service": ["ec2.amazonaws.com"] });

    assert_eq!(found(&statement), [Finding::NoPrincipal]);
    assert_eq!(found(&json!([])), [Finding::NoPrincipal]);
}

#[test]
fn another_anchor_refuses_every_session_of_this_one() {
    let other = ANCHOR.replace("5aefb5fe", "00000001");
    let found = found(&with(&json!({ "StringEquals": { CN: "x" }, "ArnLike": { "aws:sourcearn": other } })));

    assert_eq!(found, [Finding::OtherAnchor { values: vec![other], lacks: ANCHOR.to_owned() }]);
    assert!(found[0].is_broken());
}

#[test]
fn a_second_statement_may_let_this_anchor_in() {
    let strong =
        |arn: &str| with(&json!({ "StringEquals": { CN: "x" }, "ArnEquals": { "aws:SourceArn": arn } }));

    assert_eq!(found(&json!([strong(&ANCHOR.replace("5aef", "0000")), strong(ANCHOR)])), []);
}

#[test]
fn a_pattern_for_all_anchors_is_as_good_as_none() {
    let value = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/*";
    let like = json!({ "StringEquals": { CN: "x" }, "ArnLike": { "aws:SourceArn": [value] } });

    assert_eq!(found(&with(&like)), [Finding::AnyAnchor { value: value.to_owned() }]);
}

#[test]
fn what_is_not_looked_into_is_said() {
    let allow = with(&json!({ "StringEquals": { CN: "x" }, "ArnEquals": source() }));
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "*" });

    assert_eq!(found(&json!([allow, deny])), [Finding::NotLookedInto("Effect Deny")]);
}

#[test]
fn what_is_no_policy_is_said_and_does_not_panic() {
    for text in ["", "{", "[]", "{}", "null", r#"{"Statement":3}"#] {
        let found = lint(text, &ANCHOR.parse().unwrap());

        assert!(matches!(found.as_slice(), [Finding::Unreadable(_)]), "{text:?}: {found:?}");
    }
    assert_eq!(found(&json!([3, null, { "Effect": "Allow", "Condition": [1] }])), [Finding::NoPrincipal]);
}

/// The mismatches that refuse a session of the certificate `CN=web, OU=shop`.
fn kept_out(statements: &Value) -> Vec<String> {
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let tags = [("x509Subject/CN", "web"), ("x509Subject/OU", "shop")];
    let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    mismatches(&document, &tags, "CN=web").iter().map(ToString::to_string).collect()
}

#[test]
fn a_condition_that_does_not_hold_is_named_with_what_it_wants_and_what_there_is() {
    let typo = with(&json!({ "StringEquals": { CN: ["webb", "www"] }, "ArnEquals": source() }));
    let absent = with(&json!({ "StringLike": { "aws:PrincipalTag/x509SAN/URI": "spiffe://prod/*" } }));
    let identity = with(&json!({ "StringEquals": { "sts:SourceIdentity": "CN=api" } }));

    assert_eq!(kept_out(&typo), [format!("{CN} must be \"webb\" or \"www\" but is \"web\"")]);
    assert_eq!(kept_out(&absent), ["aws:PrincipalTag/x509SAN/URI must be \"spiffe://prod/*\" but is absent"]);
    assert_eq!(kept_out(&identity), ["sts:SourceIdentity must be \"CN=api\" but is \"CN=web\""]);
}

#[test]
fn a_condition_without_any_value_is_told_as_that() {
    for values in [json!([]), json!({ "any": "text" })] {
        let nothing = with(&json!({ "StringLike": { "aws:PrincipalTag/x509SAN/URI": values } }));

        let message = "aws:PrincipalTag/x509SAN/URI is compared with no value, which no session meets";
        assert_eq!(kept_out(&nothing), [message]);
    }
}

#[test]
fn conditions_that_hold_and_statements_that_let_in_are_not_named() {
    let good = json!({ "StringEquals": { CN: "web" }, "StringLike": { "sts:SourceIdentity": "CN=w?b" } });
    let typo = with(&json!({ "StringEquals": { CN: "webb", "aws:PrincipalTag/x509Subject/OU": "x" } }));
    let nearer = with(&json!({ "StringEquals": { "aws:requesttag/x509subject/cn": "w" } }));
    let if_exists = with(&json!({ "StringEqualsIfExists": { "aws:PrincipalTag/x509SAN/URI": "x" } }));

    assert!(kept_out(&with(&good)).is_empty() && kept_out(&if_exists).is_empty());
    assert!(kept_out(&json!([typo, with(&good)])).is_empty());
    assert_eq!(kept_out(&json!([typo, nearer])).len(), 1);
    assert!(kept_out(&json!("x")).is_empty());
}

#[test]
fn what_a_finding_quotes_of_a_policy_stays_on_one_short_line() {
    let key = format!("aws:PrincipalTag/x509Subject/\u{7f}\n{}", "O".repeat(9_000));
    let conditions =
        json!({ "StringEqualsIfExists": { key: "a" }, "ArnEquals": { "aws:SourceArn": vec!["x"; 900] } });

    for finding in found(&with(&conditions)) {
        let line = finding.to_string();

        assert!(line.len() < 1_000 && !line.contains(char::is_control), "{line}");
    }
}
