//! A rate limiter: one call per second and account, AWS's limit for Roles Anywhere's own API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Spaces the calls of one account at least a second apart. Clones share it.
///
/// AWS counts trust anchors and profiles separately, per account and region. One limit for all calls of an account is
/// slower than necessary, and never too fast.
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/load-balancer-limits.html>
#[derive(Clone, Debug, Default)]
pub struct RateLimiter {
    /// When the last call of an account began, or will begin.
    last: Arc<Mutex<HashMap<String, Instant>>>,
}

const APART: Duration = Duration::from_secs(1);

impl RateLimiter {
    /// A rate limiter without any calls so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the account's turn. If the turn would come after `ends`, this fails at once and takes no turn.
    pub(crate) async fn turn(&self, account: &str, ends: Instant) -> Result<(), Error> {
        let start = self.reserve(account, ends).ok_or_else(too_late)?;
        tokio::time::sleep_until(start).await;
        Ok(())
    }

    fn reserve(&self, account: &str, ends: Instant) -> Option<Instant> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, began| *began + APART > now);
        let start = last.get(account).map_or(now, |began| *began + APART);
        if start >= ends {
            return None;
        }
        last.insert(account.to_owned(), start);
        Some(start)
    }
}

fn too_late() -> Error {
    let message =
        "other calls come first, at one per second and account, and none is left in time".to_owned();
    Error::Throttled { message, retry_after: None, request_id: None, attempts: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn calls_of_one_account_are_a_second_apart() {
        let rate_limiter = RateLimiter::new();
        let began = Instant::now();

        for turn in 0..3 {
            rate_limiter.clone().turn("111122223333", began + LONG).await.unwrap();
            assert_eq!(began.elapsed().as_secs(), turn);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_do_not_wait_for_each_other() {
        let rate_limiter = RateLimiter::new();
        let began = Instant::now();

        rate_limiter.turn("111122223333", began + LONG).await.unwrap();
        rate_limiter.turn("444455556666", began + LONG).await.unwrap();

        assert!(began.elapsed() < APART);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_after_the_deadline_is_told_at_once_and_costs_nobody_a_turn() {
        let rate_limiter = RateLimiter::new();
        let began = Instant::now();
        rate_limiter.turn("111122223333", began + LONG).await.unwrap();

        let late = rate_limiter.turn("111122223333", began + APART / 2).await.unwrap_err();
        assert!(matches!(late, Error::Throttled { .. }) && began.elapsed().is_zero(), "{late}");

        rate_limiter.turn("111122223333", began + LONG).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 1);
    }
}
