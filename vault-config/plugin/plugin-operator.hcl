# The rights of plugin/register.sh: put this one plugin into the catalog, mount it at this one path, tune and reload that mount.
# It reads no credentials and writes no role. It still decides which program Vault runs, so restrict who may change the Job.

# Vault requires `sudo` on the catalog. With it, any file of Vault's plugin directory can be registered under this name.
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
