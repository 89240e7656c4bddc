//! Bounds for peers that have not proved to be the host: few may wait at once, none for long, and little is read from
//! each.
//!
//! Each socket is one peer, whether it carries one connection or, shared, many.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, Join, ReadBuf, join};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The time that a peer may take to prove itself. A host takes milliseconds.
pub(crate) const PROOF: Duration = Duration::from_secs(10);

/// The peers that may wait at once. The host is one of them for its first connection, and when it reconnects.
pub(crate) const ROOM: usize = 32;

/// The sockets that the host may have open at once. It has one, and a second while it replaces a broken one.
pub(crate) const HOSTS: usize = 8;

/// The bytes that are read from a peer before its proof. A handshake has fewer than ten thousand. A host that does not
/// wait for the answer to its own may send HTTP/2's first window after it, 64 KiB.
pub(crate) const HEARD: usize = 128 * 1024;

/// The time between two log lines about refused peers. It is long, because the host has to read each line.
const QUIET: Duration = Duration::from_secs(10);

/// All connected peers. Clones are handles to the same lobby.
#[derive(Clone, Default)]
pub(crate) struct Lobby {
    present: Arc<Mutex<Peers>>,
    refusals: Arc<Mutex<RefusalLog>>,
}

#[derive(Default)]
struct Peers {
    waiting: Vec<WaitingPeer>,
    hosts: usize,
}

struct WaitingPeer {
    process: Process,
    standing: Arc<PeerState>,
}

/// The process at the other end, if the system knows it.
type Process = Option<i32>;

/// The state of one peer.
#[derive(Default)]
struct PeerState {
    proved: AtomicBool,
    has_to_go: CancellationToken,
}

/// One peer, until it is dropped.
pub(crate) struct Guest {
    lobby: Lobby,
    standing: Arc<PeerState>,
}

/// The socket of a guest.
pub(crate) type GuestSocket = Join<Hearing, OwnedWriteHalf>;

/// The bytes from a guest, bounded until its proof.
pub(crate) struct Hearing {
    socket: OwnedReadHalf,
    standing: Arc<PeerState>,
    may_say: usize,
}

#[derive(Default)]
struct RefusalLog {
    last_said: Option<Instant>,
    unsaid: u64,
}

impl Lobby {
    /// Admits a peer. If there is no room, one of the waiting peers has to go (see [`gives_way`]).
    pub(crate) fn enter(&self, socket: UnixStream) -> (Guest, GuestSocket) {
        let process = socket.peer_cred().ok().and_then(|peer| peer.pid());
        let standing = Arc::new(PeerState::default());
        self.present().enter(WaitingPeer { process, standing: standing.clone() });
        let guest = Guest { lobby: self.clone(), standing: standing.clone() };
        let (socket, to_the_guest) = socket.into_split();
        (guest, join(Hearing { socket, standing, may_say: HEARD }, to_the_guest))
    }

    /// Logs that a peer was refused: the first at once, the others counted in the next line.
    pub(crate) fn refused(&self, error: &io::Error) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unsaid) = refusals.due(Instant::now()) {
            tracing::warn!(%error, unsaid, "a connection was refused");
        }
    }

    fn present(&self) -> MutexGuard<'_, Peers> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers {
    fn enter(&mut self, peer: WaitingPeer) {
        self.waiting.push(peer);
        if self.waiting.len() > ROOM {
            let all: Vec<Process> = self.waiting.iter().map(|waiting| waiting.process).collect();
            self.waiting.remove(gives_way(&all)).standing.has_to_go.cancel();
        }
    }

    fn has_proved(&mut self, standing: &Arc<PeerState>) -> io::Result<()> {
        if standing.proved.load(Relaxed) {
            return Ok(());
        }
        if self.hosts == HOSTS {
            return Err(io::Error::other(format!("the host has {HOSTS} connections already")));
        }
        self.hosts += 1;
        standing.proved.store(true, Relaxed);
        self.waiting.retain(|waiting| !Arc::ptr_eq(&waiting.standing, standing));
        Ok(())
    }

    fn leave(&mut self, standing: &Arc<PeerState>) {
        if standing.proved.load(Relaxed) {
            self.hosts -= 1;
        } else {
            self.waiting.retain(|waiting| !Arc::ptr_eq(&waiting.standing, standing));
        }
    }
}

/// Returns which of the waiting peers, the longest first, gives way: the longest waiting of the process with the most
/// peers. A process that opens many connections displaces itself, and not the host.
fn gives_way(all: &[Process]) -> usize {
    let mut crowds = HashMap::<Process, usize>::new();
    for process in all {
        *crowds.entry(*process).or_default() += 1;
    }
    let largest = crowds.values().max();
    all.iter().position(|process| crowds.get(process) == largest).unwrap_or_default()
}

impl Guest {
    /// Marks the peer as the host, which may stay and send without bound, unless the host has too many connections.
    pub(crate) fn has_proved(&self) -> io::Result<()> {
        self.lobby.present().has_proved(&self.standing)
    }

    /// Waits until the peer has to go, because it took too long or gave way to another. Never returns for the host.
    pub(crate) async fn has_to_go(&self) -> io::Error {
        let reason = tokio::select! {
            () = self.standing.has_to_go.cancelled() => io::Error::other("too many others wait"),
            () = sleep(PROOF) => io::ErrorKind::TimedOut.into(),
        };
        if self.standing.proved.load(Relaxed) { pending().await } else { reason }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.lobby.present().leave(&self.standing);
    }
}

impl RefusalLog {
    /// Returns the number of refusals since the last line, if another line is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.last_said.is_some_and(|last| now.duration_since(last) < QUIET) {
            self.unsaid += 1;
            return None;
        }
        self.last_said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl AsyncRead for Hearing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.standing.proved.load(Relaxed) {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        if self.may_say == 0 {
            return Poll::Ready(Err(io::Error::other(format!("it sent {HEARD} bytes and no proof"))));
        }
        let most = buffer.remaining().min(self.may_say);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut part))?;
        let heard = part.filled().len();
        buffer.advance(heard);
        self.may_say -= heard;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn peer() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[test]
    fn the_process_with_most_connections_gives_way_first() {
        let (host, flood) = (Some(1), Some(2));

        assert_eq!(gives_way(&[host, flood, flood]), 1);
        assert_eq!(gives_way(&[flood, host, host, flood, flood]), 0);
        assert_eq!(gives_way(&[None, None, host]), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_lobby_holds_wait_and_none_longer_than_a_proof_takes() {
        let (lobby, start) = (Lobby::default(), Instant::now());
        let (guests, _far): (Vec<_>, Vec<_>) = (0..=ROOM)
            .map(|_| {
                let (near, far) = peer();
                (lobby.enter(near).0, far)
            })
            .unzip();

        guests[0].has_to_go().await;
        let first = start.elapsed();
        guests[1].has_to_go().await;
        let second = start.elapsed();

        assert_eq!((first, second), (Duration::ZERO, PROOF));
        assert_eq!(lobby.present().waiting.len(), ROOM);
        drop(guests);
        assert_eq!(lobby.present().waiting.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_proved_takes_no_room_and_never_has_to_go() {
        let lobby = Lobby::default();
        let (near, _far) = peer();
        let (host, _socket) = lobby.enter(near);

        host.has_proved().unwrap();
        let stays = tokio::time::timeout(PROOF * 2, host.has_to_go()).await;

        assert!(stays.is_err());
        assert_eq!(lobby.present().waiting.len(), 0);
    }

    #[tokio::test]
    async fn the_host_has_few_connections_and_another_when_one_ends() {
        let lobby = Lobby::default();
        let mut hosts: Vec<_> = (0..=HOSTS).map(|_| lobby.enter(peer().0).0).collect();

        let proved: Vec<_> = hosts.iter().map(Guest::has_proved).collect();
        let again = hosts[0].has_proved();
        hosts.remove(1);
        let after = hosts[HOSTS - 1].has_proved();

        assert_eq!(proved.iter().filter(|proved| proved.is_ok()).count(), HOSTS);
        assert_eq!(proved[HOSTS].as_ref().unwrap_err().to_string(), "the host has 8 connections already");
        assert!(again.is_ok() && after.is_ok());
    }

    #[tokio::test]
    async fn little_is_heard_of_a_peer_before_its_proof_and_all_after_it() {
        let lobby = Lobby::default();
        let (near, mut far) = peer();
        let (guest, mut socket) = lobby.enter(near);
        tokio::spawn(async move { far.write_all(&vec![1; HEARD * 3]).await });
        let mut all = vec![0; HEARD * 2];

        let before = socket.read_exact(&mut all[..HEARD]).await;
        let more = socket.read_u8().await;
        guest.has_proved().unwrap();
        let after = socket.read_exact(&mut all).await;

        assert!(before.is_ok() && after.is_ok());
        assert_eq!(more.unwrap_err().to_string(), format!("it sent {HEARD} bytes and no proof"));
    }

    #[test]
    fn a_flood_of_refusals_is_one_line_in_ten_seconds_and_says_how_many_it_stands_for() {
        let (mut refusals, start) = (RefusalLog::default(), Instant::now());

        let said = [0, 1, 9, 10].map(|second| refusals.due(start + Duration::from_secs(second)));

        assert_eq!(said, [Some(0), None, None, Some(2)]);
    }
}
