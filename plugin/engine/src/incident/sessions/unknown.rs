//! Ends a session that the record of sessions does not have, by its serial number.

use ca::Serial;
use rolesanywhere::AssumeRole;
use vault_backend::Fault;

use super::denial::{MAX_SESSION, names_of, unfit};
use super::report::RevocationReport;
use super::request::RevocationRequest;
use crate::credentials::ledger::Selector;
use crate::ground::clock::{self, rfc3339};
use crate::ground::faults;
use crate::incident::incidents::Incidents;
use crate::incident::targets::{self, TargetDenial};
use crate::management::denial_policy::Owner;
use crate::records::role::Role;
use crate::records::role_options::SessionSharing;

impl Incidents {
    /// Denies a session that the record does not have: one from before it began, or another mount's. Its certificate's serial
    /// number is its name at AWS, and nothing else about it is known.
    ///
    /// It is denied for 12 hours from now, and every cached session of the role is dropped, because nobody can tell which
    /// one it is.
    ///
    /// # Errors
    /// The caller's fault without a serial number and a role, or if there is no such role. The operator's fault if the role names
    /// its sessions itself, so the serial number names none, or if its callers share sessions and `force` is absent.
    pub(super) async fn revoke_unknown(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
    ) -> Result<RevocationReport, Fault> {
        let since = rfc3339(self.credentials.ledger.began().await?);
        let (Selector::Serial(serial), Some(name)) = (&ask.which, &ask.role) else {
            return Err(Fault::caller(format!(
                "this mount, whose record of sessions begins at {since}, knows no live session of it: with a serial_number, give the role too; {}or end all sessions of a role with {}roles/<role>/revoke-sessions",
                ask.former_ids(owner).map(|what| format!("{what}; ")).unwrap_or_default(),
                owner.mount_point
            )));
        };
        let role = self.credentials.store().role(name).await?.ok_or_else(|| faults::no_role(name))?;
        let session = UnknownSession { serial, name, role: &role, since };
        session.check(owner, ask.force)?;
        let role_arn = ask.role_arn.as_ref().unwrap_or(&role.role_arn);
        let (mut iam, aws) = self.denials.open(owner, role_arn).await?;
        let mut policy = iam.read().await?;
        let now = aws.earliest();
        policy.prune(now);
        for session_name in names_of(serial) {
            policy.deny_session(&session_name, now + MAX_SESSION).map_err(unfit)?;
        }
        iam.check_room(&policy).await?;
        // Before the write. A session may be cached although the ledger does not know it: its record was given up, or a
        // flight lands just now.
        let ended = name.clone();
        self.credentials.services().invalidate(move |key| key.role() == ended);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        let mut done = RevocationReport::default();
        done.add(&serial.to_string(), name, now + MAX_SESSION);
        done.wrote(role_arn, &iam.policy_name, &denied);
        done.targets.extend(session.target());
        done.warnings.push(session.not_known());
        if ask.role_arn.is_none() {
            done.warnings.push(format!(
                "the session is denied in {role_arn}, the IAM role that the role {name:?} leads to now; if the role led to another one when the session was made, the session stays valid: run the command again with role_arn=<that IAM role>"
            ));
        }
        done.warnings.push(session.further());
        Ok(done)
    }
}

/// A session of which only its serial number is known, and what is said of it.
struct UnknownSession<'a> {
    serial: &'a Serial,
    /// The name of the engine's role that is said to have made it.
    name: &'a str,
    /// That role as it is now.
    role: &'a Role,
    /// Since when the mount keeps a record of sessions.
    since: String,
}

impl UnknownSession<'_> {
    /// Refuses a session that its serial number does not name at AWS, or that others may hold.
    fn check(&self, owner: Owner<'_>, is_forced: bool) -> Result<(), Fault> {
        let Self { name, since, .. } = self;
        if self.role.role_session_name.is_some() {
            // the engine names the sessions of the target, also where the role names those of its own IAM role
            let of_target =
                self.target().map_or_else(String::new, |target| format!("; {}", target.warning()));
            return Err(Fault::operator(format!(
                "role: {name:?} sets role_session_name, so a serial number does not identify a session, and the mount's record of sessions, which begins at {since}, does not have the session"
            )).cure(format!("end all sessions of the role with {}roles/{name}/revoke-sessions{of_target}", owner.mount_point)));
        }
        if self.role.sharing() != SessionSharing::None && !is_forced {
            return Err(Fault::operator(format!(
                "role: callers of {name:?} share sessions, and the mount's record of sessions, which begins at {since}, does not say who holds this one"
            )).cure("add force=true to end it anyway"));
        }
        Ok(())
    }

    /// What ends the sessions that it made of the role's target; none if the role has no target now.
    fn target(&self) -> Option<TargetDenial> {
        let until = clock::now() + AssumeRole::MAX_DURATION.as_duration();
        self.role.hop.target().map(|target| TargetDenial::by_name(target.clone(), self.serial, until))
    }

    fn not_known(&self) -> String {
        format!(
            "the mount's record of sessions, which begins at {}, does not have this session: nobody here knows whether it exists, who holds it, or which sessions of further roles it made",
            self.since
        )
    }

    /// Tells how to end sessions of a target that the role had earlier. The engine gives all of them the same name.
    fn further(&self) -> String {
        let (name, hex) = (self.name, self.serial.hex());
        let command = targets::command("<that role's name>", &targets::named_policy(self.serial));
        format!(
            "if the role {name:?} had another target_role_arn when the session was made: CloudTrail has its sessions of that role as AssumeRole with the roleSessionName {hex}; to end them, with credentials of that role's account: {command}"
        )
    }
}
