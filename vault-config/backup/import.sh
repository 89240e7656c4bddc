#!/bin/sh
# Writes the folder that export.sh made into a mount: config, clusters, trust anchors, roles. It keeps those that the folder does not
# have, and keeps fields that a document of the folder does not name; it prints such documents. To restore a role exactly, delete it
# first. A second run changes nothing. It needs a POSIX shell and the vault command, and a VAULT_TOKEN that may write the mount and read
# sys/auth, such as one with policies/operator.hcl.
#
#   usage: import.sh <folder>
#
# First enable the auth methods at the paths they had: their accessors, which clusters and templates name, are replaced by the new
# ones. Give issuers the names they had, which are in the folder's `issuers`. If a role names an issuer that does not exist, the script
# prints the role and the command that makes the issuer.
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
    printf 'import: %s\n' "$*" >&2
    exit 1
}

# The accessor and the path of each auth mount, a line each. A path may hold a space; the columns are two apart.
auth_mounts() {
    said=$(vault auth list) || die "cannot list the auth methods: the token must read sys/auth"
    printf '%s\n' "$said" | awk -F '  +' 'NR > 2 { print $3, $1 }'
}

# A sed script that replaces each exported accessor, a word, by that of the auth mount at the same path today. The
# words come from the folder's author, and sed would run text behind a slash, so only accessors are accepted.
renaming() {
    foreign=$(grep -Evn '^auth_[A-Za-z0-9_-]+ .' "$folder/accessors" | sed 1q)
    [ -z "$foreign" ] || die "$folder/accessors: line $foreign is not \`auth_<type>_<id> <path>/\`; make the export again: export.sh $folder, or correct the line if that Vault is gone"
    auth_mounts >"$work/now"
    awk '{ path = substr($0, length($1) + 2) } NR == FNR { now[path] = $1; next } path in now { print "s/" $1 "/" now[path] "/g" }' \
        "$work/now" "$folder/accessors"
}

# Refuses while a file names an auth mount that does not exist: its callers would have no identity, or another's.
check_accessors() {
    awk '{ path = substr($0, length($1) + 2) } NR == FNR { now[path] = 1; next } !(path in now)' "$work/now" "$folder/accessors" >"$work/gone"
    while read -r accessor path; do
        users=$(grep -rlF "$accessor" "$folder/clusters" "$folder/roles" || true)
        [ -z "$users" ] || die "no auth method is enabled at $path, which $(echo "$users" | tr '\n' ' ')names; enable it there first"
    done <"$work/gone"
}

put() { # path, file
    sed -f "$work/renaming" "$2" >"$work/document"
    said=$(vault write "$mount/$1" "@$work/document" 2>&1) || die "$mount/$1: $said"
    said=$(vault read -format=json -field=data "$mount/$1") || die "cannot read $mount/$1 back"
    [ "$said" = "$(cat "$work/document")" ] ||
        printf 'import: %s differs from the export, because it keeps fields that the export does not name: vault read %s\n' "$mount/$1" "$mount/$1"
}

is_there() { vault read "$mount/issuer/$1" >/dev/null 2>&1; }

# A field of an issuer's line in the export; nothing if there is no line, as in exports made before issuers were exported.
exported() { # what its first or second field says, which field
    [ -r "$folder/issuers" ] || return 0
    awk -v given="$1" -v wanted="$2" '$1 == given || $2 == given { print $wanted }' "$folder/issuers"
}

# Prints a role whose issuer does not exist. Ids are new in another Vault, so a role that names an issuer by its id is changed.
check_issuer() { # role
    issuer=$(vault read -field=issuer_ref "$mount/roles/$1")
    if [ "$issuer" = default ] || is_there "$issuer"; then return; fi
    patch="vault patch $mount/roles/$1 issuer_ref"
    name=$issuer
    if [ -n "$(exported "$issuer" 1)" ]; then
        name=$(exported "$issuer" 3)
        printf 'import: role %s names an issuer by the id it had before: %s=%s\n' "$1" "$patch" "${name:-default}"
    fi
    if [ -z "$name" ] || is_there "$name"; then return; fi
    printf 'import: role %s names the issuer %s, which does not exist: vault write %s issuer_name=%s, or %s=default\n' \
        "$1" "$name" "$mount/root/generate/internal common_name=iamra" "$name" "$patch"
}

check_default() {
    name=$(exported default 3)
    [ -n "$name" ] || return 0
    now=$(vault read -field=default "$mount/config/issuers" 2>/dev/null || true)
    if [ -z "$now" ]; then
        printf 'import: the default issuer was %s, and there is none here: vault write %s issuer_name=%s\n' \
            "$name" "$mount/root/generate/internal common_name=iamra" "$name"
    elif [ "$(vault read -field=is_default "$mount/issuer/$name" 2>/dev/null)" != true ]; then
        printf 'import: the default issuer was %s, and is another here: vault read %s/config/issuers\n' "$name" "$mount"
    fi
}

[ $# -eq 1 ] || die "needs one folder; usage: import.sh <folder>"
folder=$1
[ -r "$folder/accessors" ] && [ -d "$folder/roles" ] || die "$folder is not an export: it has no accessors and roles"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
renaming >"$work/renaming"
check_accessors

if [ -r "$folder/config.json" ]; then
    put config "$folder/config.json"
else
    printf 'import: the export has no config: %s/config stays unchanged\n' "$mount"
fi
for kind in clusters trust-anchors roles; do
    count=0
    for file in "$folder/$kind"/*.json; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .json)
        put "$kind/$name" "$file"
        count=$((count + 1))
    done
    printf 'import: wrote %s %s to %s/\n' "$count" "$kind" "$mount"
done
for file in "$folder/roles"/*.json; do
    [ -e "$file" ] || continue
    check_issuer "$(basename "$file" .json)"
done
check_default
