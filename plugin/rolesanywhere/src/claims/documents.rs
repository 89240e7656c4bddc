//! Claims about the two kinds of IAM documents that this crate reads.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

use super::one_short_line;
use crate::TrustAnchorArn;
use crate::revocation::{Policy, ROLE_LIMIT, size_in_iam};
use crate::trust_policy::{self, Finding};

const ANCHOR: &str =
    "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f0f0f0f-1111-4222-8333-444444444444";
/// Of the seeds in `fuzz/seeds/denials`.
const PREFIX: &str = "Owner";
const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// A role's trust policy: no finding is repeated, every finding is one short line, the order of members and white space change
/// nothing, and an unreadable document says nothing about sessions.
pub fn trust_policy(input: &[u8]) {
    let document = String::from_utf8_lossy(input);
    let anchor: TrustAnchorArn = ANCHOR.parse().expect("an ARN");
    let found = trust_policy::lint(&document, &anchor);
    for (at, finding) in found.iter().enumerate() {
        one_short_line(&finding.to_string());
        assert!(!found[..at].contains(finding), "{finding} is found twice");
    }
    let tags = BTreeMap::from([("x509Subject/CN".to_owned(), "prod.payments.api".to_owned())]);
    let mismatches = trust_policy::mismatches(&document, &tags, "CN=prod.payments.api");
    for mismatch in &mismatches {
        one_short_line(&mismatch.to_string());
        let is_wanted = mismatch.given.as_ref().is_some_and(|given| mismatch.wanted.contains(given));
        assert!(!is_wanted && !mismatch.to_string().contains("must be ,"), "{mismatch}");
    }
    if found.iter().any(|one| matches!(one, Finding::Unreadable(_) | Finding::NoPrincipal)) {
        assert!(mismatches.is_empty());
    }
    if let Ok(value) = serde_json::from_str::<Value>(&document) {
        let rewritten = serde_json::to_string_pretty(&value).expect("JSON is written");
        assert_eq!(trust_policy::lint(&rewritten, &anchor), found);
    }
}

/// A document of denials, and lines that deny more: `session <name> <second>`, `source <identity> <second>`, `before <second>`.
///
/// Only a document that this crate wrote is read. It is written back unchanged. A further denial removes no other one. The
/// document has no character that IAM would count differently, and its size is counted as IAM counts it.
pub fn denials(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (denials, document): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| denial(line).is_some());
    let mut policy = match Policy::parse(PREFIX, &document.join("\n")) {
        Ok(policy) => policy,
        Err(foreign) => {
            one_short_line(&foreign.to_string());
            Policy::new(PREFIX)
        }
    };
    written_as_read(&policy);
    for line in denials {
        let before = policy.clone();
        if let Some((denial, moment)) = denial(line) {
            apply(&mut policy, &denial, moment);
        }
        written_as_read(&policy);
        keeps(&policy, &before);
    }
    let mut pruned = policy.clone();
    let gone = pruned.prune(NOW);
    assert_eq!(pruned.len() + gone, policy.len());
    assert!(pruned.needed_until().is_none_or(|until| until > NOW));
    pruned.merge(&policy);
    assert_eq!(pruned, policy, "the pruned entries are not the ones that were there");
}

enum DenialLine<'a> {
    Session(&'a str),
    Source(&'a str),
    Before,
}

fn denial(line: &str) -> Option<(DenialLine<'_>, OffsetDateTime)> {
    let mut words = line.split(' ');
    let (kind, first) = (words.next()?, words.next()?);
    let denial = match kind {
        "session" => DenialLine::Session(first),
        "source" => DenialLine::Source(first),
        "before" => DenialLine::Before,
        _ => return None,
    };
    let second = words.next().unwrap_or(first).parse().ok()?;
    Some((denial, OffsetDateTime::from_unix_timestamp(second).ok()?))
}

fn apply(policy: &mut Policy, denial: &DenialLine<'_>, moment: OffsetDateTime) {
    let outcome = match denial {
        DenialLine::Session(name) => policy.deny_session(name, moment),
        DenialLine::Source(identity) => policy.deny_source_identity(identity, NOW, moment),
        DenialLine::Before => {
            policy.deny_issued_before(moment);
            Ok(())
        }
    };
    if let Err(unfit) = outcome {
        assert!(!unfit.to_string().contains(char::is_control));
    }
}

fn written_as_read(policy: &Policy) {
    let document = policy.to_string();
    assert!(document.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{document:?}");
    assert_eq!(Policy::parse(PREFIX, &document).as_ref(), Ok(policy), "{document}");
    assert_eq!(policy.size(), size_in_iam(&document));
    for others in [0, ROLE_LIMIT, usize::MAX] {
        assert_eq!(policy.would_fit(others), others.saturating_add(policy.size()) <= ROLE_LIMIT);
    }
}

fn keeps(policy: &Policy, before: &Policy) {
    assert!(policy.issued_before() >= before.issued_before());
    let sessions: BTreeMap<&str, OffsetDateTime> = policy.sessions().collect();
    assert!(before.sessions().all(|(name, until)| sessions.get(name).is_some_and(|now| *now >= until)));
    let sources: BTreeMap<&str, OffsetDateTime> = policy.source_identities().collect();
    let kept = |identity, moment| sources.get(identity).is_some_and(|now| *now >= moment);
    assert!(before.source_identities().all(|(identity, moment)| kept(identity, moment)));
}
