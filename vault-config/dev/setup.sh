#!/usr/bin/env bash
# Sets up the engine on a dev Vault: registers the plugin, mounts it, makes a CA, and writes config and one role.
# A test runs this same file. It needs the vault command alone. It is for a new Vault: if the mount exists already, it stops.
#
#   VAULT_CLI                 the vault command; default: vault from PATH
#   VAULT_ADDR, VAULT_TOKEN   the server, and a token that may do all this
#   IAMRA_PLUGIN              the plugin's file name in Vault's plugin directory
#   IAMRA_SHA256              that file's SHA-256
#   IAMRA_VERSION             its version, such as v0.1.0
#   IAMRA_ENDPOINT            the Roles Anywhere endpoint; leave empty for AWS itself
#   IAMRA_TRUST_ANCHOR_ARN, IAMRA_PROFILE_ARN, IAMRA_ROLE_ARN
set -euo pipefail

# The same lines are in every script here, because each is also copied and run alone. Without them, a user's settings for the output of
# vault would change the answers that the script reads.
unset CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS VAULT_DETAILED VAULT_WRAP_TTL
export LC_ALL=C VAULT_FORMAT=table VAULT_CLI_NO_COLOR=true
vault() { command "${VAULT_CLI:-vault}" "$@"; }
if [ -n "${VAULT_NAMESPACE:-}" ]; then printf '%s: in the Vault namespace %s\n' "${0##*/}" "$VAULT_NAMESPACE" >&2; fi
# To here.

mount=${IAMRA_MOUNT:-iamra}
role=${IAMRA_ROLE:-demo}

vault plugin register -sha256="$IAMRA_SHA256" -command="$IAMRA_PLUGIN" -version="$IAMRA_VERSION" \
    secret vault-plugin-secrets-iamra
vault secrets enable -path="$mount" -plugin-version="$IAMRA_VERSION" vault-plugin-secrets-iamra

# The key of this CA never leaves the engine. The trust anchor must hold its certificate, which is at $mount/trust-bundle.
vault write "$mount/root/generate/internal" common_name="$mount dev CA" issuer_name=dev >/dev/null

vault write "$mount/config" \
    ${IAMRA_ENDPOINT:+endpoint="$IAMRA_ENDPOINT"} \
    default_trust_anchor_arn="$IAMRA_TRUST_ANCHOR_ARN" \
    default_profile_arn="$IAMRA_PROFILE_ARN"

vault write "$mount/roles/$role" \
    role_arn="$IAMRA_ROLE_ARN" \
    common_name="$role.dev" \
    organization=dev
