//! Fields that several paths have, and how a schema continues another one.

use vault_backend::Field;

/// The operator's name for a new issuer.
pub(crate) const ISSUER_NAME: Field = Field::string("issuer_name", "name of the issuer, unique in the mount");

/// Lets a CA in that the engine would not make itself.
pub(crate) const WITHOUT_PATHLEN: Field =
    Field::bool("force", "take a CA without pathlen 0, which could sign further CAs").default_text("false");

/// Returns the fields of `first`, then `more`. The compiler refuses an `ALL` that is not the number of all fields.
pub(crate) const fn joined<const ALL: usize>(first: &[Field], more: &[Field]) -> [Field; ALL] {
    assert!(first.len() + more.len() == ALL, "ALL must be the number of all fields");
    let mut all = [first[0]; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < first.len() { first[at] } else { more[at - first.len()] };
        at += 1;
    }
    all
}
