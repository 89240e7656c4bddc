//! Explanations of AWS's short error texts: the likely cause of each and its cure, in one table.

/// Explains a refusal of Roles Anywhere, if its text is known.
///
/// AWS answers nearly every mistake with `AccessDeniedException`; only the message tells them apart.
pub fn explain(kind: &str, message: &str) -> Option<&'static str> {
    by_text(message).or_else(|| KINDS.iter().find(|(name, _)| *name == kind).map(|(_, meaning)| *meaning))
}

/// Explains a text of Roles Anywhere, whatever the kind of its error.
pub(crate) fn by_text(message: &str) -> Option<&'static str> {
    let fits = |row: &&Row| row.marks.iter().all(|mark| message.contains(mark));
    TABLE.iter().find(fits).map(|row| row.meaning)
}

/// A row matches a text that contains all of its marks. Specific rows come first.
struct Row {
    marks: &'static [&'static str],
    meaning: &'static str,
}

const TABLE: &[Row] = &[
    Row {
        marks: &["Untrusted certificate. Insufficient certificate"],
        meaning: "the leaf certificate breaks a rule of Roles Anywhere: it must be X.509 v3 with a subject, CA:FALSE, \
                  keyUsage digitalSignature and a SHA-256 signature or stronger; issue it with another profile",
    },
    Row {
        marks: &["Untrusted signing certificate"],
        meaning: "the trust anchor does not hold the CA that issued the certificate, or an intermediate between them is \
                  missing; put the issuing CA's certificate into the trust anchor, or name the anchor that holds it",
    },
    Row {
        marks: &["Certificate revoked"],
        meaning: "the certificate's serial number is in a certificate revocation list imported for the trust anchor; \
                  issue a new certificate, or update the list if this one should not be in it",
    },
    Row {
        marks: &["Invalid signature"],
        meaning: "the signature does not match the request that AWS received: most often this host's clock is off by \
                  minutes; otherwise a proxy changes the request, or the endpoint is behind another host name; set the \
                  clock, or configure the proxy to pass requests unchanged",
    },
    Row {
        marks: &["Not authorized to set roleSessionName"],
        meaning: "the profile does not accept a session name from the client; set acceptRoleSessionName on the profile \
                  or remove role_session_name from the role",
    },
    Row {
        marks: &["Trust Anchor wasn't found"],
        meaning: "there is no such trust anchor in this account and region; compare trust_anchor_arn with the output of \
                  aws rolesanywhere list-trust-anchors",
    },
    Row {
        marks: &["rust anchor is disabled"],
        meaning: "the trust anchor is disabled; run aws rolesanywhere enable-trust-anchor if that was not intended",
    },
    Row {
        marks: &["Invalid or empty profile"],
        meaning: "the profile does not exist in this account and region, is disabled or lists no role; compare \
                  profile_arn with the output of aws rolesanywhere list-profiles",
    },
    Row {
        marks: &["Role isn't one of those listed in the Profile"],
        meaning: "the profile does not list this role; add role_arn to the profile's roleArns",
    },
    Row {
        marks: &["exceeds the MaxSessionDuration"],
        meaning: "the session would exceed the role's MaxSessionDuration; request a shorter session_duration, lower the \
                  profile's duration or raise the role's maximum",
    },
    Row {
        marks: &["Unable to assume role", "failed to be mapped into session tags"],
        meaning: "the role's trust policy tests a session tag that is missing, because the certificate's value has \
                  characters that tags cannot hold; letters, digits, spaces and _.:/=+-@ are allowed",
    },
    Row {
        marks: &["Unable to assume role"],
        meaning: "the role's trust policy does not admit this certificate: it must allow rolesanywhere.amazonaws.com \
                  the actions sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, and its conditions on \
                  aws:SourceArn and aws:PrincipalTag/x509… must match this trust anchor and certificate; attributes that \
                  the profile does not map are missing as tags, and AWS gives the same message for a role that does \
                  not exist",
    },
    Row {
        marks: &["at 'durationSeconds' failed to satisfy constraint"],
        meaning: "session_duration must be 900 to 43200 seconds",
    },
    Row {
        marks: &["at 'roleSessionName' failed to satisfy constraint"],
        meaning: "a session name must be 2 to 64 letters, digits or characters of _+=,.@-",
    },
    Row {
        marks: &["failed to satisfy constraint"],
        meaning: "a parameter is outside AWS's bounds; the message names it",
    },
    Row {
        marks: &["Incorrect basic constraints for CA certificate"],
        meaning: "a trust anchor accepts only CA certificates: CA:TRUE in basicConstraints and keyCertSign in keyUsage",
    },
    Row {
        marks: &["Error creating TrustAnchor. Bad certificate data"],
        meaning: "the certificates are not readable as PEM; a frequent cause is a \\n that is still two characters",
    },
    Row {
        marks: &["Given AWS PCA did not allow get request"],
        meaning: "the AWS Private CA is not active or does not let Roles Anywhere read it",
    },
];

/// Explanations by kind alone, for texts that are not in the table.
const KINDS: [(&str, &str); 2] = [
    (
        "AccessDeniedException",
        "AWS gives no further reason; check that trust anchor and profile are enabled, that the CA certificate in the \
         trust anchor and the leaf are within their validity, that the subject is not empty, and that all ARNs are of \
         one account and region",
    ),
    ("ResourceNotFoundException", "one of the ARNs names nothing in this account and region"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's texts as seen on the real service, and a word of the explanation that belongs to each.
    const SEEN: &[(&str, &str)] = &[
        ("Untrusted signing certificate", "issued the certificate"),
        ("Untrusted certificate. Insufficient certificate", "digitalSignature"),
        ("Certificate revoked", "revocation list"),
        ("Invalid signature", "clock"),
        ("Not authorized to set roleSessionName", "acceptRoleSessionName"),
        ("Specified Trust Anchor wasn't found.", "list-trust-anchors"),
        ("Trust anchor is disabled", "enable-trust-anchor"),
        ("Invalid or empty profile provided.", "list-profiles"),
        ("Requested Role isn't one of those listed in the Profile.", "roleArns"),
        ("Unable to assume role for arn:aws:iam::111122223333:role/demo", "sts:SetSourceIdentity"),
        (
            "Unable to assume role for arn:aws:iam::111122223333:role/demo. Some attributes failed to be mapped into \
             session tags. Issuer: [  ]; Subject: [  ]; SAN: [ DNS/2 ]",
            "tags cannot hold",
        ),
        (
            "Unable to assume role for arn:aws:iam::111122223333:role/demo. The requested DurationSeconds exceeds the \
             MaxSessionDuration set for this role.",
            "session_duration",
        ),
        (
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must \
             have value less than or equal to 43200",
            "900 to 43200",
        ),
        ("1 validation error detected: Value 'x' at 'name' failed to satisfy constraint: …", "names it"),
        ("Incorrect basic constraints for CA certificate", "keyCertSign"),
        ("Error creating TrustAnchor. Bad certificate data", "PEM"),
        ("Error creating TrustAnchor. Given AWS PCA did not allow get request.", "Private CA"),
    ];

    #[test]
    fn every_text_seen_on_the_real_service_is_explained_in_its_own_way() {
        for (text, word) in SEEN {
            let meaning = explain("AccessDeniedException", text).unwrap_or_default();

            assert!(meaning.contains(word), "{text:?} is explained as {meaning:?}");
        }
    }

    #[test]
    fn every_row_of_the_table_is_reached_by_a_text() {
        for row in TABLE {
            let reached = |(text, _): &(&str, &str)| explain("", text) == Some(row.meaning);
            let session_name = "Value 'x' at 'roleSessionName' failed to satisfy constraint";

            assert!(SEEN.iter().any(reached) || reached(&(session_name, "")), "{:?}", row.marks);
        }
    }

    #[test]
    fn an_unknown_text_is_explained_by_its_kind_or_not_at_all() {
        assert!(explain("AccessDeniedException", "").unwrap().contains("no further reason"));
        assert!(explain("ResourceNotFoundException", "x").unwrap().contains("names nothing"));
        assert_eq!(explain("SomethingNewException", "x"), None);
    }
}
