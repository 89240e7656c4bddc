//! Waiting for another process, with a bound and a name for the awaited event.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// The pause between two probes: short beside a Vault start (about 200 ms), long beside a system call.
const PAUSE: Duration = Duration::from_millis(20);

/// Calls `probe` again and again until it returns a value, for `within` at most.
///
/// # Panics
/// When `within` has passed; the message names `what`.
pub async fn until<T>(what: &str, within: Duration, probe: impl AsyncFnMut() -> Option<T>) -> T {
    look(what, within, PAUSE, probe).await
}

/// The same without a pause between two probes, for a test that must act before the call after the awaited one.
///
/// # Panics
/// When `within` has passed; the message names `what`.
pub async fn until_at_once<T>(what: &str, within: Duration, probe: impl AsyncFnMut() -> Option<T>) -> T {
    look(what, within, Duration::ZERO, probe).await
}

async fn look<T>(
    what: &str,
    within: Duration,
    pause: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for: {what}");
        if pause.is_zero() {
            yield_now().await;
        } else {
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(30);

    #[tokio::test]
    #[should_panic(expected = "waited 30ms in vain for: what never comes")]
    async fn a_wait_in_vain_ends_and_says_for_what() {
        until("what never comes", BOUND, async || None::<()>).await;
    }

    #[tokio::test]
    #[should_panic(expected = "waited 30ms in vain for: what never comes")]
    async fn a_wait_without_pauses_ends_too() {
        until_at_once("what never comes", BOUND, async || None::<()>).await;
    }

    #[tokio::test]
    async fn the_first_answer_ends_a_wait() {
        let mut looks = 0;

        let answer = until_at_once("the third look", BOUND, async || {
            looks += 1;
            (looks == 3).then_some("there")
        })
        .await;

        assert_eq!((answer, looks), ("there", 3));
    }
}
