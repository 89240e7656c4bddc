# The break-glass: ends sessions at AWS, all of a role's or single ones. It is for the responders to an incident. Vault can require
# sudo on whole paths only, so revoke-sessions is protected by its absence from other policies: grant `roles/+`, never `roles/*`.
path "iamra/revoke" {
  capabilities = ["update", "sudo"]
}

path "iamra/roles/+/revoke-sessions" {
  capabilities = ["update"]
}

# Who has which session now. It shows every caller of the mount, and no secret.
path "iamra/sessions" {
  capabilities = ["list"]
}

path "iamra/sessions/+" {
  capabilities = ["read"]
}

# Takes an issuer whose key may be compromised out of use, here and at AWS, and ends all sessions.
path "iamra/issuer/+/compromised" {
  capabilities = ["update"]
}

# Shows whether sessions of a role are made and denied.
path "iamra/check/*" {
  capabilities = ["read", "update"]
}

path "iamra/roles" {
  capabilities = ["list"]
}

# Lists issuers with the state of each in the rotation, to see whose key it was and which one comes next.
path "iamra/issuers" {
  capabilities = ["list"]
}

path "iamra/rotation" {
  capabilities = ["read"]
}

# Shows whether a trust anchor still holds the issuer. A read changes nothing at AWS.
path "iamra/trust-anchors" {
  capabilities = ["list"]
}

path "iamra/trust-anchors/+/sync" {
  capabilities = ["read"]
}

# Makes the next issuer, which succeeds a compromised default issuer. It signs nothing until `compromised` or operator.hcl makes it the
# default, or until a role names it. Key-making needs sudo.
path "iamra/root/generate/internal" {
  capabilities = ["update", "sudo"]
}

path "iamra/intermediate/generate/internal" {
  capabilities = ["update", "sudo"]
}

path "iamra/intermediate/set-signed" {
  capabilities = ["update", "sudo"]
}

# Finds the caller by name, alias or id, and the entities that were merged into it (merged_entity_ids): `revoke` takes their ids.
path "identity/lookup/entity" {
  capabilities = ["update"]
}

# Disables a caller in Vault, which comes before `revoke`; its tokens are refused from then on. Only an operator admits it again.
path "identity/entity/id/+" {
  capabilities = ["read", "update"]
  allowed_parameters = {
    "disabled" = ["true", true]
  }
}
