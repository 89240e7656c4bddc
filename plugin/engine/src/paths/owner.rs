//! The mount that a request is for, as the owner of what is written at AWS.

use vault_backend::Request;

use crate::management::denial_policy::Owner;

/// The mount of `request`.
pub(crate) fn owner(request: &Request) -> Owner<'_> {
    Owner { mount_id: &request.mount.uuid, mount_point: &request.mount_point }
}
