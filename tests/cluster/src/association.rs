//! Service accounts that Vault knows by one object each, and their pods, which have nothing but the node agent.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::account::ANYBODY;
use crate::manifests::Manifests;
use crate::team::Team;

/// Where `k8s/components/pod-identity` puts the pod's token.
const TOKEN_FILE: &str = "/var/run/secrets/iamra/token";

/// Nothing but Python's own HTTP client, so that a refusal is seen as it is. Its arguments: the path, the headers as JSON, the bytes of
/// one more header, and the agent's port.
const ASK: &str = r#"
import http.client, json, sys, time
path, headers, padding, port = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if padding:
    headers["X-Padding"] = "a" * padding
connection = http.client.HTTPConnection("169.254.170.23", port, timeout=60)
start = time.monotonic()
connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
for name, value in headers.items():
    connection.putheader(name, value)
connection.endheaders()
answer = connection.getresponse()
body = answer.read().decode()
seconds = time.monotonic() - start
print(json.dumps({"status": answer.status, "seconds": seconds, "id": answer.getheader("x-request-id", ""), "body": body}))
"#;

/// The long-running application with boto3: the same lines as those of `tests/cluster/watch`. Its argument: the seconds between two calls.
const CALL_WITH_BOTO3: &str = r#"
import datetime, json, re, signal, sys, time
import boto3
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
key = ""
def seen(request, **_):
    global key
    found = re.search("Credential=([A-Z0-9]+)/", str(request.headers.get("Authorization")))
    key = found.group(1) if found else key
def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
client = boto3.client("sts")
client.meta.events.register("before-send.sts", seen)
n = 0
while True:
    n += 1
    line = {"n": n, "began": now()}
    try:
        line |= {"ok": True, "arn": client.get_caller_identity()["Arn"]}
    except Exception as error:
        line |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(line | {"at": now(), "key": key}), flush=True)
    time.sleep(float(sys.argv[1]))
"#;

/// A request that a pod makes of the node agent without an SDK.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The token; none: no `Authorization`.
    pub token: Option<&'a str>,
    /// The engine role in the path; none: the one of the pod's service account.
    pub role: Option<&'a str>,
    /// The `Host`; none: the agent's own.
    pub host: Option<&'a str>,
    /// The length of one more header, in bytes; 0: there is none.
    pub padding: usize,
}

/// What the node agent answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u64,
    /// From the request to the end of the answer.
    pub took: Duration,
    /// The session's document, or `code` and `message`.
    pub body: Value,
    /// By which the agent's log names the request; empty where the head was not read.
    pub request_id: String,
}

impl Answered {
    /// The session's document.
    ///
    /// # Panics
    /// When it is a refusal.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The code and the message of a refusal.
    ///
    /// # Panics
    /// When it has another status.
    #[track_caller]
    pub fn refused(&self, status: u64) -> (&str, &str) {
        assert_eq!(self.status, status, "{}", self.body);
        (self.body["code"].as_str().unwrap_or_default(), self.body["message"].as_str().unwrap_or_default())
    }
}

impl Team {
    /// A namespace whose service account `api` may assume an IAM role by one object in Vault: no policy and no auth role of its own.
    pub async fn associated(namespace: &str, role_arn: &str) -> Team {
        let team = Team::unassociated(namespace).await;
        team.associate("api", json!({ "role_arn": role_arn })).await;
        team
    }

    /// The same for [`ANYBODY`], with sessions of another profile.
    pub async fn associated_with_profile(namespace: &str, profile_arn: &str) -> Team {
        let team = Team::unassociated(namespace).await;
        team.associate("api", json!({ "profile_arn": profile_arn })).await;
        team
    }

    /// A namespace whose service accounts have no engine role.
    pub async fn unassociated(namespace: &str) -> Team {
        let team = Team::unknown_to_vault(namespace, "associated").await;
        // of an earlier run on this cluster
        let _ =
            team.cluster.vault().delete(&format!("{}/roles/{}", team.mount, team.association("api"))).await;
        team
    }

    /// Writes the engine role of one of its service accounts: for [`ANYBODY`], where the fields name no other.
    pub async fn associate(&self, account: &str, fields: Value) {
        let mut role = json!({ "role_arn": ANYBODY, "subject": "kubernetes" });
        role.as_object_mut()
            .expect("it is an object")
            .extend(fields.as_object().cloned().unwrap_or_default());
        let path = format!("{}/roles/{}", self.mount, self.association(account));
        let _ = self.cluster.vault().write(&path, role).await.ok();
    }

    /// The name of the engine role of one of its service accounts.
    pub fn association(&self, account: &str) -> String {
        format!("{}.{account}", self.namespace)
    }

    /// Applies a Deployment that has no sidecar, and waits for its pod; the pod's name.
    pub async fn deploy_alone(&self, manifests: &Manifests) -> String {
        self.apply(manifests).await;
        self.rolled_out().await;
        self.pod().await
    }

    /// The token that the kubelet wrote into the pod.
    pub async fn pod_token(&self, pod: &str) -> String {
        self.exec(pod, "app", &["cat", TOKEN_FILE]).await.ok().trim().to_owned()
    }

    /// A token of the service account `api` that is bound to no pod: for ten minutes, the shortest that Kubernetes gives.
    pub async fn loose_token(&self, audience: &str) -> String {
        let audience = format!("--audience={audience}");
        let run = self.kubectl(&["create", "token", "api", &audience, "--duration=10m"]).await;
        run.ok().trim().to_owned()
    }

    /// The node agent's answer to a pod.
    ///
    /// # Panics
    /// When there is none within a minute.
    pub async fn ask(&self, pod: &str, question: Question<'_>) -> Answered {
        let Question { token, role, host, padding } = question;
        let path =
            role.map_or_else(|| "/v1/credentials".to_owned(), |role| format!("/v1/credentials/{role}"));
        let here = match self.agent_port {
            80 => "169.254.170.23".to_owned(),
            port => format!("169.254.170.23:{port}"),
        };
        let mut headers = Map::new();
        headers.insert("Host".to_owned(), json!(host.unwrap_or(&here)));
        headers.extend(token.map(|token| ("Authorization".to_owned(), json!(token))));
        let (headers, padding) = (Value::from(headers).to_string(), padding.to_string());
        let port = self.agent_port.to_string();
        let program = ["/usr/bin/python3", "-c", ASK, &path, &headers, &padding, &port];
        let printed = self.exec(pod, "app", &program).await.ok();
        let printed: Value = serde_json::from_str(&printed).expect("the program prints JSON");
        let body = printed["body"].as_str().unwrap_or_default();
        Answered {
            status: printed["status"].as_u64().expect("a number"),
            took: Duration::from_secs_f64(printed["seconds"].as_f64().expect("a number")),
            body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
            request_id: printed["id"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// The node agent's answer to a pod that sends its own token and nothing else, as an SDK does.
    pub async fn credentials(&self, pod: &str) -> Answered {
        let token = self.pod_token(pod).await;
        self.ask(pod, Question { token: Some(&token), ..Question::default() }).await
    }
}

impl Manifests {
    /// Runs the long-running application with boto3 in place of the AWS CLI, with a pause between two calls.
    #[must_use]
    pub fn calling_with_boto3(self, pause: Duration) -> Manifests {
        let pause = pause.as_secs_f64().to_string();
        let command = json!(["/usr/bin/python3", "-c", CALL_WITH_BOTO3, pause]);
        self.with_pod(|pod| pod["containers"][0]["command"] = command)
    }
}
