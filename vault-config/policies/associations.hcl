# The policy of all pods of one cluster that get their credentials from the node agent. Of the engine roles it opens the one that is named
# after the pod's own service account, <namespace>.<serviceaccount>. Vault takes both names from the pod's login, so a new service account
# needs an engine role and no policy. No namespace holds a dot, so no two service accounts have one name.
#
# kubernetes/setup.sh --associations writes it once for a cluster, with the accessor of the cluster's auth mount instead of
# auth_kubernetes_1a2b3c4d. It is for batch tokens, which nobody renews.
path "iamra/container/{{identity.entity.aliases.auth_kubernetes_1a2b3c4d.metadata.service_account_namespace}}.{{identity.entity.aliases.auth_kubernetes_1a2b3c4d.metadata.service_account_name}}" {
  capabilities = ["read"]
}

# Only with --fallback: the engine role of pods whose service account has none of its own.
path "iamra/container/prod-pods" {
  capabilities = ["read"]
}
