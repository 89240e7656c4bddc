# The break-glass: ends sessions at AWS, all of a role's or single ones. Needs sudo, and belongs to whoever answers an incident.
path "iamra/revoke" {
  capabilities = ["update", "sudo"]
}

path "iamra/roles/+/revoke-sessions" {
  capabilities = ["update", "sudo"]
}

path "iamra/roles" {
  capabilities = ["list"]
}
