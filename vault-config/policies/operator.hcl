# Runs the engine: configures it, makes its CA, writes roles. A caller that may write roles can assume every IAM role that
# the IAM roles' trust policies and the config's allowed_role_arns admit.
path "iamra/config" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

path "iamra/config/issuers" {
  capabilities = ["read", "update", "patch"]
}

path "iamra/roles" {
  capabilities = ["list"]
}

# One segment only, because incident.hcl has the paths below it, which end sessions at AWS.
path "iamra/roles/+" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Maps auth mounts to clusters: a caller that may write it can give one cluster's pods the identities of another's.
path "iamra/clusters" {
  capabilities = ["list"]
}

path "iamra/clusters/*" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# Shows identities and returns no credentials; `update` shows the identity of any caller, by entity_id.
path "iamra/preview/*" {
  capabilities = ["read", "update"]
}

# Explains why a read is refused, and returns no credentials; `update` asks for any caller, by entity_id. Applications have no such path,
# because each check uses calls of the account's quota, and shows what a trust policy leaves open. They have preview/.
path "iamra/check/*" {
  capabilities = ["read", "update"]
}

# Who has which session now. It shows every caller of the mount, and no secret.
path "iamra/sessions" {
  capabilities = ["list"]
}

path "iamra/sessions/+" {
  capabilities = ["read"]
}

# Numbers only. metrics.hcl grants this path alone, for Prometheus.
path "iamra/metrics" {
  capabilities = ["read"]
}

path "iamra/issuers" {
  capabilities = ["list"]
}

# Renames, disables and deletes issuers. The key of a deleted issuer is gone for good.
path "iamra/issuer/+" {
  capabilities = ["read", "update", "patch", "delete"]
}

# The progress of a rotation of the CA, and the next command.
path "iamra/rotation" {
  capabilities = ["read"]
}

# The trust anchors that the engine manages at AWS, and the IAM roles that it uses.
path "iamra/trust-anchors" {
  capabilities = ["list"]
}

path "iamra/trust-anchors/*" {
  capabilities = ["create", "read", "update", "patch", "delete"]
}

# The accessors of auth mounts, for clusters and for backup/.
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
