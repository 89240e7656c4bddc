//! A hostile peer at the socket, under readers who must not notice: strangers first, then a host gone mad.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use proto::plugin::ConnInfo;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Channel;

use crate::attacks::{of_a_mad_host, of_strangers, of_strangers_to_yamux, shutdown};
use crate::broker::{version, version_behind};
use crate::frames::http2;
use crate::host::{Host, PATIENCE, Plugin, Socket, start_stream};

/// Readers of each kind: those who ask the plugin alone, and those who have it ask its host over a new connection.
const READERS: usize = 2;

/// Between two reads of one reader. A dial is two signatures with P-521, slow in a test's build.
const BETWEEN_READS: Duration = Duration::from_millis(5);
const BETWEEN_DIALS: Duration = Duration::from_millis(100);

/// Times that strangers say the same thing at once.
const CROWD: usize = 6;

/// Connections of a mad host at once: those that are taken beside the readers' own, and more.
const FEW: usize = 6;
const MANY: usize = 12;

/// Connections of strangers that come and go without a word.
const CALLERS_BY: usize = 500;

/// How long an attacker tries to say what it has to say, and how long it stays after that.
const SAYING: Duration = Duration::from_secs(5);
const STAY: Duration = Duration::from_millis(500);

/// How long a read may take. One that waited for a hostile peer would wait until that has to go, which is 10 s after it came and again for
/// the next one. On a busy machine a read takes a second or two all the same.
const HELD_UP: Duration = Duration::from_secs(10);

/// Between two log lines about refused peers.
const QUIET: Duration = Duration::from_secs(10);

/// Bytes that hostile peers may cost: strangers at most those who wait at once times what is heard of each, which is 4 MiB, and
/// what belongs to them; a mad host one connection's calls, 5 KiB each, and what it says in them.
const STRANGERS_MAY_COST: usize = 12 << 20;
const A_MAD_HOST_MAY_COST: usize = 128 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_notice_hostile_peers_at_the_socket() {
    let host = Host::new();
    let mut plugin = host.start(&[]).await;
    let channel = host.connect(&plugin).await.unwrap();
    let (say, _answers) = start_stream(channel.clone()).await;
    let offers = (0..READERS).map(|id| host.offer(&plugin, id.try_into().unwrap(), "v1")).collect();

    story(&host, &mut plugin, Readers::start(&channel, Some(&(say, offers))), Socket::Plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_notice_hostile_peers_at_a_shared_socket() {
    let host = Host::new();
    let mut plugin = host.start(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).await;
    let versions: HashMap<_, _> = (0..READERS).map(|id| (id.try_into().unwrap(), "v1".to_owned())).collect();
    let channel = host.connect_shared(&plugin, versions).await.unwrap();

    story(&host, &mut plugin, Readers::start(&channel, None), Socket::Shared).await;
}

async fn story(host: &Host, plugin: &mut Plugin, readers: Readers, socket: Socket) {
    let (refusals, began) = (refusals_logged(plugin), Instant::now());
    readers.all_read_again().await;
    let before = Cost::of(plugin);

    let (strangers, strangers_cost) = measured(plugin, &before, attacked_by_strangers(plugin, socket)).await;
    readers.all_read_again().await;
    readers.dials.store(socket == Socket::Plain, Relaxed);
    readers.all_read_again().await;
    let (mad, mad_cost) = measured(plugin, &before, attacked_by_a_mad_host(host, plugin, socket)).await;
    readers.all_read_again().await;
    let descriptors = fds_given_back(plugin, before.descriptors).await;

    let (reads, slowest) = readers.end().await;
    assert!(strangers_cost < STRANGERS_MAY_COST, "strangers cost {strangers_cost} bytes");
    assert!(mad_cost < A_MAD_HOST_MAY_COST, "a mad host cost {mad_cost} bytes");
    assert!(slowest < HELD_UP, "a reader waited for {slowest:?}");
    let refusals = refusals.load(Relaxed);
    let most = 1 + began.elapsed().as_secs() / QUIET.as_secs();
    assert!(
        (1..=most).contains(&refusals.try_into().unwrap()),
        "{refusals} log lines, at most {most} are due"
    );
    // past the capture of the test runner
    writeln!(
        std::io::stderr(),
        "{socket:?} socket, {reads} reads and none failed, the slowest took {slowest:?}; {strangers} of strangers cost {} KiB at most; \
         {mad} of a mad host cost {} KiB at most; {descriptors} descriptors as before ({}); {refusals} log lines about refusals",
        strangers_cost >> 10,
        mad_cost >> 10,
        before.descriptors,
    )
    .expect("stderr is open");
}

/// What was done to a plugin.
#[derive(Default)]
struct Tally {
    connections: AtomicUsize,
    bytes: AtomicUsize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (connections, bytes) = (self.connections.load(Relaxed), self.bytes.load(Relaxed));
        write!(f, "{connections} connections with {} KiB", bytes >> 10)
    }
}

async fn attacked_by_strangers(plugin: &Plugin, socket: Socket) -> Tally {
    let tally = Arc::new(Tally::default());
    let texts = match socket {
        Socket::Plain => of_strangers(),
        Socket::Shared => of_strangers_to_yamux(),
    };
    let mut attacks = JoinSet::new();
    for text in texts {
        let text = Arc::new(text);
        for _ in 0..CROWD {
            let (mut stranger, text, tally) = (plugin.knock().await, text.clone(), tally.clone());
            attacks.spawn(async move { say(&mut stranger, &text, &tally).await });
        }
    }
    for _ in 0..CALLERS_BY {
        drop(plugin.knock().await);
        tally.connections.fetch_add(1, Relaxed);
    }
    for stranger in [Host::new().connector(plugin), Host::without_certificate(plugin)] {
        let (dialled, tally) = (plugin.dial(socket, stranger).await, tally.clone());
        attacks.spawn(async move {
            if let Ok(mut peer) = dialled {
                say(&mut peer.stream, &shutdown(), &tally).await;
            }
        });
    }
    let slow = plugin.knock().await;
    attacks.spawn(slowly(slow, tally.clone()));
    let _said = attacks.join_all().await;
    Arc::into_inner(tally).unwrap()
}

/// Few at a time, so that none is refused; then more than are taken.
async fn attacked_by_a_mad_host(host: &Host, plugin: &Plugin, socket: Socket) -> Tally {
    let tally = Arc::new(Tally::default());
    let mut texts = of_a_mad_host();
    while !texts.is_empty() {
        let few = texts.split_off(texts.len().saturating_sub(FEW));
        attacked_by_the_mad_host_at_once(host, plugin, socket, few, &tally).await;
    }
    let many = std::iter::repeat_n(http2(), MANY).collect();
    attacked_by_the_mad_host_at_once(host, plugin, socket, many, &tally).await;
    Arc::into_inner(tally).unwrap()
}

async fn attacked_by_the_mad_host_at_once(
    host: &Host,
    plugin: &Plugin,
    socket: Socket,
    texts: Vec<Vec<u8>>,
    tally: &Arc<Tally>,
) {
    let mut attacks = JoinSet::new();
    for text in texts {
        let (dialled, tally) = (plugin.dial(socket, host.connector(plugin)).await, tally.clone());
        attacks.spawn(async move {
            if let Ok(mut peer) = dialled {
                say(&mut peer.stream, &text, &tally).await;
            }
        });
    }
    let _said = attacks.join_all().await;
}

/// Says `text`, listens to whatever comes back, and stays for a while, unless the plugin closes.
async fn say(peer: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &[u8], tally: &Tally) {
    tally.connections.fetch_add(1, Relaxed);
    let (mut from, mut to) = split(peer);
    let saying = async {
        for part in text.chunks(16 * 1024) {
            if to.write_all(part).await.and(to.flush().await).is_err() {
                break;
            }
            tally.bytes.fetch_add(part.len(), Relaxed);
        }
    };
    let saying = async {
        let _in_time = timeout(SAYING, saying).await;
        sleep(STAY).await;
    };
    let mut nowhere = tokio::io::sink();
    tokio::select! {
        () = saying => {}
        _closed = tokio::io::copy(&mut from, &mut nowhere) => {}
    }
}

/// A byte now and then.
async fn slowly(mut peer: UnixStream, tally: Arc<Tally>) {
    tally.connections.fetch_add(1, Relaxed);
    let until = Instant::now() + STAY;
    while Instant::now() < until && peer.write_all(&[0x16]).await.is_ok() {
        tally.bytes.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(20)).await;
    }
}

/// The way to the plugin's broker, and what to say there before each reader's dial.
type Offers = (mpsc::Sender<ConnInfo>, Vec<ConnInfo>);

/// Those who must not notice.
struct Readers {
    reads: Vec<Arc<AtomicUsize>>,
    /// Whether those who ask the host do so. A host that opens another shared socket has calls back to it go there.
    dials: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    tasks: JoinSet<Duration>,
}

impl Readers {
    /// Those who have the plugin ask its host need that to offer each connection, unless it is asked on a shared socket.
    fn start(channel: &Channel, offers: Option<&Offers>) -> Self {
        let reads: Vec<Arc<AtomicUsize>> = (0..2 * READERS).map(|_| Arc::default()).collect();
        let (dials, over) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for (number, count) in reads.iter().enumerate() {
            let behind = number.checked_sub(READERS);
            let offer = behind.and_then(|id| offers.map(|(say, all)| (say.clone(), all[id].clone())));
            let reader = Reader {
                channel: channel.clone(),
                behind: behind.map(|id| id.try_into().unwrap()),
                offer,
                count: count.clone(),
                dials: dials.clone(),
                over: over.clone(),
            };
            tasks.spawn(reader.keep_reading());
        }
        Self { reads, dials, over, tasks }
    }

    /// Waits until each reader has read, begun and ended from now on.
    async fn all_read_again(&self) {
        let before: Vec<usize> = self.reads.iter().map(|reads| reads.load(Relaxed)).collect();
        let all = async {
            while self.reads.iter().zip(&before).any(|(now, before)| now.load(Relaxed) < before + 2) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, all).await.expect("a reader gets no answer");
    }

    /// How many reads there were, and how long the slowest took.
    async fn end(self) -> (usize, Duration) {
        self.over.store(true, Relaxed);
        let slowest = self.tasks.join_all().await.into_iter().max().unwrap_or_default();
        (self.reads.iter().map(|reads| reads.load(Relaxed)).sum(), slowest)
    }
}

struct Reader {
    channel: Channel,
    behind: Option<u32>,
    offer: Option<(mpsc::Sender<ConnInfo>, ConnInfo)>,
    count: Arc<AtomicUsize>,
    dials: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Reader {
    /// Until it is over; how long the slowest read took.
    async fn keep_reading(self) -> Duration {
        let mut slowest = Duration::ZERO;
        while !self.over.load(Relaxed) {
            let began = Instant::now();
            self.read().await.expect("a read");
            slowest = slowest.max(began.elapsed());
            self.count.fetch_add(1, Relaxed);
            sleep(if self.behind.is_some() { BETWEEN_DIALS } else { BETWEEN_READS }).await;
        }
        slowest
    }
}

impl Reader {
    async fn read(&self) -> Result<String, tonic::Status> {
        let Some(id) = self.behind.filter(|_| self.dials.load(Relaxed)) else {
            return version(self.channel.clone()).await;
        };
        if let Some((say, offer)) = &self.offer {
            say.send(offer.clone()).await.unwrap();
        }
        version_behind(self.channel.clone(), id).await
    }
}

/// What a process takes of the system.
struct Cost {
    memory: usize,
    descriptors: usize,
}

impl Cost {
    fn of(plugin: &Plugin) -> Self {
        let descriptors = std::fs::read_dir(plugin.proc("fd")).unwrap().count();
        Self { memory: memory(plugin, "VmRSS"), descriptors }
    }
}

/// What `attack` gives, and by how many bytes the plugin's memory rose above `before` at its highest.
async fn measured<T>(plugin: &Plugin, before: &Cost, attack: impl Future<Output = T>) -> (T, usize) {
    // proc(5): forgets the highest resident size
    std::fs::write(plugin.proc("clear_refs"), "5").unwrap();
    let outcome = attack.await;
    (outcome, memory(plugin, "VmHWM").saturating_sub(before.memory))
}

fn memory(plugin: &Plugin, name: &str) -> usize {
    let status = std::fs::read_to_string(plugin.proc("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()).unwrap() << 10
}

async fn fds_given_back(plugin: &Plugin, before: usize) -> usize {
    let given_back = async {
        loop {
            let now = Cost::of(plugin).descriptors;
            if now <= before {
                return now;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, given_back).await.expect("descriptors are not given back")
}

/// Reads what the plugin logs, as a host does, so that a full pipe stops nobody; how often it says that it refused somebody.
fn refusals_logged(plugin: &mut Plugin) -> Arc<AtomicUsize> {
    let mut lines = BufReader::new(plugin.child.stderr.take().unwrap()).lines();
    let refusals = Arc::<AtomicUsize>::default();
    let counted = refusals.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            counted.fetch_add(line.contains("a connection was refused").into(), Relaxed);
        }
    });
    refusals
}
