# The break-glass: ends sessions at AWS, all of a role's or single ones. It belongs to whoever answers an incident. Vault can ask for
# sudo on whole paths only, so that revoke-sessions is kept by not being in other policies: grant `roles/+`, never `roles/*`.
path "iamra/revoke" {
  capabilities = ["update", "sudo"]
}

path "iamra/roles/+/revoke-sessions" {
  capabilities = ["update"]
}

# Takes an issuer whose key may be compromised out of use, here and at AWS, and ends all sessions.
path "iamra/issuer/+/compromised" {
  capabilities = ["update"]
}

# Whether sessions of a role are made and denied.
path "iamra/check/*" {
  capabilities = ["read", "update"]
}

path "iamra/roles" {
  capabilities = ["list"]
}

# Which issuers there are and what each is to the rotation: whose key it was, and which one comes next.
path "iamra/issuers" {
  capabilities = ["list"]
}

path "iamra/rotation" {
  capabilities = ["read"]
}

# Whether the trust anchors are without the issuer. A read changes nothing at AWS.
path "iamra/trust-anchors" {
  capabilities = ["list"]
}

path "iamra/trust-anchors/+/sync" {
  capabilities = ["read"]
}

# Makes the next issuer, without which a compromised one that is the default has no successor. It signs nothing until it is the default,
# which `compromised` or operator.hcl makes it, or until a role names it. Key-making needs sudo.
path "iamra/root/generate/internal" {
  capabilities = ["update", "sudo"]
}

path "iamra/intermediate/generate/internal" {
  capabilities = ["update", "sudo"]
}

path "iamra/intermediate/set-signed" {
  capabilities = ["update", "sudo"]
}

# Who is meant, by name, alias or id, and which entities were merged into that one (merged_entity_ids): `revoke` takes their ids.
path "identity/lookup/entity" {
  capabilities = ["update"]
}

# Cuts a caller off in Vault, which comes before `revoke`; its tokens are refused from then on. To let it in again is an operator's.
path "identity/entity/id/+" {
  capabilities = ["read", "update"]
  allowed_parameters = {
    "disabled" = ["true", true]
  }
}
