//! What `revoke` did, as its answer shows it.

use std::collections::BTreeSet;

use rolesanywhere::RoleArn;
use time::OffsetDateTime;

use crate::credentials::ledger::Entry;
use crate::incident::targets::TargetDenial;
use crate::management::denial_policy::WrittenDenial;

/// What was denied in all IAM roles together.
#[derive(Default)]
pub(crate) struct RevocationReport {
    /// Serial numbers of the denied certificates, lowercase hexadecimal with colons.
    pub(crate) revoked: Vec<String>,
    /// The engine's roles that made them.
    pub(crate) roles: BTreeSet<String>,
    /// The IAM roles whose policies were written.
    pub(crate) role_arns: Vec<String>,
    /// The inline policy's name, the same in every IAM role: it contains the mount's id.
    pub(crate) policy_name: String,
    /// When the last of them expires. None before the first write.
    pub(crate) until: Option<OffsetDateTime>,
    /// The IAM roles whose policy IAM did not show in five looks after the write. The denial is written all the same.
    pub(crate) unseen: Vec<String>,
    /// The IAM roles whose sessions still live, each with its fault.
    pub(crate) failed: Vec<String>,
    /// The sessions that nobody asked to end and that a denial by source identity reached.
    pub(super) along: Vec<Entry>,
    /// What ends the sessions of further roles that the denied sessions made.
    pub(crate) targets: Vec<TargetDenial>,
    /// What the operator must know or do beside this.
    pub(crate) warnings: Vec<String>,
}

impl RevocationReport {
    /// Adds one denied session, which expires at `until`.
    pub(super) fn add(&mut self, serial: &str, role: &str, until: OffsetDateTime) {
        self.revoked.push(serial.to_owned());
        self.roles.insert(role.to_owned());
        self.until = self.until.max(Some(until));
    }

    /// Adds one IAM role whose policy was written.
    pub(super) fn wrote(&mut self, role: &RoleArn, policy_name: &str, denied: &WrittenDenial) {
        self.role_arns.push(role.to_string());
        policy_name.clone_into(&mut self.policy_name);
        if !denied.is_seen {
            self.unseen.push(role.to_string());
        }
        self.warnings.extend(denied.unnoted.clone());
    }
}
