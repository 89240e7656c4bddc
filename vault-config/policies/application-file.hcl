# The policy of one application whose credentials arrive as files, or through the Vault Secrets Operator, External Secrets or CSI:
# its one role, and nothing else. Grant `update` beside `read` only if the role lets callers give a ttl.
#
# kubernetes/setup.sh writes it for each service account, under its name instead of payments-api.
path "iamra/creds/payments-api" {
  capabilities = ["read"]
}

# Agents and operators look up their own token, renew it, and revoke it when they stop.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
