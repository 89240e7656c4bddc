//! The real transport against servers on loopback that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::parties::{good_answer, identity, request};
use rolesanywhere::{Client, Credentials, Error, ProxyVariables, Secret, Session, Settings, Url};
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

/// What is told of a call through a proxy that answers so, and how often it was asked.
async fn told_of_proxy(answer: &'static str, userinfo: &str) -> (Error, String, usize) {
    let proxy = Server::start(Habit::Say(answer)).await;
    let place = format!("127.0.0.1:{}", proxy.url.port().unwrap());
    let url = Url::parse(&format!("http://{userinfo}{place}")).unwrap();
    let settings = Settings { proxy_url: Some(url), endpoint: None, ..proxy.settings() };

    let err = ask(&Client::new(&settings).unwrap()).await.unwrap_err();

    let text = err.to_string();
    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert!(text.contains(&format!("the proxy http://{place} (proxy_url) ")), "{text}");
    assert!(!format!("{text} {err:?}").contains("tunnel error"), "{err:?}");
    (err, text, proxy.connections())
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_status_and_whose_move_it_is() {
    let (err, text, asked) =
        told_of_proxy("HTTP/1.1 403 No\r\ncontent-length: 3\r\n\r\nNo!", "t0ken:hunter2@").await;

    assert!(
        text.contains("refuses a tunnel to rolesanywhere.eu-central-1.amazonaws.com:443 (403 Forbidden)")
            && text.contains("whoever runs it has to allow that"),
        "{text}"
    );
    assert!(!format!("{text} {err:?}").contains("hunter2") && !text.contains("t0ken"), "{err:?}");
    assert!(matches!(err, Error::Unavailable { attempts: 1, .. }), "a refusal lasts: {err:?}");
    assert_eq!(asked, 2, "for the tunnel, and for why there is none");
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_says_where_it_belongs() {
    let wants = "HTTP/1.1 407 P\r\nproxy-authenticate: Basic\r\n\r\n";

    let (_, without, _) = told_of_proxy(wants, "").await;
    let (_, with, _) = told_of_proxy(wants, "me:hunter2@").await;

    assert!(without.contains("wants a user and password, which belong into proxy_url (407 "), "{without}");
    assert!(with.contains("does not take the user and password that it is given (407 "), "{with}");
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_aws_is_asked_again() {
    let (err, text, asked) = told_of_proxy("HTTP/1.0 503 Busy\r\n\r\n", "").await;

    assert!(text.contains("has no tunnel to rolesanywhere.") && text.contains("(503 Service"), "{text}");
    assert!(matches!(err, Error::Unavailable { attempts: 3, .. }), "{err:?}");
    assert_eq!(asked, 2 * 3, "by each attempt for the tunnel, and for why there is none");
}

#[tokio::test]
async fn a_proxy_that_speaks_no_http_or_breaks_off_is_named() {
    for (answer, word) in [
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "answers CONNECT with what is not HTTP"),
        ("HTTP/1.1 9999 X\r\n\r\n", "answers CONNECT with what is not HTTP"),
        ("HTTP/1.1 200 OK\r\nhalf", "broke off its answer to CONNECT, or gave none"),
        ("", "broke off its answer to CONNECT, or gave none"),
    ] {
        let (_, text, _) = told_of_proxy(answer, "").await;

        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_apart_from_aws() {
    let nobody = Some(Url::parse("http://127.0.0.1:1").unwrap());
    let settings = Settings { proxy_url: nobody, max_retries: 0, ..Settings::default() };

    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();

    let proxy = "the proxy http://127.0.0.1:1 (proxy_url) could not be reached: Connection refused";
    assert!(text.contains(proxy), "{text}");
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_named_after_the_connect_timeout() {
    let proxy = Server::start(Habit::Silence).await;
    let settings = Settings {
        proxy_url: Some(proxy.url.clone()),
        endpoint: None,
        connect_timeout: Duration::from_millis(300),
        max_retries: 0,
        ..proxy.settings()
    };

    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();

    let place = format!("127.0.0.1:{}", proxy.url.port().unwrap());
    let late = "the connection could not be made in time: none within 0.3 s";
    assert!(text.contains(&format!("through the proxy http://{place} (proxy_url): {late}")), "{text}");
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

#[tokio::test]
async fn an_own_sts_endpoint_alone_is_asked() {
    let server = Server::start(Habit::Serve).await;
    let settings = Settings { endpoint: None, sts_endpoint: Some(server.url.clone()), ..server.settings() };
    let credentials = Credentials {
        access_key_id: "ASIAEXAMPLEEXAMPLE12".to_owned(),
        secret_access_key: Secret::new("s".to_owned()),
        session_token: None,
    };
    let signed_client = Client::new(&settings).unwrap().signed_client(
        credentials,
        || datetime!(2026-01-02 03:04:05 UTC),
        Duration::from_secs(5),
    );

    let err = signed_client.get_caller_identity(&"eu-central-1".parse().unwrap()).await.unwrap_err();

    assert!(matches!(*err.cause, Error::BadAnswer { .. }), "a session's JSON is no answer of STS: {err}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_loopback_endpoint_is_never_proxied_from_the_environment() {
    let server = Server::start(Habit::Serve).await;
    let proxy_variables = ProxyVariables::read(|name| {
        let value = if name.eq_ignore_ascii_case("no_proxy") { "" } else { "http://127.0.0.1:1" };
        Some(value.to_owned())
    });
    let settings = Settings { proxy_variables, ..server.settings() };

    assert!(ask(&Client::new(&settings).unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_loopback_endpoint_over_http_is_not_proxied_by_the_operators_own_proxy() {
    let server = Server::start(Habit::Serve).await;
    let nobody = Some(Url::parse("http://me:hunter2@127.0.0.1:1").unwrap());
    let settings = Settings { proxy_url: nobody, ..server.settings() };

    assert!(ask(&Client::new(&settings).unwrap()).await.is_ok());

    drop(server);
    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();
    assert!(text.contains("Connection refused") && !text.contains("proxy"), "{text}");
}

#[tokio::test]
async fn the_environments_proxy_is_asked_for_a_tunnel_to_aws() {
    let proxy = Server::start(Habit::Say("HTTP/1.1 403 No\r\n\r\n")).await;
    let url = proxy.url.to_string();
    let proxy_variables = ProxyVariables::read(|name| (name == "https_proxy").then(|| url.clone()));
    let settings = Settings { proxy_variables, endpoint: None, ..proxy.settings() };

    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();

    assert!(text.contains(" (HTTPS_PROXY of the environment) refuses a tunnel to rolesanywhere."), "{text}");
}
