//! Ends single sessions, selected by serial number, entity or cluster.
//!
//! A session that this mount handed out is denied by its name or, if its role sets `role_session_name`, by its source identity.
//! A session that its record does not have can be denied only by serial number and role. Either way the cached copy is dropped before the
//! policy is written, and a denial that would hit other callers is refused unless it is forced.

mod denial;
mod report;
mod request;
mod unknown;

use std::collections::HashSet;

use rolesanywhere::RoleArn;
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::{Fault, quote};

use denial::{Denial, MAX_SESSION};
pub(crate) use report::RevocationReport;
pub(crate) use request::RevocationRequest;

use crate::credentials::ledger::{self, Entry, Hold, KnownSessions, RevocationScope, Selector};
use crate::ground::clock::{self, rfc3339};
use crate::incident::incidents::Incidents;
use crate::incident::targets::{self, TargetDenial};
use crate::management::denial_policy::{self, Owner};

impl Incidents {
    /// Ends the selected sessions: drops the cached copies, then denies them in each of their IAM roles.
    ///
    /// # Errors
    /// The caller's fault if the cluster is not registered, if the session belongs to another role, or if nothing is known of it
    /// and the request names no serial number with a role. The operator's fault if others would lose a session and `force` is
    /// absent, or if an unknown session's role names its sessions itself. AWS's refusal only if no IAM role at all could be
    /// changed: otherwise the report lists the failures.
    pub(crate) async fn end(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
    ) -> Result<RevocationReport, Fault> {
        let (now, role) = (clock::now(), ask.role.as_deref());
        let known = self.needed(now, &ask.which).await?;
        let unreadable = known.unreadable.clone();
        if known.find(&ask.which, role).is_empty() {
            if let Selector::Cluster(name) = &ask.which
                && self.credentials.snapshots.get().await?.clusters.accessor(name).is_none()
            {
                return Err(Fault::caller(format!(
                    "cluster: there is no cluster {}: vault list {}clusters",
                    quote(name),
                    owner.mount_point
                )));
            }
            check_role(&known.find(&ask.which, None))?;
        }
        // From here on these sessions are handed to nobody else, and selected reads that are under way get nothing. A refused
        // request leaves every session as it was.
        let found = self
            .credentials
            .ledger
            .cut(known, &ask.which, role, |found, known| check(found, ask, || ended_along(found, known)))?;
        self.credentials.forget(&found);
        let (known, moment) = (found.clone(), clock::now());
        let work = async {
            if found.is_empty() {
                Box::pin(self.revoke_unknown(owner, ask)).await
            } else {
                Box::pin(self.revoke_known(owner, ask, found)).await
            }
        };
        let done = self.credentials.lifecycle.until_closed(work).await;
        let mut done = done.map_err(|fault| targets::beside(fault, &known, moment))?;
        done.warnings.extend(self.gaps(&unreadable, "sessions in them stay valid"));
        let denied = [known, std::mem::take(&mut done.along)].concat();
        done.targets.extend(targets::denials(&denied, moment));
        done.warnings.extend(done.targets.iter().map(TargetDenial::warning));
        Ok(done)
    }

    /// Reads the sessions that a revocation of `which` must look at: those that are meant, and those that a denial by source
    /// identity reaches beside them.
    ///
    /// # Errors
    /// Storage's.
    async fn needed(&self, now: OffsetDateTime, which: &Selector) -> Result<KnownSessions<'_>, Fault> {
        let ledger = &self.credentials.ledger;
        let known = ledger.known(now, |entry| entry.is_meant(which, None)).await?;
        let named: Vec<Entry> =
            known.find(which, None).into_iter().filter(|entry| entry.denied_by().is_some()).collect();
        if named.is_empty() {
            return Ok(known);
        }
        drop(known);
        ledger.known(now, |entry| entry.is_meant(which, None) || is_reached(entry, &named)).await
    }

    /// Denies known sessions, one IAM role after the other. A role that cannot be written to does not stop the others: its fault
    /// goes into `failed` of the report.
    ///
    /// A role that is not begun within [`denial_policy::MAX_CALL`] fails with a fault that asks for a repeat. The repeat makes
    /// progress, because roles with sessions that are not denied yet come first.
    ///
    /// # Errors
    /// The last role's fault if nothing at all was denied: a report of an empty success would mislead.
    async fn revoke_known(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
        found: Vec<Entry>,
    ) -> Result<RevocationReport, Fault> {
        let began = Instant::now();
        let (mut done, mut failed) = (RevocationReport::default(), Vec::new());
        for (role, entries) in ledger::by_iam_role(found) {
            let work = async {
                if began.elapsed() > denial_policy::MAX_CALL {
                    return Err(Fault::later(
                        "not begun, because the call would take too long: run the command again",
                    ));
                }
                let of_role = SessionsOf { role: &role, entries: &entries };
                Box::pin(self.revoke_of(owner, ask, of_role, &mut done)).await
            };
            if let Err(fault) = work.await {
                failed.push((role, fault));
            }
        }
        done.warnings.extend(self.unknown_ones(owner, &ask.which).await?);
        done.warnings.extend(ask.former_ids(owner));
        if done.revoked.is_empty()
            && let Some((_, fault)) = failed.pop()
        {
            return Err(fault);
        }
        if !failed.is_empty() {
            done.warnings
                .push(format!("the sessions of {} IAM roles are still valid: see `failed`", failed.len()));
            done.failed = failed.iter().map(|(role, fault)| format!("{role}: {fault}")).collect();
        }
        Ok(done)
    }

    /// Warns that an entity or a cluster may have sessions that the mount does not know: those made before it kept a record, as
    /// long as they may live, and those whose record was given up. None for a serial number.
    ///
    /// # Errors
    /// Storage's.
    async fn unknown_ones(&self, owner: Owner<'_>, which: &Selector) -> Result<Option<String>, Fault> {
        let (now, began) = (clock::now(), self.credentials.ledger.began().await?);
        let why = if matches!(which, Selector::Serial(_)) {
            return Ok(None);
        } else if now - began < MAX_SESSION {
            format!(
                "sessions from before the mount's record of sessions, which begins at {}, are",
                rfc3339(began)
            )
        } else if self.credentials.ledger.backlog(now).has_lost {
            "some sessions that were handed out while storage took no writes are".to_owned()
        } else {
            return Ok(None);
        };
        Ok(Some(format!(
            "{why} not known, and stay valid unless they are among these; to end all sessions of a role: vault write -force {}roles/<role>/revoke-sessions",
            owner.mount_point
        )))
    }

    /// Holds up reads that may get a session with the source identity of one of `entries`, because such a session would be denied
    /// too. None if all of them are denied by name. Reads go on when the answer is dropped.
    fn hold_alike<'a>(&'a self, role: &RoleArn, entries: &[Entry]) -> Option<Hold<'a>> {
        let identities: HashSet<Box<str>> =
            entries.iter().filter_map(Entry::denied_by).map(Into::into).collect();
        (!identities.is_empty())
            .then(|| self.credentials.ledger.hold(RevocationScope::Identities(role.clone(), identities)))
    }

    /// Denies sessions of one IAM role, and adds them to `done` after the write.
    ///
    /// # Errors
    /// The operator's fault if the policy is not ours, has no room, or would now hit others; a fault of a session name that does
    /// not fit into a policy; AWS's refusal otherwise. `done` is then unchanged.
    async fn revoke_of(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
        SessionsOf { role, entries }: SessionsOf<'_>,
        done: &mut RevocationReport,
    ) -> Result<(), Fault> {
        let (mut iam, aws) = self.denials.open(owner, role).await?;
        let mut policy = iam.read().await?;
        // By the earliest time that AWS's clock may show: an entry must not go while its session may live.
        policy.prune(aws.earliest());
        // Before the moment is chosen: a session of the same identity that begins in between would be denied.
        let held = self.hold_alike(role, entries);
        let now = aws.latest();
        let denials: Vec<Denial> = entries.iter().map(|entry| Denial::of(entry, now)).collect();
        for denial in &denials {
            denial.add_to(&mut policy)?;
        }
        // Before cached sessions are dropped: a document that does not fit changes nothing.
        iam.check_room(&policy).await?;
        // One second more, because the policy rounds the moment up to the second: sessions that begin afterwards are dated past
        // it.
        if let Some(later) = denials.iter().filter_map(Denial::issued_before).max() {
            aws.wait_past(later.saturating_add(time::Duration::SECOND)).await;
        }
        // Again, because callers may have been handed sessions of the same identity while this waited.
        let along = if held.is_some() {
            let reached = self.credentials.ledger.known(clock::now(), |entry| is_reached(entry, entries));
            ended_along(entries, &reached.await?)
        } else {
            Vec::new()
        };
        if !ask.force {
            check_unlike(&along)?;
        }
        // Before the write: no caller may receive a denied session, and a write that fails may have landed.
        self.credentials.forget(&along);
        self.credentials.forget(entries);
        drop(held);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        // After the write alone: a repeated call goes on with the roles whose sessions are not marked.
        self.credentials.ledger.mark_denied(entries);
        for entry in entries {
            done.add(entry.serial(), entry.role(), entry.expiration());
        }
        done.along.extend(along);
        done.wrote(role, &iam.policy_name, &denied);
        done.warnings.extend(denials.iter().filter_map(Denial::warning));
        Ok(())
    }
}

/// Whether a denial of one of `denied` by its source identity reaches the session: it is of the same IAM role and has that source
/// identity.
fn is_reached(entry: &Entry, denied: &[Entry]) -> bool {
    denied.iter().any(|one| {
        one.denied_by().is_some()
            && one.denied_by() == entry.source_identity()
            && one.role_arn() == entry.role_arn()
    })
}

/// Refuses a revocation that would take sessions from other callers, unless it is forced. `along` returns the sessions that a
/// denial of `found` reaches beside them.
fn check(found: &[Entry], ask: &RevocationRequest, along: impl FnOnce() -> Vec<Entry>) -> Result<(), Fault> {
    if ask.force {
        return Ok(());
    }
    check_unshared(found, &ask.which)?;
    check_unlike(&along())
}

/// Refuses sessions that can be denied only by a source identity that these other living sessions have too.
fn check_unlike(others: &[Entry]) -> Result<(), Fault> {
    let Some((first, identity)) = others.first().and_then(|entry| Some((entry, entry.source_identity()?)))
    else {
        return Ok(());
    };
    Err(Fault::operator(format!(
"nothing was denied: the role sets role_session_name, so its sessions are denied by their source identity, and {} other live sessions would end too, such as {} of the role {:?} with the source identity {identity:?}",
others.len(),
first.serial(),
first.role(),
)).cure("add force=true to end them anyway; a common_name that contains the caller keeps callers apart"))
}

/// The living sessions that are not in `found` and that a denial of `found` reaches all the same: sessions of the same IAM role
/// with a source identity that is denied. Empty if every session is denied by its own name.
fn ended_along(found: &[Entry], known: &KnownSessions<'_>) -> Vec<Entry> {
    let meant: HashSet<&str> = found.iter().map(Entry::serial).collect();
    known.those(|entry| is_reached(entry, found) && !meant.contains(entry.serial()))
}

/// Tells a session that is known under another role from one that is not known at all. `known` was searched without the role.
fn check_role(known: &[Entry]) -> Result<(), Fault> {
    let Some(entry) = known.first() else { return Ok(()) };
    Err(Fault::caller(format!("role: the session {} belongs to the role {:?}", entry.serial(), entry.role())))
}

/// Refuses sessions that others share beside those selected. Holders that a session does not list count as at least one.
fn check_unshared(found: &[Entry], which: &Selector) -> Result<(), Fault> {
    let shared: Vec<&Entry> = found.iter().filter(|entry| entry.others(which) > 0).collect();
    let Some(first) = shared.first() else { return Ok(()) };
    Err(Fault::operator(format!(
"nothing was denied: {} of {} sessions are shared; other callers would lose {} of the role {:?} too (at least {})",
shared.len(),
found.len(),
first.serial(),
first.role(),
first.others(which)
)).cure("add force=true to end them anyway; session_sharing=none on the role gives each caller its own sessions"))
}

/// Known sessions of one IAM role.
struct SessionsOf<'a> {
    role: &'a RoleArn,
    entries: &'a [Entry],
}
