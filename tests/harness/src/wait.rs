//! Waiting for another process to get somewhere, with a bound and a name for what is awaited.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two looks: short beside a Vault start (about 200 ms), long beside a system call.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` again and again until it answers, for `within` at most.
///
/// # Panics
/// When `within` has passed; the message names `what`.
pub async fn until<T>(what: &str, within: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for: {what}");
        sleep(PAUSE).await;
    }
}
