//! Tells why a read of credentials is refused: it judges every link between the CA and AWS's answer, in order.
//!
//! ```text
//! local ──▶ reach ──▶ asking ──▶ session, or AWS's refusal ──▶ refusal: which link it is about
//!                     looking ─▶ anchor, profile, role policy (where there is a check_role_arn)
//!                        └────────────▶ anchor, profile, policy, outcome: a verdict for each link ──▶ report
//! ```
//!
//! Only `asking.rs`, `looking.rs` and this file call AWS; the others judge what those saw. No anchor, profile or role is changed,
//! and no session that a check makes is handed out. Start reading in `link.rs`.

mod anchor;
mod asking;
mod cures;
mod hop;
mod link;
mod local;
mod looking;
mod outcome;
mod policy;
mod profile;
mod reach;
mod refusal;
mod report;
mod subject;
mod verdict;

use std::sync::Arc;

use vault_backend::{Blame, Fault, Request};

use crate::credentials::service::Credentials;
use crate::credentials::session_spec::SessionSpec;
use crate::ground::clock;
use crate::ground::concurrency::ConcurrencyLimit;
use crate::ground::faults;
use crate::management::own_session::OwnSessions;
use crate::records::anchorage::Anchorage;
use crate::records::role::Role;
use crate::snapshot::Snapshot;
use asking::{CallOutcome, NotAsked, Wanted};
use cures::RoleEvidence;
use hop::HopOutcome;
use identity::Caller;
use identity::SubjectField;
use link::Link;
use subject::{CheckedRole, PATIENCE, PlannedCall};
use verdict::{Cure, Verdict};

pub(crate) use report::CheckReport;

/// The checks of one mount.
pub(crate) struct Checks {
    /// Makes the session that a check asks for, under the same quota as `creds`.
    credentials: Arc<Credentials>,
    /// Signs in as the engine itself, to read anchor, profile and IAM role.
    own: Arc<OwnSessions>,
    /// The checks under way. The path takes a permit before it calls [`Checks::run`], because each check costs AWS calls.
    pub(crate) looks: ConcurrencyLimit,
}

impl Checks {
    pub(crate) fn new(credentials: Arc<Credentials>, own: Arc<OwnSessions>) -> Self {
        Self { credentials, own, looks: ConcurrencyLimit::new("checks") }
    }

    /// Checks each link of the role `name` for the sender of `request`, in each of its places. A report has a verdict for every
    /// link.
    ///
    /// # Errors
    /// The caller's fault if there is no such role, and storage's faults. A link that is broken is not an error but a verdict.
    pub(crate) async fn run(&self, request: &Request, name: &str) -> Result<CheckReport, Fault> {
        let role = self.credentials.store().role(name).await?.ok_or_else(|| faults::no_role(name))?;
        let snapshot = self.credentials.snapshots.get().await?;
        let places = role.places(&snapshot.config, &request.mount_point);
        let places: Vec<Anchorage> = places.iter().flat_map(|places| places.iter().cloned()).collect();
        let [first, further @ ..] = places.as_slice() else {
            // the ARNs do not go together: the report says so
            return Ok(Box::pin(self.run_at(request, &snapshot, name, &role)).await);
        };
        // one place is the role as it is, so that cures name the field that holds it
        let in_first = if further.is_empty() { role.clone() } else { role.at_place(first) };
        let mut report = Box::pin(self.run_at(request, &snapshot, name, &in_first)).await;
        for place in further {
            let region = place.trust_anchor.region().to_string();
            let there = Box::pin(self.run_at(request, &snapshot, name, &role.at_place(place))).await;
            report = report.with_place(region, there);
        }
        Ok(report)
    }

    /// Checks each link of a role that has one place.
    async fn run_at(
        &self,
        request: &Request,
        snapshot: &Arc<Snapshot>,
        name: &str,
        role: &Role,
    ) -> CheckReport {
        let subject = CheckedRole { name, role, mount_point: &request.mount_point };
        let mut report = CheckReport::default();
        // The local links come first: a caller who gets no certificate must cost AWS nothing.
        let plan = plan(snapshot, request, subject, &mut report).await;
        let Ok(anchorage) = role.anchorage(&snapshot.config, subject.mount_point) else {
            return report.rest(role, NotAsked::Broken);
        };
        let asked = match plan {
            Err(Blame::Caller) => CallOutcome::Not(NotAsked::Stranger),
            ref plan => match (reach(snapshot, &anchorage, &mut report).await, plan) {
                (false, Ok(_)) => CallOutcome::Not(NotAsked::Unreached),
                (_, Err(_)) => CallOutcome::Not(NotAsked::Broken),
                (true, Ok(plan)) => {
                    asking::ask(&self.credentials, request, Wanted { snapshot, subject, plan }).await
                }
            },
        };
        // After CreateSession: its outcome decides whether AWS is asked at all, and how a refusal of the engine's own session is
        // told.
        let seen = looking::look(&self.own, self.credentials.store(), subject, &anchorage, &asked).await;
        let identity = who(snapshot, &anchorage, &asked).await;
        let plan = plan.ok();
        let hop = hop(snapshot, &anchorage, &asked, plan.as_ref()).await;
        let evidence = Evidence { subject, snapshot, anchorage: &anchorage, plan, asked, seen };
        judge(&mut report, &evidence);
        report.note(Link::Identity, outcome::identity(identity.as_ref()));
        if let (Some(call), Some(outcome)) = (evidence.plan.as_ref().and_then(|plan| plan.hop.as_ref()), &hop)
        {
            hop::judge(&mut report, &hop::CheckedHop { subject, call, seen: &evidence.seen }, outcome);
        }
        // Last, because a cure may depend on the verdicts of two links.
        let known = RoleEvidence { subject, own_profile: evidence.seen.own_profile.as_deref() };
        cures::settle(report, known).rest(role, NotAsked::Broken)
    }
}

/// Everything that was seen, for the judges.
struct Evidence<'a> {
    subject: CheckedRole<'a>,
    /// Config, issuers, clusters and client as they stood when the check began.
    snapshot: &'a Snapshot,
    /// The trust anchor and the profile that the role is used with.
    anchorage: &'a Anchorage,
    /// None if a local link is broken.
    plan: Option<PlannedCall<'a>>,
    /// How CreateSession ended.
    asked: CallOutcome,
    /// What AWS showed the engine.
    seen: looking::AwsState,
}

/// Judges the local links and builds the call.
///
/// # Errors
/// Who must act: the caller if no certificate or session name can be made for this caller, the operator if the mount has nothing
/// to sign with. The verdicts are in `report` already.
async fn plan<'a>(
    snapshot: &'a Snapshot,
    request: &Request,
    subject: CheckedRole<'_>,
    report: &mut CheckReport,
) -> Result<PlannedCall<'a>, Blame> {
    let CheckedRole { name, role, mount_point } = subject;
    let authority = local::authority(&snapshot.issuers, subject, clock::now(), report);
    local::account_and_region(role.anchorage(&snapshot.config, mount_point), report);
    let caller = match Caller::find(request, role.audience(name), &snapshot.clusters).await {
        Ok(caller) => caller,
        Err(fault) => {
            report.note(Link::Certificate, local::stranger(&fault, subject));
            return Err(fault.blame());
        }
    };
    if let Some(Err(fault)) =
        role.role_session_name.as_ref().map(|text| text.resolve(SubjectField::SessionName, &caller))
    {
        report.note(Link::SessionName, local::stranger(&fault, subject));
        return Err(fault.blame());
    }
    let leaf = role.subject.profile(name, &caller, role.key(), role.certificate_ttl());
    let leaf = leaf.and_then(|leaf| leaf.check().map(|()| leaf).map_err(faults::ca));
    local::leaf(leaf, subject, &caller, report);
    let spec = SessionSpec::new(snapshot, subject.named(), &caller, None, mount_point)
        .map_err(|fault| fault.blame())?;
    let hop = role.duration(None).and_then(|wanted| role.hop.call(&caller, wanted)).map_err(|fault| {
        report.note(Link::TargetSessionTags, local::stranger(&fault, subject));
        fault.blame()
    })?;
    Ok(PlannedCall { authority: authority.ok_or(Blame::Operator)?, spec, hop })
}

/// Makes the role's hop with the fresh session; none if the role makes none.
async fn hop(
    snapshot: &Snapshot,
    anchorage: &Anchorage,
    asked: &CallOutcome,
    plan: Option<&PlannedCall<'_>>,
) -> Option<HopOutcome> {
    Some(hop::ask(snapshot, anchorage, asked, plan?.hop.as_ref()?).await)
}

/// Sends one unsigned request, which judges endpoint and clock. Returns whether the endpoint was reached: without an endpoint no
/// other call is made.
async fn reach(snapshot: &Snapshot, anchorage: &Anchorage, report: &mut CheckReport) -> bool {
    let probed = snapshot.client.probe(anchorage.trust_anchor.region(), clock::now, PATIENCE).await;
    report.note(Link::Endpoint, reach::endpoint(&probed));
    report.note(Link::Clock, reach::clock(&probed));
    probed.is_ok()
}

/// Asks STS whose session it is, with the fresh session itself; none without a session.
async fn who(
    snapshot: &Snapshot,
    anchorage: &Anchorage,
    asked: &CallOutcome,
) -> Option<outcome::SessionIdentity> {
    let CallOutcome::Issued(issued) = asked else { return None };
    let caller = snapshot.client.signed_client(
        rolesanywhere::Credentials::from(&issued.session),
        clock::now,
        PATIENCE,
    );
    let answer = caller.get_caller_identity(anchorage.trust_anchor.region()).await;
    Some(outcome::SessionIdentity { expected: issued.session.assumed_role_arn.clone(), answer })
}

/// Judges the links that need AWS. Last it blames a link for AWS's refusal, because several of AWS's texts are told apart only by
/// the other verdicts.
fn judge(report: &mut CheckReport, evidence: &Evidence<'_>) {
    let Evidence { subject, snapshot, anchorage, plan, asked, seen } = evidence;
    let at = anchor::AnchorContext {
        subject: *subject,
        arn: &anchorage.trust_anchor,
        managed: seen.managed.as_deref(),
    };
    if let Some(authority) = snapshot.issuers.find(&subject.role.issuer_ref) {
        let mine: Vec<&[u8]> = snapshot.issuers.all.iter().map(|one| one.issuer.certificate_der()).collect();
        let ours = anchor::MountCerts { authority: &authority.issuer, mine: &mine };
        report.note(Link::TrustAnchor, anchor::holds(&at, &seen.anchor, &ours, asked));
        report.note(Link::CaAbove, anchor::above(&at, &seen.anchor, &ours, asked));
    }
    report.note(Link::Profile, profile::lists(&anchorage.profile, &seen.profile, *subject, asked));
    report.note(
        Link::SessionName,
        profile::session_name(&anchorage.profile, &seen.profile, subject.role, asked),
    );
    let shown = plan.as_ref().and_then(|plan| outcome::shown(plan.authority, &plan.spec.leaf, &seen.profile));
    let policy = policy::lets_in(&anchorage.trust_anchor, &seen.role, *subject, shown.as_ref(), asked);
    report.note(Link::TrustPolicy, policy);
    report.note(Link::CreateSession, outcome::created(asked));
    if let Some(plan) = plan {
        report.note(Link::Duration, outcome::duration(*subject, plan.spec.call.duration, seen, asked));
        report.note(Link::SourceIdentity, outcome::source_identity(&plan.spec.leaf, asked));
        report.note(Link::SessionTags, outcome::tags(plan.authority, &plan.spec.leaf, &seen.profile, asked));
    }
    if let CallOutcome::Refused(error) = asked {
        let context = refusal::RefusalContext {
            subject: *subject,
            anchorage,
            managed: seen.managed.as_deref(),
            clock: report.state(Link::Clock),
            anchor_is_right: seen.anchor.seen().is_some() && !report.is_broken(Link::TrustAnchor),
        };
        let (link, verdict) = refusal::blame(error, &context);
        if link == Link::CreateSession {
            return report.replace(Link::CreateSession, verdict);
        }
        if !report.is_broken(link) {
            report.note(link, verdict);
        }
        report.replace(Link::CreateSession, Verdict::broken(refusal::short(error), Cure::Of(link)));
    }
}
