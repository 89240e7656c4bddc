# Prometheus: numbers of the engine and nothing else.
path "iamra/metrics" {
  capabilities = ["read"]
}
