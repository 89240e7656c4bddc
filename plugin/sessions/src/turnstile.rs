//! One place: its quota, who waits for it, and its pause when the issuer throttles.

use std::time::Duration;

use crate::ask::Caller;
use crate::bucket::Bucket;
use crate::fair::End;
use crate::ids::FlightId;
use crate::lanes::{Lane, Lanes, Tokens};
use crate::limits::Rate;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A place that nobody asked for in so long, and whose quota is whole, is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub(crate) struct Turnstile {
    bucket: Bucket,
    lanes: Lanes,
    /// Pauses since the last success.
    pauses: u32,
    paused_at: Option<Duration>,
    paused_until: Duration,
    waiting: u32,
    /// Of those that wait, the spare ones.
    spare: u32,
    /// When a flight last joined the line.
    used: Duration,
}

impl Turnstile {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            bucket: Bucket::new(rate),
            lanes: Lanes::default(),
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

    /// Puts a flight in line, once for each caller that waits for it.
    pub(crate) fn push(&mut self, now: Duration, lane: Lane, callers: &[Caller], flight: FlightId, end: End) {
        self.used = now;
        self.waiting += 1;
        self.spare += u32::from(lane == Lane::Spare);
        for caller in callers {
            self.lanes.push(lane, caller, flight, end);
        }
    }

    /// A further caller waits for a flight that is in line.
    pub(crate) fn add(&mut self, lane: Lane, caller: &Caller, flight: FlightId) {
        self.lanes.push(lane, caller, flight, End::Back);
    }

    pub(crate) fn remove(&mut self, lane: Lane, callers: &[Caller], flight: FlightId) {
        self.waiting = self.waiting.saturating_sub(1);
        self.spare = self.spare.saturating_sub(u32::from(lane == Lane::Spare));
        for caller in callers {
            self.lanes.remove(lane, caller, flight);
        }
    }

    /// The next flight that may start now, its token spent. The caller of this takes its other tickets out.
    pub(crate) fn pass(&mut self, now: Duration) -> Option<FlightId> {
        let flight = self.lanes.pop_first().or_else(|| self.pop_for_a_token(now))?;
        self.bucket.spend(now);
        Some(flight)
    }

    /// The next flight for which there is a token.
    fn pop_for_a_token(&mut self, now: Duration) -> Option<FlightId> {
        let tokens = self.when();
        if tokens.any <= now { self.lanes.pop(now, tokens) } else { None }
    }

    fn when(&self) -> Tokens {
        let Self { bucket, .. } = self;
        Tokens { any: bucket.ready_at(), ample: bucket.ample_at(), spacing: bucket.spacing() }
    }

    /// When [`pass`](Self::pass) may let somebody through; none when nobody waits.
    pub(crate) fn ready_at(&self) -> Option<Duration> {
        self.lanes.ready_at(self.when())
    }

    /// How long it takes to serve all who are in line now, as far as `lane` waits for them.
    pub(crate) fn backlog(&self, now: Duration, lane: Lane) -> Duration {
        let (token, spacing) = (self.bucket.ready_at().saturating_sub(now), self.bucket.spacing());
        match lane {
            Lane::First => Duration::ZERO,
            Lane::Spare => {
                let share = self.lanes.share_of_spare(now, spacing, self.spare);
                token + share.min(spacing * self.waiting)
            }
            _ => token + spacing * (self.waiting - self.spare),
        }
    }

    pub(crate) fn len_of(&self, caller: &Caller) -> usize {
        self.lanes.len_of(caller)
    }

    /// The issuer counts too many of an attempt that began at `started`: everybody of the place pauses, longer each time.
    ///
    /// Attempts that were under way when the pause began say nothing new. `luck` in 0..1 spreads the ends of pauses.
    pub(crate) fn throttled(&mut self, now: Duration, started: Duration, asked: Option<Duration>, luck: f64) {
        if self.paused_at.is_some_and(|paused| started <= paused) {
            return;
        }
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(6)).min(LONGEST_PAUSE);
        let pause = doubled.max(asked.unwrap_or_default().min(LONGEST_PAUSE));
        self.pauses += 1;
        self.paused_at = Some(now);
        self.paused_until = now + pause.mul_f64(1.0 + luck / 2.0);
        self.bucket.pause(self.paused_until);
    }

    pub(crate) fn succeeded(&mut self) {
        self.pauses = 0;
    }

    /// Whether it is as good as a new one: nobody waits, and what it counted is long over.
    pub(crate) fn is_spent(&self, now: Duration) -> bool {
        let since = self.used.max(self.paused_until);
        self.waiting == 0 && since + FORGOTTEN_AFTER <= now && self.bucket.is_full(now)
    }

    /// How many may pass right now.
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
            let mut place = Turnstile::new(Limits::default().rate);

            place.throttled(seconds(2), seconds(1), Some(asked), 1.0);

            assert_eq!(place.pause_left(seconds(2)), LONGEST_PAUSE.mul_f64(1.5));
        }
    }

    #[test]
    fn throttling_of_one_second_counts_once() {
        let mut place = Turnstile::new(Limits::default().rate);

        place.throttled(seconds(2), seconds(1), None, 0.0);
        let first = place.paused_until;
        place.throttled(seconds(2) + FIRST_PAUSE / 2, seconds(1), None, 0.0);

        assert_eq!(place.paused_until, first);
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_a_success_ends_the_growth() {
        let mut place = Turnstile::new(Limits::default().rate);

        let lengths: Vec<_> = (1..=8)
            .map(|round| {
                let now = seconds(round * 100);
                place.throttled(now, now, None, 0.0);
                place.paused_until.saturating_sub(now).as_secs_f64()
            })
            .collect();
        place.succeeded();
        place.throttled(seconds(2000), seconds(2000), None, 0.0);

        assert_eq!(lengths, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0]);
        assert_eq!(place.paused_until, seconds(2000) + FIRST_PAUSE);
    }

    #[test]
    fn the_issuers_own_wish_is_respected_within_the_bound() {
        let mut place = Turnstile::new(Limits::default().rate);

        place.throttled(seconds(1), seconds(1), Some(seconds(7)), 0.0);
        assert_eq!(place.paused_until, seconds(8));

        place.throttled(seconds(10), seconds(10), Some(seconds(86_400)), 0.0);
        assert_eq!(place.paused_until, seconds(10) + LONGEST_PAUSE);
    }
}
