#!/bin/sh
# Writes what operators told one mount into a folder: config, clusters, trust anchors and roles as reads return them, which is what writes take. No
# secret is among it: no CA key (it leaves the engine only in a snapshot of Vault), no proxy password. It needs a POSIX shell and
# the vault command, and a VAULT_TOKEN that may read the mount and sys/auth, such as one with policies/operator.hcl.
#
#   usage: export.sh <folder>    the folder is made; it must not be there yet
#
#   MOUNT       the mount; default iamra
#   VAULT_CLI   the vault command; default vault from PATH
set -eu

mount=${MOUNT:-iamra}

vault() { command "${VAULT_CLI:-vault}" "$@"; }

die() {
    printf 'export: %s\n' "$*" >&2
    exit 1
}

# The names under a path, a line each; nothing where Vault says that there are none.
names() {
    if said=$(vault list "$mount/$1" 2>&1); then
        printf '%s\n' "$said" | tail -n +3
    elif ! printf '%s' "$said" | grep -q 'No value found'; then
        die "$said"
    fi
}

document() { vault read -format=json -field=data "$mount/$1"; }

[ $# -eq 1 ] || die "wants one folder; usage: export.sh <folder>"
folder=$1
[ ! -e "$folder" ] || die "$folder is there already; give a folder that is not"
umask 077
mkdir -p "$folder"

document config >"$folder/config.json"
# Another Vault gives its auth mounts other accessors: import.sh finds the new ones by the mounts' paths.
accessors=$(vault auth list)
printf '%s\n' "$accessors" | awk 'NR > 2 { print $3, $1 }' >"$folder/accessors"
# What the trust anchors hold today, so that it can be told from what will be put there.
vault read -format=raw "$mount/ca/pem" >"$folder/ca.pem" 2>/dev/null || rm -f "$folder/ca.pem"
for kind in clusters trust-anchors roles; do
    mkdir "$folder/$kind"
    found=$(names "$kind")
    for name in $found; do
        document "$kind/$name" >"$folder/$kind/$name.json"
    done
done
count() { find "$folder/$1" -type f | wc -l; }
printf 'export: %s/ is in %s: %s clusters, %s trust anchors, %s roles\n' "$mount" "$folder" \
    "$(count clusters)" "$(count trust-anchors)" "$(count roles)"
