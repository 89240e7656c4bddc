//! Reads anchor, profile and IAM role from AWS, in a session of the engine's own with the `check_role_arn`.

use rolesanywhere::{CallError, Error, IamRole, Profile, SignedClient, TrustAnchor};
use tokio::time::timeout;
use vault_backend::Fault;

use super::asking::{CallOutcome, NotAsked};
use super::subject::{CheckedRole, PATIENCE};
use crate::management::anchor_task::Need;
use crate::management::own_session::{AssumeTarget, OwnSessions};
use crate::records::anchorage::Anchorage;
use crate::records::managed_anchor::{Duty, ManagedAnchor};
use crate::store::Store;

/// What is known of one thing at AWS.
pub(super) enum Observed<T> {
    /// AWS showed it.
    Seen(T),
    /// AWS says that there is none.
    NotThere,
    /// It was not read, for this reason. It may be there.
    Unread(String),
}

/// Anchor, profile and IAM role of one role of the engine, as AWS showed them.
pub(super) struct AwsState {
    /// The trust anchor with its bundle.
    pub(super) anchor: Observed<TrustAnchor>,
    pub(super) profile: Observed<Profile>,
    /// The IAM role with its trust policy.
    pub(super) role: Observed<IamRole>,
    /// The entry of `trust-anchors` with which the engine manages this very anchor. None if a person does.
    pub(super) managed: Option<String>,
    /// The entry of `trust-anchors` that uses the role's profile for the engine's own sessions.
    pub(super) own_profile: Option<String>,
}

impl<T> Observed<T> {
    /// Tells an absent thing from an unread one: AWS must say `not found` for the first.
    fn of(answer: Result<T, CallError>) -> Self {
        match answer {
            Ok(found) => Self::Seen(found),
            Err(error) if error.is_not_found() => Self::NotThere,
            Err(error) => Self::Unread(error.to_string()),
        }
    }

    /// The thing, if AWS showed it.
    pub(super) fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(found) => Some(found),
            _ => None,
        }
    }
}

/// Reads all three at once. Without a `check_role_arn` nothing is read, and the reason says which entry would allow it. Nothing
/// is read either if the endpoint was not reached, or if the caller gets no session anyway. The engine's sign-in may take 20
/// seconds; each read then has [`PATIENCE`].
pub(super) async fn look(
    own: &OwnSessions,
    store: &Store,
    subject: CheckedRole<'_>,
    anchorage: &Anchorage,
    asked: &CallOutcome,
) -> AwsState {
    // A fault of storage hides only the names for the texts: the check goes on.
    let entries = store.managed_anchors().await.unwrap_or_default();
    let name_of = |is_it: &dyn Fn(&ManagedAnchor) -> bool| {
        entries.iter().find(|(_, entry)| is_it(entry)).map(|(name, _)| name.clone())
    };
    let managed = name_of(&|entry| {
        entry.role(Duty::TrustAnchor).is_some() && entry.trust_anchor_arn == anchorage.trust_anchor
    });
    let own_profile = name_of(&|entry| entry.profile_arn == anchorage.profile);
    let caller = match asked {
        CallOutcome::Not(why @ (NotAsked::Unreached | NotAsked::Stranger)) => {
            Err(Fault::later(why.to_string()))
        }
        _ => timeout(PATIENCE * 2, caller(own, subject, anchorage)).await.unwrap_or_else(|_| {
            Err(Fault::later("AWS did not give the engine a session for check_role_arn in time"))
        }),
    };
    match caller {
        Ok(caller) => {
            let (anchor, profile, role) = tokio::join!(
                caller.get_trust_anchor(&anchorage.trust_anchor),
                caller.get_profile(&anchorage.profile),
                caller.get_role(&subject.role.role_arn)
            );
            let errors = [anchor.as_ref().err(), profile.as_ref().err(), role.as_ref().err()];
            // A refusal may mean that somebody denied the engine's own session: the next check must make another one.
            errors.into_iter().flatten().for_each(|error| own.refused(Duty::Check, error));
            AwsState {
                anchor: Observed::of(anchor),
                profile: Observed::of(profile),
                role: Observed::of(role),
                managed,
                own_profile,
            }
        }
        Err(fault) => {
            let why = why(&fault, asked);
            AwsState {
                anchor: Observed::Unread(why.clone()),
                profile: Observed::Unread(why.clone()),
                role: Observed::Unread(why),
                managed,
                own_profile,
            }
        }
    }
}

/// The reason why nothing was read. If AWS refused the engine's own session with the text of the role's refusal, the text is not
/// repeated.
fn why(fault: &Fault, asked: &CallOutcome) -> String {
    let text = fault.to_string();
    let is_the_same = match asked {
        CallOutcome::Refused(Error::Refused { message, .. }) => text.contains(message.as_str()),
        CallOutcome::Refused(error) => {
            text.contains(&error.to_string()) || matches!(error, Error::Throttled { .. })
        }
        _ => false,
    };
    if is_the_same {
        "AWS refused the engine's own session (check_role_arn) for the same reason as the role's".to_owned()
    } else {
        text
    }
}

/// A client with a session for [`Duty::Check`] in the account of the IAM role, preferably through the role's own anchor.
///
/// # Errors
/// The operator's fault if no entry of that account has a `check_role_arn`; otherwise AWS's refusal.
async fn caller(
    own: &OwnSessions,
    subject: CheckedRole<'_>,
    anchorage: &Anchorage,
) -> Result<SignedClient, Fault> {
    let CheckedRole { role, mount_point, .. } = subject;
    let target = AssumeTarget { role: &role.role_arn, near: Some(&anchorage.trust_anchor) };
    let issued = own.session_for(target, Duty::Check, Need::Routine, mount_point).await?;
    own.caller(&issued.session, PATIENCE).await
}
