//! IAM and STS as moto has them, which nobody here wrote: our calls, signatures and documents, held by another's reading of AWS.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use harness::binaries;
use lifecycle::World;
use rolesanywhere::revocation::{Policy, ROLE_LIMIT};
use rolesanywhere::{Client, Credentials, RoleArn, SecretString, Settings, SignedClient};
use serde_json::{Value, json};
use time::{Duration as Span, OffsetDateTime};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command as AsyncCommand};

const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/moto");
const PATIENCE: Duration = Duration::from_secs(10);
/// As the engine writes it.
const SID_PREFIX: &str = "Iamra";
const NAME: &str = "iamra-5d1f2c3e-0000-4000-8000-1234567890ab";

/// The script that installs the pinned moto and serves it; the first use in a test process installs.
fn server() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let run = binaries::workspace().join("tests/tools/moto/run");
        let said = Command::new(&run).arg(FOLDER).output().expect("bash runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        run
    })
}

/// A server of moto's with the application role `demo` under `/iamra/` and the engine's own roles. It ends when its input does.
struct Moto {
    _process: Child,
    url: String,
    account: String,
    boundary: String,
    sessions: Value,
}

impl Moto {
    /// A server that asks of each request who signed it and whether that role may; `demo` has the policy already.
    ///
    /// moto encodes a form anew before it checks its signature, and writes `*` as Python does and no standard asks. So a document
    /// cannot be put here.
    async fn strict(policy: &Policy) -> Moto {
        let document: Value = serde_json::from_str(&policy.to_string()).unwrap();
        Moto::serving(true, json!({ NAME: document })).await
    }

    /// A server that asks nobody, so that it also takes the emulated AWS's sessions, which it did not make.
    async fn trusting() -> Moto {
        Moto::serving(false, json!({})).await
    }

    async fn serving(authenticate: bool, policies: Value) -> Moto {
        let mut roles = management_roles();
        let sessions: Vec<Value> = roles.iter().map(|role| role["name"].clone()).collect();
        roles.push(json!({
            "name": "demo", "path": "/iamra/", "max_session_duration": 14_400, "policies": policies,
            "trust_policy": roles[0]["trust_policy"],
            "permissions_boundary": { "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Action": "s3:*", "Resource": "*" },
            ]},
        }));
        let settings = json!({ "roles": roles, "sessions": sessions, "authenticate": authenticate });
        let mut command = AsyncCommand::new(server());
        command.arg(FOLDER).arg(settings.to_string()).kill_on_drop(true);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash runs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let ready = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
        let line = ready.expect("moto starts within a minute").expect("its output is text");
        let said: Value = serde_json::from_str(&line.expect("moto says where it is")).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Moto {
            _process: process,
            url: text(&said["url"]),
            account: text(&said["account"]),
            boundary: text(&said["boundaries"]["demo"]),
            sessions: said["sessions"].clone(),
        }
    }

    fn role(&self, name: &str) -> RoleArn {
        format!("arn:aws:iam::{}:role/iamra/{name}", self.account).parse().unwrap()
    }

    /// Calls in the name of one of the engine's roles.
    fn caller(&self, role: &str) -> SignedClient {
        self.signing(role, |secret| secret)
    }

    /// The same with another secret key.
    fn signing(&self, role: &str, secret: fn(String) -> String) -> SignedClient {
        let session = &self.sessions[role];
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        let credentials = Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: SecretString::from(secret(text("SecretAccessKey"))),
            session_token: Some(SecretString::from(text("SessionToken"))),
        };
        let url = Some(self.url.parse().unwrap());
        let settings = Settings { sts_endpoint: url.clone(), iam_endpoint: url, ..Settings::default() };
        Client::new(&settings).unwrap().signed_client(credentials, now, PATIENCE)
    }
}

/// The three roles as the harness has them. Of a resource moto knows `*` alone.
fn management_roles() -> Vec<Value> {
    let mut state = harness::account();
    harness::add_management(&mut state);
    let roles = state["roles"].as_array().unwrap().iter();
    let ours = roles.filter(|role| role["name"].as_str().unwrap().starts_with("iamra-")).cloned();
    ours.map(|mut role| {
        role["policies"]["duty"]["Statement"][0]["Resource"] = json!("*");
        role
    })
    .collect()
}

#[expect(clippy::disallowed_methods, reason = "who signs knows the time")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A policy with a statement of each kind.
fn of_each_kind() -> Policy {
    let moment = now();
    let until = moment + Span::hours(2);
    let mut policy = Policy::new(SID_PREFIX);
    policy.deny_issued_before(moment);
    policy.deny_session("00aabbccddeeff00112233445566778899", until).unwrap();
    policy.deny_session("sync+nightly=1,blue@eu", until).unwrap();
    policy.deny_source_identity("CN=prod.payments.api", moment, until).unwrap();
    policy
}

/// What the server holds under our name.
async fn held(caller: &SignedClient, demo: &RoleArn) -> Policy {
    let document = caller.get_role_policy(demo, NAME).await.unwrap();
    Policy::parse(SID_PREFIX, &document.expect("a policy of our name")).unwrap()
}

#[tokio::test]
async fn every_kind_of_statement_is_taken_and_given_back() {
    let moto = Moto::trusting().await;
    let (caller, demo, policy) = (moto.caller("iamra-revocation"), moto.role("demo"), of_each_kind());

    let before = caller.get_role_policy(&demo, NAME).await.unwrap();
    caller.put_role_policy(&demo, NAME, &policy.to_string()).await.unwrap();

    assert_eq!(before, None);
    assert_eq!(caller.list_role_policies(&demo).await.unwrap(), [NAME]);
    assert_eq!(held(&caller, &demo).await, policy);
}

#[tokio::test]
async fn a_policy_that_fills_the_roles_room_is_taken() {
    let moto = Moto::trusting().await;
    let (caller, demo, mut policy) = (moto.caller("iamra-revocation"), moto.role("demo"), of_each_kind());
    let until = now() + Span::hours(2);
    let grown = (0..1_000).map(|number| {
        policy.deny_session(&format!("{number:032x}"), until).unwrap();
        policy.clone()
    });
    let full = grown.take_while(|larger| larger.would_fit(0)).last().unwrap();

    caller.put_role_policy(&demo, NAME, &full.to_string()).await.unwrap();

    assert!(full.size() > ROLE_LIMIT - 100, "{}", full.size());
    assert_eq!(held(&caller, &demo).await, full);
}

#[tokio::test]
async fn a_second_write_takes_the_place_of_the_first() {
    let moto = Moto::trusting().await;
    let (caller, demo, mut policy) = (moto.caller("iamra-revocation"), moto.role("demo"), of_each_kind());
    caller.put_role_policy(&demo, NAME, &policy.to_string()).await.unwrap();
    policy.deny_session("one-more", now() + Span::hours(1)).unwrap();

    caller.put_role_policy(&demo, NAME, &policy.to_string()).await.unwrap();

    assert_eq!(caller.list_role_policies(&demo).await.unwrap(), [NAME]);
    assert_eq!(held(&caller, &demo).await, policy);
}

#[tokio::test]
async fn a_policy_is_read_and_deleted_once_by_calls_whose_signatures_are_checked() {
    let moto = Moto::strict(&of_each_kind()).await;
    let (caller, demo) = (moto.caller("iamra-revocation"), moto.role("demo"));

    let names = caller.list_role_policies(&demo).await.unwrap();
    let policy = held(&caller, &demo).await;
    let (first, second) =
        (caller.delete_role_policy(&demo, NAME).await.unwrap(), caller.delete_role_policy(&demo, NAME).await);

    assert_eq!((names, policy.len()), (vec![NAME.to_owned()], of_each_kind().len()));
    assert_eq!((first, second.unwrap()), (true, false));
    assert_eq!(caller.get_role_policy(&demo, NAME).await.unwrap(), None);
}

#[tokio::test]
async fn another_key_signs_nothing_that_is_taken() {
    let moto = Moto::strict(&of_each_kind()).await;
    let other = moto.signing("iamra-revocation", |secret| secret.chars().rev().collect());

    let refused = other.list_role_policies(&moto.role("demo")).await.unwrap_err();

    assert!(refused.to_string().contains("status 403"), "{refused}");
}

#[tokio::test]
async fn no_role_does_what_another_is_for() {
    let moto = Moto::strict(&of_each_kind()).await;
    let demo = moto.role("demo");

    for refused in [
        moto.caller("iamra-check").delete_role_policy(&demo, NAME).await.map(|_| ()),
        moto.caller("iamra-trust-anchor").list_role_policies(&demo).await.map(|_| ()),
        moto.caller("iamra-revocation").get_role(&demo).await.map(|_| ()),
    ] {
        assert!(refused.as_ref().unwrap_err().to_string().contains("status 403"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_role_is_read_with_trust_policy_boundary_and_longest_session() {
    let moto = Moto::strict(&of_each_kind()).await;

    let role = moto.caller("iamra-check").get_role(&moto.role("demo")).await.unwrap();

    assert_eq!((role.arn, role.path.as_str(), role.name.as_str()), (moto.role("demo"), "/iamra/", "demo"));
    assert_eq!(role.max_session_duration, 14_400);
    assert_eq!(role.permissions_boundary, Some(moto.boundary.clone()));
    let trust_policy: Value = serde_json::from_str(&role.trust_policy).unwrap();
    assert_eq!(trust_policy, management_roles()[0]["trust_policy"]);
}

#[tokio::test]
async fn a_session_is_told_who_it_is() {
    let moto = Moto::strict(&of_each_kind()).await;
    let region = harness::REGION.parse().unwrap();

    let identity = moto.caller("iamra-check").get_caller_identity(&region).await.unwrap();

    let arn = format!("arn:aws:sts::{}:assumed-role/iamra-check/4444333322221111", moto.account);
    assert_eq!((identity.account, identity.arn), (moto.account.clone(), arn));
    assert!(identity.user_id.ends_with(":4444333322221111"), "{}", identity.user_id);
}

#[tokio::test]
async fn a_role_that_is_not_there_is_no_role_without_policies() {
    let moto = Moto::trusting().await;
    let nobody = moto.role("nobody");

    let read = moto.caller("iamra-check").get_role(&nobody).await.unwrap_err();
    let listed = moto.caller("iamra-revocation").list_role_policies(&nobody).await.unwrap_err();

    assert!(read.is_not_found() && listed.is_not_found(), "{read} {listed}");
}

/// A mount whose sessions come from the emulated AWS, and whose IAM is moto's.
async fn world_with(moto: &Moto) -> World {
    let world = World::new().await;
    let mut config = world.config();
    config["iam_endpoint"] = json!(moto.url);
    world.ok(world.mount.write("config", config).await);
    world
}

/// The one policy that the engine wrote into `demo`.
async fn written(moto: &Moto) -> Policy {
    let (caller, demo) = (moto.caller("iamra-revocation"), moto.role("demo"));
    let names = caller.list_role_policies(&demo).await.unwrap();
    assert!(names.len() == 1 && names[0].starts_with("iamra-"), "{names:?}");
    Policy::parse(SID_PREFIX, &caller.get_role_policy(&demo, &names[0]).await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn the_engine_ends_single_sessions_through_it_and_then_all() {
    let moto = Moto::trusting().await;
    let world = world_with(&moto).await;
    let (one, other) = (world.ok(world.creds("demo").await), world.ok(world.creds("demo").await));

    for session in [&one, &other] {
        let revoke = json!({ "serial_number": session["serial_number"] });
        world.ok(world.mount.write("revoke", revoke).await);
    }
    let single = written(&moto).await;
    world.ok(world.mount.write("roles/demo/revoke-sessions", json!({})).await);

    let mut names = [&one, &other].map(|session| session["role_session_name"].as_str().unwrap());
    names.sort_unstable();
    assert_eq!(single.sessions().map(|(name, _)| name).collect::<Vec<_>>(), names);
    assert_eq!(single.issued_before(), None);
    assert!(written(&moto).await.issued_before().is_some());
}
