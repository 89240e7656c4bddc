//! A distinguished name in certificate order, one attribute to an RDN.

use der::asn1::{ObjectIdentifier, PrintableString, Utf8StringRef};
use der::{Any, Decode, Encode};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name as X509Name, RdnSequence, RelativeDistinguishedName};

/// The parts of a name, in the order they stand in the certificate: `("OU", "Payments")`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name(Vec<(&'static str, String)>);

impl Name {
    /// A name without a single part.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    pub(crate) fn common(common_name: &str) -> Self {
        Self::empty().and("CN", common_name)
    }

    /// Adds one more part at the end.
    pub(crate) fn and(mut self, attribute: &'static str, value: &str) -> Self {
        self.0.push((attribute, value.to_owned()));
        self
    }

    pub(crate) fn to_x509(&self) -> X509Name {
        let mut sequence = RdnSequence::default();
        for (attribute, value) in &self.0 {
            let mut relative = RelativeDistinguishedName::default();
            relative.insert(part(attribute, value)).unwrap();
            sequence.push(relative);
        }
        X509Name::from_der(&sequence.to_der().unwrap()).unwrap()
    }
}

fn part(attribute: &str, value: &str) -> AttributeTypeAndValue {
    let oid = match attribute {
        "CN" => "2.5.4.3",
        "C" => "2.5.4.6",
        "L" => "2.5.4.7",
        "ST" => "2.5.4.8",
        "O" => "2.5.4.10",
        "OU" => "2.5.4.11",
        oid if oid.starts_with("1.") => oid,
        other => panic!("these tests have no attribute {other}"),
    };
    let value = if attribute == "C" {
        Any::encode_from(&PrintableString::new(value).unwrap())
    } else {
        Any::encode_from(&Utf8StringRef::new(value).unwrap())
    };
    AttributeTypeAndValue { oid: ObjectIdentifier::new_unwrap(oid), value: value.unwrap() }
}
