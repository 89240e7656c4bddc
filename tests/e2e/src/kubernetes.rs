//! A stand-in for a Kubernetes API server with the part that Vault's Kubernetes auth method needs: `TokenReview`, and a service
//! account's annotations.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{CliRun, Stage};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::script;

/// The audience of a token unless a story names another.
pub const AUDIENCE: &str = "vault";

/// A cluster on loopback; ends when it is dropped. The uids of two clusters are the same on purpose.
pub struct Cluster {
    host: String,
    accounts: Arc<Mutex<Accounts>>,
    server: JoinHandle<()>,
}

/// Service accounts by `<namespace>/<name>`.
#[derive(Default)]
struct Accounts(BTreeMap<String, Account>);

#[derive(Clone)]
struct Account {
    uid: String,
    /// By their audiences.
    tokens: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Runs the users' own `kubernetes/setup.sh` with these options, for a Vault outside the cluster.
///
/// # Panics
/// When the server's folder takes no file.
pub async fn set_up(stage: &Stage, cluster: &Cluster, options: &[&str]) -> CliRun {
    let vault = &stage.vault;
    let ca = vault.folder().join("cluster-ca.pem");
    std::fs::write(&ca, stage.ca_pem("iamra").await).expect("the server's folder is writable");
    let ca = ca.display().to_string();
    let options = [&["--kubernetes-host", cluster.host(), "--kubernetes-ca", &ca], options].concat();
    script(vault, vault.root_token(), "kubernetes/setup.sh", &options, &[]).await
}

impl Cluster {
    /// A cluster without service accounts.
    ///
    /// # Panics
    /// When loopback has no port left.
    pub async fn start() -> Cluster {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a port");
        let host = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let accounts = Arc::<Mutex<Accounts>>::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&accounts)));
        Cluster { host, accounts, server }
    }

    /// The API server's URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The token of a service account for the audience `vault`; the account is made if it does not exist yet.
    pub fn token(&self, namespace: &str, name: &str) -> String {
        self.token_for(AUDIENCE, namespace, name)
    }

    /// The same for another audience.
    pub fn token_for(&self, audience: &str, namespace: &str, name: &str) -> String {
        let mut accounts = lock(&self.accounts);
        let number = accounts.0.len() + 1;
        let account = accounts.0.entry(format!("{namespace}/{name}")).or_insert_with(|| {
            let uid = format!("00000000-0000-4000-8000-{number:012}");
            Account { uid, tokens: BTreeMap::new(), annotations: BTreeMap::new() }
        });
        let made = || jwt(audience, namespace, name, &account.uid);
        account.tokens.entry(audience.to_owned()).or_insert_with(made).clone()
    }

    /// Deletes a service account, and so its tokens.
    pub fn delete(&self, namespace: &str, name: &str) {
        lock(&self.accounts).0.remove(&format!("{namespace}/{name}"));
    }

    /// Sets an annotation of a service account that exists.
    ///
    /// # Panics
    /// When it does not exist.
    pub fn annotate(&self, namespace: &str, name: &str, key: &str, value: &str) {
        let mut accounts = lock(&self.accounts);
        let account = accounts.0.get_mut(&format!("{namespace}/{name}")).expect("a service account");
        account.annotations.insert(key.to_owned(), value.to_owned());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(accounts: &Mutex<Accounts>) -> MutexGuard<'_, Accounts> {
    accounts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A projected service-account token. Only this server checks its signature, by comparing the whole token.
fn jwt(audience: &str, namespace: &str, name: &str, uid: &str) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({
        "aud": [audience], "iss": "https://kubernetes.default.svc", "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": name, "uid": uid } },
    });
    format!(
        "{}.{}.{}",
        part(&json!({ "alg": "RS256", "kid": "1" })),
        part(&claims),
        URL_SAFE_NO_PAD.encode([7; 256])
    )
}

async fn serve(listener: TcpListener, accounts: Arc<Mutex<Accounts>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let accounts = Arc::clone(&accounts);
        tokio::spawn(async move { drop(answer(stream, &accounts).await) });
    }
}

/// One request a connection.
async fn answer(mut stream: TcpStream, accounts: &Mutex<Accounts>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        if let Some(whole) = parts(&request) {
            break whole;
        }
    };
    let reply = lock(accounts).reply(&head, &body);
    let (status, body) = reply.map_or((404, json!({})), |body| (200, body));
    let body = body.to_string();
    let reply = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// Head and body of a request, read to its end.
fn parts(request: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(request);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (body.len() >= length.unwrap_or(0)).then(|| (head.to_owned(), body.to_owned()))
}

impl Accounts {
    fn reply(&self, head: &str, body: &str) -> Option<Value> {
        let mut words = head.split_whitespace();
        match (words.next()?, words.next()?) {
            ("POST", "/apis/authentication.k8s.io/v1/tokenreviews") => Some(self.review(body)),
            ("GET", path) => self.service_account(path),
            _ => None,
        }
    }

    fn review(&self, body: &str) -> Value {
        let asked: Value = serde_json::from_str(body).unwrap_or_default();
        let spec = &asked["spec"];
        let wanted = |audience: &String| {
            spec["audiences"].as_array().is_none_or(|wanted| wanted.contains(&json!(audience)))
        };
        let known = self.0.iter().find_map(|(name, account)| {
            let token = account.tokens.iter().find(|(_, token)| spec["token"] == **token);
            token.map(|(audience, _)| (name, account, audience)).filter(|(_, _, audience)| wanted(audience))
        });
        let status = known.map_or(json!({ "authenticated": false }), |(name, account, audience)| {
            let username = format!("system:serviceaccount:{}", name.replace('/', ":"));
            json!({ "authenticated": true, "audiences": [audience], "user": { "username": username, "uid": account.uid } })
        });
        json!({ "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status })
    }

    fn service_account(&self, path: &str) -> Option<Value> {
        let name = path.strip_prefix("/api/v1/namespaces/")?.replace("/serviceaccounts/", "/");
        let account = self.0.get(&name)?;
        Some(
            json!({ "kind": "ServiceAccount", "apiVersion": "v1", "metadata": { "annotations": account.annotations } }),
        )
    }
}
