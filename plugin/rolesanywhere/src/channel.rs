//! The way to AWS that a client and the calls signed with its sessions share.

use std::sync::Arc;

use crate::pace::Pace;
use crate::settings::Settings;
use crate::transport::Transport;

/// Settings that were checked, a transport made from them, and the pace of Roles Anywhere's own API. Clones share connections and pace.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) settings: Settings,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) pace: Pace,
}
