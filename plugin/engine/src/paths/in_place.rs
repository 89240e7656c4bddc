//! A request in another caller's place: operators ask how a role looks for a given entity.

use vault_backend::{Fault, Field, Params, Request, Values};

use crate::paths::entity_id;
use crate::paths::named::ROLE;

/// A role, and the caller in whose place it is looked at.
pub(crate) struct InPlaceOf {
    pub(crate) role: String,
    pub(crate) entity_id: String,
}

impl InPlaceOf {
    const ENTITY: Field = Field::string(
        "entity_id",
        "id of the Vault entity to ask for, as vault token lookup shows it; to ask for yourself, read",
    );

    /// The request with that caller's entity in place of the sender's. A path that bounds the work of each caller must take the
    /// sender's turn before it calls this: otherwise an operator would use up the other caller's share.
    ///
    /// # Errors
    /// The caller's fault if Vault knows no such entity in the mount's namespace; a fault to try again later if Vault does not
    /// answer.
    pub(crate) async fn instead_of(&self, mut request: Request) -> Result<Request, Fault> {
        let id = &self.entity_id;
        if request.mount.system.entity_info(id).await?.is_none() {
            return Err(Fault::caller(format!("entity_id: Vault knows no entity {id:?}")));
        }
        request.entity_id = Some(id.clone());
        Ok(request)
    }
}

impl Params for InPlaceOf {
    const FIELDS: &'static [Field] = &[ROLE, Self::ENTITY.required()];

    fn from_values(values: &Values) -> Result<Self, Fault> {
        Ok(Self { role: values.text("role")?, entity_id: entity_id::parse(values.text("entity_id")?)? })
    }
}
