//! The meeting point of the host's offers and the plugin's dials, whichever comes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::plugin::ConnInfo;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// The shortest time that an offer without a dial is kept. go-plugin drops it after 5 s; the listener behind it lives
/// on.
pub(super) const KEPT: Duration = Duration::from_mins(1);

/// The number of offers and dials that are kept: a host makes one for each mount, when it starts or is unsealed.
const SLOTS: usize = 4096;

/// Offers and answers by connection number, and the stream to the host.
pub(crate) struct Rendezvous {
    slots: Mutex<Slots>,
    outgoing: watch::Sender<Option<mpsc::Sender<ConnInfo>>>,
}

impl Default for Rendezvous {
    fn default() -> Self {
        Self { slots: Mutex::default(), outgoing: watch::Sender::new(None) }
    }
}

impl Rendezvous {
    /// The host opened the broker's stream, to which `outgoing` leads.
    pub(crate) fn open(&self, outgoing: mpsc::Sender<ConnInfo>) {
        self.outgoing.send_replace(Some(outgoing));
    }

    /// The broker's stream that `outgoing` leads to ended. The host may have opened another one before this was seen.
    pub(crate) fn close(&self, outgoing: &mpsc::Sender<ConnInfo>) {
        self.outgoing
            .send_if_modified(|current| current.take_if(|current| current.same_channel(outgoing)).is_some());
    }

    /// Waits until the broker's stream is open.
    pub(crate) async fn host_listens(&self) {
        let mut outgoing = self.outgoing.subscribe();
        let _open = outgoing.wait_for(Option::is_some).await.is_ok();
    }

    /// Takes an offer or an answer of the host.
    pub(crate) fn arrived(&self, info: ConnInfo, now: Instant) {
        self.slots().arrived(info, now);
    }

    /// Waits for the host's message about connection `id`; none if another claim replaced this one.
    pub(crate) async fn claim(&self, id: u32) -> Option<ConnInfo> {
        let claimed = self.slots().claim(id);
        claimed.await.ok()
    }

    /// Sends a message to the host, and waits for its answer about the same connection; none if the stream is gone.
    pub(crate) async fn ask(&self, info: ConnInfo) -> Option<ConnInfo> {
        let outgoing = self.outgoing.borrow().clone()?;
        let answer = self.slots().claim(info.service_id);
        outgoing.send(info).await.ok()?;
        answer.await.ok()
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Slots(HashMap<u32, ConnectionSlot>);

enum ConnectionSlot {
    Offered { info: ConnInfo, since: Instant },
    Awaited(oneshot::Sender<ConnInfo>),
}

impl Slots {
    fn arrived(&mut self, info: ConnInfo, now: Instant) {
        self.0.retain(|_, slot| slot.is_wanted(now));
        let id = info.service_id;
        let unclaimed = match self.0.remove(&id) {
            Some(ConnectionSlot::Awaited(claim)) => claim.send(info).err(),
            _ => Some(info),
        };
        if let Some(info) = unclaimed {
            self.make_room();
            self.0.insert(id, ConnectionSlot::Offered { info, since: now });
        }
    }

    /// Drops the oldest offer in favour of a new one. A dial is never dropped.
    fn make_room(&mut self) {
        if self.0.len() < SLOTS {
            return;
        }
        let since = |slot: &ConnectionSlot| {
            if let ConnectionSlot::Offered { since, .. } = slot { Some(*since) } else { None }
        };
        let offers = self.0.iter().filter_map(|(id, slot)| Some((since(slot)?, *id)));
        if let Some((_, oldest)) = offers.min() {
            self.0.remove(&oldest);
        }
    }

    fn claim(&mut self, id: u32) -> oneshot::Receiver<ConnInfo> {
        let (claim, claimed) = oneshot::channel();
        if let Some(ConnectionSlot::Offered { info, .. }) = self.0.remove(&id) {
            let _claimed_below = claim.send(info);
        } else {
            self.0.insert(id, ConnectionSlot::Awaited(claim));
        }
        claimed
    }
}

impl ConnectionSlot {
    fn is_wanted(&self, now: Instant) -> bool {
        match self {
            Self::Offered { since, .. } => now.duration_since(*since) < KEPT,
            Self::Awaited(claim) => !claim.is_closed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn offer(id: u32) -> ConnInfo {
        ConnInfo {
            service_id: id,
            network: "unix".into(),
            address: format!("/tmp/plugin{id}"),
            ..Default::default()
        }
    }

    #[tokio::test]
    async fn an_offer_that_comes_first_waits_for_its_dial() {
        let rendezvous = Rendezvous::default();

        rendezvous.arrived(offer(1), Instant::now());

        assert_eq!(rendezvous.claim(1).await, Some(offer(1)));
    }

    #[tokio::test]
    async fn a_dial_that_comes_first_waits_for_its_offer_and_takes_no_other() {
        let rendezvous = Rendezvous::default();
        let mut claim = Box::pin(rendezvous.claim(1));

        let before = claim.as_mut().now_or_never();
        rendezvous.arrived(offer(2), Instant::now());
        let after_another = claim.as_mut().now_or_never();
        rendezvous.arrived(offer(1), Instant::now());

        assert_eq!((before, after_another), (None, None));
        assert_eq!(claim.await, Some(offer(1)));
    }

    #[tokio::test]
    async fn an_offer_is_taken_once() {
        let rendezvous = Rendezvous::default();
        rendezvous.arrived(offer(1), Instant::now());

        let first = rendezvous.claim(1).now_or_never();
        let second = rendezvous.claim(1).now_or_never();

        assert_eq!((first, second), (Some(Some(offer(1))), None));
    }

    #[tokio::test]
    async fn an_offer_outlives_a_dial_that_gave_up() {
        let rendezvous = Rendezvous::default();
        assert!(rendezvous.claim(1).now_or_never().is_none());

        rendezvous.arrived(offer(1), Instant::now());

        assert_eq!(rendezvous.claim(1).await, Some(offer(1)));
    }

    #[tokio::test]
    async fn a_stream_that_ends_late_leaves_the_one_that_replaced_it_open() {
        let (rendezvous, (old, _), (new, mut heard)) =
            (Rendezvous::default(), mpsc::channel(1), mpsc::channel(1));
        rendezvous.open(old.clone());
        rendezvous.open(new.clone());

        rendezvous.close(&old);
        let asked = rendezvous.ask(offer(1)).now_or_never();
        let said = heard.try_recv();
        rendezvous.close(&new);

        assert_eq!((asked, said), (None, Ok(offer(1))));
        assert_eq!(rendezvous.ask(offer(2)).now_or_never(), Some(None));
    }

    #[test]
    fn a_flood_of_offers_is_held_at_a_bound_and_forgets_the_oldest_first() {
        let (mut slots, start) = (Slots::default(), Instant::now());
        let _waits = slots.claim(u32::MAX);

        for id in 0..10_000 {
            slots.arrived(offer(id), start + Duration::from_micros(id.into()));
        }

        assert_eq!(slots.0.len(), SLOTS);
        assert!(slots.0.contains_key(&u32::MAX) && slots.0.contains_key(&9_999) && !slots.0.contains_key(&0));
    }

    #[test]
    fn offers_and_claims_that_nobody_wants_are_forgotten() {
        let (mut slots, start) = (Slots::default(), Instant::now());
        slots.arrived(offer(1), start);
        drop(slots.claim(2));

        slots.arrived(offer(3), start + KEPT);

        assert_eq!(slots.0.keys().collect::<Vec<_>>(), [&3]);
    }
}
