//! The parameter of a path that only names a role or an entry, which several paths have.

use vault_backend::{Fault, Field, Params, Values};

/// The `role` of the paths that show a role to its own callers.
pub(crate) const ROLE: Field = Field::string("role", "name of the role");

/// The role that a caller asks about.
pub(crate) struct OfRole {
    pub(crate) role: String,
}

/// The entry that `{name}` of a path stands for. Another operation of the path must describe the parameter, because each kind of
/// entry has its own rules for names.
pub(crate) struct Named {
    pub(crate) name: String,
}

impl Params for OfRole {
    const FIELDS: &'static [Field] = &[ROLE];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")? })
    }
}

impl Params for Named {
    const FIELDS: &'static [Field] = &[];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { name: values.text("name")? })
    }
}
