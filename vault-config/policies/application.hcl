# One application: its one role, and nothing else. `update` is needed only where the role lets callers give a ttl.
path "iamra/creds/demo" {
  capabilities = ["read"]
}
