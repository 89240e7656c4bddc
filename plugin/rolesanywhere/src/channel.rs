//! What a client and its signed clients share to reach AWS.

use std::sync::Arc;

use crate::rate_limiter::RateLimiter;
use crate::settings::Settings;
use crate::transport::Transport;

/// Checked settings, a transport made from them, and the rate limiter of Roles Anywhere's own API. Clones share
/// connections and rate limiter.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) settings: Settings,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) rate_limiter: RateLimiter,
}
