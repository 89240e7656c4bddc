#!/bin/sh
# Writes the folder that export.sh made into a mount: config, clusters, trust anchors, roles. One that the folder does not have stays
# as it is. Run again it changes nothing. It needs a POSIX shell and the vault command, and a VAULT_TOKEN that may write the mount.
#
#   usage: import.sh <folder>
#
# First enable the auth methods at the paths they had: their accessors, which clusters and templates name, are replaced by the new
# ones. Give issuers the names they had: a role that names one is told apart below if there is none of that name.
#
#   MOUNT       the mount; default iamra
#   VAULT_CLI   the vault command; default vault from PATH
set -eu

mount=${MOUNT:-iamra}

vault() { command "${VAULT_CLI:-vault}" "$@"; }

die() {
    printf 'import: %s\n' "$*" >&2
    exit 1
}

# A sed script that replaces each exported accessor, a word, by that of the auth mount at the same path today.
renaming() {
    vault auth list | awk 'NR > 2 { print $3, $1 }' >"$work/now"
    awk 'NR == FNR { now[$2] = $1; next } $2 in now { print "s/" $1 "/" now[$2] "/g" }' "$work/now" "$folder/accessors"
}

# Refuses while a file names an auth mount that is not there: its callers would be taken for nobody, or for somebody else.
check_accessors() {
    awk 'NR == FNR { now[$2] = 1; next } !($2 in now) { print $1, $2 }' "$work/now" "$folder/accessors" >"$work/gone"
    while read -r accessor path; do
        users=$(grep -rlF "$accessor" "$folder/clusters" "$folder/roles" || true)
        [ -z "$users" ] || die "no auth method is enabled at $path, which $(echo "$users" | tr '\n' ' ')names; enable it there first"
    done <"$work/gone"
}

put() { # path, file
    sed -f "$work/renaming" "$2" >"$work/document"
    said=$(vault write "$mount/$1" "@$work/document" 2>&1) || die "$mount/$1: $said"
}

[ $# -eq 1 ] || die "wants one folder; usage: import.sh <folder>"
folder=$1
[ -r "$folder/config.json" ] && [ -r "$folder/accessors" ] || die "$folder is no export: it has no config.json and accessors"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
renaming >"$work/renaming"
check_accessors

put config "$folder/config.json"
for kind in clusters trust-anchors roles; do
    count=0
    for file in "$folder/$kind"/*.json; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .json)
        put "$kind/$name" "$file"
        count=$((count + 1))
        [ "$kind" = roles ] || continue
        issuer=$(vault read -field=issuer_ref "$mount/roles/$name")
        [ "$issuer" = default ] || vault read "$mount/issuer/$issuer" >/dev/null 2>&1 ||
            printf 'import: role %s names the issuer %s, which is not there: make one of that name, or patch the role\n' "$name" "$issuer"
    done
    printf 'import: wrote %s %s to %s/\n' "$count" "$kind" "$mount"
done
