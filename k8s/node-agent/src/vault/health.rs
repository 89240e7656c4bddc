//! Whether a node of Vault is of use, by the two pages that anyone may read
//! (<https://developer.hashicorp.com/vault/api-docs/system/health>, `/system/leader`).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::kind_of;
use super::upstreams::NodeFault;

/// The health of a node, with 200 in each state.
pub(super) const HEALTH: &str =
    "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200&drsecondarycode=200";
/// Who leads the node's cluster.
pub(super) const LEADER: &str = "sys/leader";

#[derive(Deserialize)]
struct Health {
    initialized: bool,
    sealed: bool,
    #[serde(default)]
    standby: bool,
}

#[derive(Deserialize)]
struct Leader {
    #[serde(default)]
    leader_address: String,
}

/// Reads a node's health: whether it is a standby, which is of use only while its cluster has a leader.
///
/// # Errors
/// It is sealed or not initialized, or this is no Vault.
pub(super) fn needs_leader(body: &Zeroizing<Vec<u8>>) -> Result<bool, NodeFault> {
    let health: Health = serde_json::from_slice(body).map_err(|_| foreign(body))?;
    match health {
        Health { initialized: false, .. } => Err(NodeFault::NotActive("it is not initialized".to_owned())),
        Health { sealed: true, .. } => Err(NodeFault::Sealed),
        Health { standby, .. } => Ok(standby),
    }
}

/// Reads who leads.
///
/// # Errors
/// Nobody does.
pub(super) fn leader(body: &Zeroizing<Vec<u8>>) -> Result<(), NodeFault> {
    let leader: Leader = serde_json::from_slice(body).map_err(|_| foreign(body))?;
    if leader.leader_address.is_empty() {
        return Err(NodeFault::NotActive("it is a standby, and its cluster has no leader".to_owned()));
    }
    Ok(())
}

fn foreign(body: &Zeroizing<Vec<u8>>) -> NodeFault {
    NodeFault::Foreign(kind_of(body).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_node_is_of_use_unless_it_is_sealed_uninitialized_or_a_standby_without_a_leader() {
        let of = |initialized, sealed, standby| {
            needs_leader(&body(&format!(
                r#"{{"initialized":{initialized},"sealed":{sealed},"standby":{standby},"version":"1.21.1"}}"#
            )))
        };

        assert_eq!((of(true, false, false), of(true, false, true)), (Ok(false), Ok(true)));
        assert_eq!(of(true, true, true), Err(NodeFault::Sealed));
        assert!(matches!(of(false, true, true), Err(NodeFault::NotActive(_))));
        assert!(matches!(
            leader(&body(r#"{"ha_enabled":true,"leader_address":""}"#)),
            Err(NodeFault::NotActive(_))
        ));
        assert_eq!(leader(&body(r#"{"leader_address":"https://a:8200"}"#)), Ok(()));
    }

    #[test]
    fn a_page_of_something_else_is_no_health() {
        assert_eq!(needs_leader(&body("<html>")), Err(NodeFault::Foreign("HTML".to_owned())));
    }
}
