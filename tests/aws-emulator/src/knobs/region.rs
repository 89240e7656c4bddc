//! Knobs of one region, which hit every regional service there: Roles Anywhere, STS and ECR. IAM stands in no region.

use serde::{Deserialize, Serialize};

/// What is wrong with a region. `dead`, `failing` and `latency_ms` of the emulator whose address is asked hit the calls of every account there;
/// the rest is of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionKnobs {
    /// Every connection is closed after the request arrived, without a reply.
    pub dead: bool,
    /// The delay of every call beside [`Knobs::latency_ms`](super::Knobs::latency_ms), in milliseconds.
    pub latency_ms: u64,
    /// Every call is refused as one too many.
    pub throttled: bool,
    /// Every call fails with this 5xx.
    pub failing: Option<u16>,
    /// The account has not opted in to the region: its services know none of the account's keys.
    pub not_enabled: bool,
    /// How far the region's clock is ahead of [`Knobs::clock_offset_seconds`](super::Knobs::clock_offset_seconds); negative is behind.
    pub clock_offset_seconds: i64,
    /// `CreateSession` calls per second in this region, in place of [`Knobs::max_tps`](super::Knobs::max_tps).
    pub max_tps: Option<u32>,
}

/// What becomes of a call in a region, whatever it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Dead,
    Failing(u16),
    Throttled,
    NotEnabled,
}

impl RegionKnobs {
    /// The worst that the region has.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        if self.dead {
            return Some(Trouble::Dead);
        }
        let failing = self.failing.map(Trouble::Failing);
        let throttled = self.throttled.then_some(Trouble::Throttled);
        failing.or(throttled).or(self.not_enabled.then_some(Trouble::NotEnabled))
    }
}
