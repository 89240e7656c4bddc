//! The rate limit of one quota scope: a token bucket.
//!
//! `governor` does not fit: its GCRA lets a full burst and one second's refill through in the first second. With a rate
//! and a burst of 8 that is 16 requests, and AWS allows 10.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::Rate;

const SECOND: Duration = Duration::from_secs(1);

/// A spent token returns after one second, and no two tokens return closer together than the rate allows.
///
/// At most `max(per_second, burst)` tokens are spent within any second. After a burst they return one by one. A backlog
/// therefore goes out evenly, and a slow network cannot squeeze two bursts into one of the issuer's seconds.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    /// When each spent token returns, in ascending order; at most `burst` entries.
    back: VecDeque<Duration>,
    /// There is no token before this time, whatever the rate.
    paused_until: Duration,
}

impl Bucket {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, back: VecDeque::new(), paused_until: Duration::ZERO }
    }

    /// When the next token is available.
    pub(crate) fn ready_at(&self) -> Duration {
        self.ready_above(0)
    }

    /// When more than half of the burst is available.
    pub(crate) fn ample_at(&self) -> Duration {
        self.ready_above(self.burst() / 2)
    }

    /// When `reserve` tokens and one more are available; `reserve` must be less than the burst.
    fn ready_above(&self, reserve: usize) -> Duration {
        let most_away = self.burst() - reserve - 1;
        let nth = self.back.len().checked_sub(most_away + 1);
        nth.map_or(Duration::ZERO, |nth| self.back[nth])
    }

    /// The number of available tokens.
    pub(crate) fn tokens(&self, now: Duration) -> u64 {
        let away = self.back.iter().filter(|back| **back > now).count();
        u64::try_from(self.burst().saturating_sub(away)).unwrap_or(u64::MAX)
    }

    /// Whether every token has returned.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.back.back().is_none_or(|last| *last <= now)
    }

    /// Spends the next token, also one that has not returned yet: the next caller then waits for one more.
    pub(crate) fn spend(&mut self, now: Duration) {
        let spaced = self.back.back().map_or(Duration::ZERO, |last| *last + self.spacing());
        if self.back.len() == self.burst() {
            self.back.pop_front();
        }
        self.back.push_back(spaced.max(now + self.window()));
    }

    /// Withholds every token until `until`. They then return one by one, without a burst.
    pub(crate) fn pause(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(until);
        let unspent = self.burst() - self.back.len();
        for _ in 0..unspent {
            self.back.push_front(Duration::ZERO);
        }
        let mut at = self.paused_until;
        for back in &mut self.back {
            *back = at.max(*back);
            at += self.rate.spacing();
        }
    }

    /// Changes the rate. A change costs one second and the burst, so that no second is served at both rates. It
    /// shortens no pause.
    pub(crate) fn set_rate(&mut self, now: Duration, rate: Rate) {
        if self.rate == rate {
            return;
        }
        self.rate = rate;
        while self.back.len() > self.burst() {
            self.back.pop_front();
        }
        self.pause(now + SECOND);
    }

    pub(crate) fn spacing(&self) -> Duration {
        self.rate.spacing()
    }

    fn burst(&self) -> usize {
        usize::try_from(self.rate.burst.get()).unwrap_or(usize::MAX)
    }

    fn window(&self) -> Duration {
        (self.spacing() * self.rate.burst.get()).min(SECOND)
    }
}

impl Rate {
    /// The time between two requests in the long run, rounded up to the nanosecond.
    pub(crate) fn spacing(self) -> Duration {
        let rate = u64::from(self.per_second.get());
        Duration::from_nanos(1_000_000_000_u64.div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        let some = |n| NonZeroU32::new(n).unwrap();
        Rate { per_second: some(per_second), burst: some(burst) }
    }

    /// Spends a token if one is available.
    fn take(bucket: &mut Bucket, now: Duration) -> bool {
        let is_there = bucket.ready_at() <= now;
        if is_there {
            bucket.spend(now);
        }
        is_there
    }

    /// The times at which a caller that never rests gets its tokens.
    fn greedy(bucket: &mut Bucket, count: usize) -> Vec<Duration> {
        let mut now = Duration::ZERO;
        (0..count)
            .map(|_| {
                now = now.max(bucket.ready_at());
                assert!(take(bucket, now));
                now
            })
            .collect()
    }

    #[test]
    fn a_burst_goes_out_at_once_and_the_rest_evenly_from_the_next_second() {
        let times = greedy(&mut Bucket::new(rate(8, 8)), 12);

        assert_eq!(times[7], Duration::ZERO);
        assert_eq!(times[8..], [1000, 1125, 1250, 1375].map(Duration::from_millis));
    }

    #[test]
    fn tokens_are_there_until_they_are_spent_and_again_after_a_second() {
        let mut bucket = Bucket::new(rate(4, 4));
        let full = bucket.tokens(Duration::ZERO);

        greedy(&mut bucket, 3);

        assert_eq!((full, bucket.tokens(Duration::ZERO), bucket.tokens(SECOND)), (4, 1, 2));
        assert_eq!(bucket.tokens(SECOND * 2), 4);
    }

    #[test]
    fn a_pause_costs_the_burst() {
        let mut bucket = Bucket::new(rate(4, 4));

        bucket.pause(Duration::from_secs(5));

        assert_eq!(greedy(&mut bucket, 3), [5000, 5250, 5500].map(Duration::from_millis));
    }

    #[test]
    fn a_pause_never_brings_a_token_forward() {
        let mut bucket = Bucket::new(rate(1, 1));
        assert!(take(&mut bucket, Duration::from_secs(10)));

        bucket.pause(Duration::from_millis(10_100));

        assert_eq!(bucket.ready_at(), Duration::from_secs(11));
    }

    proptest! {
        #[test]
        fn no_second_sees_more_than_the_rate_or_the_burst(
            per_second in 1_u32..20, burst in 1_u32..20, rests in prop::collection::vec(0_u64..1500, 1..200),
        ) {
            let mut bucket = Bucket::new(rate(per_second, burst));
            let mut now = Duration::ZERO;
            let mut spent = Vec::new();

            for rest in rests {
                now += Duration::from_millis(rest);
                while take(&mut bucket, now) {
                    spent.push(now);
                }
            }

            let most = usize::try_from(per_second.max(burst)).unwrap();
            for (at, start) in spent.iter().enumerate() {
                let within = spent[at..].iter().take_while(|time| **time < *start + SECOND).count();
                prop_assert!(within <= most, "{within} in the second after {start:?}");
            }
        }

        #[test]
        fn no_change_of_the_rate_brings_a_token_into_a_pause(
            rates in prop::collection::vec((1_u32..20, 1_u32..20, 0_u64..1500), 1..20), spent in 0_usize..20,
            pause in 0_u64..32_000,
        ) {
            let mut bucket = Bucket::new(rate(8, 8));
            for _ in 0..spent {
                take(&mut bucket, Duration::ZERO);
            }
            let until = Duration::from_millis(pause);
            bucket.pause(until);

            let mut now = Duration::ZERO;
            for (per_second, burst, rest) in rates {
                bucket.set_rate(now, rate(per_second, burst));
                now += Duration::from_millis(rest);

                prop_assert!(bucket.ready_at() >= until);
                prop_assert!(now >= until || bucket.tokens(now) == 0);
            }
        }

        #[test]
        fn the_long_run_sees_the_rate(per_second in 1_u32..20, burst in 1_u32..20) {
            let count = 400;

            let times = greedy(&mut Bucket::new(rate(per_second, burst)), count);

            let length = times[count - 1].as_secs_f64();
            let least = (f64::from(u32::try_from(count).unwrap()) - f64::from(burst) - 1.0) / f64::from(per_second);
            prop_assert!(length >= least);
            prop_assert!(length <= least + 3.0, "{length} s for {count}");
        }
    }
}
