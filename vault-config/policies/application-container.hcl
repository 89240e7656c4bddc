# The policy of one application that asks Vault Agent's or Vault Proxy's listener. It opens this one path and nothing else, because the
# listener answers everybody who can reach it with the Agent's token: whatever makes the application fetch a URL (a webhook it
# calls, an image it is told to load) can ask the listener too, for every path that this policy names.
#
# kubernetes/setup.sh writes it for each service account, under its name instead of payments-api.
path "iamra/container/payments-api" {
  capabilities = ["read"]
}

# The Agent renews its own token; without this it logs in anew each time.
path "auth/token/renew-self" {
  capabilities = ["update"]
}
