//! A running emulator, as a value: it stops when it is dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use tokio::{net::TcpListener, runtime, sync::watch, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::{
    clock,
    knobs::Knobs,
    log::LogEntry,
    server,
    state::{State, StateError},
    tls,
    world::{IssuedSession, World},
};

/// The options of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// HTTPS, with a certificate for `127.0.0.1`, `::1` and `localhost` from a CA made at the start.
    pub tls: bool,
}

/// The options of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// HTTPS.
    pub tls: bool,
    /// Where else to listen, without TLS, on the same account; port 0 takes a free one.
    pub plain: Option<SocketAddr>,
    /// [`Knobs::seed`] from the first request on.
    pub seed: u64,
    /// One line of JSON on stderr per request.
    pub print_log: bool,
}

impl Default for Launch {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Launch { address, tls: false, plain: None, seed: 0, print_log: false }
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state is not valid.
    #[error(transparent)]
    State(#[from] StateError),
    /// A socket or thread could not be made.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The certificate for TLS could not be made.
    #[error("cannot make a TLS certificate: {0}")]
    Tls(String),
}

/// An emulator on a thread and a runtime of its own, so that a test may block and pause its own clock.
pub struct Emulator {
    url: String,
    plain_url: Option<String>,
    ca_pem: Option<String>,
    world: World,
    stop: watch::Sender<bool>,
    acceptor: Option<TlsAcceptor>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Emulator {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If the state is not one that [`State::check`] passes, or no port is free. Both end a test.
    pub async fn start(state: State, options: Options) -> Emulator {
        let started = Emulator::launch(state, Launch { tls: options.tls, ..Launch::default() });
        std::future::ready(started)
            .await
            .unwrap_or_else(|error| panic!("the emulator does not start: {error}"))
    }

    /// Starts with these options. Blocks until it listens, which takes milliseconds.
    pub fn launch(state: State, launch: Launch) -> Result<Emulator, StartError> {
        state.check()?;
        let main = Socket::bind(launch.address)?;
        let plain = launch.plain.map(Socket::bind).transpose()?;
        let (acceptor, ca_pem) = if launch.tls {
            let made = tls::acceptor(main.bound.ip(), clock::now(0))
                .map_err(|error| StartError::Tls(error.to_string()))?;
            (Some(made.0), Some(made.1))
        } else {
            (None, None)
        };
        let world = World::new(state, launch.print_log);
        world.lock().knobs.seed = launch.seed;
        let (url, plain_url) = (main.url(launch.tls), plain.as_ref().map(|plain| plain.url(false)));
        let (stop, stopped) = watch::channel(false);
        let doors = [Some((main, acceptor.clone())), plain.map(|plain| (plain, None))];
        let thread = serve(doors.into_iter().flatten().collect(), world.clone(), stopped)
            .map_err(|source| StartError::Listen { address: launch.address, source })?;
        Ok(Emulator { url, plain_url, ca_pem, world, stop, acceptor, threads: vec![thread] })
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end: the endpoint of Roles Anywhere and of STS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same account without TLS; `None` unless [`Launch::plain`] asked for it.
    pub fn plain_url(&self) -> Option<&str> {
        self.plain_url.as_deref()
    }

    /// The CA a client must trust; `None` without TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Listens at a free port for one region alone, as a regional endpoint does, and returns its URL. There a call is of that region, whatever its
    /// signature's scope says; at [`Emulator::url`] the scope decides.
    pub fn open(&mut self, region: &str) -> Result<String, StartError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = Socket::bind(address)?;
        let url = socket.url(self.acceptor.is_some());
        let doors = vec![(socket, self.acceptor.clone())];
        let thread = serve(doors, self.world.at(region), self.stop.subscribe())
            .map_err(|source| StartError::Listen { address, source })?;
        self.threads.push(thread);
        Ok(url)
    }

    /// Answers for the account of `other` too: AWS's addresses are the same for all accounts. Each keeps its own state, log and knobs. Sessions
    /// of one may assume roles of another. A key of [`State::management_keys`] leads to the emulator that it was sent to.
    pub fn join(&self, other: &Emulator) {
        self.world.join(&other.world);
    }

    /// The state of the account now.
    pub fn state(&self) -> State {
        self.world.lock().state.as_ref().clone()
    }

    /// Replaces the state; sessions that were already issued stay valid.
    ///
    /// # Panics
    /// If the state is not one that [`State::check`] passes.
    pub fn set_state(&self, state: State) {
        state.check().unwrap_or_else(|error| panic!("the emulator does not take this state: {error}"));
        self.world.lock().state = state.into();
    }

    /// The knobs with their present counts.
    pub fn knobs(&self) -> Knobs {
        self.world.lock().knobs.clone()
    }

    /// Replaces all knobs.
    pub fn set_knobs(&self, knobs: Knobs) {
        self.world.lock().knobs = knobs;
    }

    /// Every request so far, oldest first; admin pages are not among them.
    pub fn log(&self) -> Vec<LogEntry> {
        self.world.lock().log.iter().cloned().collect()
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.world.lock().log.clear();
    }

    /// The most calls of `CreateSession` that were under way at one moment.
    pub fn most_in_flight(&self) -> usize {
        self.world.lock().flights.most()
    }

    /// Every session issued so far, oldest first.
    pub fn sessions(&self) -> Vec<IssuedSession> {
        self.world.lock().sessions()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A bound socket that no runtime has taken yet.
struct Socket {
    listener: std::net::TcpListener,
    bound: SocketAddr,
}

impl Socket {
    fn bind(address: SocketAddr) -> Result<Socket, StartError> {
        let failed = |source| StartError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok(Socket { listener, bound })
    }

    fn url(&self, tls: bool) -> String {
        format!("{}://{}", if tls { "https" } else { "http" }, self.bound)
    }
}

/// Serves each socket, with TLS where it has an acceptor, on a thread and a runtime of its own.
fn serve(
    doors: Vec<(Socket, Option<TlsAcceptor>)>,
    world: World,
    stopped: watch::Receiver<bool>,
) -> io::Result<thread::JoinHandle<()>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async move {
            let mut open = JoinSet::new();
            for (socket, acceptor) in doors {
                if let Ok(listener) = TcpListener::from_std(socket.listener) {
                    open.spawn(server::serve(listener, acceptor, world.clone(), stopped.clone()));
                }
            }
            open.join_all().await;
        });
    };
    thread::Builder::new().name("aws-emulator".to_owned()).spawn(work)
}
