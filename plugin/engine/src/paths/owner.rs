//! The mount of a request, as the owner of inline policies at AWS.

use vault_backend::Request;

use crate::management::denial_policy::Owner;

/// The mount of `request`. Its id names the policies, so two mounts never write the same one. The mount point is for commands in
/// texts.
pub(crate) fn owner(request: &Request) -> Owner<'_> {
    Owner { mount_id: &request.mount.uuid, mount_point: &request.mount_point }
}
