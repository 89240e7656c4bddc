//! Drives the emulator with clients of other authors: AWS Labs' `iam-rolesanywhere-session`, and boto3.

use crate::expectations::{Refusal, refusal};
use crate::pki::{Authority, Certificate, Device, Key, Template};
use crate::world::{
    ACTIONS, ANCHOR, ANCHOR_ID, PROFILE, ROLE, ROOT, World, management_keys, policy, trust_policy,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use x509_cert::ext::pkix::BasicConstraints;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const REQUIREMENTS: &str = include_str!("../clients/requirements.txt");
const MISSING: &str = "python3 with venv is not there: apt install python3 python3-venv";

/// The interpreter of a virtual environment with the pinned clients; made once, and again when a pin changes.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients");
        let (python, stamp) = (folder.join("bin/python"), folder.join("installed.txt"));
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
            return python;
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
        run(Command::new(&python).args(pip).arg("requirements.txt").current_dir(SCRIPTS));
        std::fs::write(stamp, REQUIREMENTS).unwrap();
        python
    })
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect(MISSING);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed ({MISSING}): {complaint}");
    output
}

/// Runs a script with its settings and returns the JSON it prints. It has none of our variables, no proxy and no home.
pub(crate) async fn script(name: &'static str, settings: Value) -> Value {
    let run_it = move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        std::fs::write(&file, in_files(folder.path(), settings).to_string()).unwrap();
        let mut command = Command::new(python());
        command.arg("-B").arg(Path::new(SCRIPTS).join(name)).arg(file);
        run(command.env_clear().env("HOME", folder.path()).env("AWS_EC2_METADATA_DISABLED", "true"))
    };
    let output = tokio::task::spawn_blocking(run_it).await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// These clients read certificates and keys from files.
fn in_files(folder: &Path, mut settings: Value) -> Value {
    for name in ["ca", "certificate", "chain", "key"] {
        if let Some(text) = settings.get(name).and_then(Value::as_str) {
            let file = folder.join(format!("{name}.pem"));
            std::fs::write(&file, text).unwrap();
            settings[name] = file.to_str().unwrap().into();
        }
    }
    settings
}

fn session_settings(world: &World, device: &Device) -> Value {
    let mut settings = json!({
        "url": world.url(), "ca": world.ca_pem(), "region": "eu-central-1",
        "anchor": ANCHOR, "profile": PROFILE, "role": ROLE,
        "certificate": device.certificate.pem(), "key": device.key.pkcs8_pem(),
    });
    if !device.chain.is_empty() {
        settings["chain"] = device.chain.iter().map(Certificate::pem).collect::<String>().into();
    }
    settings
}

async fn pypi_client_gets_a_session(device: &Device) {
    let world = World::start_tls().await;

    let identity = script("session.py", session_settings(&world, device)).await;

    let serial = device.certificate.serial_hex();
    assert_eq!(identity["Arn"], format!("arn:aws:sts::111122223333:assumed-role/demo/{serial}"));
    assert_eq!(identity["Account"], "111122223333");
}

#[tokio::test]
async fn the_pypi_client_gets_a_session_with_an_ec_key() {
    pypi_client_gets_a_session(&ROOT.device("payments")).await;
}

#[tokio::test]
async fn the_pypi_client_gets_a_session_with_an_rsa_key() {
    pypi_client_gets_a_session(&ROOT.device_with_key(Template::leaf("payments"), Key::rsa_2048())).await;
}

#[tokio::test]
async fn the_pypi_client_gets_a_session_over_an_intermediate() {
    let issuer = ROOT.intermediate(Template::authority("Issuing CA"));
    pypi_client_gets_a_session(&issuer.device("payments").through(&[&issuer])).await;
}

#[tokio::test]
async fn the_pypi_client_may_send_instance_properties() {
    let world = World::start_tls().await;
    let mut settings = session_settings(&world, &ROOT.device("payments"));
    settings["instance_properties"] = json!({ "host": "tests" });

    let identity = script("session.py", settings).await;

    assert_eq!(identity["Account"], "111122223333", "{identity}");
}

#[tokio::test]
async fn the_pypi_client_shows_aws_text_when_refused() {
    let world = World::start_tls().await;
    let mut settings = session_settings(&world, &ROOT.device("payments"));
    settings["role_session_name"] = "payments-1".into();

    let refused = script("session.py", settings).await;

    let expected = refusal("14");
    assert_eq!(refused, json!({ "status": expected.status, "message": expected.message() }));
}

fn management_settings(world: &World) -> Value {
    let keys = management_keys();
    let basic_constraints = Some(BasicConstraints { ca: false, path_len_constraint: None });
    let not_a_ca = Template { basic_constraints, ..Template::authority("Not a CA") };
    json!({
        "url": world.url(), "ca": world.ca_pem(), "region": "eu-central-1",
        "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key,
        "role": ROLE, "anchor": ANCHOR, "alias": alias(),
        "root": Authority::root("Second Root").certificate.pem(),
        "not_a_ca": Authority::self_signed(not_a_ca, Key::p256()).certificate.pem(),
        "crl": ROOT.crl(&[]),
    })
}

/// The inline policy of a role that may keep one anchor, and read and change its own policies.
fn keeper() -> Value {
    policy(json!([
        { "Effect": "Allow", "Action": ["rolesanywhere:GetTrustAnchor", "rolesanywhere:UpdateTrustAnchor"], "Resource": ANCHOR },
        { "Effect": "Allow", "Action": ["iam:*RolePolicy", "iam:ListRolePolicies"], "Resource": ROLE },
    ]))
}

pub(crate) async fn session_keys(world: &World) -> Value {
    let session = world.session(&ROOT.device("vault")).await;
    json!({
        "url": world.url(), "ca": world.ca_pem(), "region": "eu-central-1", "anchor_id": ANCHOR_ID,
        "access_key_id": session.access_key_id, "secret_access_key": session.secret_access_key,
        "session_token": session.security_token, "session_name": session.name(),
        "root": Authority::root("Next Root").certificate.pem(), "old_root": ROOT.certificate.pem(),
    })
}

#[tokio::test]
async fn boto3_keeps_an_anchor_with_a_session_and_is_told_what_it_lacks() {
    let world =
        World::start_tls_with(|state| state["roles"][0]["policies"] = json!({ "keeper": keeper() })).await;
    let settings = session_keys(&world).await;

    let seen = script("anchor_keeper.py", settings.clone()).await;

    let both = format!("{}{}", settings["old_root"].as_str().unwrap(), settings["root"].as_str().unwrap());
    let data = &seen["updated"]["granted"]["trustAnchor"]["source"]["sourceData"]["x509CertificateData"];
    assert_eq!(data, &json!(both), "{seen:#}");
    assert_eq!(seen["read"]["granted"], seen["updated"]["granted"]);
    assert_eq!(seen["list"]["code"], "AccessDeniedException");
    let lacks = "because no identity-based policy allows the rolesanywhere:ListTrustAnchors action";
    assert!(seen["list"]["message"].as_str().unwrap().ends_with(lacks), "{seen:#}");
    assert_eq!(
        seen["throttled"],
        json!({ "code": "ThrottlingException", "status": 429, "message": "Rate exceeded" })
    );
}

#[tokio::test]
async fn boto3_revokes_its_own_session_with_iam() {
    let world =
        World::start_tls_with(|state| state["roles"][0]["policies"] = json!({ "keeper": keeper() })).await;

    let seen = script("inline_policies.py", session_keys(&world).await).await;

    assert_eq!(seen["role"]["code"], "AccessDenied", "{seen:#}");
    assert_eq!(seen["listed"], json!(["keeper"]));
    assert_eq!(seen["read"]["granted"]["PolicyDocument"], seen["sent"]);
    assert_eq!(seen["unknown"]["code"], "NoSuchEntity");
    let name = world.admin("sessions").await[0]["session_name"].clone();
    assert!(seen["user_id"].as_str().unwrap().ends_with(&format!(":{}", name.as_str().unwrap())), "{seen:#}");
    assert_eq!(seen["malformed"]["code"], "MalformedPolicyDocument");
    assert_eq!(
        seen["full"],
        json!({
            "code": "LimitExceeded", "status": 409, "message": "Maximum policy size of 10240 bytes exceeded for role demo",
        })
    );
    assert_eq!((&seen["revoked"]["code"], &seen["revoked"]["status"]), (&json!("AccessDenied"), &json!(403)));
}

#[tokio::test]
async fn boto3_gets_the_password_of_a_registry_and_is_told_what_is_wrong() {
    let pulls =
        policy(json!([{ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" }]));
    let world =
        World::start_tls_with(|state| state["roles"][0]["policies"] = json!({ "pulls": pulls })).await;

    let seen = script("registry.py", session_keys(&world).await).await;

    let own = &seen["own"]["granted"]["authorizationData"];
    assert_eq!(
        own[0]["proxyEndpoint"], "https://111122223333.dkr.ecr.eu-central-1.amazonaws.com",
        "{seen:#}"
    );
    let two = &seen["two"]["granted"]["authorizationData"];
    assert_eq!(two[1]["proxyEndpoint"], "https://444455556666.dkr.ecr.eu-central-1.amazonaws.com");
    for case in ["none", "short"] {
        assert_eq!(
            (&seen[case]["code"], &seen[case]["status"]),
            (&json!("InvalidParameterException"), &json!(400))
        );
    }
    assert_eq!(seen["other operation"]["code"], "UnknownOperationException");
}

#[tokio::test]
async fn a_role_looks_to_boto3_as_it_does_on_aws() {
    let world = World::start_tls().await;
    let keys = management_keys();
    let settings = json!({
        "url": world.url(), "ca": world.ca_pem(), "region": "eu-central-1",
        "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key,
    });

    let seen = script("role.py", settings).await;

    let role = &seen["granted"]["Role"];
    assert_eq!(
        (&role["Arn"], &role["Path"], &role["MaxSessionDuration"]),
        (&json!(ROLE), &json!("/"), &json!(3600))
    );
    assert_eq!(role["AssumeRolePolicyDocument"], trust_policy(&ACTIONS, &Value::Null));
}

/// moto does not check everything that IAM checks, and words the absence of a resource differently.
#[tokio::test]
async fn inline_policies_look_to_boto3_as_those_of_moto() {
    let world = World::start_tls().await;
    let keys = management_keys();
    let settings = json!({
        "url": world.url(), "ca": world.ca_pem(), "region": "eu-central-1",
        "access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key,
    });

    let mut seen = script("shapes.py", settings).await;

    for case in ["with principal", "hyphen in id"] {
        assert_eq!(seen["emulator"][case]["code"], "MalformedPolicyDocument", "{seen:#}");
        seen["emulator"][case] = seen["moto"][case].clone();
    }
    for (who, case) in
        ["emulator", "moto"].into_iter().flat_map(|who| [(who, "no role"), (who, "read again")])
    {
        seen[who][case]["message"].take();
    }
    assert_eq!(seen["emulator"], seen["moto"]);
}

#[tokio::test]
async fn an_ml_dsa_key_of_another_library_gets_a_session() {
    let world = World::start_tls().await;
    let mut settings = management_settings(&world);
    settings["profile"] = PROFILE.into();

    let seen = script("ml_dsa.py", settings).await;

    for size in ["44", "65", "87"] {
        assert_eq!(seen[size]["status"], 201, "{seen:#}");
        assert_eq!(seen[size]["altered"]["status"], 403);
    }
}

fn alias() -> String {
    ANCHOR.replace(&format!("trust-anchor/{ANCHOR_ID}"), "alias/trust-anchor/tests")
}

fn as_boto3_shows(expected: &Refusal) -> Value {
    json!({ "code": expected.kind, "status": expected.status, "message": expected.message() })
}

#[tokio::test]
async fn boto3_manages_anchors_profiles_and_crls() {
    let world = World::start_tls().await;

    let seen = script("management.py", management_settings(&world)).await;

    assert_eq!(seen["read"]["granted"], seen["anchor"]["granted"], "{seen:#}");
    assert_eq!(seen["listed"], json!(["tests", "boto3"]));
    assert_eq!(seen["profile"]["granted"]["profile"]["durationSeconds"], 900);
    assert_eq!(seen["crls"][1]["granted"]["crl"]["trustAnchorArn"], ANCHOR);
    let refused = [
        refusal("58"),
        refusal("59"),
        refusal("60"),
        refusal("61"),
        refusal("62 size").of("300001 bytes"),
        refusal("62 name").of("revoked.crl"),
        refusal("63"),
    ];
    for expected in refused {
        assert_eq!(seen[expected.case], as_boto3_shows(&expected), "case {}", expected.case);
    }
}
