# What plugin/register.sh may do: put this one plugin into the catalog, mount it at this one path, tune and reload that mount.
# It reads no credentials and writes no role. Still it decides which program Vault runs: guard who may change the Job.

# `sudo` is what Vault asks for on the catalog. With it, any file of Vault's plugin directory can be registered under this name.
path "sys/plugins/catalog/secret/vault-plugin-secrets-iamra" {
  capabilities = ["create", "read", "update", "sudo"]
}

path "sys/mounts/iamra" {
  capabilities = ["create", "read", "update"]
}

path "sys/mounts/iamra/tune" {
  capabilities = ["read", "update"]
}

path "sys/plugins/reload/backend" {
  capabilities = ["update"]
}
