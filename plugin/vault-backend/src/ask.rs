//! A request as a struct of the handler's own.

use crate::fault::Fault;
use crate::field::Field;
use crate::values::Values;

/// What an operation asks of its caller: a struct, its schema, and how the one is read from the other.
///
/// ```
/// use vault_backend::{Ask, Fault, Field, Values};
///
/// struct WriteGreeting {
///     name: String,
///     text: String,
/// }
///
/// impl Ask for WriteGreeting {
///     const FIELDS: &'static [Field] = &[
///         Field::string("name", "Whom to greet."),
///         Field::string("text", "What to say.").required(),
///     ];
///
///     fn take(values: &Values) -> Result<Self, Fault> {
///         Ok(WriteGreeting { name: values.text("name")?, text: values.text("text")? })
///     }
/// }
/// ```
pub trait Ask: Sized + Send + 'static {
    /// The schema. Path parameters may be listed to document them.
    const FIELDS: &'static [Field];

    /// Reads the struct from values that fit the schema already.
    fn take(values: &Values) -> Result<Self, Fault>;
}

impl Ask for () {
    const FIELDS: &'static [Field] = &[];

    fn take(_: &Values) -> Result<Self, Fault> {
        Ok(())
    }
}
