//! Ending single sessions, by serial number, entity or cluster.

use std::collections::{BTreeSet, HashSet};

use ca::Serial;
use rolesanywhere::RoleArn;
use rolesanywhere::revocation::Unfit;
use time::OffsetDateTime;
use tokio::time::Instant;
use vault_backend::{Fault, quote};

use crate::credentials::ledger::{self, Entry, Hold, RevocationScope, Selector};
use crate::ground::clock::{self, rfc3339};
use crate::ground::faults;
use crate::incident::incidents::Incidents;
use crate::management::denial_policy::{self, Owner, WrittenDenial};
use crate::records::role_options::SessionSharing;

/// IAM's longest session, for one of which nothing is known.
const MAX_SESSION: time::Duration = time::Duration::hours(12);

/// Selector sessions are to end.
pub(crate) struct RevocationRequest {
    pub(crate) which: Selector,
    pub(crate) role: Option<String>,
    /// In which IAM role a session is denied that is not known here.
    pub(crate) role_arn: Option<RoleArn>,
    pub(crate) force: bool,
}

impl Incidents {
    /// Ends the sessions that are meant.
    pub(crate) async fn end(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
    ) -> Result<RevocationReport, Fault> {
        let (now, role) = (clock::now(), ask.role.as_deref());
        let found = self.credentials.ledger.find(now, &ask.which, role);
        self.check(&found, ask)?;
        if found.is_empty() {
            if let Selector::Cluster(name) = &ask.which
                && self.credentials.snapshots.get().await?.clusters.accessor(name).is_none()
            {
                return Err(Fault::caller(format!(
                    "cluster: there is no cluster {}: vault list {}clusters",
                    quote(name),
                    owner.mount_point
                )));
            }
            check_role(&self.credentials.ledger.find(now, &ask.which, None))?;
        }
        let found = self.credentials.ledger.cut(now, &ask.which, role);
        self.credentials.forget(&found);
        // somebody may have been handed one of them in between
        self.check(&found, ask)?;
        let work = async {
            if found.is_empty() {
                Box::pin(self.revoke_unknown(owner, ask)).await
            } else {
                Box::pin(self.revoke_known(owner, ask, found)).await
            }
        };
        self.credentials.lifecycle.until_closed(work).await
    }

    /// Refuses what would take sessions from others, unless it is forced.
    fn check(&self, found: &[Entry], ask: &RevocationRequest) -> Result<(), Fault> {
        if ask.force {
            return Ok(());
        }
        check_unshared(found, &ask.which)?;
        self.check_unlike(found)
    }

    /// Refuses sessions that can only be denied by a source identity which others have too.
    fn check_unlike(&self, found: &[Entry]) -> Result<(), Fault> {
        let others = self.ended_along(found);
        let Some((first, identity)) =
            others.first().and_then(|entry| Some((entry, entry.source_identity.as_deref()?)))
        else {
            return Ok(());
        };
        Err(Fault::operator(format!(
"nothing was denied: the role names its sessions itself (role_session_name), so that they are denied by their source identity, and {} other living sessions would end along, such as {} of the role {:?} with the source identity {identity:?}",
others.len(),
first.serial,
first.origin.role,
)).cure("to end them all the same add force=true; a common_name with the caller in it keeps callers apart"))
    }

    /// The living sessions that a denial of those that were `found` reaches beside them.
    fn ended_along(&self, found: &[Entry]) -> Vec<Entry> {
        let meant: HashSet<&str> = found.iter().map(|entry| &*entry.serial).collect();
        let mut along = Vec::new();
        for (role, entries) in ledger::by_iam_role(found.to_vec()) {
            let identities: HashSet<&str> = entries.iter().filter_map(Entry::denied_by).collect();
            let is_reached =
                |entry: &Entry| entry.source_identity.as_deref().is_some_and(|own| identities.contains(own));
            let mut others = self.credentials.ledger.of_iam_role(clock::now(), &role);
            others.retain(|entry| is_reached(entry) && !meant.contains(&*entry.serial));
            along.append(&mut others);
        }
        along
    }

    /// Ends what can be ended: an IAM role that cannot be written to keeps the sessions of no other one alive.
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
                    return Err(Fault::later("not begun, since the call would last too long: ask again"));
                }
                Box::pin(self.revoke_of(owner, ask, (&role, &entries), &mut done)).await
            };
            if let Err(fault) = work.await {
                failed.push((role, fault));
            }
        }
        done.warnings.extend(self.unknown_ones(owner, &ask.which));
        done.warnings.extend(former_ids(owner, &ask.which));
        if done.revoked.is_empty()
            && let Some((_, fault)) = failed.pop()
        {
            return Err(fault);
        }
        if !failed.is_empty() {
            done.warnings
                .push(format!("the sessions of {} IAM roles still live: see `failed`", failed.len()));
            done.failed = failed.iter().map(|(role, fault)| format!("{role}: {fault}")).collect();
        }
        Ok(done)
    }

    /// What cannot be known of an entity's or a cluster's sessions.
    fn unknown_ones(&self, owner: Owner<'_>, which: &Selector) -> Option<String> {
        let (now, began) = (clock::now(), self.credentials.ledger.began());
        let why = if matches!(which, Selector::Serial(_)) {
            return None;
        } else if now - began < MAX_SESSION {
            format!("sessions of before this process began at {}", rfc3339(began))
        } else if self.credentials.ledger.has_forgotten(now) {
            "some of more sessions than can be remembered".to_owned()
        } else {
            return None;
        };
        Some(format!(
            "{why} are not known, and live on where they were not among these: to end every one of a role: vault write -force {}roles/<role>/revoke-sessions",
            owner.mount_point
        ))
    }

    /// Holds up reads of those who would get a session that is denied along, because it has the source identity of one of `entries`.
    fn hold_alike<'a>(&'a self, role: &RoleArn, entries: &[Entry]) -> Option<Hold<'a>> {
        let identities: HashSet<Box<str>> =
            entries.iter().filter_map(Entry::denied_by).map(Into::into).collect();
        (!identities.is_empty())
            .then(|| self.credentials.ledger.hold(RevocationScope::Identities(role.clone(), identities)))
    }

    async fn revoke_of(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
        (role, entries): (&RoleArn, &[Entry]),
        done: &mut RevocationReport,
    ) -> Result<(), Fault> {
        let (mut iam, aws) = self.denials.open(owner, role).await?;
        let mut policy = iam.read().await?;
        policy.prune(aws.earliest());
        let held = self.hold_alike(role, entries);
        let now = aws.latest();
        let denials: Vec<Denial> = entries.iter().map(|entry| Denial::of(entry, now)).collect();
        for denial in &denials {
            denial.add_to(&mut policy)?;
        }
        iam.check_room(&policy).await?;
        if let Some(later) = denials.iter().filter_map(Denial::issued_before).max() {
            aws.wait_past(later.saturating_add(time::Duration::SECOND)).await;
        }
        if !ask.force {
            self.check_unlike(entries)?;
        }
        self.credentials.forget(&self.ended_along(entries));
        self.credentials.forget(entries);
        drop(held);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        self.credentials.ledger.mark_denied(entries);
        for entry in entries {
            done.add(&entry.serial, &entry.origin.role, entry.expiration);
        }
        done.wrote(role, &iam.policy_name, &denied);
        done.warnings.extend(denials.iter().filter_map(Denial::warning));
        Ok(())
    }

    /// A session that was made before this process began, or by another mount: its name is known, nothing else.
    async fn revoke_unknown(
        &self,
        owner: Owner<'_>,
        ask: &RevocationRequest,
    ) -> Result<RevocationReport, Fault> {
        let since = rfc3339(self.credentials.ledger.began());
        let (Selector::Serial(serial), Some(name)) = (&ask.which, &ask.role) else {
            return Err(Fault::caller(format!(
                "no living session of it is known to this process, which began at {since}: with a serial_number, give the role too; {}or end all sessions of a role with {}roles/<role>/revoke-sessions",
                former_ids(owner, &ask.which).map(|what| format!("{what}; ")).unwrap_or_default(),
                owner.mount_point
            )));
        };
        let role = self.credentials.store().role(name).await?.ok_or_else(|| faults::no_role(name))?;
        if role.role_session_name.is_some() {
            return Err(Fault::operator(format!(
"role: {name:?} names its sessions itself (role_session_name), so that a serial number does not say which session is meant, and this process, which began at {since}, did not make it",
)).cure(format!("end all sessions of the role with {}roles/{name}/revoke-sessions", owner.mount_point)));
        }
        if role.sharing() != SessionSharing::None && !ask.force {
            return Err(Fault::operator(format!(
"role: callers of {name:?} share sessions, and this process, which began at {since}, does not know who has this one"
)).cure("to end it all the same add force=true"));
        }
        let role_arn = ask.role_arn.as_ref().unwrap_or(&role.role_arn);
        let (mut iam, aws) = self.denials.open(owner, role_arn).await?;
        let mut policy = iam.read().await?;
        let now = aws.earliest();
        policy.prune(now);
        for session_name in names_of(serial) {
            policy.deny_session(&session_name, now + MAX_SESSION).map_err(unfit)?;
        }
        iam.check_room(&policy).await?;
        // it may be kept all the same: forgotten for want of room, or made by a flight that lands just now
        let ended = name.clone();
        self.credentials.sessions.invalidate(move |key| key.role() == ended);
        let denied = iam.write(policy).await?;
        self.credentials.metrics.revoked();
        let mut done = RevocationReport::default();
        done.add(&serial.to_string(), name, now + MAX_SESSION);
        done.wrote(role_arn, &iam.policy_name, &denied);
        done.warnings.push(format!("this process, which began at {since}, did not make this session: whether there is one, and who has it, is not known"));
        if ask.role_arn.is_none() {
            done.warnings.push(format!(
            "it is denied in {role_arn}, to which the role {name:?} leads now; where the role led elsewhere when the session was made it lives on: the same command with role_arn=<the IAM role of then> ends it"
        ));
        }
        Ok(done)
    }
}

/// Refuses a session that is known, of another role than was asked for.
fn check_role(known: &[Entry]) -> Result<(), Fault> {
    let Some(entry) = known.first() else { return Ok(()) };
    Err(Fault::caller(format!("role: the session {} is of the role {:?}", entry.serial, entry.origin.role)))
}

fn check_unshared(found: &[Entry], which: &Selector) -> Result<(), Fault> {
    let shared: Vec<&Entry> = found.iter().filter(|entry| entry.others(which) > 0).collect();
    let Some(first) = shared.first() else { return Ok(()) };
    Err(Fault::operator(format!(
"nothing was denied: {} of {} sessions are shared, {} of the role {:?} with at least {} others who would lose it too",
shared.len(),
found.len(),
first.serial,
first.origin.role,
first.others(which)
)).cure("to end them all the same add force=true; with session_sharing=none on the role each caller has sessions of its own"))
}

/// Vault does not tell a plugin which entities were merged into one, so that who answers the incident has to look.
fn former_ids(owner: Owner<'_>, which: &Selector) -> Option<String> {
    let Selector::Entity(id) = which else { return None };
    Some(format!(
        "what an entity was handed before it was merged into this one is found by its former id alone: vault read -field=merged_entity_ids identity/entity/id/{id}, and vault write {}revoke entity_id=<former id> for each",
        owner.mount_point
    ))
}

/// What was denied, in all IAM roles together.
#[derive(Default)]
pub(crate) struct RevocationReport {
    /// Serial numbers.
    pub(crate) revoked: Vec<String>,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) role_arns: Vec<String>,
    pub(crate) policy_name: String,
    /// When the last of them is over.
    pub(crate) until: Option<OffsetDateTime>,
    /// Each IAM role whose policy IAM did not show yet.
    pub(crate) unseen: Vec<String>,
    pub(crate) failed: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl RevocationReport {
    fn add(&mut self, serial: &str, role: &str, until: OffsetDateTime) {
        self.revoked.push(serial.to_owned());
        self.roles.insert(role.to_owned());
        self.until = self.until.max(Some(until));
    }

    fn wrote(&mut self, role: &RoleArn, policy_name: &str, denied: &WrittenDenial) {
        self.role_arns.push(role.to_string());
        policy_name.clone_into(&mut self.policy_name);
        if !denied.is_seen {
            self.unseen.push(role.to_string());
        }
        self.warnings.extend(denied.unnoted.clone());
    }
}

/// AWS's session name is the serial number in hexadecimal; whether it pads an odd number of digits is not documented.
fn names_of(serial: &Serial) -> Vec<String> {
    let padded = serial.hex();
    let bare = padded.trim_start_matches('0').to_owned();
    if bare == padded { vec![padded] } else { vec![padded, bare] }
}

/// By what a session is denied.
enum Denial {
    /// Its name, which no other session has.
    Name { name: String, until: OffsetDateTime },
    /// The role names its sessions itself, so that the next one has the name too: by whom it is, up to now.
    Identity { identity: String, before: OffsetDateTime, until: OffsetDateTime },
}

impl Denial {
    fn of(entry: &Entry, now: OffsetDateTime) -> Self {
        let until = entry.expiration;
        match entry.denied_by() {
            Some(identity) => Self::Identity { identity: identity.to_owned(), before: now, until },
            None => Self::Name { name: entry.session_name.to_string(), until },
        }
    }

    fn add_to(&self, policy: &mut rolesanywhere::revocation::Policy) -> Result<(), Fault> {
        match self {
            Self::Name { name, until } => policy.deny_session(name, *until).map_err(unfit),
            Self::Identity { identity, before, until } => {
                policy.deny_source_identity(identity, *before, *until).map_err(unfit)
            }
        }
    }

    fn issued_before(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Name { .. } => None,
            Self::Identity { before, .. } => Some(*before),
        }
    }

    fn warning(&self) -> Option<String> {
        match self {
            Self::Name { .. } => None,
            Self::Identity { identity, before, .. } => Some(format!(
                "the role names its sessions itself: every session of {identity:?} in this IAM role that was issued before {} is denied",
                rfc3339(*before)
            )),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unfit(error: Unfit) -> Fault {
    Fault::operator(error.to_string()).cure_is_told()
}
