#!/usr/bin/env bash
# Lets Kubernetes service accounts read AWS credentials: sets up Vault's Kubernetes auth method and makes, for each service account
# given, one engine role, one policy and one auth role, all named <namespace>-<serviceaccount>; with --templates, one of each for all
# pods of a cluster; with --associations, one policy and one auth role for all pods of a cluster, each of which has an engine role of
# its own. Run it again at any time: it makes objects that do not exist, changes the fields that options name, and changes nothing
# else. It needs bash, the vault command and a token that may do all this.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: setup.sh --cluster NAME [option]... [namespace/serviceaccount[=role_arn]]...
       setup.sh --cluster NAME --templates --role-arn ARN [option]... namespace... | '*'
       setup.sh --cluster NAME --associations [option]... [namespace... | '*']

  --cluster NAME          the cluster's name in AWS: subject O, first part of CN and of the SPIFFE id. Required
  --templates             registers the auth mount as the cluster and makes one engine role, policy and auth role, all named
                          <cluster>-pods, for every service account of the namespaces given ('*': of all; name all of them each
                          time). The engine reads cluster, namespace and service account from the login, so each one keeps its own
                          identity in AWS
  --associations          for the node agent, once for a cluster: registers the auth mount as the cluster, and makes the auth role
                          `associations` with batch tokens for every service account of the namespaces given ('*': of all; name all
                          of them each time; none: those that it has, of a new one all), and the policy <cluster>-associations, which
                          opens container/<namespace>.<serviceaccount> to the pods of that service account alone. Then each service
                          account needs one object: vault write iamra/roles/<namespace>.<serviceaccount> role_arn=<arn>
                          subject=kubernetes. Together with --templates: both, for the same namespaces
  --fallback ROLE         with --associations: also opens container/ROLE, for pods whose service account has no engine role, such as
                          the <cluster>-pods of --templates. `default` takes it out of the policy; a run without it keeps it
  --register-job          also the auth role and policy `iamra-operator` of plugin/job.yaml
  --way file|container|both
                          what the policies allow: creds/<role> (files, operators), container/<role> (the Agent's listener) or
                          both. Use container for everything that uses the listener (policies/application-container.hcl says why).
                          New policies: both
  --audience AUD          the audience of the service-account tokens that may log in; the pods of k8s/ have one made for `vault`, so that
                          no token for another service logs in here. `kubectl create token` shows the audience of others.
                          New auth roles: vault, and iamra for `associations`

The engine role. A new one has these values; an existing one keeps the fields that no option names. `default` removes a field:
  --role-arn ARN          the IAM role of every service account that is given without one; a new role needs one
  --profile-arn ARN       the Roles Anywhere profile that lists these IAM roles, as an output of each aws/stack.yaml. `default`, and
                          new roles: the config's default_profile_arn
  --trust-anchor-arn ARN  the trust anchor, for roles of another account than the config's. `default`, and new roles: the config's.
                          Roles of several regions take the anchor and the profile of each, with commas between
  --session-duration S    length of a session in seconds, 900 to 43200; AWS shortens it to the profile's. `default`: the engine's. New
                          roles: 14400, because a session has to outlive an outage of Vault
  --role-session-name TEXT
                          the session's name instead of the certificate's serial, so that the principal stays the same from session
                          to session; only for profiles with acceptRoleSessionName (docs/identity.md, "Connections that pin the principal")
  --lease leased|static   static keeps the answers of many readers out of Vault's storage (docs/kubernetes.md, "Many pods")
  --key-type TYPE         of the certificates' keys: ec-p256, ec-p384, rsa-2048
  --certificate-ttl TTL   how long a certificate is valid, such as 10m

Paths and addresses:
  --mount PATH            the engine's mount; default: iamra
  --auth-mount PATH       the auth method's mount; default: kubernetes
  --prefix TEXT           put before every name, for the second cluster of one Vault, whose payments/api is another service account.
                          With --associations end it in _, which no namespace has: stage_payments.api
  --kubernetes-host URL   the API server as Vault reaches it; a new auth mount of a Vault in the cluster has
                          https://kubernetes.default.svc
  --kubernetes-ca FILE    the API server's CA; only for a Vault outside the cluster, which also needs --kubernetes-host
  --reviewer-jwt FILE     a token that may create TokenReviews; only for a Vault outside the cluster. Without one Vault uses the
                          caller's own token, which then needs the role system:auth-delegator

Environment: VAULT_ADDR and VAULT_TOKEN as usual; VAULT_CLI, the vault command, default vault from PATH.
Examples: setup.sh --cluster prod --way container payments/api=arn:aws:iam::111122223333:role/iamra/payments-api
          setup.sh --cluster prod --associations
USAGE
}

die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

# The same lines are in every script here, because each is also copied and run alone. Without them, a user's settings for the output of
# vault would change the answers that the script reads.
unset CDPATH GREP_OPTIONS GREP_COLOR GREP_COLORS VAULT_DETAILED VAULT_WRAP_TTL
export LC_ALL=C VAULT_FORMAT=table VAULT_CLI_NO_COLOR=true
vault() { command "${VAULT_CLI:-vault}" "$@"; }
if [ -n "${VAULT_NAMESPACE:-}" ]; then printf '%s: in the Vault namespace %s\n' "${0##*/}" "$VAULT_NAMESPACE" >&2; fi
# To here.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster='' default_arn='' way='' audience='' host='' ca='' reviewer='' prefix='' mount=iamra auth=kubernetes
templates=no associations=no register_job=no fallback=''
fields=() unset=() # of the engine roles, as options name them
accounts=()

readonly LABEL='^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'
readonly SUBDOMAIN='^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
readonly ROLE_ARN='^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$'
readonly ANYWHERE='arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}'
readonly PROFILE_ARN="^$ANYWHERE:profile/[0-9a-f-]{36}(,$ANYWHERE:profile/[0-9a-f-]{36}){0,7}$"
readonly ANCHOR_ARN="^$ANYWHERE:trust-anchor/[0-9a-f-]{36}(,$ANYWHERE:trust-anchor/[0-9a-f-]{36}){0,7}$"
readonly ROLE='^[A-Za-z0-9_]([A-Za-z0-9_.@-]*[A-Za-z0-9_])?$'
readonly MOUNT='^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$'
# Vault's errors for a document that does not exist, and for one in an auth mount that does not exist.
readonly NO_DOCUMENT='No value found'
readonly NO_AUTH_DOCUMENT='No value found|No auth engine|unsupported path|no handler'

# Sets `literal` to a value as the vault command accepts it, because vault reads a file for a value that begins with @, and its input for -.
literal() { # field, value
    case $2 in
    -) die "$1: the vault command cannot write the value -" ;;
    @*) literal=\\$2 ;;
    *) literal=$2 ;;
    esac
}

# A field of the engine roles that an option names; `default` removes it.
name_field() { # option, field, value, the pattern of its value, the name of such a value
    if [ "$3" = default ]; then
        unset+=("\"$2\":null")
    elif [[ $3 =~ $4 ]]; then
        literal "$2" "$3"
        fields+=("$2=$literal")
    else
        die "$1 '$3' is neither \`default\` nor $5"
    fi
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --register-job) register_job=yes; shift; continue ;;
        --templates) templates=yes; shift; continue ;;
        --associations) associations=yes; shift; continue ;;
        -h | --help) usage; exit 0 ;;
        --*) [ $# -ge 2 ] || die "$1 needs a value; --help lists the options" ;;
        *) accounts+=("$1"); shift; continue ;;
        esac
        case $1 in
        --cluster) cluster=$2 ;;
        --role-arn) default_arn=$2 ;;
        --profile-arn) name_field "$1" profile_arn "$2" "$PROFILE_ARN" 'the ARN of a Roles Anywhere profile' ;;
        --trust-anchor-arn) name_field "$1" trust_anchor_arn "$2" "$ANCHOR_ARN" 'the ARN of a trust anchor' ;;
        --session-duration) name_field "$1" session_duration "$2" '^[0-9]+$' 'a number of seconds' ;;
        --role-session-name) name_field "$1" role_session_name "$2" '.' 'the name of a session' ;;
        --lease) name_field "$1" lease "$2" '^(leased|static)$' 'a kind of lease: leased or static' ;;
        --key-type) name_field "$1" key_type "$2" '^(ec-p256|ec-p384|rsa-2048)$' 'a type of key: ec-p256, ec-p384 or rsa-2048' ;;
        --certificate-ttl) name_field "$1" certificate_ttl "$2" '^[0-9smh]+$' 'a time such as 10m' ;;
        --way) way=$2 ;;
        --fallback) fallback=$2
            [[ $fallback =~ $ROLE ]] || die "--fallback '$fallback' is neither \`default\` nor the name of an engine role"
            ;;
        --audience) [ -n "$2" ] || die "--audience: without one, a token made for any other service would log in here"
            literal --audience "$2"
            audience=$2
            ;;
        --kubernetes-host) host=$2 ;;
        --kubernetes-ca) ca=$2 ;;
        --reviewer-jwt) reviewer=$2 ;;
        --prefix) prefix=$2 ;;
        --mount) mount=${2%/} ;;
        --auth-mount) auth=${2%/} ;;
        *) die "there is no option $1; --help lists them" ;;
        esac
        shift 2
    done
}

check_options() {
    [[ $cluster =~ $LABEL ]] || die "--cluster '$cluster': lower-case letters, digits and dashes, at most 63, as in a DNS label"
    case $way in '' | file | container | both) ;; *) die "--way '$way': file, container or both" ;; esac
    [[ $prefix =~ ^([a-z0-9][-_a-z0-9]*)?$ ]] || die "--prefix '$prefix': lower-case letters, digits, dashes and _"
    [[ $mount =~ $MOUNT ]] || die "--mount '$mount' is not the path of a mount"
    [[ $auth =~ $MOUNT ]] || die "--auth-mount '$auth' is not the path of a mount"
    [ -z "$ca" ] || grep -q 'BEGIN CERTIFICATE' "$ca" 2>/dev/null || die "--kubernetes-ca: cannot read a PEM certificate from $ca"
    [ -z "$reviewer" ] || [ -r "$reviewer" ] || die "--reviewer-jwt: cannot read $reviewer"
    [ -z "$fallback" ] || [ "$associations" = yes ] || die "--fallback is a path of the policy that --associations writes: give that too"
    if [ "$templates" = yes ]; then
        [ -z "$default_arn" ] || [[ $default_arn =~ $ROLE_ARN ]] || die "--role-arn '$default_arn' is not the ARN of an IAM role"
        [ "${#accounts[@]}" -gt 0 ] || die "--templates: no namespace given; see --help"
    elif [ "$associations" = yes ]; then
        [ -z "$way$default_arn${fields[*]-}${unset[*]-}" ] ||
            die "--associations makes no engine role and opens container/ alone; --way and the engine role's options are for other runs: vault write $mount/roles/<namespace>.<serviceaccount>"
    fi
    [ "$templates$associations" = nono ] || check_namespaces
    [ "${#accounts[@]}" -gt 0 ] || [ "$associations$register_job" != nono ] || die "nothing to do: no service account given; see --help"
}

check_namespaces() {
    local namespace
    for namespace in ${accounts[@]+"${accounts[@]}"}; do
        [ "$namespace" = '*' ] || [[ $namespace =~ $LABEL ]] ||
            die "'$namespace' is not the name of a namespace; --templates and --associations take namespaces"
    done
}

# Splits namespace/serviceaccount[=role_arn] into the variables namespace, account, arn, name, policy and common_name.
take() {
    local given=${1%%=*}
    arn=$default_arn
    [ "$given" = "$1" ] || arn=${1#*=}
    [[ $given == */* ]] || die "'$1': write it as namespace/serviceaccount or namespace/serviceaccount=role_arn"
    namespace=${given%%/*} account=${given#*/}
    [[ $namespace =~ $LABEL ]] || die "'$1': '$namespace' is not the name of a namespace"
    [[ $account =~ $SUBDOMAIN ]] || die "'$1': '$account' is not the name of a service account"
    [[ $1 != *= ]] && { [ -z "$arn" ] || [[ $arn =~ $ROLE_ARN ]]; } || die "'$1': '$arn' is not the ARN of an IAM role"
    name=$prefix$namespace-$account policy=$prefix$namespace-$account
    common_name=$cluster.$namespace.$account
    [ "${#common_name}" -le 61 ] ||
        die "'$1': the common name $common_name has ${#common_name} characters; AWS takes 61: choose a shorter --cluster"
}

# Reads a field of a path into the variable found, empty if there is none; any other error ends the script.
look() { # path, field, texts with which Vault says that there is nothing
    local said
    said=$(mktemp)
    if ! found=$(vault read -field="$2" "$1" 2>"$said"); then
        found=
        grep -qE "$3" "$said" || { cat "$said" >&2; rm -f "$said"; die "cannot read $1"; }
    fi
    rm -f "$said"
}

# Before anything is written: the mount must be the engine's, and the policy files must be beside this script.
check_surroundings() {
    local said file
    for file in policies/application-file.hcl policies/application-container.hcl policies/associations.hcl plugin/plugin-operator.hcl; do
        [ -r "$here/../$file" ] || die "cannot read $here/../$file: this script needs the folder vault-config as it is shipped"
    done
    [ "${#accounts[@]}" -gt 0 ] || [ "$associations" = yes ] || return 0
    said=$(vault read "$mount/rotation" 2>&1) || die "no engine answers at $mount/; --mount names another mount: $said"
}

# The name must be free or ours: a-b/c and a/b-c would both be a-b-c, and another cluster's payments/api is another caller.
check_free() { # whose: what the policy's first line says
    look "auth/$auth/role/$name" bound_service_account_namespaces "$NO_AUTH_DOCUMENT"
    if [ -n "$found" ] && [ "$found" != "[$namespace]" ]; then
        die "the auth role $name belongs to the namespace $found, not to $namespace: rename the service account, or delete that role"
    fi
    look "auth/$auth/role/$name" bound_service_account_names "$NO_AUTH_DOCUMENT"
    if [ -n "$found" ] && [ "$found" != "[$account]" ]; then
        die "the auth role $name belongs to the service account $found, not to $account: rename one, or delete that role"
    fi
    check_free_policy "$1"
}

check_free_policy() { # whose
    look "sys/policies/acl/$policy" policy 'No value found|No policy named'
    if [ -n "$found" ] && [[ $found != "# $1 "* ]]; then
        die "the policy $policy was not written for $1; it starts: ${found%%$'\n'*}"
    fi
}

# Refuses an option that would take back what was changed by hand. Uses `found`, the policy.
check_policy_option() { # option, value
    if [ -n "$found" ] && [ -n "$2" ] && changed_by_hand "$found"; then
        die "the policy $policy was changed by hand, and $1 $2 would take that back: leave $1 out, or vault policy delete $policy"
    fi
}

check_free_engine_role() {
    look "$mount/roles/$name" common_name "$NO_DOCUMENT"
    if [ -n "$found" ] && [ "$found" != "$common_name" ]; then
        die "the engine role $mount/roles/$name has the common name $found, not $common_name: it belongs to another caller; see --prefix"
    fi
    [ -n "$found" ] || [ -n "$arn" ] || die "$mount/roles/$name is new and needs the ARN of an IAM role: append =role_arn, or give --role-arn"
}

# Sets `settings` to the part of the auth mount's configuration that must be written, or to nothing.
check_auth() {
    look "sys/auth/$auth" type 'No auth engine'
    [ -z "$found" ] || [ "$found" = kubernetes ] || die "the auth mount $auth is of type $found"
    look "auth/$auth/config" kubernetes_host "$NO_AUTH_DOCUMENT"
    if [ -n "$found" ]; then
        choose_changes
    elif [ -n "$ca" ] && [ -z "$host" ]; then
        die "--kubernetes-ca is for a Vault outside the cluster, which does not find https://kubernetes.default.svc: give --kubernetes-host too"
    else
        settings=()
        set_to kubernetes_host "${host:-https://kubernetes.default.svc}"
        if [ -n "$ca" ]; then settings+=("kubernetes_ca_cert=@$ca" disable_local_ca_jwt=true); fi
        if [ -n "$reviewer" ]; then settings+=("token_reviewer_jwt=@$reviewer"); fi
    fi
}

# For an existing configuration: the fields that the options change, and all others, because Vault's auth method replaces it whole.
choose_changes() { # uses `found`, the host that is there
    local same=no field
    settings=()
    set_to kubernetes_host "${host:-$found}"
    [ -n "$reviewer" ] || [ "${host:-$found}" != "$found" ] || same=yes
    look "auth/$auth/config" kubernetes_ca_cert "$NO_AUTH_DOCUMENT"
    [ -z "$ca" ] || [ "$found" = "$(cat "$ca")" ] || same=no
    if [ "$same" = yes ]; then
        settings=()
        return
    fi
    if [ -n "$ca" ]; then
        settings+=("kubernetes_ca_cert=@$ca" disable_local_ca_jwt=true)
    else
        found=$(vault read -field=kubernetes_ca_cert "auth/$auth/config" && printf .) # with the line's end
        set_to kubernetes_ca_cert "${found%.}"
        keep disable_local_ca_jwt
    fi
    for field in issuer disable_iss_validation use_annotations_as_alias_metadata; do keep "$field"; done
    check_lost
    if [ -n "$reviewer" ]; then settings+=("token_reviewer_jwt=@$reviewer"); fi
}

keep() { # field of the auth mount's configuration
    look "auth/$auth/config" "$1" 'not present in secret'
    [ -z "$found" ] || set_to "$1" "$found"
}

set_to() { # field, value
    literal "$1" "$2"
    settings+=("$1=$literal")
}

# Refuses a write that would remove a value that cannot be read back.
check_lost() {
    look "auth/$auth/config" token_reviewer_jwt_set 'not present in secret'
    [ "$found" != true ] || [ -n "$reviewer" ] ||
        die "auth/$auth/config has a reviewer token, which Vault does not show and a write without it would remove: give --reviewer-jwt too"
    look "auth/$auth/config" pem_keys 'not present in secret'
    [ -z "$found" ] || [ "$found" = '[]' ] ||
        die "auth/$auth/config has pem_keys, which this script would remove: write the configuration by hand, with them"
}

set_up_auth() {
    local made=no
    look "sys/auth/$auth" type 'No auth engine'
    if [ -z "$found" ]; then
        vault auth enable -path="$auth" kubernetes
        made=yes
    fi
    if [ "${#settings[@]}" -eq 0 ] || vault write "auth/$auth/config" "${settings[@]}"; then return; fi
    [ "$made" = no ] || vault auth disable "$auth" >&2
    die "auth/$auth cannot be configured; for a Vault outside the cluster give --kubernetes-host, --kubernetes-ca and --reviewer-jwt"
}

# The policy files of this folder, for this mount and with these edits.
rendered() { # an argument of sed, file...
    sed -e '/^#/d' -e "s|\"iamra/|\"$mount/|" -e "s|sys/mounts/iamra|sys/mounts/$mount|" -e "$@" |
        awk '!NF { next } /^path/ { skip = seen[$2]++; if (!skip) print "" } !skip'
}

sum_of() { printf '%s\n' "$1" | cksum | cut -d ' ' -f 1; }

# Whether a policy's text differs from the checksum in its first line. Earlier lines had none, and said that changes are overwritten.
changed_by_hand() { # policy
    local first=${1%%$'\n'*} sum
    sum=$(sum_of "${1#*$'\n'}")
    [[ $first != *"sum $sum)" && $first != *'overwrites changes)' ]]
}

# Writes the policy from these files, unless it was changed by hand since.
write_policy() { # whose, the edits of the files as an argument of sed, file...
    local whose=$1 text
    shift
    text=$(rendered "$@")
    text="# $whose (written by kubernetes/setup.sh, sum $(sum_of "$text"))"$'\n'$text
    look "sys/policies/acl/$policy" policy 'No value found|No policy named'
    if [ -n "$found" ] && changed_by_hand "$found"; then
        printf 'setup.sh: the policy %s was changed by hand and stays unchanged; to have it written again: vault policy delete %s\n' "$policy" "$policy" >&2
    elif [ "$found" != "$text" ]; then
        printf '%s\n' "$text" | vault policy write "$policy" -
    fi
}

# Sets `files` to those of the requested way, or else of the existing policy.
choose_files() {
    local chosen=$way
    if [ -z "$chosen" ]; then
        look "sys/policies/acl/$policy" policy 'No value found|No policy named'
        case $found in
        *"/creds/$name\""*"/container/$name\""* | '') chosen=both ;;
        *"/container/$name\""*) chosen=container ;;
        *) chosen=file ;;
        esac
    fi
    files=()
    if [ "$chosen" != container ]; then files+=("$here/../policies/application-file.hcl"); fi
    if [ "$chosen" != file ]; then files+=("$here/../policies/application-container.hcl"); fi
}

set_up_engine_role() { # further fields of a new one...
    local named=(${fields[@]+"${fields[@]}"})
    if [ -n "$arn" ]; then named+=("role_arn=$arn"); fi
    look "$mount/roles/$name" role_arn "$NO_DOCUMENT"
    if [ -z "$found" ]; then
        [[ "${named[*]} ${unset[*]-}" == *session_duration* ]] || named+=(session_duration=14400)
        vault write "$mount/roles/$name" "common_name=$common_name" "$@" "${named[@]}"
    elif [ "${#named[@]}" -gt 0 ] || [ "${#unset[@]}" -gt 0 ]; then
        printf '{%s}' "$(IFS=,; printf '%s' "${unset[*]-}")" | vault patch "$mount/roles/$name" - ${named[@]+"${named[@]}"}
    fi
}

set_up_auth_role() { # the audience and the further fields of a new one...
    local named=()
    literal audience "${audience:-$1}"
    shift
    look "auth/$auth/role/$name" bound_service_account_namespaces "$NO_AUTH_DOCUMENT"
    if [ -z "$found" ]; then
        vault write "auth/$auth/role/$name" \
            bound_service_account_names="$account" bound_service_account_namespaces="$namespace" audience="$literal" \
            token_policies="$policy" token_no_default_policy=true "$@"
        return
    fi
    [ "$found" = "[${namespace//,/ }]" ] || named+=("bound_service_account_namespaces=$namespace")
    [ -z "$audience" ] || named+=("audience=$literal")
    [ "${#named[@]}" -gt 0 ] || return 0
    # The only field of an auth role that a write removes unless it names it.
    look "auth/$auth/role/$name" bound_service_account_namespace_selector "$NO_AUTH_DOCUMENT|not present in secret"
    if [ -n "$found" ]; then
        literal bound_service_account_namespace_selector "$found"
        named+=("bound_service_account_namespace_selector=$literal")
    fi
    vault write "auth/$auth/role/$name" "${named[@]}"
}

# The auth role comes last: nobody logs in before the rest is there.
set_up_role() { # whose, further fields of a new engine role...
    local whose=$1 files
    shift
    set_up_engine_role "$@"
    choose_files
    write_policy "$whose" "s|/payments-api\"|/$name\"|" "${files[@]}"
    set_up_auth_role vault token_ttl=1h token_max_ttl=24h
}

# The auth role admits nobody else, so all readers are one caller at AWS.
set_up_account() {
    set_up_role "$common_name" "organization=$cluster" "organizational_unit=$namespace" \
        "uri_sans=spiffe://$cluster/ns/$namespace/sa/$account" session_sharing=identity
    printf '%s/%s is %s in AWS, through %s and auth/%s\n' "$namespace" "$account" "$common_name" "$mount/roles/$name" "$auth/role/$name"
}

readonly TEMPLATE='{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}'

pods() {
    namespace=$(IFS=,; printf '%s' "${accounts[*]}") account='*' name=$prefix$cluster-pods policy=$prefix$cluster-pods
    common_name=$TEMPLATE arn=$default_arn
}

check_free_pods() {
    check_free_policy "the pods of $cluster"
    check_policy_option --way "$way"
    check_free_engine_role
    check_free_cluster
}

# Another auth mount under the cluster's name would make its pods those of this cluster.
check_free_cluster() {
    local accessor
    look "sys/auth/$auth" accessor 'No auth engine'
    accessor=$found
    look "$mount/clusters/$cluster" accessor "$NO_DOCUMENT"
    if [ -n "$found" ] && [ "$found" != "$accessor" ]; then
        die "the cluster $cluster is the auth mount $found, not that of auth/$auth: if that mount is gone," \
            "vault write $mount/clusters/$cluster accessor=${accessor:-<accessor of auth/$auth, once it is enabled>}"
    fi
}

register_cluster() {
    look "$mount/clusters/$cluster" accessor "$NO_DOCUMENT"
    [ -n "$found" ] || vault write "$mount/clusters/$cluster" accessor="$(vault read -field=accessor "sys/auth/$auth")"
}

set_up_pods() {
    register_cluster
    set_up_role "the pods of $cluster" "clusters=$cluster" "organization={{kubernetes.cluster}}" \
        "organizational_unit={{kubernetes.namespace}}" \
        "uri_sans=spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}"
    printf 'the pods of %s in %s are %s.<namespace>.<serviceaccount> in AWS, through %s and auth/%s\n' \
        "$cluster" "$namespace" "$cluster" "$mount/roles/$name" "$auth/role/$name"
}

# The auth role of all associations. Without a namespace in the arguments it keeps its own, and a new one has all.
associations() {
    account='*' name=${prefix}associations policy=$prefix$cluster-associations
    look "auth/$auth/role/$name" bound_service_account_namespaces "$NO_AUTH_DOCUMENT"
    if [ "${#accounts[@]}" -gt 0 ]; then found="[${accounts[*]}]"; fi
    found=${found:-[*]}
    found=${found#[} found=${found%]}
    namespace=${found// /,}
}

check_free_associations() {
    look "auth/$auth/role/$name" token_policies "$NO_AUTH_DOCUMENT"
    if [ -n "$found" ]; then
        [[ " ${found//[\[\]]/ } " == *" $policy "* ]] ||
            die "the auth role $name has the policies $found and not $policy: it is not the one of this cluster; see --prefix"
        look "auth/$auth/role/$name" bound_service_account_names "$NO_AUTH_DOCUMENT"
        [ "$found" = '[*]' ] || die "the auth role $name is for the service accounts $found, and an association may be of any: delete that role, or see --prefix"
    fi
    check_free_policy "the associations of $cluster"
    check_policy_option --fallback "$fallback"
    check_fallback
    check_free_cluster
}

# A role that does not exist is probably mistyped; --templates makes its own in the same run.
check_fallback() {
    case $fallback in '' | default) return ;; esac
    [ "$templates" = no ] || [ "$fallback" != "$prefix$cluster-pods" ] || return 0
    look "$mount/roles/$fallback" role_arn "$NO_DOCUMENT"
    [ -n "$found" ] || die "--fallback: there is no $mount/roles/$fallback: write it first, or make $prefix$cluster-pods with --templates too"
}

# Sets `fallback` to the role that the policy opens beside those of service accounts: the option's, or that of the existing policy.
choose_fallback() {
    look "sys/policies/acl/$policy" policy 'No value found|No policy named'
    case $fallback in
    default) fallback= ;;
    '') fallback=$(printf '%s\n' "$found" | sed -n 's|^path ".*/container/\([^{"]*\)" .*|\1|p') ;;
    esac
}

set_up_associations() {
    local accessor edits
    register_cluster
    accessor=$(vault read -field=accessor "$mount/clusters/$cluster")
    choose_fallback
    edits="s|/container/{{|/container/$prefix{{|; s|auth_kubernetes_1a2b3c4d|$accessor|g; s|/prod-pods\"|/$fallback\"|"
    [ -n "$fallback" ] || edits="$edits; \\|/container/\"|,/^}/d"
    write_policy "the associations of $cluster" "$edits" "$here/../policies/associations.hcl"
    set_up_auth_role iamra token_type=batch token_ttl=5m token_max_ttl=5m
    printf 'the pods of %s in %s are %s.<namespace>.<serviceaccount> in AWS, through auth/%s and, each, %s\n' \
        "$cluster" "${namespace:-the namespaces of that}" "$cluster" "$auth/role/$name" "$mount/roles/$prefix<namespace>.<serviceaccount>"
}

operator() { namespace=vault account=iamra-operator name=iamra-operator policy=iamra-operator; }

read_options "$@"
check_options
check_surroundings
check_auth
singles=(${accounts[@]+"${accounts[@]}"})
if [ "$templates$associations" != nono ]; then singles=(); fi
if [ "$templates" = yes ]; then
    pods
    check_free_pods
fi
if [ "$associations" = yes ]; then
    associations
    check_free_associations
fi
for given in ${singles[@]+"${singles[@]}"}; do
    take "$given"
    [ "$name" != iamra-operator ] || die "'$given': iamra-operator is the name of the register Job's role"
    check_free "$common_name"
    check_policy_option --way "$way"
    check_free_engine_role
    for other in "${accounts[@]}"; do
        other=${other%%=*}
        [ "$prefix${other/\//-}" != "$name" ] || [ "$other" = "$namespace/$account" ] ||
            die "$other and $namespace/$account would both be $name: rename one of them"
    done
done
if [ "$register_job" = yes ]; then
    operator
    check_free "the register Job"
fi

set_up_auth
if [ "$register_job" = yes ]; then
    operator
    write_policy "the register Job" '' "$here/../plugin/plugin-operator.hcl"
    set_up_auth_role vault token_ttl=10m token_max_ttl=10m
fi
if [ "$templates" = yes ]; then
    pods
    set_up_pods
fi
if [ "$associations" = yes ]; then
    associations
    set_up_associations
fi
for given in ${singles[@]+"${singles[@]}"}; do
    take "$given"
    set_up_account
done
