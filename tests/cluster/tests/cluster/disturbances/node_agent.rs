//! The node agent without itself, and with another engine role.

mod fallback;
mod killed;
mod rolled;

use tokio::task::{LocalSet, spawn_local};

/// Runs a story, and puts the cluster back as it was whatever became of it: the next story finds a whole one.
async fn put_back_after(story: impl Future<Output = ()> + 'static, put_back: impl AsyncFnOnce()) {
    let told = LocalSet::new().run_until(async { spawn_local(story).await }).await;
    put_back().await;
    if let Err(error) = told {
        std::panic::resume_unwind(error.into_panic());
    }
}
