//! The rules for a leaf: one table, each rule with its source, checked against the finished bytes.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::algorithm;
use crate::error::Error;
use crate::issuer::IssuerParts;
use crate::profile::{LeafProfile, Window};
use crate::serial::{self, Serial};

/// A rule that every leaf must meet.
#[derive(Debug)]
pub struct Rule {
    /// The rule.
    pub name: &'static str,
    /// Its source.
    pub source: &'static str,
    holds: fn(&X509Certificate<'_>, &Expected<'_>) -> bool,
}

/// The expected values, with which a leaf is compared.
pub(crate) struct Expected<'a> {
    pub(crate) asked: &'a LeafProfile,
    pub(crate) window: Window,
    pub(crate) serial: &'a Serial,
    pub(crate) public_bits: &'a [u8],
    pub(crate) issuer: &'a IssuerParts,
}

const AWS: &str = "IAM Roles Anywhere User Guide, trust model, signature verification";
const AWS_TAGS: &str =
    "IAM Roles Anywhere User Guide, trust model, attribute mapping: subject and SANs become session tags";
const RFC: &str = "RFC 5280 §4.1 and §4.2.1";
const PATH: &str = "RFC 5280 §6.1.3, which AWS cites for path validation";
const OURS: &str = "design: least authority, and no tag that nobody asked for";

/// Every rule, in the order of the checks.
pub const LEAF_RULES: &[Rule] = &[
    Rule { name: "X.509 version 3", source: AWS, holds: |leaf, _| leaf.version().0 == 2 },
    Rule { name: "basicConstraints CA:FALSE", source: AWS, holds: is_end_entity },
    Rule { name: "keyUsage digitalSignature alone, critical", source: AWS, holds: signs_only },
    Rule { name: "extendedKeyUsage clientAuth alone", source: OURS, holds: is_client_only },
    Rule { name: "subject key identifier", source: RFC, holds: |leaf, _| subject_key_id(leaf).is_some() },
    Rule { name: "authority key identifier is the issuer's", source: RFC, holds: names_issuer_key },
    Rule { name: "SHA-256 or stronger", source: AWS, holds: is_strong },
    Rule {
        name: "subject is not empty",
        source: AWS,
        holds: |leaf, _| leaf.subject().iter_rdn().next().is_some(),
    },
    Rule {
        name: "subject is the one asked for",
        source: AWS_TAGS,
        holds: |leaf, e| e.asked.subject.is(leaf.subject()),
    },
    Rule { name: "SANs are those asked for", source: AWS_TAGS, holds: has_asked_sans },
    Rule { name: "no extension beside these", source: OURS, holds: has_known_extensions },
    Rule { name: "validity is the one decided, inside the issuer's", source: PATH, holds: has_window },
    Rule { name: "serial is the fresh one, positive, 16 bytes", source: RFC, holds: has_serial },
    Rule { name: "public key is the fresh one", source: OURS, holds: carries_key },
    Rule { name: "issuer is the issuer's subject, byte for byte", source: PATH, holds: names_issuer },
    Rule { name: "signature verifies under the issuer's key", source: PATH, holds: is_signed },
];

/// Reads a leaf back and checks it against every rule; the error is the first one that it breaks.
pub(crate) fn check(der: &[u8], expected: &Expected<'_>) -> Result<(), Error> {
    let (rest, leaf) = X509Certificate::from_der(der).map_err(Error::bug)?;
    if !rest.is_empty() {
        return Err(Error::bug("bytes follow the certificate just made"));
    }
    match LEAF_RULES.iter().find(|rule| !(rule.holds)(&leaf, expected)) {
        Some(broken) => Err(Error::Rule { rule: broken.name, source_text: broken.source }),
        None => Ok(()),
    }
}

fn is_end_entity(leaf: &X509Certificate<'_>, _: &Expected<'_>) -> bool {
    leaf.basic_constraints().is_ok_and(|found| found.is_some_and(|found| !found.value.ca))
}

fn signs_only(leaf: &X509Certificate<'_>, _: &Expected<'_>) -> bool {
    let digital_signature = 1;
    leaf.key_usage().is_ok_and(|found| {
        found.is_some_and(|found| found.critical && found.value.flags == digital_signature)
    })
}

fn is_client_only(leaf: &X509Certificate<'_>, _: &Expected<'_>) -> bool {
    leaf.extended_key_usage().is_ok_and(|found| {
        found.is_some_and(|found| {
            let usage = found.value;
            let others = usage.any
                || usage.server_auth
                || usage.code_signing
                || usage.email_protection
                || usage.time_stamping
                || usage.ocsp_signing;
            usage.client_auth && !others && usage.other.is_empty()
        })
    })
}

fn subject_key_id<'a>(leaf: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) if !id.0.is_empty() => Some(id.0),
        _ => None,
    })
}

fn names_issuer_key(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    let found = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
        _ => None,
    });
    found.is_some_and(|id| id.0 == expected.issuer.key_id)
}

fn is_strong(leaf: &X509Certificate<'_>, _: &Expected<'_>) -> bool {
    algorithm::accepted(&leaf.signature_algorithm).is_ok()
        && leaf.signature_algorithm == leaf.tbs_certificate.signature
}

fn has_asked_sans(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    let Ok(found) = leaf.subject_alternative_name() else { return false };
    let found = found.map_or(&[][..], |names| names.value.general_names.as_slice());
    let asked = &expected.asked;
    let uris = asked.uri_sans.iter().map(|uri| GeneralName::URI(uri));
    let names = asked.dns_sans.iter().map(|name| GeneralName::DNSName(name));
    found.iter().eq(uris.chain(names).collect::<Vec<_>>().iter())
}

fn has_known_extensions(leaf: &X509Certificate<'_>, _: &Expected<'_>) -> bool {
    use ParsedExtension as P;
    let mut seen = Vec::new();
    leaf.extensions().iter().all(|extension| {
        let fresh = !seen.contains(&&extension.oid);
        seen.push(&extension.oid);
        fresh
            && matches!(
                extension.parsed_extension(),
                P::BasicConstraints(_)
                    | P::KeyUsage(_)
                    | P::ExtendedKeyUsage(_)
                    | P::SubjectAlternativeName(_)
                    | P::SubjectKeyIdentifier(_)
                    | P::AuthorityKeyIdentifier(_)
            )
    })
}

fn has_window(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    let validity = leaf.validity();
    let found =
        Window { not_before: validity.not_before.to_datetime(), not_after: validity.not_after.to_datetime() };
    let outer = expected.issuer.window;
    found == expected.window && found.not_before >= outer.not_before && found.not_after <= outer.not_after
}

fn has_serial(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    let raw = leaf.raw_serial();
    raw.len() == serial::LENGTH && raw[0] < 0x80 && raw == expected.serial.as_bytes()
}

fn carries_key(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    leaf.public_key().subject_public_key.data.as_ref() == expected.public_bits
}

fn names_issuer(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    leaf.issuer().as_raw() == expected.issuer.subject
}

fn is_signed(leaf: &X509Certificate<'_>, expected: &Expected<'_>) -> bool {
    let message = leaf.tbs_certificate.as_ref();
    expected.issuer.verifier.verify_sig(message, &leaf.signature_value.data).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    };
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::issuer::Issuer;
    use crate::key::{KeySpec, PrivateKey};
    use crate::name::Subject;
    use crate::profile::{self, CaProfile};
    use crate::template::{self, Signer};
    use crate::{leaf, serial::Serial};

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    /// Makes leaves that differ from a good one in one point.
    struct Forge {
        issuer: Issuer,
        asked: LeafProfile,
        window: Window,
        serial: Serial,
        key: PrivateKey,
    }

    impl Forge {
        fn new() -> Self {
            let subject = Subject::named("Forge CA");
            let root = CaProfile { subject, key: KeySpec::EcP256, ttl: Duration::from_hours(24) };
            Self {
                issuer: Issuer::generate_root(&root, NOW).unwrap(),
                asked: LeafProfile {
                    subject: Subject::named("payments.api"),
                    uri_sans: vec!["spiffe://a/b".into(), "spiffe://c/d".into()],
                    dns_sans: vec!["a.example".into()],
                    key: KeySpec::EcP256,
                    ttl: Duration::from_mins(10),
                },
                window: profile::window(Duration::from_mins(10), NOW).unwrap(),
                serial: Serial::random().unwrap(),
                key: PrivateKey::generate(KeySpec::EcP256).unwrap(),
            }
        }

        fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
            let mut parameters = leaf::parameters(&self.asked, self.window, &self.serial).unwrap();
            change(&mut parameters);
            self.issuer.sign(&parameters, &self.key, &self.asked).unwrap()
        }

        fn signed(&self, subject: &[u8], name: &[u8], key_id: &[u8]) -> Vec<u8> {
            let parameters = leaf::parameters(&self.asked, self.window, &self.serial).unwrap();
            let signer = Signer { key: &self.issuer.0.key, name, key_id };
            template::certificate(&parameters, &self.key, subject, &signer).unwrap()
        }

        /// The name of the first rule broken.
        fn verdict(&self, der: &[u8]) -> Option<&'static str> {
            let expected = Expected {
                asked: &self.asked,
                window: self.window,
                serial: &self.serial,
                public_bits: self.key.public_bits(),
                issuer: &self.issuer.0,
            };
            match check(der, &expected) {
                Ok(()) => None,
                Err(Error::Rule { rule, .. }) => Some(rule),
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn replaced(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut out = der.to_vec();
        for at in 0..der.len() - from.len() {
            if der[at..].starts_with(from) {
                out[at..at + to.len()].copy_from_slice(to);
            }
        }
        assert_ne!(out, der);
        out
    }

    #[test]
    fn a_good_leaf_breaks_no_rule() {
        let forge = Forge::new();

        assert_eq!(forge.verdict(&forge.leaf(|_| {})), None);
    }

    #[test]
    fn another_version_breaks_its_rule() {
        let forge = Forge::new();

        let leaf = replaced(&forge.leaf(|_| {}), &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);

        assert_eq!(forge.verdict(&leaf), Some("X.509 version 3"));
    }

    #[test]
    fn a_ca_or_no_basic_constraints_break_their_rule() {
        let forge = Forge::new();

        for is_ca in [IsCa::Ca(BasicConstraints::Constrained(0)), IsCa::NoCa] {
            let leaf = forge.leaf(|parameters| parameters.is_ca = is_ca);

            assert_eq!(forge.verdict(&leaf), Some("basicConstraints CA:FALSE"));
        }
    }

    #[test]
    fn a_missing_or_further_key_usage_breaks_its_rule() {
        let forge = Forge::new();

        for usages in [vec![], vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign]] {
            let leaf = forge.leaf(|parameters| parameters.key_usages = usages);

            assert_eq!(forge.verdict(&leaf), Some("keyUsage digitalSignature alone, critical"));
        }
    }

    #[test]
    fn a_missing_or_further_extended_key_usage_breaks_its_rule() {
        let forge = Forge::new();

        for usages in [vec![], vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth]]
        {
            let leaf = forge.leaf(|parameters| parameters.extended_key_usages = usages);

            assert_eq!(forge.verdict(&leaf), Some("extendedKeyUsage clientAuth alone"));
        }
    }

    #[test]
    fn a_missing_subject_key_identifier_breaks_its_rule() {
        let forge = Forge::new();
        let constraints = CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![0x30, 0]);

        let leaf = forge.leaf(|parameters| {
            parameters.is_ca = IsCa::NoCa;
            parameters.custom_extensions = vec![constraints];
        });

        assert_eq!(forge.verdict(&leaf), Some("subject key identifier"));
    }

    #[test]
    fn another_authority_key_identifier_breaks_its_rule() {
        let forge = Forge::new();

        let leaf = forge.signed(&forge.asked.subject.der(), &forge.issuer.0.subject, &[1; 20]);

        assert_eq!(forge.verdict(&leaf), Some("authority key identifier is the issuer's"));
    }

    #[test]
    fn a_weak_hash_breaks_its_rule() {
        let forge = Forge::new();

        let leaf = replaced(&forge.leaf(|_| {}), &[0xce, 0x3d, 4, 3, 2], &[0xce, 0x3d, 4, 3, 1]);

        assert_eq!(forge.verdict(&leaf), Some("SHA-256 or stronger"));
    }

    #[test]
    fn an_empty_subject_breaks_its_rule() {
        let forge = Forge::new();

        let leaf = forge.signed(&[0x30, 0], &forge.issuer.0.subject, &forge.issuer.0.key_id);

        assert_eq!(forge.verdict(&leaf), Some("subject is not empty"));
    }

    #[test]
    fn a_further_subject_attribute_breaks_its_rule() {
        let forge = Forge::new();
        let more = Subject { organization: vec!["admin".into()], ..forge.asked.subject.clone() };

        let leaf = forge.signed(&more.der(), &forge.issuer.0.subject, &forge.issuer.0.key_id);

        assert_eq!(forge.verdict(&leaf), Some("subject is the one asked for"));
    }

    #[test]
    fn missing_and_reordered_sans_break_their_rule() {
        let forge = Forge::new();

        for change in [Vec::clear as fn(&mut Vec<_>), |sans| sans.swap(0, 1), |sans| sans.truncate(2)] {
            let leaf = forge.leaf(|parameters| change(&mut parameters.subject_alt_names));

            assert_eq!(forge.verdict(&leaf), Some("SANs are those asked for"));
        }
    }

    #[test]
    fn a_further_extension_breaks_its_rule() {
        let forge = Forge::new();
        let extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0x05, 0]);

        let leaf = forge.leaf(|parameters| parameters.custom_extensions = vec![extension]);

        assert_eq!(forge.verdict(&leaf), Some("no extension beside these"));
    }

    #[test]
    fn another_validity_breaks_its_rule() {
        let forge = Forge::new();

        let leaf = forge.leaf(|parameters| parameters.not_after += time::Duration::SECOND);

        assert_eq!(forge.verdict(&leaf), Some("validity is the one decided, inside the issuer's"));
    }

    #[test]
    fn a_validity_beyond_the_issuers_breaks_its_rule() {
        let mut forge = Forge::new();
        forge.window.not_after = forge.issuer.not_after() + time::Duration::SECOND;

        let leaf = forge.leaf(|_| {});

        assert_eq!(forge.verdict(&leaf), Some("validity is the one decided, inside the issuer's"));
    }

    #[test]
    fn a_serial_of_another_length_breaks_its_rule() {
        let mut forge = Forge::new();
        forge.serial = Serial::from_bytes(&[7; 15]);

        let leaf = forge.leaf(|_| {});

        assert_eq!(forge.verdict(&leaf), Some("serial is the fresh one, positive, 16 bytes"));
    }

    #[test]
    fn another_public_key_breaks_its_rule() {
        let mut forge = Forge::new();
        let leaf = forge.leaf(|_| {});

        forge.key = PrivateKey::generate(KeySpec::EcP256).unwrap();

        assert_eq!(forge.verdict(&leaf), Some("public key is the fresh one"));
    }

    #[test]
    fn another_issuer_name_breaks_its_rule() {
        let forge = Forge::new();
        let other = Subject::named("Other CA").der();

        let leaf = forge.signed(&forge.asked.subject.der(), &other, &forge.issuer.0.key_id);

        assert_eq!(forge.verdict(&leaf), Some("issuer is the issuer's subject, byte for byte"));
    }

    #[test]
    fn a_damaged_signature_breaks_its_rule() {
        let forge = Forge::new();
        let mut leaf = forge.leaf(|_| {});

        *leaf.last_mut().unwrap() ^= 1;

        assert_eq!(forge.verdict(&leaf), Some("signature verifies under the issuer's key"));
    }
}
