//! `vault read iamra/check/web` as an operator sees it: on a set-up that works, and on some that do not.

mod wide;

use std::fs;

use e2e::{config_file, pages, pki, say};
use harness::{Api, ROLE_ARN, Stage, add_management, managed_anchor};
use serde_json::{Value, json};

/// The page that shows this output.
const PAGE: &str = "operate/why-403.md";

/// A stage whose role `web` is as strict as it should be, with the engine's own roles at AWS if `looks`.
async fn stage(looks: bool) -> Stage {
    let stage = Stage::dev().await;
    write(&stage, "iamra/config", config(&stage)).await;
    write(&stage, "iamra/issuer/default", json!({ "issuer_name": "prod-1" })).await;
    write(&stage, "iamra/roles/web", json!({ "role_arn": ROLE_ARN })).await;
    change(&stage, add_management).await;
    change(&stage, |state| {
        state["roles"][0]["trust_policy"]["Statement"][0]["Condition"]["StringEquals"] =
            json!({ "aws:PrincipalTag/x509Subject/CN": "web" });
    })
    .await;
    if looks {
        write(&stage, "iamra/trust-anchors/main", managed_anchor()).await;
    }
    stage
}

/// The configuration that leads all of the mount's calls to this AWS.
fn config(stage: &Stage) -> Value {
    let mut config = stage.config();
    config["sts_endpoint"] = json!(stage.aws.url());
    config["iam_endpoint"] = json!(stage.aws.url());
    config["max_retries"] = json!(1);
    config
}

async fn write(stage: &Stage, path: &str, body: Value) {
    let _ = stage.root().write(path, body).await.ok();
}

async fn change(at: &Stage, edit: impl FnOnce(&mut Value)) {
    let mut state = at.admin("GET", "state", None).await;
    edit(&mut state);
    at.admin("PUT", "state", Some(state)).await;
}

/// The output of the command line, which is also printed past the test runner.
async fn table(stage: &Stage, what: &str) -> String {
    let table = stage.vault.cli(&["read", "iamra/check/web"]).await.ok();
    say(&format!("{what}\n$ vault read iamra/check/web\n{table}"));
    table
}

/// The same, as a document shows it.
fn shown(table: &str) -> String {
    let lines: Vec<&str> = std::iter::once("$ vault read iamra/check/web").chain(table.lines()).collect();
    format!("\n{}\n\n", indented(&lines))
}

/// The texts of rows that only follow from another row.
const CONSEQUENCES: [&str; 3] = [
    "not checked: no session was issued",
    "not checked: an earlier link is broken",
    "not checked: the endpoint was not reached",
];

/// The broken rows of a table, under a sentence that names the fault.
fn rows_of(what: &str, table: &str) -> String {
    let is_link = |line: &&str| line.starts_with(|character: char| character.is_ascii_digit());
    let is_plain = |line: &&str| {
        let text = line.split_once(' ').map_or("", |(_, text)| text.trim_start());
        text.starts_with("ok: ") || CONSEQUENCES.iter().any(|why| text.starts_with(why))
    };
    let rows: Vec<&str> = table.lines().filter(is_link).filter(|line| !is_plain(line)).collect();
    format!("\n{what}\n\n{}\n", indented(&rows))
}

fn indented(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("    {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

async fn operator(stage: &Stage) -> Api {
    let policy = fs::read_to_string(config_file("policies/operator.hcl")).unwrap();
    stage.root().with_token(&stage.vault.token("operator", &policy).await)
}

#[tokio::test]
async fn the_table_of_the_command_line_reads_in_order() {
    let stage = stage(true).await;

    let table = table(&stage, "a healthy set-up").await;

    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with(|character: char| character.is_ascii_digit())).collect();
    let numbers: Vec<usize> = rows.iter().map(|row| row[..2].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>(), "{table}");
    for row in rows {
        let value = row.split_once(' ').unwrap().1.trim_start();
        assert!(value.starts_with("ok: "), "{row}");
    }
    assert!(table.contains("summary"), "{table}");
    pages::hold(PAGE, "healthy", &shown(&table));
}

type Write = (&'static str, fn(&Stage) -> Value);

/// One fault, and the link at which the table reports it.
struct Case {
    what: &'static str,
    at_aws: fn(&mut Value),
    /// A path of the mount and what is written there.
    in_vault: Option<Write>,
    knobs: fn() -> Value,
    link: &'static str,
}

const NOTHING: Case = Case { what: "", at_aws: |_| (), in_vault: None, knobs: || json!({}), link: "" };

fn condition(state: &mut Value) -> &mut Value {
    &mut state["roles"][0]["trust_policy"]["Statement"][0]["Condition"]
}

fn with_endpoint(stage: &Stage, endpoint: &str) -> Value {
    let mut config = config(stage);
    config["endpoint"] = json!(endpoint);
    config
}

const CASES: &[Case] = &[
    Case {
        what: "The issuer is disabled.",
        in_vault: Some(("iamra/issuer/prod-1", |_| json!({ "disabled": true, "force": true }))),
        link: "01_ca",
        ..NOTHING
    },
    Case {
        what: "The certificate would name a caller whom Vault does not know, as for a root token.",
        in_vault: Some((
            "iamra/roles/web",
            |_| json!({ "role_arn": ROLE_ARN, "common_name": "{{identity.entity.name}}" }),
        )),
        link: "03_certificate",
        ..NOTHING
    },
    Case {
        what: "The config allows other roles only.",
        in_vault: Some(("iamra/config", |stage| {
            let mut config = config(stage);
            config["allowed_role_arns"] = json!(["arn:aws:iam::111122223333:role/team-*"]);
            config
        })),
        link: "04_account_and_region",
        ..NOTHING
    },
    Case {
        what: "Nothing answers at the endpoint.",
        in_vault: Some(("iamra/config", |stage| with_endpoint(stage, "https://127.0.0.1:9"))),
        link: "05_endpoint",
        ..NOTHING
    },
    Case {
        what: "The clock of Vault's node is half an hour behind.",
        knobs: || json!({ "clock_offset_seconds": 1800 }),
        link: "06_clock",
        ..NOTHING
    },
    Case {
        what: "The trust anchor is disabled.",
        at_aws: |state| state["trust_anchors"][0]["enabled"] = json!(false),
        link: "07_trust_anchor",
        ..NOTHING
    },
    Case {
        what: "The profile does not list the role.",
        at_aws: |state| state["profiles"][0]["role_arns"] = json!(["arn:aws:iam::111122223333:role/api"]),
        link: "08_profile",
        ..NOTHING
    },
    Case {
        what: "The role has a session name, and the profile takes none.",
        in_vault: Some(("iamra/roles/web", |_| json!({ "role_arn": ROLE_ARN, "role_session_name": "web" }))),
        link: "10_session_name",
        ..NOTHING
    },
    Case {
        what: "The trust policy asks for another name than the certificate has.",
        at_aws: |state| {
            condition(state)["StringEquals"] = json!({ "aws:PrincipalTag/x509Subject/CN": "website" });
        },
        link: "11_trust_policy",
        ..NOTHING
    },
    Case {
        what: "The trust policy does not allow sts:SetSourceIdentity.",
        at_aws: |state| {
            state["roles"][0]["trust_policy"]["Statement"][0]["Action"] =
                json!(["sts:AssumeRole", "sts:TagSession"]);
        },
        link: "11_trust_policy",
        ..NOTHING
    },
    Case {
        what: "It works, and the trust policy asks nothing of the certificate.",
        at_aws: |state| {
            condition(state).as_object_mut().unwrap().remove("StringEquals");
        },
        link: "11_trust_policy",
        ..NOTHING
    },
    Case {
        what: "It works, and the profile shortens the session.",
        at_aws: |state| state["profiles"][0]["duration_seconds"] = json!(1800),
        link: "14_duration",
        ..NOTHING
    },
    Case {
        what: "The session would be longer than the IAM role allows.",
        at_aws: |state| state["roles"][0]["max_session_duration"] = json!(1800),
        link: "14_duration",
        ..NOTHING
    },
    Case {
        what: "The profile maps nothing of the certificate's subject.",
        at_aws: |state| state["profiles"][0]["attribute_mappings"] = json!({ "x509Issuer": ["*"] }),
        link: "16_session_tags",
        ..NOTHING
    },
    // last: the engine makes no call for seconds after it
    Case {
        what: "AWS throttles.",
        knobs: || json!({ "throttle_next": 40 }),
        link: "12_create_session",
        ..NOTHING
    },
];

#[tokio::test]
async fn what_is_broken_is_named_in_its_row_with_a_cure_and_shown_by_its_page() {
    let mut document = String::new();
    let stage = stage(true).await;
    let whole = stage.admin("GET", "state", None).await;
    for case in CASES {
        write(&stage, "iamra/issuer/prod-1", json!({ "disabled": false })).await;
        for (path, body) in
            [("iamra/config", config(&stage)), ("iamra/roles/web", json!({ "role_arn": ROLE_ARN }))]
        {
            // a write alone would keep the fields that the case before named
            let _ = stage.root().delete(path).await.ok();
            write(&stage, path, body).await;
        }
        stage.admin("PUT", "state", Some(whole.clone())).await;
        change(&stage, case.at_aws).await;
        stage.knobs((case.knobs)()).await;
        if let Some((path, body)) = case.in_vault {
            write(&stage, path, body(&stage)).await;
        }

        let table = table(&stage, case.what).await;

        let row = table.lines().find(|line| line.starts_with(case.link)).unwrap_or_default();
        assert!(row.contains(" — cure: "), "{}: {row}\n{table}", case.what);
        document.push_str(&rows_of(case.what, &table));
    }
    pages::hold(PAGE, "cases", &format!("{document}\n"));
}

#[tokio::test]
async fn an_anchor_that_holds_a_companys_root_is_broken_although_it_works() {
    let what = "It works, and the CA is below a company's root, which is what the anchor holds; besides, its name has a comma.";
    let stage = stage(true).await;
    let root = pki::sign_intermediate(&stage, "pods, new", "prod-2").await;
    write(&stage, "iamra/trust-anchors/main/sync", json!({})).await;
    write(&stage, "iamra/config/issuers", json!({ "default": "prod-2" })).await;
    write(&stage, "iamra/issuer/prod-1", json!({ "disabled": true })).await;
    stage.trust(&root).await;

    let table = table(&stage, what).await;

    let _ = stage.root().read("iamra/creds/web").await.ok();
    assert!(table.contains("broken                   [09_ca_above]"), "{table}");
    pages::hold(PAGE, "above", &format!("{}\n", rows_of(what, &table)));
}

#[tokio::test]
async fn without_a_check_role_the_text_of_aws_leads_to_the_link() {
    let stage = stage(false).await;
    let other = Stage::dev().await;
    stage.trust(&other.ca_pem("iamra").await).await;

    let table = table(&stage, "the anchor holds another CA, and there is no check_role_arn").await;

    let row = table.lines().find(|line| line.starts_with("07_trust_anchor")).unwrap_or_default();
    assert!(row.contains("broken: AWS says \"Untrusted signing certificate\""), "{table}");
    pages::hold(PAGE, "other-ca", &shown(&table));
}

#[tokio::test]
async fn an_operator_checks_in_anybodys_place_and_still_reads_no_credentials() {
    let stage = stage(false).await;
    let operator = operator(&stage).await;
    let entity = stage.root().write("identity/entity", json!({ "name": "payments" })).await.ok();
    let by_caller = json!({ "role_arn": ROLE_ARN, "common_name": "{{identity.entity.name}}" });
    write(&stage, "iamra/roles/web", by_caller).await;

    let own = operator.read("iamra/check/web").await.ok();
    let theirs = operator.write("iamra/check/web", json!({ "entity_id": entity.string("id") })).await.ok();

    assert!(own.string("03_certificate").contains("check/web entity_id="), "{}", own.body);
    assert!(theirs.string("03_certificate").starts_with("ok: CN=payments"), "{}", theirs.body);
    assert_eq!(operator.read("iamra/creds/web").await.status, 403);
}
