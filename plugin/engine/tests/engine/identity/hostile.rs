//! Values that somebody chose in order to be somebody else.

use serde_json::json;

use super::callers::{GITLAB, PROD, gitlab, pod, pods, preview, refusal, refused_role, tag};
use crate::mounts::ROLE;

#[tokio::test]
async fn nobody_takes_the_short_name_of_another() {
    let long = "a".repeat(70);
    let victim = preview(pods(), pod(PROD, "n", &long)).await;
    let common_name = tag(&victim, "x509Subject/CN").to_owned();

    let thief = preview(pods(), pod(PROD, "n", common_name.strip_prefix("prod.n.").unwrap())).await;

    assert_ne!(tag(&thief, "x509Subject/CN"), common_name);
}

#[tokio::test]
async fn injected_values_stay_values_or_are_refused() {
    let role = json!({ "common_name": format!("{{{{identity.entity.aliases.{GITLAB}.name}}}}") });
    let huge = "a".repeat(10_000);
    for name in [
        "a,b",
        "a\nCN=admin",
        "a\0",
        "pаyments",
        "ａ",
        "a/CN=admin",
        "{{role.name}}",
        "a\u{202e}b",
        "a b",
        huge.as_str(),
    ] {
        let error = refusal(role.clone(), Some(gitlab(name))).await;

        assert!(error.starts_with("common_name: ") && error.len() < 500, "{name:?}: {error}");
        assert!(!error.contains(['\n', '\0']), "{error:?}");
    }
    let role = json!({ "role_arn": ROLE, "common_name": format!("x.{{{{identity.entity.aliases.{GITLAB}.name}}}}") });
    let reply = preview(role, gitlab("CN=admin+O=x")).await;
    assert_eq!(tag(&reply, "x509Subject/CN"), "x.CN=admin+O=x");
    assert!(reply.data["subject"].get("organization").is_none(), "{reply:?}");
}

#[tokio::test]
async fn metadata_with_signs_that_a_place_does_not_take_is_refused_by_field_and_reference() {
    let texts = [
        ("organization", "{{identity.entity.metadata.note}}"),
        ("locality", "{{identity.entity.aliases.auth_jwt_0000000c.custom_metadata.note}}"),
        ("organizational_unit", "{{identity.entity.aliases.auth_jwt_0000000c.metadata.note}}"),
        ("role_session_name", "{{identity.entity.metadata.note}}"),
        ("dns_sans", "{{identity.entity.metadata.note}}.example.com"),
        ("uri_sans", "{{identity.entity.aliases.auth_jwt_0000000c.metadata.note}}"),
    ];
    for note in ["R&D", "a\0b", "a\tb", "*", "a\u{200b}b"] {
        let mut who = gitlab("job");
        who.metadata.insert("note".to_owned(), note.to_owned());
        who.aliases[0].metadata.insert("note".to_owned(), note.to_owned());
        who.aliases[0].custom_metadata.insert("note".to_owned(), note.to_owned());
        for (field, text) in texts {
            let error = refusal(json!({ field: text }), Some(who.clone())).await;

            assert!(error.starts_with(&format!("{field}: ")) && error.contains("may hold only"), "{error}");
            assert!(error.ends_with(&format!("it is the value of {text:?} for this caller")), "{error}");
        }
    }
}

#[tokio::test]
async fn a_value_that_holds_the_sign_that_ends_it_is_refused() {
    let role = json!({ "uri_sans": "spiffe://x/{{identity.entity.aliases.auth_jwt_0000000c.name}}/{{identity.entity.metadata.team}}" });

    let error = refusal(role, Some(gitlab("group/app"))).await;

    assert!(error.contains("its '/' could be taken for the one after it"), "{error}");
}

#[tokio::test]
async fn one_of_several_units_never_looks_like_two() {
    let units = ["{{identity.entity.aliases.auth_jwt_0000000c.name}}", "jobs"];

    let error = refusal(json!({ "organizational_unit": units }), Some(gitlab("group/app"))).await;

    assert!(error.contains("joins several values"), "{error}");
}

#[tokio::test]
async fn annotations_need_the_flag_and_are_marked() {
    let team = format!("{{{{identity.entity.aliases.{PROD}.metadata.team}}}}");
    let mut who = pod(PROD, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());

    let error = refused_role(json!({ "organization": &team })).await;
    let reply =
        preview(json!({ "role_arn": ROLE, "organization": &team, "allow_tenant_metadata": true }), who).await;

    assert!(error.starts_with("organization: ") && error.contains("allow_tenant_metadata"), "{error}");
    assert_eq!(tag(&reply, "x509Subject/O"), "blue");
    assert_eq!(reply.data["tenant_written"], json!(["organization"]), "{reply:?}");
}

#[tokio::test]
async fn annotations_never_reach_a_common_name() {
    let cn = |accessor: &str| {
        let text = format!("{{{{identity.entity.aliases.{accessor}.metadata.team}}}}");
        json!({ "common_name": text, "allow_tenant_metadata": true })
    };
    let odd = "auth_my-kubernetes_1";
    let mut who = pod(odd, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());

    assert!(refused_role(cn(PROD)).await.contains("never becomes a common name"));
    let error = refusal(cn(odd), Some(who)).await;
    assert!(error.contains("never becomes a common name"), "{error}");
}

#[tokio::test]
async fn annotations_of_a_mount_of_another_name_need_the_flag_too() {
    let odd = "auth_my-kubernetes_1";
    let mut who = pod(odd, "payments", "api");
    who.aliases[0].metadata.insert("team".to_owned(), "blue".to_owned());
    let role = json!({ "locality": format!("{{{{identity.entity.aliases.{odd}.metadata.team}}}}") });

    let error = refusal(role, Some(who)).await;

    assert!(error.contains("vault patch test/roles/app allow_tenant_metadata=true"), "{error}");
}

#[tokio::test]
async fn a_malformed_template_in_any_field_is_refused_by_field_and_position() {
    for field in [
        "common_name",
        "organization",
        "organizational_unit",
        "country",
        "locality",
        "uri_sans",
        "dns_sans",
        "role_session_name",
    ] {
        let error = refused_role(json!({ field: "ab{{kubernetes.pod}}" })).await;

        assert!(error.starts_with(&format!("{field}: ")) && error.contains("at character 5: "), "{error}");
    }
}

#[tokio::test]
async fn nobody_becomes_the_engine_itself_by_a_value_of_their_own() {
    let mut who = gitlab("job");
    who.metadata.insert("team".to_owned(), "iamra-management".to_owned());
    let role = json!({ "common_name": "trust-anchor", "organization": "{{identity.entity.metadata.team}}" });

    let error = refusal(role, Some(who)).await;

    assert!(error.starts_with("organization: ") && error.contains("iamra-management"), "{error}");
}
