//! The one server of these tests: on loopback, with and without TLS, and with a habit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rolesanywhere::Url;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::parties::good_answer;

/// What the server does on one connection.
#[derive(Clone)]
pub(crate) enum Habit {
    /// Answers every request well and keeps the connection.
    Serve,
    /// Reads a request, sends this and closes.
    Say(&'static str),
    /// Sends this unasked and closes.
    Blurt(&'static str),
    /// Closes this many connections unheard, then serves.
    Drop(usize),
    /// Sends half of a good answer on this many connections, then serves.
    Half(usize),
    /// Reads a request and closes the socket, without TLS's farewell.
    HangUp,
    /// Reads and never answers.
    Silence,
    /// Reads a request and sends the first; then sends the second again and again until the other side closes. An empty second
    /// is not sent.
    Flood(Vec<u8>, Vec<u8>),
    /// Reads a request for a tunnel and makes it.
    Tunnel,
}

/// Ends when it is dropped.
pub(crate) struct Server {
    pub(crate) url: Url,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

/// What the server has seen and sent, over all connections.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// The bytes of [`Habit::Flood`] that were sent again and again.
    flooded: AtomicUsize,
    /// The heads of all requests.
    heads: Mutex<Vec<String>>,
}

impl Server {
    /// A server of HTTP.
    pub(crate) async fn start(habit: Habit) -> Self {
        Self::listen("http://127.0.0.1", None, habit).await
    }

    /// A server of HTTPS, whose certificate must be of `localhost`.
    pub(crate) async fn start_tls(tls: TlsAcceptor, habit: Habit) -> Self {
        Self::listen("https://localhost", Some(tls), habit).await
    }

    async fn listen(origin: &str, tls: Option<TlsAcceptor>, habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("{origin}:{}", listener.local_addr().unwrap().port())).unwrap();
        let seen = Arc::<Seen>::default();
        let task = tokio::spawn(accept(listener, tls, habit, Arc::clone(&seen)));
        Self { url, seen, task }
    }

    /// Host and port, as CONNECT names them.
    pub(crate) fn authority(&self) -> String {
        self.url.authority().to_owned()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn flooded(&self) -> usize {
        self.seen.flooded.load(Ordering::SeqCst)
    }

    /// The heads of all requests that have come.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, habit: Habit, seen: Arc<Seen>) {
    while let Ok((stream, _)) = listener.accept().await {
        let number = seen.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, habit, seen) = (tls.clone(), habit.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            match tls {
                None => seen.behave(stream, habit, number).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        seen.behave(stream, habit, number).await;
                    }
                }
            }
        });
    }
}

impl Seen {
    /// Serves the connection with this number, from 0.
    async fn behave<S>(&self, mut stream: S, habit: Habit, number: usize)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let body = good_answer();
        let good = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        match habit {
            Habit::Drop(times) if number < times => {}
            Habit::Half(times) if number < times => {
                self.read_request(&mut stream).await;
                let _ = stream.write_all(&good.as_bytes()[..good.len() / 2]).await;
            }
            Habit::Serve | Habit::Drop(_) | Habit::Half(_) => {
                while self.read_request(&mut stream).await {
                    let _ = stream.write_all(good.as_bytes()).await;
                }
            }
            Habit::Say(text) => {
                self.read_request(&mut stream).await;
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
            Habit::Blurt(text) => {
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
                self.read_request(&mut stream).await;
            }
            Habit::HangUp => drop(self.read_request(&mut stream).await),
            Habit::Silence => while self.read_request(&mut stream).await {},
            Habit::Flood(first, more) => {
                self.read_request(&mut stream).await;
                self.flood(&mut stream, &first, &more).await;
            }
            Habit::Tunnel => {
                if self.read_request(&mut stream).await {
                    self.tunnel(&mut stream).await;
                }
            }
        }
    }

    async fn flood<S: AsyncWrite + Unpin>(&self, stream: &mut S, first: &[u8], more: &[u8]) {
        let mut alive = stream.write_all(first).await.is_ok();
        while alive && !more.is_empty() {
            alive = stream.write_all(more).await.is_ok();
            self.flooded.fetch_add(more.len(), Ordering::SeqCst);
        }
        let _ = stream.shutdown().await;
    }

    /// Makes the tunnel that the last request asks for, and stays until one side closes it.
    async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) {
        let head = self.heads.lock().unwrap().last().cloned().unwrap();
        let authority = head.split(' ').nth(1).unwrap();
        let mut there = TcpStream::connect(authority).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy_bidirectional(stream, &mut there).await;
    }

    /// Reads one request to the end of its body and keeps its head; false when the other side has closed.
    async fn read_request<S: AsyncRead + Unpin>(&self, stream: &mut S) -> bool {
        let mut read = Vec::new();
        loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&read[..end]).into_owned();
                if read.len() >= end + 4 + content_length(&head) {
                    self.heads.lock().unwrap().push(head);
                    return true;
                }
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return false;
            }
        }
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, length)| length.parse().unwrap())
}
