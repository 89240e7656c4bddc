//! The one table of what every negative case must answer, and how we know that AWS answers so.

use crate::world::ROLE;

/// The evidence for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// AWS was seen to refuse it with this text.
    Verbatim,
    /// AWS documents the refusal. Text inferred.
    Documented,
    /// No source states it. Refusal, status and text inferred.
    Inferred,
}

use Evidence::{Documented, Inferred, Verbatim};

/// A row: the case (with a word where one case has several answers), and the answer.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) case: &'static str,
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) evidence: Evidence,
    text: &'static str,
    value: String,
}

impl Refusal {
    /// The same refusal, echoing `value`.
    pub(crate) fn of(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// The whole message.
    pub(crate) fn message(&self) -> String {
        self.text.replace("{role}", ROLE).replace("{value}", &self.value)
    }

    /// The number in front of the word.
    pub(crate) fn number(&self) -> u8 {
        self.case.split(' ').next().unwrap().parse().unwrap()
    }
}

/// The row of a case, for example `"33 expired"`.
pub(crate) fn refusal(case: &str) -> Refusal {
    let found = TABLE.iter().find(|row| row.0 == case);
    let &(case, status, kind, rule, evidence, text) =
        found.unwrap_or_else(|| panic!("no row for case {case}"));
    Refusal { case, status, kind, rule, evidence, text, value: String::new() }
}

/// Every row, in order.
pub(crate) fn all() -> impl Iterator<Item = Refusal> {
    TABLE.iter().map(|row| refusal(row.0))
}

/// The cases that must succeed, to show that their neighbours fail for the right reason.
pub(crate) const CONTROLS: [u8; 2] = [13, 26];

const AD: &str = "AccessDeniedException";
const VE: &str = "ValidationException";
const SE: &str = "SerializationException";

const INSUFFICIENT: &str = "Untrusted certificate. Insufficient certificate";
const UNTRUSTED: &str = "Untrusted signing certificate";
const SIGNATURE: &str = "Invalid signature";
const UNABLE: &str = "Unable to assume role for {role}";
const NO_ANCHOR: &str = "Specified Trust Anchor wasn't found.";
const NO_PROFILE: &str = "Invalid or empty profile provided.";

type Row = (&'static str, u16, &'static str, &'static str, Evidence, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("1", 403, AD, "chain.untrusted", Verbatim, UNTRUSTED),
    ("2", 403, AD, "chain.untrusted", Verbatim, UNTRUSTED),
    ("3", 403, AD, "leaf.key_usage", Verbatim, INSUFFICIENT),
    ("4", 403, AD, "leaf.is_ca", Documented, INSUFFICIENT),
    ("5", 403, AD, "leaf.weak_signature", Documented, INSUFFICIENT),
    ("6", 403, AD, "leaf.version", Documented, INSUFFICIENT),
    ("7", 403, AD, "leaf.empty_subject", Documented, "Access denied"),
    ("8", 403, AD, "signature.mismatch", Verbatim, SIGNATURE),
    ("9", 403, AD, "signature.mismatch", Verbatim, SIGNATURE),
    ("10", 403, AD, "signature.clock", Verbatim, SIGNATURE),
    ("11", 403, AD, "signature.clock", Inferred, SIGNATURE),
    ("12", 403, AD, "crl.revoked", Verbatim, "Certificate revoked"),
    ("14", 403, AD, "session_name.not_accepted", Verbatim, "Not authorized to set roleSessionName"),
    ("15", 403, AD, "anchor.unknown", Verbatim, NO_ANCHOR),
    ("16", 403, AD, "profile.unknown", Verbatim, NO_PROFILE),
    ("17", 403, AD, "profile.role_not_listed", Verbatim, "Requested Role isn't one of those listed in the Profile."),
    ("18", 403, AD, "role.trust_policy_action", Verbatim, UNABLE),
    ("19 tag", 403, AD, "role.trust_policy_action", Documented, UNABLE),
    ("19 assume", 403, AD, "role.trust_policy_action", Documented, UNABLE),
    ("20", 403, AD, "role.trust_policy_condition", Verbatim, UNABLE),
    ("21", 403, AD, "role.trust_policy_condition", Documented, UNABLE),
    ("22", 403, AD, "role.trust_policy_condition", Documented, UNABLE),
    ("23", 403, AD, "role.unmapped_attributes", Verbatim, "Unable to assume role for {role}. Some attributes failed to be mapped into session tags. {value}"),
    ("24", 403, AD, "role.max_session_duration", Verbatim, "Unable to assume role for {role}. The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    ("25 short", 400, VE, "request.duration", Verbatim, "1 validation error detected: Value '{value}' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"),
    ("25 long", 400, VE, "request.duration", Verbatim, "1 validation error detected: Value '{value}' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200"),
    ("27", 400, VE, "request.missing_parameter", Inferred, "1 validation error detected: Value null at '{value}' failed to satisfy constraint: Member must not be null"),
    ("28 pattern", 400, VE, "request.malformed_arn", Inferred, "1 validation error detected: Value '{value}"),
    ("28 length", 400, VE, "request.malformed_arn", Inferred, "1 validation error detected: Value '{value}' at 'roleArn' failed to satisfy constraint: Member must have length between 1 and 1011"),
    ("29", 403, AD, "request.account", Documented, "Access denied"),
    ("30 anchor", 403, AD, "anchor.region", Inferred, NO_ANCHOR),
    ("30 profile", 403, AD, "profile.region", Verbatim, NO_PROFILE),
    ("31", 403, AD, "anchor.disabled", Documented, "Trust anchor is disabled"),
    ("32", 403, AD, "profile.disabled", Documented, NO_PROFILE),
    ("33 expired", 403, AD, "leaf.expired", Inferred, INSUFFICIENT),
    ("33 early", 403, AD, "leaf.not_yet_valid", Inferred, INSUFFICIENT),
    ("34", 403, AD, "anchor.expired", Inferred, UNTRUSTED),
    ("35", 403, AD, "certificate.missing", Documented, "Missing X.509 certificate"),
    ("36", 400, VE, "certificate.malformed", Inferred, "Malformed X.509 certificate"),
    ("37", 403, AD, "signature.unsigned_header", Documented, SIGNATURE),
    ("38", 403, AD, "signature.unsigned_header", Documented, SIGNATURE),
    ("39", 403, AD, "signature.algorithm_mismatch", Documented, SIGNATURE),
    ("40", 403, AD, "signature.algorithm_unknown", Inferred, SIGNATURE),
    ("41", 403, AD, "chain.too_long", Documented, UNTRUSTED),
    ("42", 403, AD, "chain.malformed", Inferred, UNTRUSTED),
    ("43", 403, AD, "credential.serial", Inferred, SIGNATURE),
    ("44", 403, AD, "credential.serial", Inferred, SIGNATURE),
    ("45", 403, AD, "credential.scope", Inferred, SIGNATURE),
    ("46", 403, AD, "credential.date", Documented, SIGNATURE),
    ("47", 403, AD, "signature.ecdsa_encoding", Inferred, SIGNATURE),
    ("48", 403, AD, "signature.rsa_pss", Documented, SIGNATURE),
    ("49", 403, AD, "signature.encoding", Inferred, SIGNATURE),
    ("50", 403, AD, "signature.mismatch", Inferred, SIGNATURE),
    ("51", 403, AD, "leaf.unsupported_key", Inferred, INSUFFICIENT),
    ("52 ca", 403, AD, "chain.not_a_ca", Inferred, UNTRUSTED),
    ("52 usage", 403, AD, "chain.key_usage", Inferred, UNTRUSTED),
    ("52 length", 403, AD, "chain.path_length", Inferred, UNTRUSTED),
    ("52 name", 403, AD, "chain.name_constraint", Inferred, UNTRUSTED),
    ("53", 400, SE, "request.body", Inferred, "The request body is not valid: {value}"),
    ("54", 403, AD, "role.packed_size", Documented, "Unable to assume role for {role}. The packed size of session policies and tags is over 100 percent."),
    ("55", 404, "UnknownOperationException", "http.not_found", Inferred, ""),
    ("56", 429, "ThrottlingException", "throttled", Inferred, "Rate exceeded"),
    ("57 short", 400, VE, "request.session_name", Inferred, "1 validation error detected: Value '{value}' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2"),
    ("57 long", 400, VE, "request.session_name", Inferred, "1 validation error detected: Value '{value}' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64"),
    ("57 pattern", 400, VE, "request.session_name", Inferred, "1 validation error detected: Value '{value}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"),
    ("58", 400, VE, "management.not_a_ca", Verbatim, "Incorrect basic constraints for CA certificate"),
    ("59", 400, VE, "management.bad_certificate", Verbatim, "Error creating TrustAnchor. Bad certificate data"),
    ("60", 400, VE, "management.too_many_certificates", Documented, "A trust anchor holds at most 2 certificates"),
    ("61", 400, VE, "management.too_many_crls", Documented, "A trust anchor has at most 2 CRLs"),
    ("62 size", 400, VE, "management.crl_size", Documented, "1 validation error detected: Value '{value}' at 'crlData' failed to satisfy constraint: Member must have length between 1 and 300000"),
    ("62 name", 400, VE, "management.name", Verbatim, "1 validation error detected: Value '{value}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[ a-zA-Z0-9-_]*$"),
    ("63", 404, "ResourceNotFoundException", "management.anchor_not_found", Documented, "Trust anchor wasn't found"),
];
