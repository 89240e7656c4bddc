//! The mount's records as they stood when a response began.

use rolesanywhere::{RoleArn, TrustAnchorArn};
use strum::VariantArray;
use vault_backend::Fault;

use super::report::{ReportLine, StepOutcome};
use crate::issuers::{self, Issuers, Loaded};
use crate::management::trust_anchors::in_use;
use crate::records::config::Config;
use crate::records::managed_anchor::{Duty, ManagedAnchor};
use crate::records::role::Role;
use crate::store::Store;

/// The records that a response works from. It reads them once, because a mount may have thousands of roles and each pass reads
/// all of them.
///
/// A role that is written meanwhile is missing here. Its sessions are not missed, because the ledger knows them.
pub(super) struct Inventory {
    /// The defaults that roles without an anchor or a profile use; empty if the mount has no config.
    pub(super) config: Config,
    /// All issuers, the compromised one included.
    pub(super) issuers: Issuers,
    /// The roles of the engine, by name.
    pub(super) roles: Vec<(String, Role)>,
    /// The managed trust anchors, by name. An entry without a management role is in it too, and a person must sync that one.
    pub(super) anchors: Vec<(String, ManagedAnchor)>,
}

impl Inventory {
    /// Reads all of it from storage, in one pass for each kind of record.
    ///
    /// # Errors
    /// Storage's, and the operator's fault if a record was written by a later version.
    pub(super) async fn read(store: &Store, issuers: Issuers) -> Result<Self, Fault> {
        Ok(Self {
            config: store.config().await?.unwrap_or_default(),
            issuers,
            roles: store.roles().await?,
            anchors: store.managed_anchors().await?,
        })
    }

    /// The issuers whose certificates have the same key as `issuer`, `issuer` included. The key is compromised, so all of them
    /// are.
    pub(super) fn of_the_key(&self, issuer: &Loaded) -> Vec<&Loaded> {
        self.issuers.all.iter().filter(|one| one.issuer.key_sha256() == issuer.issuer.key_sha256()).collect()
    }

    /// The trust anchors that roles or the config use and that `trust-anchors` has no entry for. The engine cannot look at them,
    /// so a person must.
    pub(super) fn unmanaged(&self, mount_point: &str) -> Vec<TrustAnchorArn> {
        let mut arns = in_use(&self.config, &self.roles, mount_point);
        arns.retain(|arn| !self.anchors.iter().any(|(_, anchor)| anchor.trust_anchor_arn == *arn));
        arns
    }

    /// A line for each role that names an issuer of the key in `issuer_ref`: such a role gets no credentials until it names
    /// another one.
    pub(super) fn pinned(&self, issuer: &Loaded, mount_point: &str) -> Vec<ReportLine> {
        let by_hand = |name: String| {
            let what = format!("vault patch {mount_point}roles/{name} issuer_ref=default");
            ReportLine::new(format!("role {name} names the issuer"), StepOutcome::ByHand(what))
        };
        let of_the_key = self.of_the_key(issuer).into_iter();
        of_the_key.flat_map(|one| issuers::roles_naming(&self.roles, &one.record)).map(by_hand).collect()
    }

    /// Lines for what the key opened beyond the mount's roles: the engine's own IAM roles, which it may not write to, and IAM
    /// roles that nobody named here.
    pub(super) fn beyond(&self, mount_point: &str) -> Vec<ReportLine> {
        let mut lines = Vec::new();
        for (name, anchor) in &self.anchors {
            let of_duties = Duty::VARIANTS.iter().filter_map(|duty| anchor.role(*duty));
            let roles: Vec<&str> = of_duties.map(RoleArn::as_str).collect();
            if roles.is_empty() {
                continue;
            }
            let what = format!(
                "use \"Revoke active sessions\" of {} in IAM's console; then `foreign` of vault read {}trust-anchors/{name}/sync must be empty, because the holder of the key could act as the engine there",
                roles.join(", "),
                mount_point
            );
            lines.push(ReportLine::new(
                format!("end the engine's own sessions at trust-anchors/{name}"),
                StepOutcome::ByHand(what),
            ));
        }
        lines.push(ReportLine::new("end the sessions of other IAM roles", StepOutcome::ByHand(
            "use \"Revoke active sessions\" of every IAM role whose trust policy admits one of these anchors and that a profile lists, even if no role of this mount names it, because the holder of the key could request its sessions".to_owned(),
        )));
        lines
    }
}
