//! The real transport against servers on loopback that misbehave.

use std::time::Duration;

use crate::parties::{identity, request};
use crate::server::{Habit, Server};
use rolesanywhere::{Client, Credentials, Error, ProxyVariables, SecretString, Session, Settings, Url};
use time::macros::datetime;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// Settings whose endpoint is the server.
fn settings_for(server: &Server) -> Settings {
    Settings {
        endpoint: Some(server.url.clone()),
        request_timeout: Duration::from_secs(5),
        max_retries: 2,
        ..Settings::default()
    }
}

/// What a client makes of the server.
async fn ask_server(server: &Server) -> Result<Session, Error> {
    ask(&Client::new(&settings_for(server)).unwrap()).await
}

async fn ask(client: &Client) -> Result<Session, Error> {
    let now = || datetime!(2026-01-02 03:04:05 UTC);
    client.create_session(&identity(), &request(), now, Duration::from_secs(20)).await
}

#[tokio::test]
async fn two_sessions_share_one_connection() {
    let server = Server::start(Habit::Serve).await;
    let client = Client::new(&settings_for(&server)).unwrap();

    ask(&client).await.unwrap();
    ask(&client).await.unwrap();

    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_dropped_connection_is_opened_again() {
    let server = Server::start(Habit::Drop(2)).await;

    assert!(ask_server(&server).await.is_ok());
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let server = Server::start(Habit::Half(1)).await;

    assert!(ask_server(&server).await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn an_answer_that_always_breaks_off_is_an_outage_without_its_content() {
    let server = Server::start(Habit::Half(9)).await;

    let err = ask_server(&server).await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { attempts: 3, .. }), "{err:?}");
    assert!(!format!("{err} {err:?}").contains("ASIA"), "{err:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(Habit::Silence).await;
    let impatient = Settings { request_timeout: Duration::from_millis(200), ..settings_for(&server) };

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

    let err = ask_server(&server).await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { .. }), "{err:?}");
    assert!(err.to_string().contains("larger than 64 KiB"), "{err}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_refused_at_its_bound() {
    let flood = Habit::Flood(b"HTTP/1.1 201 Created\r\n\r\n".to_vec(), vec![b' '; 8192]);
    let server = Server::start(flood).await;

    let err = ask_server(&server).await.unwrap_err();

    assert!(matches!(err, Error::BadAnswer { .. }), "{err:?}");
    let sent = server.flooded();
    assert!(sent < 10 * 1024 * 1024, "{sent} bytes went out before the connection was closed");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_an_outage() {
    let server = Server::start(Habit::Blurt("SSH-2.0-OpenSSH_9.9\r\n")).await;

    let err = ask_server(&server).await.unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere =
        "HTTP/1.1 307 T\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let server = Server::start(Habit::Say(elsewhere)).await;

    let err = ask_server(&server).await.unwrap_err();

    assert!(err.to_string().contains("redirects are not followed"), "{err}");
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_endpoint() {
    let server = Server::start(Habit::Serve).await;
    let settings = settings_for(&server);
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

/// The error of a call through a proxy that answers so, its text, and how often the proxy was asked.
async fn error_of_proxy(answer: &'static str, userinfo: &str) -> (Error, String, usize) {
    let proxy = Server::start(Habit::Say(answer)).await;
    let authority = proxy.authority();
    let url = Url::parse(&format!("http://{userinfo}{authority}")).unwrap();
    let settings = Settings { proxy_url: Some(url), endpoint: None, ..settings_for(&proxy) };

    let err = ask(&Client::new(&settings).unwrap()).await.unwrap_err();

    let text = err.to_string();
    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert!(text.contains(&format!("the proxy http://{authority} (proxy_url) ")), "{text}");
    assert!(!format!("{text} {err:?}").contains("tunnel error"), "{err:?}");
    (err, text, proxy.connections())
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_status_and_whose_move_it_is() {
    let (err, text, asked) =
        error_of_proxy("HTTP/1.1 403 No\r\ncontent-length: 3\r\n\r\nNo!", "t0ken:hunter2@").await;

    assert!(
        text.contains("refuses a tunnel to rolesanywhere.eu-central-1.amazonaws.com:443 (403 Forbidden)")
            && text.contains("the proxy's operator must allow it"),
        "{text}"
    );
    assert!(!format!("{text} {err:?}").contains("hunter2") && !text.contains("t0ken"), "{err:?}");
    assert!(matches!(err, Error::Unavailable { attempts: 1, .. }), "a refusal lasts: {err:?}");
    assert_eq!(asked, 2, "for the tunnel, and for why there is none");
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_says_where_it_belongs() {
    let wants = "HTTP/1.1 407 P\r\nproxy-authenticate: Basic\r\n\r\n";

    let (_, without, _) = error_of_proxy(wants, "").await;
    let (_, with, _) = error_of_proxy(wants, "me:hunter2@").await;

    assert!(without.contains("requires a user and password: write them to proxy_url (407 "), "{without}");
    assert!(with.contains("does not accept the user and password that were sent (407 "), "{with}");
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_aws_is_asked_again() {
    let (err, text, asked) = error_of_proxy("HTTP/1.0 503 Busy\r\n\r\n", "").await;

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
        let (_, text, _) = error_of_proxy(answer, "").await;

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
        ..settings_for(&proxy)
    };

    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();

    let late = "the connection could not be made in time: none within 0.3 s";
    let through = format!("through the proxy http://{} (proxy_url): {late}", proxy.authority());
    assert!(text.contains(&through), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_an_outage() {
    let server = Server::start(Habit::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let mut url = server.url.clone();
    url.set_scheme("https").unwrap();

    let err = ask(&Client::new(&Settings { endpoint: Some(url), ..settings_for(&server) }).unwrap())
        .await
        .unwrap_err();

    assert!(matches!(err, Error::Unavailable { .. }), "{err:?}");
    assert!(!err.to_string().contains("no answer within"), "{err}");
}

#[tokio::test]
async fn an_own_sts_endpoint_alone_is_asked() {
    let server = Server::start(Habit::Serve).await;
    let settings =
        Settings { endpoint: None, sts_endpoint: Some(server.url.clone()), ..settings_for(&server) };
    let credentials = Credentials {
        access_key_id: "ASIAEXAMPLEEXAMPLE12".to_owned(),
        secret_access_key: SecretString::from("s"),
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
    let settings = Settings { proxy_variables, ..settings_for(&server) };

    assert!(ask(&Client::new(&settings).unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_loopback_endpoint_over_http_is_not_proxied_by_the_operators_own_proxy() {
    let server = Server::start(Habit::Serve).await;
    let nobody = Some(Url::parse("http://me:hunter2@127.0.0.1:1").unwrap());
    let settings = Settings { proxy_url: nobody, ..settings_for(&server) };

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
    let settings = Settings { proxy_variables, endpoint: None, ..settings_for(&proxy) };

    let text = ask(&Client::new(&settings).unwrap()).await.unwrap_err().to_string();

    assert!(text.contains(" (HTTPS_PROXY of the environment) refuses a tunnel to rolesanywhere."), "{text}");
}
