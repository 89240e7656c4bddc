//! Roles and inline policies: IAM.

use std::time::Duration;

use rolesanywhere::Remedy;
use tokio::time::Instant;
use url::form_urlencoded;

use super::{DEADLINE, form, ok, pair, refused, role, signed_client};
use crate::script::{Script, Step};

#[tokio::test(start_paused = true)]
async fn silence_ends_the_call_at_its_deadline() {
    let script = Script::of([Step::Silence]);
    let began = Instant::now();

    let err = signed_client(&script).get_role(&role()).await.unwrap_err();

    assert!(err.to_string().contains("no answer within"), "{err}");
    assert!(began.elapsed() <= DEADLINE + Duration::from_millis(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_permission_that_is_missing() {
    let text = "User: arn:aws:sts::111122223333:assumed-role/keeper/0a is not authorized to perform: iam:PutRolePolicy on \
                resource: role demo because no identity-based policy allows the iam:PutRolePolicy action";
    let script = Script::of([refused(403, "AccessDenied", text)]);

    let err = signed_client(&script).put_role_policy(&role(), "p", "{}").await.unwrap_err();

    assert_eq!((script.attempts(), err.remedy(), err.request_id()), (1, Remedy::Reconfigure, Some("r-2")));
    assert_eq!(err.missing_permission.as_ref().unwrap().action, "iam:PutRolePolicy");
    let shown = err.to_string();
    assert!(
        shown.starts_with("iam:PutRolePolicy: AWS refused with 403 AccessDenied: User: arn:aws:sts"),
        "{shown}"
    );
    assert!(shown.ends_with("; the permission iam:PutRolePolicy is missing on role demo"), "{shown}");
}

/// XML that means ill, around `&x;`.
fn bombs() -> [String; 5] {
    let laughs: Vec<String> =
        (1..30).map(|n| format!("<!ENTITY x{n} \"&x{};&x{};\">", n - 1, n - 1)).collect();
    let laughs = laughs.concat();
    let laughs = format!("<!DOCTYPE r [<!ENTITY x0 \"ha\">{laughs}<!ENTITY x \"&x29;\">]>");
    let file = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let wrap = |inside: &str| {
        format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{inside}</Arn><UserId>{inside}</UserId><Account>\
             {inside}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
    };
    [
        laughs + &wrap("&x;"),
        file.to_owned() + &wrap("&x;"),
        wrap(&("<a>".repeat(10_000) + &"</a>".repeat(10_000))),
        wrap("&#0;&#xD800;"),
        wrap("<![CDATA["),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_xml_unfolds_into_more_than_it_is() {
    for bomb in bombs() {
        let script = Script::of([ok(bomb)]);

        let who =
            signed_client(&script).get_caller_identity(&"eu-central-1".parse().unwrap()).await.unwrap_err();
        let role = signed_client(&script).get_role(&role()).await.unwrap_err();

        for text in [who.to_string(), role.to_string()] {
            assert!(text.contains("the body of ") && text.len() < 300, "{text}");
        }
        assert_eq!(script.attempts(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_that_iam_makes_long_is_told_short_and_on_one_line() {
    let long = "&#10;x".repeat(5_000);
    let body = format!(
        "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><RoleId>A</RoleId><RoleName>demo</RoleName><Arn>{long}</Arn>\
         </Role></GetRoleResult></GetRoleResponse>"
    );
    let script = Script::of([ok(body)]);

    let text = signed_client(&script).get_role(&role()).await.unwrap_err().to_string();

    assert!(text.len() < 1000 && !text.contains('\n'), "{} characters: {text:.200}", text.len());
}

#[tokio::test(start_paused = true)]
async fn a_role_is_asked_for_by_its_name_at_the_partitions_iam() {
    let script = Script::of([ok(
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Path>/team/blue/</Path>\
         <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22x%22%3A%22a+b%20c%22%7D</AssumeRolePolicyDocument>\
         <MaxSessionDuration>43200</MaxSessionDuration><RoleId>AROAEXAMPLE</RoleId><RoleName>demo</RoleName>\
         <Description>&lt;x&gt;</Description><PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
         <Arn>arn:aws:iam::111122223333:role/team/blue/demo</Arn><CreateDate>2019-11-20T17:09:20Z</CreateDate></Role>\
         </GetRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetRoleResponse>",
    )]);

    let read = signed_client(&script).get_role(&role()).await.unwrap();

    assert_eq!((read.arn, read.id.as_str(), read.path.as_str()), (role(), "AROAEXAMPLE", "/team/blue/"));
    assert_eq!(read.max_session_duration, 43_200);
    assert_eq!(read.trust_policy, r#"{"Version":"2012-10-17","x":"a+b c"}"#);
    assert_eq!(read.permissions_boundary.as_deref(), Some("arn:aws:iam::111122223333:policy/b"));
    assert_eq!(script.request(0).uri(), "https://iam.amazonaws.com/");
    assert!(form(&script, 0).contains(&pair("RoleName", "demo")));
    let signed = script.request(0).headers()["authorization"].to_str().unwrap().to_owned();
    assert!(signed.contains("/20260102/us-east-1/iam/aws4_request"), "{signed}");
}

fn page(names: &[&str], marker: Option<&str>) -> Step {
    let members: String =
        names.iter().map(|name| format!("<member>{name}</member>")).collect::<Vec<_>>().concat();
    let more = marker.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |text| format!("<IsTruncated>true</IsTruncated><Marker>{text}</Marker>"),
    );
    ok(format!(
        "<ListRolePoliciesResponse><ListRolePoliciesResult><PolicyNames>{members}</PolicyNames>{more}\
         </ListRolePoliciesResult></ListRolePoliciesResponse>"
    ))
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_a_list_are_read() {
    let script = Script::of([page(&["a", "b"], Some("m/1=")), page(&["c"], None)]);

    let names = signed_client(&script).list_role_policies(&role()).await.unwrap();

    assert_eq!(names, ["a", "b", "c"]);
    assert!(form(&script, 1).contains(&pair("Marker", "m/1=")));
}

#[tokio::test(start_paused = true)]
async fn a_role_without_inline_policies_has_an_empty_list() {
    let empty = "<ListRolePoliciesResponse><ListRolePoliciesResult><IsTruncated>false</IsTruncated><PolicyNames/>\
                 </ListRolePoliciesResult></ListRolePoliciesResponse>";
    let script = Script::of([page(&[], None), ok(empty)]);

    for _ in 0..2 {
        assert!(signed_client(&script).list_role_policies(&role()).await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_is_given_up() {
    let script = Script::of([page(&["a"], Some("m"))]);

    let err = signed_client(&script).list_role_policies(&role()).await.unwrap_err();

    assert!(err.to_string().contains("has no end after 50 pages"), "{err}");
    assert_eq!(script.attempts(), 50);
}

#[tokio::test(start_paused = true)]
async fn an_inline_policy_is_written_and_read_back_as_it_was() {
    let document = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a+b & c%20"}]}"#;
    let coded = form_urlencoded::byte_serialize(document.as_bytes()).collect::<String>().replace('+', "%20");
    let answer = format!(
        "<GetRolePolicyResponse><GetRolePolicyResult><PolicyName>p</PolicyName><RoleName>demo</RoleName>\
         <PolicyDocument>{coded}</PolicyDocument></GetRolePolicyResult></GetRolePolicyResponse>"
    );
    let script = Script::of([ok("<PutRolePolicyResponse/>"), ok(answer)]);
    let signed_client = signed_client(&script);

    signed_client.put_role_policy(&role(), "p", document).await.unwrap();
    let read = signed_client.get_role_policy(&role(), "p").await.unwrap();

    assert_eq!(read.as_deref(), Some(document));
    let sent = form(&script, 0);
    assert!(sent.contains(&pair("PolicyDocument", document)) && sent.contains(&pair("PolicyName", "p")));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_not_there_is_no_error_but_a_role_that_is_not_there_is() {
    let policy = refused(404, "NoSuchEntity", "The role policy with name p cannot be found.");
    let gone = refused(404, "NoSuchEntity", "The role with name demo cannot be found.");
    let script = Script::of([policy.clone(), policy, gone.clone(), gone]);
    let signed_client = signed_client(&script);

    assert_eq!(signed_client.get_role_policy(&role(), "p").await, Ok(None));
    assert_eq!(signed_client.delete_role_policy(&role(), "p").await, Ok(false));
    let of_get = signed_client.get_role_policy(&role(), "p").await.unwrap_err();
    let of_delete = signed_client.delete_role_policy(&role(), "p").await.unwrap_err();

    assert!(of_get.is_not_found() && of_delete.is_not_found());
    assert!(of_get.missing_permission.is_none(), "{of_get}");
}

#[tokio::test(start_paused = true)]
async fn full_inline_policies_are_told_as_such() {
    let text = "Maximum policy size of 10240 bytes exceeded for role demo";
    let script = Script::of([refused(409, "LimitExceeded", text)]);

    let err = signed_client(&script).put_role_policy(&role(), "p", "{}").await.unwrap_err();

    assert!(err.is_limit_exceeded() && err.to_string().contains("share 10240 characters"), "{err}");
}

#[tokio::test(start_paused = true)]
async fn a_policy_name_that_iam_would_refuse_is_not_sent() {
    let script = Script::of([ok("<x/>")]);
    let long = "p".repeat(129);

    for name in ["", "a b", "a/b", long.as_str()] {
        let err = signed_client(&script).put_role_policy(&role(), name, "{}").await.unwrap_err();

        assert!(err.to_string().starts_with("iam:PutRolePolicy: policy_name: "), "{err}");
    }
    assert_eq!(script.attempts(), 0);
}
