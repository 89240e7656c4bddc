#!/usr/bin/env bash
# Prints those parameters of a template in this folder that Vault knows: as a parameter file for CloudFormation, or for an association
# as arguments of `aws cloudformation deploy`. It only reads, and needs bash, the vault command and a token with policies/operator.hcl.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: parameters.sh [--mount PATH] management [--anchor NAME] [Key=Value]...
       parameters.sh [--mount PATH] stack ROLE [namespace/serviceaccount] [Key=Value]...
       parameters.sh [--mount PATH] association namespace/serviceaccount [--cluster NAME] [Key=Value]...

  management              for management.yaml: CaPem, from trust-bundle; ApplicationRolePath, if all IAM roles of the mount are under
                          one path; otherwise the script prints the reason
  --anchor NAME           TrustAnchorArn of trust-anchors/NAME instead of CaPem
  stack ROLE              for stack.yaml, from roles/ROLE: RoleName and RolePath, SessionSeconds, TrustAnchorArn (the role's, or the
                          config's default; CaPem if there is none), Cluster, Namespace and ServiceAccount, and
                          AcceptRoleSessionName if the role names its sessions. A role whose fields are templates is for many
                          service accounts: name one. One with subject=kubernetes and the name <namespace>.<serviceaccount> is
                          for that one
  association NAMESPACE/SERVICEACCOUNT
                          for stack.yaml, before there is an engine role, as words Key=Value: Cluster, Namespace and ServiceAccount,
                          RoleName, which is <namespace>.<serviceaccount>, RolePath, which is that of the mount's other IAM roles or
                          /iamra/, and the config's TrustAnchorArn. The stack's output Association has the fields of the engine role
  RoleRegion=REGION       with stack and association, where role or config name trust anchors of several regions: the one whose stack
                          makes the IAM role. The parameters are the same in all of these regions
  --cluster NAME          the cluster, where several are registered
  Key=Value               a parameter that Vault does not know, such as ApplicationActions=s3:*, or another value than Vault's
  --mount PATH            the engine's mount; default: iamra

Environment: VAULT_ADDR and VAULT_TOKEN as usual; VAULT_CLI, the vault command, default vault from PATH.
Examples: parameters.sh stack payments-api > payments-api.json
          aws cloudformation create-stack --stack-name iamra-payments-api --template-body file://vault-config/aws/stack.yaml \
              --capabilities CAPABILITY_NAMED_IAM --parameters file://payments-api.json

          aws cloudformation deploy --stack-name iamra-payments-api --template-file vault-config/aws/stack.yaml \
              --capabilities CAPABILITY_NAMED_IAM --parameter-overrides $(parameters.sh association payments/api)
USAGE
}

die() {
    printf 'parameters.sh: %s\n' "$*" >&2
    exit 1
}

# The same lines are in every script here, because each is also copied and run alone. Without them, a user's settings for the output of
# vault would change the answers that the script reads.
unset CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS VAULT_DETAILED VAULT_WRAP_TTL
export LC_ALL=C VAULT_FORMAT=table VAULT_CLI_NO_COLOR=true
vault() { command "${VAULT_CLI:-vault}" "$@"; }
if [ -n "${VAULT_NAMESPACE:-}" ]; then printf '%s: in the Vault namespace %s\n' "${0##*/}" "$VAULT_NAMESPACE" >&2; fi
# To here.

mount=iamra keys=()
declare -A values=()
readonly LABEL='^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'
readonly SUBDOMAIN='^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
readonly MOUNT='^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$'

# Sets a parameter; the later of two values counts.
put() { # key, value
    if [ -z "${values[$1]+set}" ]; then keys+=("$1"); fi
    values[$1]=$2
}

# Sets `found` to a field of a path, empty if the path has no such field.
field() { # path, field
    local said
    if said=$(vault read -field="$2" "$mount/$1" 2>&1); then
        found=$said
    elif [[ $said == *"not present in secret"* ]] || [[ $1 == config && $said == *"No value found"* ]]; then
        found=
    else
        die "cannot read $mount/$1: $said"
    fi
}

# The same for a list that must have one element.
single() { # path, field
    field "$1" "$2"
    [[ $found == \[*\] ]] || { [ -z "$found" ] && return; die "$mount/$1: $2 is not a list: $found"; }
    found=${found#[} found=${found%]}
    [[ $found != *' '* ]] || die "$mount/$1: $2 has several values ($found); the template's trust policy is for one"
}

bundle() {
    found=$(vault read -format=raw "$mount/trust-bundle") || die "cannot read $mount/trust-bundle"
    [[ $found == *'-----BEGIN CERTIFICATE-----'* ]] ||
        die "$mount has no CA yet: vault write $mount/root/generate/internal common_name=iamra"
    put CaPem "$found"
}

# Sets `path` and `name` of an IAM role: arn:aws:iam::111122223333:role/iamra/payments-api is /iamra/ and payments-api.
split_arn() { # role ARN
    path=/${1#*:role/} name=${1##*/}
    path=${path%"$name"}
}

# Prints why there is no path; uses `common` and `path` of the caller.
tell_path() { # the parameter, role
    printf 'parameters.sh: no %s: the IAM role of %s/roles/%s is under %s%s; the template takes /iamra/, and the sessions %s\n' \
        "$1" "$mount" "$2" "$path" "${common:+, another is under $common}" 'of roles under other paths cannot be ended' >&2
}

# Sets `names` to those under a path; to nothing if there are none.
list() { # path
    local said
    if said=$(vault list "$mount/$1" 2>&1); then
        names=$(printf '%s\n' "$said" | tail -n +3)
    elif [[ $said == *'No value found'* ]]; then
        names=
    else
        die "cannot list $mount/$1: $said"
    fi
}

# Sets `common` to the path of all IAM roles of the mount; to nothing if they have several, or one is under /, where everybody's are.
common_path() { # the parameter that is left out then
    local names role path name
    common=
    list roles
    for role in $names; do
        field "roles/$role" role_arn
        split_arn "$found"
        if [ "$path" = / ] || { [ -n "$common" ] && [ "$common" != "$path" ]; }; then
            tell_path "$1" "$role"
            common=
            return
        fi
        common=$path
    done
}

application_path() {
    local common
    common_path ApplicationRolePath
    if [ -n "$common" ]; then put ApplicationRolePath "$common"; fi
}

management() { # [--anchor NAME]
    if [ "${1:-}" = --anchor ]; then
        [ -n "${2:-}" ] || die "--anchor needs the name of an entry of $mount/trust-anchors"
        field "trust-anchors/$2" trust_anchor_arn
        put TrustAnchorArn "$found"
    else
        bundle
    fi
    application_path
}

anchor_of() { # role
    field "roles/$1" trust_anchor_arn
    if [ -z "$found" ]; then field config default_trust_anchor_arn; fi
    if [ -n "$found" ]; then put TrustAnchorArn "$found"; else bundle; fi
}

# Sets `whom` to the service account in the name of a role with subject=kubernetes, if its name is one's.
named_by() { # role
    whom=
    field "roles/$1" subject
    if [ "$found" = kubernetes ] && [[ ${1%%.*} =~ $LABEL ]] && [[ ${1#*.} =~ $SUBDOMAIN ]] && [[ $1 == *.* ]]; then
        whom=${1%%.*}/${1#*.}
    fi
}

# Sets `namespace` and `account` to those of the argument. AWS compares the whole common name.
split_account() { # namespace/serviceaccount; uses `cluster`
    local common_name
    namespace=${1%%/*} account=${1#*/}
    [[ $namespace =~ $LABEL ]] || die "'$1': '$namespace' is not the name of a namespace"
    [[ $account =~ $SUBDOMAIN ]] || die "'$1': '$account' is not the name of a service account"
    common_name=$cluster.$namespace.$account
    [ "${#common_name}" -le 61 ] || die "$common_name has ${#common_name} characters and is cut in AWS: see $mount/preview/<role>"
}

# The service account of the role: from its fields, or if the fields are templates from the arguments or its name.
identity_of() { # role, [namespace/serviceaccount]
    local role=$1 whom=${2:-} cluster namespace account common_name
    field "roles/$role" common_name
    common_name=$found
    if [[ $common_name == *'{{'* ]]; then
        [ -n "$whom" ] || named_by "$role"
        [ -n "$whom" ] || die "$mount/roles/$role is for many service accounts; name one: stack $role namespace/serviceaccount"
        single "roles/$role" clusters
        cluster=$found
        [ -n "$cluster" ] || die "$mount/roles/$role names no cluster; give it one: vault patch $mount/roles/$role clusters=<name>"
        field "clusters/$cluster" accessor
        split_account "$whom"
    else
        [ -z "${2:-}" ] || die "$mount/roles/$role is for $common_name alone; $2 cannot be named"
        single "roles/$role" organization
        cluster=$found
        single "roles/$role" organizational_unit
        namespace=$found
        account=${common_name#"$cluster.$namespace."}
        if [ -z "$cluster" ] || [ -z "$namespace" ] || [ "$account" = "$common_name" ]; then
            die "$mount/roles/$role is not one of kubernetes/setup.sh: its common_name is $common_name, not <organization>.<organizational_unit>.<name>"
        fi
    fi
    put Cluster "$cluster"
    put Namespace "$namespace"
    put ServiceAccount "$account"
}

stack() { # role, [namespace/serviceaccount]
    local path name
    field "roles/$1" role_arn
    split_arn "$found"
    put RoleName "$name"
    put RolePath "$path"
    field "roles/$1" session_duration
    [[ $found =~ ^[0-9]+$ ]] || die "$mount/roles/$1: session_duration is not a number of seconds: $found"
    # The maximum of an IAM role is an hour or more; the engine may still request a shorter session.
    put SessionSeconds "$((10#$found < 3600 ? 3600 : 10#$found))"
    field "roles/$1" role_session_name
    if [ -n "$found" ]; then put AcceptRoleSessionName true; fi
    anchor_of "$1"
    identity_of "$@"
}

# Sets `cluster` to the one that is registered; several need an option.
only_cluster() {
    local names
    list clusters
    [ -n "$names" ] || die "no cluster is registered: kubernetes/setup.sh --cluster <name> --associations"
    [[ $names != *$'\n'* ]] || die "several clusters are registered; name one with --cluster:" $names
    cluster=$names
}

# The parameters of a service account that has no engine role yet.
association() { # namespace/serviceaccount, [--cluster name]
    local cluster=${3:-} namespace account common
    if [ -n "$cluster" ]; then field "clusters/$cluster" accessor; else only_cluster; fi
    split_account "$1"
    put Cluster "$cluster"
    put Namespace "$namespace"
    put ServiceAccount "$account"
    put RoleName "$namespace.$account"
    common_path RolePath
    put RolePath "${common:-/iamra/}"
    field config default_trust_anchor_arn
    [ -z "$found" ] || put TrustAnchorArn "$found"
}

given() { # Key=Value...
    local one
    for one in "$@"; do
        [[ $one =~ ^[A-Za-z]+= ]] || die "'$one' is not Key=Value; see --help"
        # The templates accept only one of the two.
        case ${one%%=*} in
        CaPem) unset 'values[TrustAnchorArn]' ;;
        TrustAnchorArn) unset 'values[CaPem]' ;;
        esac
        put "${one%%=*}" "${one#*=}"
    done
}

quoted() { # text
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//$'\n'/\\n}"
}

check_size() {
    local size=${values[CaPem]-}
    size=${#size}
    [ "$size" -le 4096 ] || die "CaPem has $size bytes, and CloudFormation takes 4096 of a parameter: make the trust anchor beforehand" \
        "with aws rolesanywhere create-trust-anchor (docs/getting-started.md, section 3), and give TrustAnchorArn=<its ARN>"
}

# Asks for the region that makes the IAM role where there are several. A region that has no anchor there would make none, and the stack of
# the region that has made it would delete it.
check_regions() {
    local region=${values[RoleRegion]-} arns arn regions=() all
    IFS=, read -ra arns <<<"${values[TrustAnchorArn]-}"
    [ -n "$region" ] || [ "${#arns[@]}" -gt 1 ] || return 0
    [ "${#arns[@]}" -gt 0 ] || die "RoleRegion is for several regions, whose trust anchors come first (management.yaml in each):" \
        "write them to $mount/config as default_trust_anchor_arn, or give TrustAnchorArn=<arn>,<arn>"
    for arn in "${arns[@]}"; do
        arn=${arn#arn:*:rolesanywhere:}
        regions+=("${arn%%:*}")
    done
    all=$(printf ' and %s' "${regions[@]}")
    all=${all# and }
    [ -n "$region" ] || die "TrustAnchorArn names trust anchors of ${#regions[@]} regions, $all:" \
        "give RoleRegion=<the region whose stack makes the IAM role>"
    [[ " ${regions[*]} " == *" $region "* ]] || die "RoleRegion: '$region' is no region of TrustAnchorArn: $all"
}

# Refuses what would be no word of its own among the arguments.
words_only() {
    local key
    [ -n "${values[TrustAnchorArn]-}" ] ||
        die "$mount/config names no default_trust_anchor_arn: make the account's trust anchor first (management.yaml), or give TrustAnchorArn=<arn>"
    for key in "${keys[@]}"; do
        [[ ! ${values[$key]-} =~ [[:space:]\*\?\[] ]] || die "$key: '${values[$key]}' is no word by itself: give it to \`deploy\` beside this script's"
    done
}

# The parameters as words, for --parameter-overrides, of which version 1 of the AWS CLI takes no file.
print_words() {
    local key separator=
    words_only
    for key in "${keys[@]}"; do
        [ -n "${values[$key]+set}" ] || continue
        printf '%s%s=%s' "$separator" "$key" "${values[$key]}"
        separator=' '
    done
    printf '\n'
}

print() {
    local key separator=
    printf '['
    for key in "${keys[@]}"; do
        if [ -z "${values[$key]+set}" ]; then continue; fi
        printf '%s\n  {"ParameterKey": "%s", "ParameterValue": %s}' "$separator" "$key" "$(quoted "${values[$key]}")"
        separator=,
    done
    printf '\n]\n'
}

if [ "${1:-}" = --mount ]; then
    [[ ${2:-} =~ $MOUNT ]] || die "--mount needs the path of a mount"
    mount=$2
    shift 2
fi
case ${1:-} in
-h | --help) usage; exit 0 ;;
management | stack | association) ;;
*) usage >&2; exit 1 ;;
esac
template=$1 words=()
shift
while [ $# -gt 0 ] && [[ $1 != *=* ]]; do words+=("$1"); shift; done
case $template:${#words[@]} in
management:0 | stack:1) ;;
management:2) [ "${words[0]}" = --anchor ] || die "management takes --anchor NAME; --help shows it" ;;
stack:2) [[ ${words[1]} == ?*/?* ]] || die "'${words[1]}' is not namespace/serviceaccount" ;;
association:1 | association:3)
    [[ ${words[0]} == ?*/?* ]] || die "'${words[0]}' is not namespace/serviceaccount"
    [ "${words[1]:---cluster}" = --cluster ] || die "an association takes --cluster NAME; --help shows it"
    ;;
*) usage >&2; exit 1 ;;
esac
"$template" "${words[@]}"
given "$@"
check_size
if [ "$template" != management ]; then check_regions; fi
if [ "$template" = association ]; then print_words; else print; fi
