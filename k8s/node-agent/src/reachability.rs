//! Whether Vault can be reached, and since when not.

use time::OffsetDateTime;

/// What the last calls found at each address of Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachability {
    /// Each address, with the time since which it is of no use, and why.
    pub addresses: Vec<(String, Option<(OffsetDateTime, String)>)>,
    /// Whether any address has answered since the process began.
    pub has_ever_answered: bool,
}

impl Reachability {
    /// Since when no address is of use; none while one is.
    pub fn away_since(&self) -> Option<OffsetDateTime> {
        let outages: Option<Vec<_>> =
            self.addresses.iter().map(|(_, outage)| outage.as_ref().map(|(since, _)| *since)).collect();
        outages?.into_iter().max()
    }
}
