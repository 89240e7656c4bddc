//! Distinguished names as attributes with the short names AWS uses in tag keys.

use x509_cert::{attr::AttributeTypeAndValue, ext::pkix::name::DirectoryString, name::Name};

use super::certificate::to_der;

/// `CN`, `payments.api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
}

const SHORT_NAMES: [(&str, &str); 17] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SURNAME"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATION"),
    ("2.5.4.46", "DNQUALIFIER"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// Every attribute in certificate order, one entry per value; an attribute without a short name has its dotted OID.
pub(crate) fn attributes(name: &Name) -> Vec<Attribute> {
    name.iter().map(attribute).collect()
}

fn attribute(pair: &AttributeTypeAndValue) -> Attribute {
    let oid = pair.oid.to_string();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid);
    Attribute { name: short.map_or(oid.clone(), |(_, short)| (*short).to_owned()), value: text(pair) }
}

/// The value as text; a value without a string type becomes `#` and the hex of its DER, as RFC 4514 says.
fn text(pair: &AttributeTypeAndValue) -> String {
    if let Ok(text) = DirectoryString::try_from(&pair.value) {
        return text.value().into_owned();
    }
    match pair.value.decode_as::<der::asn1::Ia5String>() {
        Ok(text) => text.to_string(),
        Err(_) => format!("#{}", hex::encode(to_der(&pair.value))),
    }
}
