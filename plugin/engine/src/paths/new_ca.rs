//! The fields that a new root and a signing request share.

use ca::{KeySpec, Subject};
use vault_backend::{Fault, Field, Params, Values};

use crate::ground::faults;

/// Subject and key of a new CA.
pub(crate) struct NewCa {
    /// The common name, and what else was given.
    pub(crate) subject: Subject,
    /// Kind and size. Without `key_bits`, or with 0, the size is the kind's default: 256, 2048 or 65.
    pub(crate) key: KeySpec,
}

impl Params for NewCa {
    const FIELDS: &'static [Field] = &[
        Field::string("common_name", "common name of the CA's subject (CN)").required(),
        Field::list("organization", "organizations of the CA's subject (O)").prose(),
        Field::list("organizational_unit", "organizational units of the CA's subject (OU)").prose(),
        Field::list("country", "countries of the CA's subject (C), two letters each"),
        Field::list("locality", "localities of the CA's subject (L)").prose(),
        Field::list("province", "provinces or states of the CA's subject (ST)").prose(),
        Field::string("key_type", "kind of the CA's key").default_text("ec").one_of(&["ec", "rsa", "ml-dsa"]),
        Field::int(
            "key_bits",
            "size of the CA's key: 256 or 384 for ec; 2048, 3072 or 4096 for rsa; 44, 65 or 87, the parameter set, for ml-dsa",
        ),
    ];

    /// Reads subject and key; the key type is `ec` if none is given.
    ///
    /// # Errors
    /// The caller's fault if the key type has no such size.
    fn from_values(values: &Values) -> Result<Self, Fault> {
        let list = |field: &str| values.list(field).map(Option::unwrap_or_default);
        let subject = Subject {
            common_name: Some(values.text("common_name")?),
            organization: list("organization")?,
            organizational_unit: list("organizational_unit")?,
            country: list("country")?,
            locality: list("locality")?,
            province: list("province")?,
        };
        let kind = values.string("key_type")?.unwrap_or_else(|| "ec".to_owned());
        let bits = values.int("key_bits")?.map(size).transpose()?;
        let key = KeySpec::from_type_and_bits(&kind, bits).map_err(faults::ca)?;
        Ok(Self { subject, key })
    }
}

/// 0 stands for the kind's default; `ca` refuses a size that the kind does not have.
fn size(bits: i64) -> Result<u32, Fault> {
    u32::try_from(bits).map_err(|_| {
        Fault::caller(format!("key_bits: {bits} is outside 0 to {} (0 stands for the default)", u32::MAX))
    })
}
