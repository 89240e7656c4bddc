//! Decides which link AWS's refusal is about. No I/O.
//!
//! AWS answers nearly every mistake with `AccessDeniedException`. The text tells the mistakes apart. If one text has several
//! causes, what else was seen decides.

use rolesanywhere::Error;

use super::anchor;
use super::link::Link;
use super::subject::CheckedRole;
use super::verdict::{Clue, LinkState, Verdict};
use super::{outcome, policy, profile};
use crate::records::anchorage::Anchorage;

/// What else is known when AWS refuses.
pub(super) struct RefusalContext<'a> {
    /// The role, and the mount point for commands.
    pub(super) subject: CheckedRole<'a>,
    /// The ARNs that were sent.
    pub(super) anchorage: &'a Anchorage,
    /// The anchor's name in `trust-anchors` if the engine manages its bundle.
    pub(super) managed: Option<&'a str>,
    /// The state of [`Link::Clock`].
    pub(super) clock: LinkState,
    /// The anchor was read, and holds the CA or one above it.
    pub(super) anchor_is_right: bool,
}

/// The link to blame, and its verdict.
pub(super) fn blame(error: &Error, at: &RefusalContext<'_>) -> (Link, Verdict) {
    match error {
        Error::Refused { message, explanation, .. } => refused(message, *explanation, at),
        Error::Throttled { .. } => (
            Link::CreateSession,
            Verdict::broken(
                error,
                format!(
                    "lower rate_limit of {}config, or ask AWS to raise the CreateSession quota",
                    at.subject.mount_point
                ),
            ),
        ),
        Error::Unavailable { .. } => (
            Link::Endpoint,
            Verdict::broken(
                error,
                "if AWS's status page reports an outage, wait; otherwise check the network between Vault and the endpoint",
            ),
        ),
        Error::BadAnswer { .. } => (
            Link::Endpoint,
            Verdict::broken(
                error,
                "find out which server answers there: check endpoint and proxy_url of the config, and any proxy in between",
            ),
        ),
        Error::Local(_) => {
            (Link::Place, Verdict::broken(error, "correct the ARNs of the role or the config"))
        }
    }
}

/// AWS's answer without our explanation, which stands at the link that is blamed.
pub(super) fn short(error: &Error) -> String {
    match error {
        Error::Refused { kind, status, message, request_id, .. } => {
            let id = request_id.as_ref().map_or_else(String::new, |id| format!(" (request id {id})"));
            format!("AWS refused with {status} {kind}: {message}{id}")
        }
        _ => error.to_string(),
    }
}

/// One of AWS's texts, and the link that it is about.
struct Row {
    text: &'static str,
    /// What it tells of another link's cure.
    clue: Option<Clue>,
    /// Returns the link and its cure. Without a cure the general explanation of AWS's error is told.
    judge: fn(&RefusalContext<'_>) -> (Link, Option<String>),
}

/// The first row that fits counts, so more specific texts must come first.
const TABLE: &[Row] = &[
    Row {
        text: "Untrusted certificate. Insufficient certificate",
        clue: None,
        judge: |_| (Link::Certificate, None),
    },
    Row { text: "Untrusted signing certificate", clue: None, judge: untrusted },
    Row {
        text: "Certificate revoked",
        clue: None,
        judge: |at| {
            (
                Link::Ca,
                Some(format!(
                    "a revocation list that was imported for the anchor names the CA's own certificate, because each leaf certificate is used only once: find the list with aws rolesanywhere list-crls --region {}",
                    at.anchorage.trust_anchor.region()
                )),
            )
        },
    },
    Row {
        text: "Invalid signature",
        clue: None,
        judge: |at| {
            let clock = if at.clock == LinkState::Ok {
                "; the clock is correct"
            } else {
                "; or set the clock of Vault's node"
            };
            let proxy = "configure the proxy to pass requests unchanged, and write the host name that AWS expects to endpoint of the config";
            (Link::Endpoint, Some(format!("{proxy}{clock}")))
        },
    },
    Row {
        text: "Not authorized to set roleSessionName",
        clue: None,
        judge: |at| (Link::SessionName, Some(profile::accept(&at.anchorage.profile))),
    },
    Row {
        text: "Trust Anchor wasn't found",
        clue: None,
        judge: |at| (Link::TrustAnchor, Some(at.anchor().name_another())),
    },
    Row {
        text: "rust anchor is disabled",
        clue: None,
        judge: |at| (Link::TrustAnchor, Some(at.anchor().enable())),
    },
    Row {
        text: "Invalid or empty profile",
        clue: None,
        judge: |at| {
            (
                Link::Profile,
                Some(format!(
                    "if it is disabled: {}; otherwise {}",
                    profile::enable(&at.anchorage.profile),
                    profile::find(&at.anchorage.profile)
                )),
            )
        },
    },
    Row {
        text: "Role isn't one of those listed in the Profile",
        clue: Some(Clue::NotListed),
        judge: |at| (Link::Profile, Some(profile::list(&at.anchorage.profile, &[], at.subject))),
    },
    Row {
        text: "exceeds the MaxSessionDuration",
        clue: None,
        judge: |at| (Link::Duration, Some(outcome::over(at.subject, None, 3600))),
    },
    Row { text: "failed to be mapped into session tags", clue: None, judge: |_| (Link::SessionTags, None) },
    Row {
        text: "packed size",
        clue: None,
        judge: |_| {
            (Link::SessionTags, Some("shorten the profile's session policy or the certificate's subject, or map fewer attributes in the profile".to_owned()))
        },
    },
    Row {
        text: "Unable to assume role",
        clue: None,
        judge: |at| {
            (
                Link::TrustPolicy,
                Some(policy::mend(&at.subject.role.role_arn, at.subject.name, at.subject.mount_point)),
            )
        },
    },
    Row { text: "at 'durationSeconds'", clue: None, judge: |_| (Link::Duration, None) },
    Row { text: "at 'roleSessionName'", clue: None, judge: |_| (Link::SessionName, None) },
    Row {
        text: "Arn' failed to satisfy constraint",
        clue: None,
        judge: |_| (Link::Place, Some("correct the ARNs of the role or the config".to_owned())),
    },
];

/// Texts that AWS also answers if this host's clock is off: the signature's time is wrong, or the certificate has ended or not
/// begun by AWS's clock.
const OF_THE_CLOCK: [&str; 3] =
    ["Invalid signature", "Insufficient certificate", "Untrusted signing certificate"];

/// Blames a link for AWS's text. A clock that was seen to be off is blamed first, because the other cures would not help. A text
/// that no row knows stays with [`Link::CreateSession`], with the request id for AWS.
fn refused(message: &str, explanation: Option<&'static str>, at: &RefusalContext<'_>) -> (Link, Verdict) {
    if matches!(at.clock, LinkState::Broken | LinkState::Warning)
        && OF_THE_CLOCK.iter().any(|text| message.contains(text))
    {
        return (Link::Clock, Verdict::broken(quoted(message), "set the clock of Vault's node"));
    }
    let row = TABLE.iter().find(|row| message.contains(row.text));
    let (link, cure) = match row {
        Some(row) => (row.judge)(at),
        None => (Link::CreateSession, None),
    };
    let cure = cure
        .or_else(|| explanation.map(str::to_owned))
        .unwrap_or_else(|| "ask AWS Support, and give the request id".to_owned());
    let verdict = Verdict::broken(quoted(message), cure);
    let clue = row.and_then(|row| row.clue);
    (link, clue.into_iter().fold(verdict, Verdict::with_clue))
}

/// AWS's text in quotes, so nobody takes it for ours.
fn quoted(message: &str) -> String {
    format!("AWS says {message:?}")
}

/// Either the anchor does not hold the CA, or it does and AWS refuses the path between anchor and leaf.
fn untrusted(at: &RefusalContext<'_>) -> (Link, Option<String>) {
    if !at.anchor_is_right {
        // If the anchor was not read, the same anchor may keep the engine itself out. So the cure is for a person, not a sync.
        return (Link::TrustAnchor, Some(at.anchor().replace()));
    }
    let why =
        "a CA between anchor and leaf has expired, or has constraints that the certificate's names break";
    (
        Link::Chain,
        Some(format!(
            "{why}: use another CA, or use only names that it permits; if the anchor holds a CA above it: {}",
            at.anchor().replace()
        )),
    )
}

impl RefusalContext<'_> {
    fn anchor(&self) -> anchor::AnchorContext<'_> {
        anchor::AnchorContext {
            subject: self.subject,
            arn: &self.anchorage.trust_anchor,
            managed: self.managed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link and the text for a signature that AWS refuses, if the clock was judged like this.
    fn blamed(clock: LinkState) -> (Link, String) {
        let role = crate::records::role::Role::plain();
        let subject = CheckedRole { name: "web", role: &role, mount_point: "iamra/" };
        let anchorage = Anchorage {
            trust_anchor: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a".parse().unwrap(),
            profile: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p".parse().unwrap(),
        };
        let at =
            RefusalContext { subject, anchorage: &anchorage, managed: None, clock, anchor_is_right: true };
        let (link, verdict) = refused("Invalid signature", None, &at);
        (link, verdict.to_string())
    }

    #[test]
    fn a_clock_that_is_off_answers_for_a_signature_that_aws_refuses() {
        assert_eq!(blamed(LinkState::Broken).0, Link::Clock);
        assert_eq!(blamed(LinkState::Warning).0, Link::Clock);
    }

    #[test]
    fn a_clock_is_said_to_be_in_time_only_where_that_was_seen() {
        let ((seen, in_time), (unseen, unknown)) = (blamed(LinkState::Ok), blamed(LinkState::NotChecked));

        assert_eq!((seen, unseen), (Link::Endpoint, Link::Endpoint));
        assert!(in_time.contains("the clock is correct"), "{in_time}");
        assert!(unknown.contains("set the clock") && !unknown.contains("correct"), "{unknown}");
    }
}
