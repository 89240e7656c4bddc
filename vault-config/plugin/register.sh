#!/bin/sh
# Puts the plugin into Vault's catalog and makes one mount run it: mounts it the first time, upgrades it later. A second run with the
# same version changes nothing. It needs a POSIX shell and the vault command: it runs in the hashicorp/vault image (job.yaml), or
# by hand with a VAULT_TOKEN that has the policy plugin-operator.hcl.
#
#   PLUGIN_VERSION   the version the binary reports of itself, such as v0.1.0
#   PLUGIN_SHA256    the binary's SHA-256, from the release or from `vault-plugin-secrets-iamra install`, never from the Vault node
#   PLUGIN_COMMAND   its file name in Vault's plugin_directory; default vault-plugin-secrets-iamra
#   MOUNT            the mount; default iamra
#   MAX_LEASE_TTL    the longest lease of the mount in seconds; default, if the mount has none of its own: 43200, the longest session
#                    that AWS grants
#   VAULT_TOKEN      a token; default that of `vault login`; without either the script logs in with the Kubernetes auth method
#   VAULT_AUTH_MOUNT, VAULT_AUTH_ROLE   for that; default kubernetes and iamra-operator
#   VAULT_JWT_FILE   the service-account token for that; default the path at which job.yaml mounts one made for Vault
#   VAULT_CLI        the vault command; default vault from PATH
set -eu

readonly NAME=vault-plugin-secrets-iamra
# Keys of answers that the audit log shows in clear, by which an AWS CloudTrail entry is found in Vault's audit log. None is secret.
# Never add http_raw_body: it is the whole answer of container/:role, and would put credentials into the log in clear.
readonly AUDIT_KEYS='access_key serial_number expiration source_identity error'

jwt=${VAULT_JWT_FILE:-/var/run/secrets/vault/token}
version=${PLUGIN_VERSION:-} sha=${PLUGIN_SHA256:-} command=${PLUGIN_COMMAND:-$NAME}
mount=${MOUNT:-iamra} max_lease=${MAX_LEASE_TTL:-43200}

# The same lines are in every script here, because each is also copied and run alone. Without them, a user's settings for the output of
# vault would change the answers that the script reads.
unset CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS VAULT_DETAILED VAULT_WRAP_TTL
export LC_ALL=C VAULT_FORMAT=table VAULT_CLI_NO_COLOR=true
vault() { command "${VAULT_CLI:-vault}" "$@"; }
if [ -n "${VAULT_NAMESPACE:-}" ]; then printf '%s: in the Vault namespace %s\n' "${0##*/}" "$VAULT_NAMESPACE" >&2; fi
# To here.

say() { printf 'register: %s\n' "$*"; }

die() {
    printf 'register: %s\n' "$*" >&2
    exit 1
}

check_input() {
    printf '%s' "$version" | grep -Eq '^v[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$' ||
        die "PLUGIN_VERSION '$version': give the version as the binary reports it, such as v0.1.0"
    [ -n "$sha" ] || die "PLUGIN_SHA256 is empty: without it Vault would run any file in its plugin directory"
    printf '%s' "$sha" | grep -Eq '^[0-9a-f]{64}$' || die "PLUGIN_SHA256 '$sha' is not a SHA-256: 64 hex digits in lower case"
    printf '%s' "$max_lease" | grep -Eq '^[1-9][0-9]*$' || die "MAX_LEASE_TTL '$max_lease': give a number of seconds"
}

log_in() {
    [ -z "$(vault print token)" ] || return 0 # VAULT_TOKEN, or what `vault login` left
    [ -r "$jwt" ] || die "no VAULT_TOKEN, none of \`vault login\`, and no service-account token at $jwt to log in with"
    VAULT_TOKEN=$(vault write -field=token "auth/${VAULT_AUTH_MOUNT:-kubernetes}/login" \
        role="${VAULT_AUTH_ROLE:-iamra-operator}" jwt=@"$jwt")
    export VAULT_TOKEN
}

# The output of a command, or nothing if Vault says that the object does not exist; any other error ends the script.
present() { # text with which Vault says so, command...
    absent=$1
    shift
    if said=$("$@" 2>&1); then
        printf '%s' "$said"
    elif ! printf '%s' "$said" | grep -Eq "$absent"; then
        printf '%s\n' "$said" >&2
        exit 1
    fi
}

of_mount() { present 'No secret engine mount' vault read -field="$1" "sys/mounts/$mount"; }

register() {
    registered=$(present 'Code: 404' vault plugin info -version="$version" -field=sha256 secret "$NAME")
    if [ "$registered" = "$sha" ]; then
        say "$NAME $version is in the catalog"
        return
    fi
    vault plugin register -sha256="$sha" -version="$version" -command="$command" secret "$NAME" >/dev/null
    say "put $NAME $version ($sha) into the catalog${registered:+, in place of $registered}"
}

enable_first() {
    set -- # the option's values, one each
    for key in $AUDIT_KEYS; do set -- "$@" "-audit-non-hmac-response-keys=$key"; done
    vault secrets enable -path="$mount" -plugin-version="$version" -max-lease-ttl="$max_lease" "$@" \
        -description="AWS credentials through IAM Roles Anywhere" "$NAME" >/dev/null
    say "mounted $NAME $version at $mount/"
}

# Adds the settings that the mount lacks. It keeps audit keys that somebody else added, except the one that shows credentials, and keeps a
# longest lease of the mount's own.
tune() {
    keys=$(vault read -field=audit_non_hmac_response_keys "sys/mounts/$mount/tune" 2>/dev/null || true)
    keys=${keys#[} keys=${keys%]} missing=
    case " $keys " in *" http_raw_body "*) missing=yes && say "took http_raw_body out of the audit keys: it shows credentials" ;; esac
    for key in $AUDIT_KEYS; do
        case " $keys " in *" $key "*) ;; *) missing=yes ;; esac
    done
    if [ -n "$missing" ]; then
        set --
        for key in $(printf '%s\n' $keys $AUDIT_KEYS | awk '$0 != "http_raw_body" && !seen[$0]++'); do set -- "$@" "-audit-non-hmac-response-keys=$key"; done
        vault secrets tune "$@" "$mount" >/dev/null
        say "tuned the audit keys of $mount/: $AUDIT_KEYS"
    fi
    if has_other_lease; then
        vault secrets tune -max-lease-ttl="$max_lease" "$mount" >/dev/null
        say "tuned the longest lease of $mount/: $max_lease seconds"
    fi
}

# Whether the mount's longest lease differs from MAX_LEASE_TTL; without that variable, whether the mount has Vault's own default.
has_other_lease() {
    if [ -n "${MAX_LEASE_TTL:-}" ]; then
        [ "$(vault read -field=max_lease_ttl "sys/mounts/$mount/tune")" != "$max_lease" ]
    else
        vault read -format=json "sys/mounts/$mount" | grep -Eq '"max_lease_ttl": 0(,|$)'
    fi
}

# The catalog only says what may run. A mount runs another version after it is tuned to it and reloaded.
upgrade() {
    if [ "$(of_mount plugin_version)" != "$version" ]; then
        vault secrets tune -plugin-version="$version" "$mount" >/dev/null
        say "tuned $mount/ to $version"
    fi
    if [ "$(of_mount running_plugin_version)" = "$version" ] && [ "$(of_mount running_sha256)" = "$sha" ]; then
        say "$mount/ runs $version"
        return
    fi
    before=$(of_mount running_plugin_version)
    vault write sys/plugins/reload/backend mounts="$mount/" >/dev/null
    say "reloaded $mount/: $before before, $(of_mount running_plugin_version) now"
}

check_result() {
    running="$(of_mount running_plugin_version) $(of_mount running_sha256)"
    [ "$running" = "$version $sha" ] || die "$mount/ runs $running, not $version $sha"
}

check_input
log_in
type=$(of_mount type)
[ -z "$type" ] || [ "$type" = "$NAME" ] || die "the mount $mount/ is of type $type"
register
if [ -z "$type" ]; then
    enable_first
else
    tune
    upgrade
fi
check_result
