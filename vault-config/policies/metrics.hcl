# For Prometheus: the engine's metrics and nothing else.
path "iamra/metrics" {
  capabilities = ["read"]
}
