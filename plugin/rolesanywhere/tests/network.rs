//! The real transport against servers on loopback that misbehave.

mod parties;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parties::{good_answer, identity, request};
use rolesanywhere::{Client, Credentials, Error, Secret, Session, Settings, Url};
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// What the server does on one connection, told the connection's number.
#[derive(Clone, Copy)]
enum Habit {
    /// Answers every request well and keeps the connection.
    Serve,
    /// Reads a request, sends this and closes.
    Say(&'static str),
    /// Sends this unasked and closes.
    Blurt(&'static str),
    /// Closes the first connections unheard, then serves.
    Drop(usize),
    /// Sends half of a good answer on the first connections, then serves.
    Half(usize),
    /// Reads and never answers.
    Silence,
    /// Announces no length and sends until the other side closes.
    Flood,
}

struct Server {
    url: Url,
    connections: Arc<AtomicUsize>,
    flooded: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (connections, flooded) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, flood) = (Arc::clone(&connections), Arc::clone(&flooded));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(behave(stream, habit, number, Arc::clone(&flood)));
            }
        });
        Self { url, connections, flooded, task }
    }

    fn settings(&self) -> Settings {
        Settings {
            endpoint: Some(self.url.clone()),
            request_timeout: Duration::from_secs(5),
            max_retries: 2,
            ..Settings::default()
        }
    }

    async fn ask(&self) -> Result<Session, Error> {
        ask(&Client::new(&self.settings()).unwrap()).await
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(client: &Client) -> Result<Session, Error> {
    let now = || datetime!(2026-01-02 03:04:05 UTC);
    client.create_session(&identity(), &request(), now, Duration::from_secs(20)).await
}

async fn behave(mut stream: TcpStream, habit: Habit, number: usize, flooded: Arc<AtomicUsize>) {
    let body = good_answer();
    let good = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    match habit {
        Habit::Drop(times) if number < times => {}
        Habit::Half(times) if number < times => {
            read_request(&mut stream).await;
            let _ = stream.write_all(&good.as_bytes()[..good.len() / 2]).await;
        }
        Habit::Serve | Habit::Drop(_) | Habit::Half(_) => {
            while read_request(&mut stream).await {
                let _ = stream.write_all(good.as_bytes()).await;
            }
        }
        Habit::Say(text) => {
            read_request(&mut stream).await;
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Habit::Blurt(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
            read_request(&mut stream).await;
        }
        Habit::Silence => while read_request(&mut stream).await {},
        Habit::Flood => {
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 201 Created\r\n\r\n").await;
            while stream.write_all(&[b' '; 8192]).await.is_ok() {
                flooded.fetch_add(8192, Ordering::SeqCst);
            }
        }
    }
}

/// Reads one request to the end of its body; false when the other side has closed.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    loop {
        if let Some(head) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&seen[..head]).to_lowercase();
            let length = text.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize = length.split("\r\n").next().unwrap_or("0").parse().unwrap();
            if seen.len() >= head + 4 + length {
                return true;
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => seen.extend_from_slice(&chunk[..read]),
        }
    }
}

#[tokio::test]
async fn two_sessions_share_one_connection() {
    let server = Server::start(Habit::Serve).await;
    let client = Client::new(&server.settings()).unwrap();

    ask(&client).await.unwrap();
    ask(&client).await.unwrap();

    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_dropped_connection_is_opened_again() {
    let server = Server::start(Habit::Drop(2)).await;

    assert!(server.ask().await.is_ok());
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let server = Server::start(Habit::Half(1)).await;

    assert!(server.ask().await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_always_breaks_off_is_an_outage_without_its_content() {
    let server = Server::start(Habit::Half(9)).await;

    let err = server.ask().await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { attempts: 3, .. }), "{err:?}");
    assert!(!format!("{err} {err:?}").contains("ASIA"), "{err:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(Habit::Silence).await;
    let impatient = Settings { request_timeout: Duration::from_millis(200), ..server.settings() };

    let err = ask(&Client::new(&impatient).unwrap()).await.unwrap_err();

    assert!(err.to_string().contains("no answer within 0.2 s (after 3 attempts)"), "{err}");
}

/// A port whose queue of connections is full and stays so: the system drops what else knocks, as a firewall does.
struct DroppingPort {
    url: Url,
    _queue: (TcpListener, Vec<TcpStream>),
}

impl DroppingPort {
    async fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        let knock = || timeout(Duration::from_secs(2), TcpStream::connect(address));
        while let Ok(connected) = knock().await {
            waiting.push(connected.unwrap());
        }
        Self { url: Url::parse(&format!("http://{address}")).unwrap(), _queue: (listener, waiting) }
    }
}

#[tokio::test]
async fn a_host_that_drops_packets_is_given_up_after_the_connect_timeout() {
    let port = DroppingPort::open().await;
    let settings = Settings {
        endpoint: Some(port.url.clone()),
        connect_timeout: Duration::from_millis(300),
        max_retries: 1,
        ..Settings::default()
    };
    let began = Instant::now();

    let err = ask(&Client::new(&settings).unwrap()).await.unwrap_err();

    let text = err.to_string();
    assert!(matches!(err, Error::Unavailable { attempts: 2, .. }), "{err:?}");
    assert!(text.contains("the connection could not be made in time"), "{text}");
    assert!(began.elapsed() < settings.request_timeout, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_announced_10_mb_answer_is_refused_unread() {
    let server = Server::start(Habit::Say("HTTP/1.1 201 Created\r\ncontent-length: 10485760\r\n\r\n")).await;

    let err = server.ask().await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { .. }), "{err:?}");
    assert!(err.to_string().contains("larger than 64 KiB"), "{err}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_refused_at_its_bound() {
    let server = Server::start(Habit::Flood).await;

    let err = server.ask().await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { .. }), "{err:?}");
    let sent = server.flooded.load(Ordering::SeqCst);
    assert!(sent < 10 * 1024 * 1024, "{sent} bytes went out before the connection was closed");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_an_outage() {
    let server = Server::start(Habit::Blurt("SSH-2.0-OpenSSH_9.9\r\n")).await;

    let err = server.ask().await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere =
        "HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = Server::start(Habit::Say(elsewhere)).await;

    let err = server.ask().await.unwrap_err();

    assert!(err.to_string().contains("redirects are not followed"), "{err}");
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_endpoint() {
    let server = Server::start(Habit::Serve).await;
    let settings = server.settings();
    drop(server);
    tokio::task::yield_now().await;

    let err = ask(&Client::new(&settings).unwrap()).await.unwrap_err();

    let text = err.to_string();
    assert!(
        text.contains("Connection refused")
            && text.contains(settings.endpoint.unwrap().as_str().trim_end_matches('/')),
        "{text}"
    );
}

#[tokio::test]
async fn a_proxy_is_asked_to_connect_and_its_password_not_told() {
    let proxy = Server::start(Habit::Say("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")).await;
    let mut url = proxy.url.clone();
    url.set_username("user").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let settings = Settings { proxy_url: Some(url), endpoint: None, ..proxy.settings() };

    let err = ask(&Client::new(&settings).unwrap()).await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert!(!format!("{err} {err:?}").contains("hunter2"), "{err:?}");
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_an_outage() {
    let server = Server::start(Habit::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let mut url = server.url.clone();
    url.set_scheme("https").unwrap();

    let err =
        ask(&Client::new(&Settings { endpoint: Some(url), ..server.settings() }).unwrap()).await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert!(!err.to_string().contains("no answer within"), "{err}");
}

/// Runs one test of this file again, in a process of its own with these variables.
fn passes_with(test: &str, variables: &[(&str, &str)]) -> bool {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test]).envs(variables.iter().copied());
    let output = again.output().unwrap();
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed")
}

#[tokio::test]
async fn an_own_sts_endpoint_alone_is_asked() {
    let server = Server::start(Habit::Serve).await;
    let settings = Settings { endpoint: None, sts_endpoint: Some(server.url.clone()), ..server.settings() };
    let credentials = Credentials {
        access_key_id: "ASIAEXAMPLEEXAMPLE12".to_owned(),
        secret_access_key: Secret::new("s".to_owned()),
        session_token: None,
    };
    let caller = Client::new(&settings).unwrap().caller(
        credentials,
        || datetime!(2026-01-02 03:04:05 UTC),
        Duration::from_secs(5),
    );

    let err = caller.get_caller_identity(&"eu-central-1".parse().unwrap()).await.unwrap_err();

    assert!(matches!(*err.cause, Error::BadAnswer { .. }), "a session's JSON is no answer of STS: {err}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_loopback_endpoint_is_never_proxied_from_the_environment() {
    let nobody = "http://127.0.0.1:1";
    let variables = [("HTTP_PROXY", nobody), ("http_proxy", nobody), ("ALL_PROXY", nobody), ("NO_PROXY", "")];

    assert!(passes_with("two_sessions_share_one_connection", &variables));
    assert!(passes_with("an_own_sts_endpoint_alone_is_asked", &variables));
}
