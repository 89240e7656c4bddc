# The break-glass: ends sessions at AWS, all of a role's or single ones. It belongs to whoever answers an incident. Vault can ask for
# sudo on whole paths only, so that revoke-sessions is kept by not being in other policies: grant `roles/+`, never `roles/*`.
path "iamra/revoke" {
  capabilities = ["update", "sudo"]
}

path "iamra/roles/+/revoke-sessions" {
  capabilities = ["update"]
}

# Puts an issuer whose key may be in other hands out of use, here and at AWS, and ends all sessions.
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
