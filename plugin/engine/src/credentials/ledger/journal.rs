//! Stores what the ledger notes, off the readers' path.
//!
//! ```text
//! note ─▶ queue ─▶ one task: names the pods, appends to the open segment of each bucket, Put ─▶ forgotten here
//!            └──▶ copied for every revocation that reads the record meanwhile
//! ```
//!
//! All that waits is stored together, so there are never more Puts than sessions. A Put that fails is repeated while the process
//! lives. Until then the queue is the record.

mod segments;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use vault_backend::{Fault, SystemView};

use segments::Segments;
pub(super) use segments::end;

use crate::credentials::counters::Counters;
use crate::credentials::handed::Handing;
use crate::credentials::issued::Issued;
use crate::credentials::key::SessionKey;
use crate::ground::lifecycle::Lifecycle;
use crate::records::session_event::{Holding, HopRecord, PodName, SessionEvent, SessionRecord};
use crate::snapshot::Snapshot;
use crate::store::Store;
use identity::{Audience, Caller, Known};

/// Facts that wait for storage, at most. While storage takes nothing, the oldest are given up beyond this number: they take some
/// hundred bytes each.
const MAX_WAITING: usize = 50_000;
/// Facts that are stored together, at most.
const MAX_BATCH: usize = 256;
/// How long Vault may take to name the pod of a holder. The holder is stored without it then.
const MAX_LOOKUP: Duration = Duration::from_secs(2);
/// The first pause after a Put that failed; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The journal of one mount. Clones are handles to the same one.
#[derive(Clone)]
pub(super) struct Journal(Arc<Inner>);

struct Inner {
    store: Store,
    metrics: Arc<Counters>,
    lifecycle: Arc<Lifecycle>,
    queue: Mutex<Queue>,
    /// Held by the one task that stores.
    segments: tokio::sync::Mutex<Segments>,
    /// The number of the last fact whose first Put has ended, in success or not.
    settled: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    /// The number of the last fact. Facts are numbered from 1.
    last: u64,
    /// What is not stored yet, oldest first.
    waiting: VecDeque<Arc<Noted>>,
    is_running: bool,
    /// Why the last Put failed; none after one that succeeded.
    trouble: Option<String>,
    /// The latest expiration of a living session whose facts were given up.
    lost: Option<OffsetDateTime>,
    /// The revocations that read the record now.
    readers: usize,
    /// All that is not in storage, or was not when the first of them began.
    seen: Vec<Arc<Noted>>,
}

/// One fact, and its number.
pub(super) struct Noted {
    number: u64,
    expiration: OffsetDateTime,
    fact: Fact,
}

/// What became known of a session.
pub(super) enum Fact {
    Handed(Box<HandedOut>),
    /// The session of a hop that a caller received for the first time.
    Hopped(Arc<Issued>),
    Denied {
        serial: String,
    },
}

/// A session that a holder received for the first time.
pub(super) struct HandedOut {
    pub(super) issued: Arc<Issued>,
    pub(super) key: SessionKey,
    /// Whether nobody received it before.
    pub(super) is_first: bool,
    pub(super) handing: Handing,
    /// The holder, without the pod's name.
    pub(super) holding: Holding,
    pub(super) pod: PodLookup,
}

/// Where the pod's name comes from.
#[derive(Clone)]
pub(crate) enum PodLookup {
    /// The read asked Vault who the caller is, or the caller has no entity.
    Known(PodName),
    /// The role does not depend on the caller, so nobody asked yet.
    Ask { system: SystemView, snapshot: Arc<Snapshot> },
}

/// The state of storing, for answers and metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog {
    /// Facts that are not stored yet.
    pub(crate) waiting: usize,
    /// Why the last Put failed; none if it succeeded.
    pub(crate) trouble: Option<String>,
    /// Whether a session may live whose facts were given up.
    pub(crate) has_lost: bool,
}

/// Collects what is noted while a revocation reads the record.
#[must_use]
pub(super) struct Watch<'a>(&'a Journal);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.readers -= 1;
        if queue.readers == 0 {
            queue.seen = Vec::new();
        }
    }
}

impl Watch<'_> {
    /// What was not in storage when the watch began, and what was noted since.
    pub(super) fn seen(&self) -> Vec<Arc<Noted>> {
        self.0.queue().seen.clone()
    }
}

impl Journal {
    pub(super) fn new(store: Store, metrics: Arc<Counters>, lifecycle: Arc<Lifecycle>) -> Self {
        Self(Arc::new(Inner {
            store,
            metrics,
            lifecycle,
            queue: Mutex::default(),
            segments: tokio::sync::Mutex::default(),
            settled: watch::Sender::new(0),
        }))
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Takes a fact to be stored and returns its number.
    pub(super) fn push(&self, expiration: OffsetDateTime, fact: Fact) -> u64 {
        let mut queue = self.queue();
        queue.last += 1;
        let noted = Arc::new(Noted { number: queue.last, expiration, fact });
        if queue.readers > 0 {
            queue.seen.push(Arc::clone(&noted));
        }
        queue.waiting.push_back(noted);
        if queue.waiting.len() > MAX_WAITING
            && let Some(oldest) = queue.waiting.pop_front()
        {
            queue.lost = queue.lost.max(Some(oldest.expiration));
            self.0.metrics.ledger_lost.inc();
        }
        // without a runtime nothing is stored; only tests have none
        if !queue.is_running
            && let Ok(runtime) = Handle::try_current()
        {
            queue.is_running = true;
            drop(runtime.spawn(store_all(self.clone())));
        }
        queue.last
    }

    /// Waits until the first Put of the fact with this number has ended, unless storage is in trouble. The caller bounds it.
    pub(super) async fn settled(&self, number: u64) {
        let mut settled = self.0.settled.subscribe();
        if *settled.borrow_and_update() >= number || self.queue().trouble.is_some() {
            return;
        }
        // it cannot fail: the sender is the journal's own
        let _ = settled.wait_for(|last| *last >= number).await;
    }

    /// Waits as [`Self::settled`] for all that was noted so far.
    pub(super) async fn all_settled(&self) {
        let last = self.queue().last;
        self.settled(last).await;
    }

    /// Begins to collect what is noted.
    pub(super) fn watch(&self) -> Watch<'_> {
        let mut queue = self.queue();
        if queue.readers == 0 {
            queue.seen = queue.waiting.iter().cloned().collect();
        }
        queue.readers += 1;
        Watch(self)
    }

    pub(super) fn backlog(&self, now: OffsetDateTime) -> Backlog {
        let queue = self.queue();
        Backlog {
            waiting: queue.waiting.len(),
            trouble: queue.trouble.clone(),
            has_lost: queue.lost.is_some_and(|end| end > now),
        }
    }

    /// The oldest facts that wait. None if there is none: the task that stores has ended then.
    fn batch(&self) -> Option<Vec<Arc<Noted>>> {
        let mut queue = self.queue();
        queue.is_running = !queue.waiting.is_empty();
        queue.is_running.then(|| queue.waiting.iter().take(MAX_BATCH).cloned().collect())
    }

    /// Notes that the facts up to `number` are stored.
    fn stored(&self, number: u64) {
        let mut queue = self.queue();
        queue.waiting.retain(|noted| noted.number > number);
        if queue.trouble.take().is_some() {
            tracing::info!("the record of sessions is stored again");
        }
        drop(queue);
        self.0.settled.send_replace(number);
    }

    /// Notes that facts up to `number` could not be stored.
    fn failed(&self, number: u64, fault: &Fault) {
        self.0.metrics.ledger_failures.inc();
        let why = fault.to_string();
        let before = self.queue().trouble.replace(why.clone());
        if before.is_none() {
            tracing::warn!(
                "the record of sessions cannot be stored, and is tried again: {why}; until then only this process knows who has the newest sessions"
            );
        }
        self.0.settled.send_replace(number);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores what waits until nothing does, or until the mount has closed and storage refuses.
async fn store_all(journal: Journal) {
    let inner = Arc::clone(&journal.0);
    let mut segments = inner.segments.lock().await;
    while let Some(batch) = journal.batch() {
        let last = batch.last().map_or(0, |noted| noted.number);
        let mut events = VecDeque::new();
        for noted in &batch {
            let pod = noted.pod().await;
            events.extend(noted.events(pod).into_iter().map(|event| (noted.expiration, event)));
        }
        let mut pause = FIRST_PAUSE;
        while let Err(fault) = segments.store(&inner.store, &mut events).await {
            journal.failed(last, &fault);
            let paused = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            if inner.lifecycle.until_closed(paused).await.is_err() {
                journal.queue().is_running = false;
                return;
            }
            pause = MAX_PAUSE.min(pause * 2);
        }
        journal.stored(last);
    }
}

impl Noted {
    /// The fact as events. Those of a session's first receipt begin with the session itself.
    pub(super) fn events(&self, pod: PodName) -> Vec<SessionEvent> {
        let handed = match &self.fact {
            Fact::Denied { serial } => return vec![SessionEvent::Denied { serial: serial.clone() }],
            Fact::Hopped(issued) => return hop(issued).into_iter().collect(),
            Fact::Handed(handed) => handed,
        };
        let issued = handed.is_first.then(|| SessionEvent::Issued(Box::new(handed.record())));
        let holder = match handed.handing {
            Handing::Listed => SessionEvent::Held(Box::new(Holding { pod, ..handed.holding.clone() })),
            Handing::Others => SessionEvent::HeldByOthers { serial: handed.issued.serial.clone() },
        };
        issued.into_iter().chain([holder]).collect()
    }

    /// All that is known of the session at this moment, with every holder so far: for a revocation that reads the record before
    /// the fact is in it.
    pub(super) fn whole(&self) -> (Option<SessionRecord>, Vec<SessionEvent>) {
        let Fact::Handed(handed) = &self.fact else { return (None, self.events(PodName::default())) };
        let pod = if let PodLookup::Known(pod) = &handed.pod { pod.clone() } else { PodName::default() };
        let mut events = self.events(pod);
        let holders = handed.issued.handed.lock().clone();
        let serial = &handed.issued.serial;
        if holders.has_more {
            events.push(SessionEvent::HeldByOthers { serial: serial.clone() });
        }
        events.extend(holders.listed.iter().map(|holder| {
            let holding =
                Holding { serial: serial.clone(), holder: holder.clone().into(), ..Holding::default() };
            SessionEvent::Held(Box::new(holding))
        }));
        (Some(handed.record()), events)
    }

    /// Asks Vault for the pod behind the holder, if nobody did before.
    async fn pod(&self) -> PodName {
        let Fact::Handed(handed) = &self.fact else { return PodName::default() };
        match &handed.pod {
            PodLookup::Known(pod) => pod.clone(),
            PodLookup::Ask { system, snapshot } => {
                let asked = timeout(MAX_LOOKUP, system.entity_info(&handed.holding.holder)).await;
                let Ok(Ok(Some(entity))) = asked else { return PodName::default() };
                let caller =
                    Caller::of(Known::Entity(entity), Audience::everybody(""), "", &snapshot.clusters);
                caller.map(|caller| pod_name(&caller)).unwrap_or_default()
            }
        }
    }
}

impl HandedOut {
    fn record(&self) -> SessionRecord {
        let (parts, Issued { session, began, serial, .. }) = (self.key.parts(), &*self.issued);
        SessionRecord {
            serial: serial.clone(),
            role: parts.role.clone(),
            role_arn: parts.call.role.clone(),
            trust_anchor_arn: self.issued.trust_anchor.clone(),
            cluster: parts.cluster.as_ref().map(|cluster| cluster.name.clone()),
            access_key: session.access_key_id.clone(),
            role_session_name: session.role_session_name.clone(),
            is_named: parts.call.role_session_name.is_some(),
            source_identity: session.source_identity.clone(),
            issued: began.unix_timestamp(),
            expiration: session.expiration.unix_timestamp(),
            plugin_version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The event of a hop; none for a session without one.
fn hop(issued: &Issued) -> Option<SessionEvent> {
    let Issued { session, began, serial, hop, .. } = issued;
    Some(SessionEvent::Hopped(Box::new(HopRecord {
        serial: serial.clone(),
        target_role_arn: hop.as_ref()?.target.clone(),
        access_key: session.access_key_id.clone(),
        issued: began.unix_timestamp(),
        expiration: session.expiration.unix_timestamp(),
    })))
}

/// The pod of a caller about whom Vault was asked; empty for callers of other kinds.
pub(crate) fn pod_name(caller: &Caller<'_>) -> PodName {
    PodName {
        cluster: caller.cluster().map(|(cluster, _)| cluster.to_owned()),
        namespace: caller.namespace().map(|(_, namespace)| namespace.to_owned()),
        service_account: caller.service_account().map(str::to_owned),
    }
}
