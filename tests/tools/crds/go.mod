// The published schemas of the custom resources in k8s/overlays: each module's zip holds its CRDs. Nothing here is compiled.
module tools/crds

go 1.25.3

require (
	github.com/external-secrets/external-secrets v1.3.2
	github.com/hashicorp/vault-secrets-operator v0.10.0
	sigs.k8s.io/secrets-store-csi-driver v1.6.0
)
