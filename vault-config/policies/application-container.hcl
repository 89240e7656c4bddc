# The policy of one application that asks Vault Agent's or Vault Proxy's listener. It opens this one path and nothing else, because the
# listener answers everybody who can reach it with the Agent's token: anybody who makes the application fetch a URL (a webhook that it
# calls, an image that it loads) can ask the listener too, for every path that this policy names.
#
# kubernetes/setup.sh writes it for each service account, under its name instead of payments-api.
path "iamra/container/payments-api" {
  capabilities = ["read"]
}

# The Agent renews its own token; without this it logs in again each time.
path "auth/token/renew-self" {
  capabilities = ["update"]
}
