// The smallest possible Vault plugin on the Go SDK: it reads nothing, calls nobody, and gives the same answer to every read.
// Its cost is the floor of Vault's own path to a plugin, and `leased` is that floor for an answer with a lease.
package main

import (
	"context"
	"log"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

// As long as the parts of an AWS session, so that Vault transports as much for one plugin as for the other.
var answer = map[string]interface{}{
	"access_key":    filler(20),
	"secret_key":    filler(40),
	"session_token": filler(656),
	"expiration":    "2030-01-01T00:00:00Z",
}

func main() {
	err := plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: factory})
	if err != nil {
		log.Fatal(err)
	}
}

func factory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	secret := &framework.Secret{Type: "fixed", DefaultDuration: time.Hour, Revoke: forget}
	backend := &framework.Backend{
		Help:        "Answers every read with the same texts.",
		BackendType: logical.TypeLogical,
		Secrets:     []*framework.Secret{secret},
		Paths: []*framework.Path{
			at("leaseless", func() *logical.Response { return &logical.Response{Data: answer} }),
			at("leased", func() *logical.Response { return secret.Response(answer, nil) }),
		},
	}
	return backend, backend.Setup(ctx, config)
}

func at(pattern string, respond func() *logical.Response) *framework.Path {
	read := func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
		return respond(), nil
	}
	return &framework.Path{
		Pattern:    pattern,
		Operations: map[logical.Operation]framework.OperationHandler{logical.ReadOperation: &framework.PathOperation{Callback: read}},
	}
}

func forget(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
	return nil, nil
}

func filler(length int) string {
	text := make([]byte, length)
	for at := range text {
		text[at] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[at%32]
	}
	return string(text)
}
