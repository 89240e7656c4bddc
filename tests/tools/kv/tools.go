//go:build tools

// Names the program that this module pins.
package tools

import _ "github.com/hashicorp/vault-plugin-secrets-kv/cmd/vault-plugin-secrets-kv"
