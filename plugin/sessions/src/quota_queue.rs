//! One quota scope: its rate limit, the flights that wait for it, and its pause while the issuer throttles.

use std::time::Duration;

use crate::bucket::Bucket;
use crate::health::Health;
use crate::ids::FlightId;
use crate::limits::Rate;
use crate::priority_queue::{Priority, PriorityQueue, Tokens};
use crate::request::Requester;
use crate::round_robin::End;

const MIN_PAUSE: Duration = Duration::from_millis(500);
/// A quota scope is forgotten after this time without a request, once its quota is whole.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
const MAX_PAUSE: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub(crate) struct QuotaQueue {
    /// Whether the place answers.
    pub(crate) health: Health,
    bucket: Bucket,
    queue: PriorityQueue,
    /// Pauses since the last success.
    pauses: u32,
    paused_at: Option<Duration>,
    paused_until: Duration,
    waiting: u32,
    /// The number of waiting flights that are spare work.
    spare: u32,
    /// When the last flight joined the queue.
    used: Duration,
}

impl QuotaQueue {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            health: Health::default(),
            bucket: Bucket::new(rate),
            queue: PriorityQueue::default(),
            pauses: 0,
            paused_at: None,
            paused_until: Duration::ZERO,
            waiting: 0,
            spare: 0,
            used: Duration::ZERO,
        }
    }

    pub(crate) fn set_rate(&mut self, now: Duration, rate: Rate) {
        self.bucket.set_rate(now, rate);
    }

    /// Queues a flight, once for each requester that waits for it.
    pub(crate) fn push(
        &mut self,
        now: Duration,
        priority: Priority,
        requesters: &[Requester],
        flight: FlightId,
        end: End,
    ) {
        self.used = now;
        self.waiting += 1;
        self.spare += u32::from(priority == Priority::Spare);
        for requester in requesters {
            self.queue.push(priority, requester, flight, end);
        }
    }

    /// Adds a requester to a queued flight.
    pub(crate) fn add(&mut self, priority: Priority, requester: &Requester, flight: FlightId) {
        self.queue.push(priority, requester, flight, End::Back);
    }

    pub(crate) fn remove(&mut self, priority: Priority, requesters: &[Requester], flight: FlightId) {
        self.waiting = self.waiting.saturating_sub(1);
        self.spare = self.spare.saturating_sub(u32::from(priority == Priority::Spare));
        for requester in requesters {
            self.queue.remove(priority, requester, flight);
        }
    }

    /// Removes the next flight that may start now, and spends its token. The caller must remove its other tickets.
    pub(crate) fn pass(&mut self, now: Duration) -> Option<FlightId> {
        let flight = self.queue.pop_first().or_else(|| self.pop_for_a_token(now))?;
        self.bucket.spend(now);
        Some(flight)
    }

    /// Removes the next flight for which a token is available.
    fn pop_for_a_token(&mut self, now: Duration) -> Option<FlightId> {
        let tokens = self.when();
        if tokens.any <= now { self.queue.pop(now, tokens) } else { None }
    }

    fn when(&self) -> Tokens {
        let Self { bucket, .. } = self;
        Tokens { any: bucket.ready_at(), ample: bucket.ample_at(), spacing: bucket.spacing() }
    }

    /// When [`pass`](Self::pass) may return a flight; none if no flight waits.
    pub(crate) fn ready_at(&self) -> Option<Duration> {
        self.queue.ready_at(self.when())
    }

    /// The time to serve every queued flight that goes before a flight of this `priority`.
    pub(crate) fn backlog(&self, now: Duration, priority: Priority) -> Duration {
        let (token, spacing) = (self.bucket.ready_at().saturating_sub(now), self.bucket.spacing());
        match priority {
            Priority::First => Duration::ZERO,
            Priority::Spare => {
                let share = self.queue.share_of_spare(now, spacing, self.spare);
                token + share.min(spacing * self.waiting)
            }
            _ => token + spacing * (self.waiting - self.spare),
        }
    }

    pub(crate) fn len_of(&self, requester: &Requester) -> usize {
        self.queue.len_of(requester)
    }

    /// The issuer throttled an attempt that began at `started`: the whole quota scope pauses, longer each time.
    ///
    /// Attempts that were under way when the pause began do not lengthen it. `jitter` in 0..1 spreads the ends of
    /// pauses.
    pub(crate) fn throttled(
        &mut self,
        now: Duration,
        started: Duration,
        asked: Option<Duration>,
        jitter: f64,
    ) {
        if self.paused_at.is_some_and(|paused| started <= paused) {
            return;
        }
        let doubled = MIN_PAUSE.saturating_mul(1 << self.pauses.min(6)).min(MAX_PAUSE);
        let pause = doubled.max(asked.unwrap_or_default().min(MAX_PAUSE));
        self.pauses += 1;
        self.paused_at = Some(now);
        self.paused_until = now + pause.mul_f64(1.0 + jitter / 2.0);
        self.bucket.pause(self.paused_until);
    }

    pub(crate) fn succeeded(&mut self) {
        self.pauses = 0;
    }

    /// Whether the scope can be forgotten: no flight waits, its last use and pause are long over, and it answers.
    pub(crate) fn is_spent(&self, now: Duration) -> bool {
        let since = self.used.max(self.paused_until);
        self.waiting == 0
            && self.health.is_closed()
            && since + FORGOTTEN_AFTER <= now
            && self.bucket.is_full(now)
    }

    /// The number of attempts that may start now.
    pub(crate) fn tokens(&self, now: Duration) -> u64 {
        self.bucket.tokens(now)
    }

    pub(crate) fn pause_left(&self, now: Duration) -> Duration {
        self.paused_until.saturating_sub(now)
    }

    pub(crate) fn is_paused(&self, now: Duration) -> bool {
        self.paused_until > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn no_wait_that_is_asked_for_pauses_a_place_for_a_minute() {
        for asked in [seconds(60), seconds(u64::from(u32::MAX)), Duration::MAX] {
            let mut queue = QuotaQueue::new(Limits::default().rate);

            queue.throttled(seconds(2), seconds(1), Some(asked), 1.0);

            assert_eq!(queue.pause_left(seconds(2)), MAX_PAUSE.mul_f64(1.5));
        }
    }

    #[test]
    fn throttling_of_one_second_counts_once() {
        let mut queue = QuotaQueue::new(Limits::default().rate);

        queue.throttled(seconds(2), seconds(1), None, 0.0);
        let first = queue.paused_until;
        queue.throttled(seconds(2) + MIN_PAUSE / 2, seconds(1), None, 0.0);

        assert_eq!(queue.paused_until, first);
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_a_success_ends_the_growth() {
        let mut queue = QuotaQueue::new(Limits::default().rate);

        let lengths: Vec<_> = (1..=8)
            .map(|round| {
                let now = seconds(round * 100);
                queue.throttled(now, now, None, 0.0);
                queue.paused_until.saturating_sub(now).as_secs_f64()
            })
            .collect();
        queue.succeeded();
        queue.throttled(seconds(2000), seconds(2000), None, 0.0);

        assert_eq!(lengths, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0]);
        assert_eq!(queue.paused_until, seconds(2000) + MIN_PAUSE);
    }

    #[test]
    fn the_issuers_own_wish_is_respected_within_the_bound() {
        let mut queue = QuotaQueue::new(Limits::default().rate);

        queue.throttled(seconds(1), seconds(1), Some(seconds(7)), 0.0);
        assert_eq!(queue.paused_until, seconds(8));

        queue.throttled(seconds(10), seconds(10), Some(seconds(86_400)), 0.0);
        assert_eq!(queue.paused_until, seconds(10) + MAX_PAUSE);
    }
}
