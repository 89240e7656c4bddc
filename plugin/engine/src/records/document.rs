//! Documents whose fields read themselves: a field is named once, in its struct.

use std::fmt::Display;
use std::str::FromStr;

use rolesanywhere::{ProfileArn, TrustAnchorArn};
use serde::{Deserialize, Serialize};
use vault_backend::{Fault, Values};

use crate::ground::bounds::{Count, Seconds};

/// The value of a field, or a group of fields.
pub(crate) trait FromField: Sized {
    /// Reads the field called `field` from the values of a whole document. A field without a value has its default.
    ///
    /// # Errors
    /// The caller's: the value is malformed or outside its bounds, or one without a default is missing.
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault>;
}

/// Declares a struct that reads itself from the values of a document, by the names and the types of its fields. It may be a field
/// too: a group that serde flattens, whose own name is in no document.
macro_rules! document {
    (
        $(#[$of_document:meta])*
        $visible:vis struct $Document:ident {
            $($(#[$of_field:meta])* $field_visible:vis $field:ident: $Value:ty,)*
        }
    ) => {
        $(#[$of_document])*
        $visible struct $Document {
            $($(#[$of_field])* $field_visible $field: $Value,)*
        }

        impl $Document {
            /// Reads each field by its name and its type.
            fn from_fields(values: &vault_backend::Values) -> Result<Self, vault_backend::Fault> {
                Ok(Self {
                    $($field: $crate::records::document::FromField::from_field(values, stringify!($field))?,)*
                })
            }
        }

        impl $crate::records::document::FromField for $Document {
            fn from_field(values: &vault_backend::Values, _: &str) -> Result<Self, vault_backend::Fault> {
                Self::from_fields(values)
            }
        }
    };
}

pub(crate) use document;

/// PEM text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Pem(pub(crate) String);

impl<T: FromStr<Err: Display>> FromField for Option<T> {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        values.parse(field)
    }
}

impl FromField for Option<Pem> {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        Ok(values.pem(field)?.map(Pem))
    }
}

impl FromField for bool {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        Ok(values.bool(field)?.unwrap_or_default())
    }
}

impl FromField for Vec<String> {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        Ok(values.list(field)?.unwrap_or_default())
    }
}

impl<const LEAST: u64, const MOST: u64, const USUAL: u64> FromField for Seconds<LEAST, MOST, USUAL> {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        Ok(values.duration(field)?.map(|given| Self::new(field, given)).transpose()?.unwrap_or_default())
    }
}

impl<const LEAST: u32, const MOST: u32, const USUAL: u32> FromField for Count<LEAST, MOST, USUAL> {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        Ok(values.int(field)?.map(|given| Self::new(field, given)).transpose()?.unwrap_or_default())
    }
}

impl FromField for TrustAnchorArn {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        required(values, field)
    }
}

impl FromField for ProfileArn {
    fn from_field(values: &Values, field: &str) -> Result<Self, Fault> {
        required(values, field)
    }
}

/// Reads an ARN that must be given.
fn required<T: FromStr<Err: Display>>(values: &Values, field: &str) -> Result<T, Fault> {
    values.parse(field)?.ok_or_else(|| Fault::caller(format!("{field}: missing; give its ARN")))
}
