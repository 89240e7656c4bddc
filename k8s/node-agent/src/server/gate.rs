//! How many connections and requests one source may have, so that a pod that floods hurts itself alone.
//!
//! A source is an address: a pod has one of its own, and all pods in the node's network share the node's. The gate does no I/O, and the
//! time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// The number of sources that are remembered. Each costs about 100 bytes.
const MAX_SOURCES: usize = 4096;

/// How many requests one source may make that Vault refuses for good, before it must wait. A pod with a wrong token asks once or twice; a
/// flood of forged tokens would cost Vault a login each.
const MAX_REFUSALS: f64 = 20.0;
/// How many more of them each second.
const REFUSALS_PER_SECOND: f64 = 1.0;

/// How many requests of one source may wait for Vault before it may have no more flights started. The processes of a pod have one token
/// and so one flight; many tokens of one source would fill the turns of all when Vault is slow.
const MAX_ASKING: usize = 8;

/// How many refusals of one source are logged as warnings at once, and then each second: a flood must not fill the log.
const MAX_WARNINGS: f64 = 20.0;

/// How much more the node's own address may have than a pod's: all pods in the node's network come from it.
const NODE_SHARE: usize = 4;

/// The bounds of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Connections in all.
    pub max_connections: usize,
    /// Connections of one source.
    pub max_connections_of_one: usize,
    /// Requests of one source in a second, in the long run. Three times as many may come together after a rest.
    pub requests_per_second: u32,
    /// The node's own addresses.
    pub node: Vec<IpAddr>,
}

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The source has too many connections open.
    ConnectionsOfOne,
    /// The source makes too many requests.
    RequestsOfOne,
    /// There are too many connections, or sources, in all.
    All,
}

/// The connections and requests of all sources.
#[derive(Debug)]
pub struct Gate {
    limits: GateLimits,
    sources: HashMap<IpAddr, Source>,
    open: usize,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    open: usize,
    asking: usize,
    requests: TokenBucket,
    refusals: TokenBucket,
    warnings: TokenBucket,
}

impl Gate {
    /// A gate that nobody has passed.
    pub fn new(limits: GateLimits) -> Gate {
        Gate { limits, sources: HashMap::new(), open: 0 }
    }

    /// Lets a connection in, which makes one request. Each that is let in must [`Gate::leave`].
    ///
    /// # Errors
    /// It has to stay out.
    pub fn enter(&mut self, now: Duration, address: IpAddr) -> Result<(), Refused> {
        if self.open >= self.limits.max_connections || !self.has_room(now, address) {
            return Err(Refused::All);
        }
        let share = self.share(address);
        let most = self.limits.max_connections_of_one * share;
        let source = self.source(now, address);
        if source.open >= most {
            return Err(Refused::ConnectionsOfOne);
        }
        if !source.requests.take(now) {
            return Err(Refused::RequestsOfOne);
        }
        source.open += 1;
        self.open += 1;
        Ok(())
    }

    /// A connection has ended.
    pub fn leave(&mut self, address: IpAddr) {
        if let Some(source) = self.sources.get_mut(&address) {
            source.open = source.open.saturating_sub(1);
            self.open = self.open.saturating_sub(1);
        }
    }

    /// A request of this source begins to be answered. Returns whether Vault may be asked for it: not while the source has used up its
    /// refusals, nor while many requests of it wait. Each must [`Gate::answered`].
    pub fn asks(&mut self, now: Duration, address: IpAddr) -> bool {
        let most = MAX_ASKING * self.share(address);
        let source = self.source(now, address);
        source.asking += 1;
        source.asking <= most && source.refusals.has_any(now)
    }

    /// A request of this source is answered.
    pub fn answered(&mut self, address: IpAddr) {
        if let Some(source) = self.sources.get_mut(&address) {
            source.asking = source.asking.saturating_sub(1);
        }
    }

    /// Vault refused a request of this source for good.
    pub fn refused(&mut self, now: Duration, address: IpAddr) {
        self.source(now, address).refusals.take(now);
    }

    /// Whether a refusal of this source is worth a warning in the log.
    pub fn warns(&mut self, now: Duration, address: IpAddr) -> bool {
        self.source(now, address).warnings.take(now)
    }

    /// The connections that are open.
    pub fn open(&self) -> usize {
        self.open
    }

    fn source(&mut self, now: Duration, address: IpAddr) -> &mut Source {
        let share = f64::from(u32::try_from(self.share(address)).unwrap_or(1));
        let rate = f64::from(self.limits.requests_per_second) * share;
        self.sources.entry(address).or_insert_with(|| Source {
            open: 0,
            asking: 0,
            requests: TokenBucket::full(now, 3.0 * rate, rate),
            refusals: TokenBucket::full(now, MAX_REFUSALS * share, REFUSALS_PER_SECOND * share),
            warnings: TokenBucket::full(now, MAX_WARNINGS, 1.0),
        })
    }

    fn share(&self, address: IpAddr) -> usize {
        if self.limits.node.contains(&address) { NODE_SHARE } else { 1 }
    }

    /// Whether a source is known or has room. Forgets sources that are as good as new.
    fn has_room(&mut self, now: Duration, address: IpAddr) -> bool {
        if self.sources.len() >= MAX_SOURCES && !self.sources.contains_key(&address) {
            self.sources.retain(|_, source| !source.is_as_new(now));
        }
        self.sources.len() < MAX_SOURCES || self.sources.contains_key(&address)
    }
}

impl Source {
    fn is_as_new(&self, now: Duration) -> bool {
        let buckets = [&self.requests, &self.refusals, &self.warnings];
        self.open == 0 && buckets.into_iter().all(|bucket| bucket.is_full(now))
    }
}

/// A bucket that holds `most` tokens and fills by `rate` a second.
#[derive(Clone, Copy, Debug)]
struct TokenBucket {
    tokens: f64,
    most: f64,
    rate: f64,
    seen: Duration,
}

impl TokenBucket {
    fn full(now: Duration, most: f64, rate: f64) -> TokenBucket {
        TokenBucket { tokens: most, most, rate, seen: now }
    }

    fn tokens(&self, now: Duration) -> f64 {
        let since = now.saturating_sub(self.seen).as_secs_f64();
        (self.tokens + since * self.rate).min(self.most)
    }

    fn has_any(&self, now: Duration) -> bool {
        self.tokens(now) >= 1.0
    }

    fn is_full(&self, now: Duration) -> bool {
        self.tokens(now) >= self.most
    }

    /// Takes a token, if there is one.
    fn take(&mut self, now: Duration) -> bool {
        let tokens = self.tokens(now);
        let has_any = tokens >= 1.0;
        (self.tokens, self.seen) = (if has_any { tokens - 1.0 } else { tokens }, now);
        has_any
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23));

    fn gate() -> Gate {
        Gate::new(GateLimits {
            max_connections: 10,
            max_connections_of_one: 2,
            requests_per_second: 5,
            node: vec![NODE],
        })
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Requests one after the other, all in one second, until one is turned away.
    fn burst(gate: &mut Gate, now: Duration, source: IpAddr) -> (usize, Refused) {
        let mut passed = 0;
        loop {
            match gate.enter(now, source) {
                Ok(()) => gate.leave(source),
                Err(why) => return (passed, why),
            }
            passed += 1;
        }
    }

    #[test]
    fn a_source_has_so_many_connections_and_a_neighbour_its_own() {
        let mut gate = gate();
        assert_eq!((gate.enter(seconds(0), POD), gate.enter(seconds(0), POD)), (Ok(()), Ok(())));

        assert_eq!(gate.enter(seconds(0), POD), Err(Refused::ConnectionsOfOne));
        assert_eq!(gate.enter(seconds(0), NEIGHBOUR), Ok(()));
        gate.leave(POD);
        assert_eq!(gate.enter(seconds(0), POD), Ok(()));
    }

    #[test]
    fn a_source_has_three_seconds_of_requests_at_once_and_then_its_rate() {
        let mut gate = gate();

        assert_eq!(burst(&mut gate, seconds(0), POD), (15, Refused::RequestsOfOne));
        assert_eq!(burst(&mut gate, seconds(2), POD), (10, Refused::RequestsOfOne));
        assert_eq!(burst(&mut gate, seconds(2), NEIGHBOUR), (15, Refused::RequestsOfOne));
    }

    #[test]
    fn the_node_has_more_because_many_pods_share_its_address() {
        let mut gate = gate();
        let passed = (0..20).take_while(|_| gate.enter(seconds(0), NODE).is_ok()).count();

        assert_eq!(passed, 2 * NODE_SHARE);
    }

    #[test]
    fn connections_are_bounded_in_all() {
        let mut gate = gate();
        let passed =
            (0..20_u8).filter(|n| gate.enter(seconds(0), Ipv4Addr::new(10, 0, 1, *n).into()).is_ok()).count();

        assert_eq!((passed, gate.open()), (10, 10));
        assert_eq!(gate.enter(seconds(0), POD), Err(Refused::All));
    }

    /// Whether Vault may be asked for one request, which is then answered.
    fn may_ask(gate: &mut Gate, now: Duration, source: IpAddr) -> bool {
        let may = gate.asks(now, source);
        gate.answered(source);
        may
    }

    #[test]
    fn who_used_up_its_refusals_may_not_ask_vault_for_a_second() {
        let mut gate = gate();
        for _ in 0..20 {
            assert!(may_ask(&mut gate, seconds(0), POD));
            gate.refused(seconds(0), POD);
        }

        assert!(!may_ask(&mut gate, seconds(0), POD));
        assert!(may_ask(&mut gate, seconds(0), NEIGHBOUR));
        assert!(may_ask(&mut gate, seconds(1), POD));
    }

    #[test]
    fn who_has_many_requests_waiting_may_not_ask_vault_for_another() {
        let mut gate = gate();
        let asked = (0..20).filter(|_| gate.asks(seconds(0), POD)).count();

        assert_eq!(asked, MAX_ASKING);
        assert!(gate.asks(seconds(0), NEIGHBOUR));
        (0..13).for_each(|_| gate.answered(POD));
        assert!(gate.asks(seconds(0), POD));
    }

    #[test]
    fn a_flood_of_refusals_is_logged_twenty_times_and_then_once_a_second() {
        let mut gate = gate();

        assert_eq!((0..100).filter(|_| gate.warns(seconds(0), POD)).count(), 20);
        assert_eq!((0..100).filter(|_| gate.warns(seconds(3), POD)).count(), 3);
    }

    #[test]
    fn sources_are_bounded_and_those_that_are_gone_make_room() {
        let mut gate = Gate::new(GateLimits { max_connections: usize::MAX, ..gate().limits });
        let source = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(n).unwrap()));
        for n in 0..MAX_SOURCES {
            gate.enter(seconds(0), source(n)).unwrap();
        }

        assert_eq!(gate.enter(seconds(60), source(MAX_SOURCES)), Err(Refused::All));
        gate.leave(source(0));
        assert_eq!(gate.enter(seconds(60), source(MAX_SOURCES)), Ok(()));
        assert_eq!(gate.sources.len(), MAX_SOURCES);
    }
}
