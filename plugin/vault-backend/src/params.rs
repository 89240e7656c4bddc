//! The parameters of an operation, as a struct of the handler's own.

use crate::fault::Fault;
use crate::field::Field;
use crate::values::Values;

/// The parameters of an operation: a struct, its schema, and how it is read from checked values.
///
/// ```
/// use vault_backend::{Params, Fault, Field, Values};
///
/// struct WriteGreeting {
///     name: String,
///     text: String,
/// }
///
/// impl Params for WriteGreeting {
///     const FIELDS: &'static [Field] = &[
///         Field::string("name", "Whom to greet."),
///         Field::string("text", "What to say.").required(),
///     ];
///
///     fn from_values(values: &Values) -> Result<Self, Fault> {
///         Ok(WriteGreeting { name: values.text("name")?, text: values.text("text")? })
///     }
/// }
/// ```
pub trait Params: Sized + Send + 'static {
    /// The schema. Path parameters may be listed to document them.
    const FIELDS: &'static [Field];

    /// Reads the struct from values that the schema has already checked.
    fn from_values(values: &Values) -> Result<Self, Fault>;
}

impl Params for () {
    const FIELDS: &'static [Field] = &[];

    fn from_values(_: &Values) -> Result<Self, Fault> {
        Ok(())
    }
}
