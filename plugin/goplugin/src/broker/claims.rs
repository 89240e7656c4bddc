//! Claims that hold for every conversation with a host's broker.

#![allow(
    clippy::missing_panics_doc,
    clippy::expect_used,
    reason = "a claim that does not hold panics: that is what it is for"
)]

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;
use proto::plugin::ConnInfo;
use proto::plugin::conn_info::Knock;
use tokio::time::Instant;

use super::rendezvous::{KEPT, Rendezvous};
use super::service::refusal;

/// The input: lines of the host's messages and the plugin's claims, `offer <id> <address>`, `knock <id>`, `ack <id> <error>`, `claim <id>`,
/// `wait <seconds>`.
///
/// A claim gets the newest offer of its own connection, once, whichever of the two comes first, and never another connection's
/// offer. An unclaimed offer is dropped after its time. A knock is refused by its number and with a reason.
pub fn broker(input: &[u8]) {
    let rendezvous = Rendezvous::default();
    let mut meeting = Meeting {
        rendezvous: &rendezvous,
        now: Instant::now(),
        offered: HashMap::new(),
        waiting: HashMap::new(),
    };
    for line in String::from_utf8_lossy(input).lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(word), Some(Ok(number))) = (words.next(), words.next().map(str::parse)) else { continue };
        let rest = words.next().unwrap_or_default().to_owned();
        let knock = |ack| Some(Knock { knock: true, ack, error: rest.clone() });
        match word {
            "offer" => meeting.hears(offer(number, &rest)),
            "knock" => meeting.hears(ConnInfo { knock: knock(false), ..offer(number, "") }),
            "ack" => meeting.hears(ConnInfo { knock: knock(true), ..offer(number, "") }),
            "claim" => meeting.claims(number),
            "wait" => meeting.now += Duration::from_secs(u64::from(number.min(1_000))),
            _ => {}
        }
    }
}

fn offer(service_id: u32, address: &str) -> ConnInfo {
    ConnInfo { service_id, network: "unix".to_owned(), address: address.to_owned(), knock: None }
}

/// The rendezvous, and the state it must have.
struct Meeting<'a> {
    rendezvous: &'a Rendezvous,
    now: Instant,
    offered: HashMap<u32, (ConnInfo, Instant)>,
    waiting: HashMap<u32, Pin<Box<dyn Future<Output = Option<ConnInfo>> + 'a>>>,
}

impl Meeting<'_> {
    fn hears(&mut self, info: ConnInfo) {
        let id = info.service_id;
        if let Some(refusal) = refusal(&info) {
            let knock = refusal.knock.expect("a knock is answered by a knock");
            assert!(info.knock.is_some_and(|asked| asked.knock && !asked.ack));
            assert!(refusal.service_id == id && knock.ack && !knock.error.is_empty());
            return;
        }
        self.rendezvous.arrived(info.clone(), self.now);
        self.offered.retain(|_, (_, since)| self.now.duration_since(*since) < KEPT);
        match self.waiting.remove(&id) {
            Some(claim) => assert_eq!(claim.now_or_never(), Some(Some(info))),
            None => drop(self.offered.insert(id, (info, self.now))),
        }
    }

    fn claims(&mut self, id: u32) {
        let mut claim = Box::pin(self.rendezvous.claim(id));
        let claimed = claim.as_mut().now_or_never();
        if let Some((info, _)) = self.offered.remove(&id) {
            assert_eq!(claimed, Some(Some(info)));
        } else {
            assert_eq!(claimed, None);
            let before = self.waiting.insert(id, claim);
            assert!(before.is_none_or(|before| before.now_or_never() == Some(None)));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kept_conversations_hold_the_claim() {
        seeds::replay("broker", super::broker);
    }
}
