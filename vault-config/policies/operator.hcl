# Runs the engine: configures it, makes its CA, writes roles. Whoever writes roles may become anything that the IAM roles' trust
# policies and the config's allowed_role_arns let through.
path "iamra/config" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

path "iamra/config/issuers" {
  capabilities = ["read", "update", "patch"]
}

path "iamra/roles" {
  capabilities = ["list"]
}

# One segment only: ending sessions at AWS, below it, is incident.hcl's.
path "iamra/roles/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Which auth mount is which cluster: whoever writes it may make one cluster's pods those of another.
path "iamra/clusters" {
  capabilities = ["list"]
}

path "iamra/clusters/*" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Shows identities, gives no credentials; `update` shows that of any caller, by entity_id.
path "iamra/preview/*" {
  capabilities = ["read", "update"]
}

# Why a read is refused; `update` asks in the place of any caller, by entity_id. Gives no credentials. Applications have no such path:
# each check costs calls of the account's quota, and it tells what a trust policy leaves open. Theirs is preview/.
path "iamra/check/*" {
  capabilities = ["read", "update"]
}

# Numbers only. For Prometheus, metrics.hcl has nothing else.
path "iamra/metrics" {
  capabilities = ["read"]
}

path "iamra/issuers" {
  capabilities = ["list"]
}

# Renames, disables and deletes issuers. A deleted one takes its key along, for good.
path "iamra/issuer/+" {
  capabilities = ["read", "update", "patch", "delete"]
}

# How far a rotation of the CA is, and the command that comes next.
path "iamra/rotation" {
  capabilities = ["read"]
}

# Which trust anchors the engine manages at AWS, and as whom.
path "iamra/trust-anchors" {
  capabilities = ["list"]
}

path "iamra/trust-anchors/*" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Which auth mount has which accessor: for clusters, and for backup/.
path "sys/auth" {
  capabilities = ["read"]
}

# Key-making needs sudo.
path "iamra/root/generate/internal" {
  capabilities = ["update", "sudo"]
}

path "iamra/intermediate/*" {
  capabilities = ["update", "sudo"]
}

path "iamra/issuers/import/bundle" {
  capabilities = ["update", "sudo"]
}
