//! A role as another caller would have it: what operators ask by the caller's entity.

use vault_backend::{Fault, Field, Params, Request, Values};

use crate::paths::entity_id;

/// What a path that shows a role to whoever asks calls it.
pub(crate) const ROLE: Field = Field::string("role", "name of the role");

/// A role, and the caller in whose place it is asked for.
pub(crate) struct InPlaceOf {
    pub(crate) role: String,
    pub(crate) entity_id: String,
}

impl InPlaceOf {
    const ENTITY: Field = Field::string(
        "entity_id",
        "Vault's entity in whose place to ask, as vault token lookup shows it; to ask as yourself, read",
    );

    /// The request as that caller's.
    ///
    /// # Errors
    /// The caller's fault where Vault knows no such entity.
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
