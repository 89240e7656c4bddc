#!/bin/sh
# Exports one mount's configuration into a folder: config, clusters, trust anchors and roles as reads return them and writes accept
# them, and the names of its issuers. The export has no secret: no CA key (it leaves the engine only in a snapshot of Vault), no
# proxy password. It needs a POSIX shell and the vault command, and a VAULT_TOKEN that may read the mount and sys/auth, such as one
# with policies/operator.hcl.
#
#   usage: export.sh <folder>    made, or replaced if it is an earlier export; an export that fails leaves the earlier one unchanged
#
#   MOUNT       the mount; default iamra
#   VAULT_CLI   the vault command; default vault from PATH
set -eu

mount=${MOUNT:-iamra}

# The same lines are in every script here, because each is also copied and run alone. Without them, a user's settings for the output of
# vault would change the answers that the script reads.
unset CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS VAULT_DETAILED VAULT_WRAP_TTL
export LC_ALL=C VAULT_FORMAT=table VAULT_CLI_NO_COLOR=true
vault() { command "${VAULT_CLI:-vault}" "$@"; }
if [ -n "${VAULT_NAMESPACE:-}" ]; then printf '%s: in the Vault namespace %s\n' "${0##*/}" "$VAULT_NAMESPACE" >&2; fi
# To here.

die() {
    printf 'export: %s\n' "$*" >&2
    exit 1
}

# The names under a path, a line each; nothing if Vault says that there are none.
names() {
    if said=$(vault list "$mount/$1" 2>&1); then
        printf '%s\n' "$said" | tail -n +3
    elif ! printf '%s' "$said" | grep -q 'No value found'; then
        die "$said"
    fi
}

document() { vault read -format=json -field=data "$mount/$1"; }

# A field of a path; nothing if the path has none.
field() { # path, field
    if said=$(vault read -field="$2" "$mount/$1" 2>&1); then
        printf '%s' "$said"
    elif ! printf '%s' "$said" | grep -q 'not present in secret'; then
        die "$mount/$1: $said"
    fi
}

# Vault gives the same answer for a missing mount as for an empty one, but every engine answers this read.
check_mount() {
    said=$(vault read "$mount/rotation" 2>&1) || die "no engine answers at $mount/; MOUNT names another mount: $said"
}

export_config() {
    if said=$(document config 2>&1); then
        printf '%s\n' "$said" >"$work/config.json"
    elif printf '%s' "$said" | grep -q 'No value found'; then
        printf 'export: %s/ has no config: none is exported\n' "$mount" >&2
    else
        die "$mount/config: $said"
    fi
}

# A line for each issuer: its id, `default` or `-`, and its name if it has one. A role may name id or name.
export_issuers() {
    found=$(names issuers)
    for id in $found; do
        name=$(field "issuer/$id" issuer_name)
        is_default=$(field "issuer/$id" is_default)
        [ "$is_default" = true ] && mark=default || mark=-
        printf '%s %s %s\n' "$id" "$mark" "$name"
    done >"$work/issuers"
}

export_kind() { # clusters, trust-anchors or roles
    mkdir "$work/$1"
    found=$(names "$1")
    for name in $found; do
        document "$1/$name" >"$work/$1/$name.json"
    done
}

# Refuses a folder with other files than an export's, because the swap would remove them.
check_folder() {
    [ -e "$folder" ] || return 0
    [ -d "$folder" ] || die "$folder exists already and is not a folder"
    foreign=$(find "$folder/." ! -name . -prune ! -name config.json ! -name accessors ! -name ca.pem ! -name issuers \
        ! -name clusters ! -name trust-anchors ! -name roles)
    [ -z "$foreign" ] || die "$folder has files that are not an export's ($(printf '%s\n' "$foreign" | sed 1q)); give a folder of its own"
}

# Replaces the folder with the new export. Until then an earlier one is kept beside it, and is restored if this script ends before.
swap() {
    if [ -e "$folder" ]; then mv "$folder" "$work.earlier"; fi
    mv "$work" "$folder" || die "cannot put the export into $folder"
}

clean_up() {
    if [ -e "$work.earlier" ] && [ ! -e "$folder" ]; then mv "$work.earlier" "$folder"; fi
    rm -rf "$work" "$work.earlier"
}

[ $# -eq 1 ] && [ -n "$1" ] || die "needs one folder; usage: export.sh <folder>"
folder=${1%/}
if [ -L "$folder" ]; then folder=$(cd -P "$folder" && pwd); fi
check_folder
check_mount
umask 077
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$folder.new.XXXXXX")
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

export_config
# In another Vault the auth mounts have other accessors; import.sh finds the new ones by the mounts' paths.
accessors=$(vault auth list)
printf '%s\n' "$accessors" | awk -F '  +' 'NR > 2 { print $3, $1 }' >"$work/accessors"
# The certificates in the trust anchors today, to distinguish them from those that will be put there.
vault read -format=raw "$mount/ca/pem" >"$work/ca.pem" 2>/dev/null || rm -f "$work/ca.pem"
export_issuers
for kind in clusters trust-anchors roles; do export_kind "$kind"; done
swap
count() { find "$folder/$1" -type f | wc -l; }
printf 'export: %s/ is in %s: %s clusters, %s trust anchors, %s roles, %s issuers\n' "$mount" "$folder" \
    "$(count clusters)" "$(count trust-anchors)" "$(count roles)" "$(wc -l <"$folder/issuers")"
