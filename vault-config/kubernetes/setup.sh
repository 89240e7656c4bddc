#!/usr/bin/env bash
# Lets Kubernetes service accounts read AWS credentials: sets up Vault's Kubernetes auth method and makes, for each service account
# given, one engine role, one policy and one auth role, all named <namespace>-<serviceaccount>; or, with --templates, one of each
# for all pods of a cluster. Run it again at any time: it writes the same again. It needs bash, the vault command and a token that
# may do all this.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: setup.sh --cluster NAME [option]... [namespace/serviceaccount[=role_arn]]...
       setup.sh --cluster NAME --templates --role-arn ARN [option]... namespace... | '*'

  --templates             registers the auth mount as the cluster and makes one engine role, policy and auth role, all named
                          <cluster>-pods, for every service account of the namespaces given ('*': of all). The engine reads cluster,
                          namespace and service account from the login, so that each still arrives in AWS as itself
  --cluster NAME          the cluster's name in AWS: subject O, first part of CN and of the SPIFFE id. Required
  --role-arn ARN          the IAM role of every service account that is given without one
  --profile-arn ARN       the Roles Anywhere profile that lists these IAM roles, as an output of each aws/stack.yaml; `default` for the
                          config's default_profile_arn. Default: what the engine role has already, or the config's
  --way file|container|both
                          what the policies allow: creds/<role> (files, operators), container/<role> (the Agent's listener) or
                          both. Take container for what uses the listener (policies/application-container.hcl says why).
                          Default: both
  --session-duration S    length of a session in seconds, 900 to 43200; AWS shortens it to the profile's. Default: 14400,
                          because a session has to outlive an outage of Vault
  --audience AUD          the audience of the service-account tokens that may log in; the pods of k8s/ have one made for `vault`, so that
                          no token which they show elsewhere logs in here. `kubectl create token` shows what others carry.
                          Default: vault
  --kubernetes-host URL   the API server as Vault reaches it; default, for a new auth mount: https://kubernetes.default.svc
  --kubernetes-ca FILE    the API server's CA; only for a Vault outside the cluster
  --reviewer-jwt FILE     a token that may create TokenReviews; only for a Vault outside the cluster. Without one Vault shows the
                          token of whoever logs in, which then needs the role system:auth-delegator
  --register-job          also the auth role and policy `iamra-operator` of plugin/job.yaml
  --prefix TEXT           put before every name: for the second cluster of one Vault, whose payments/api is another one
  --mount PATH            the engine's mount; default: iamra
  --auth-mount PATH       the auth method's mount; default: kubernetes

Environment: VAULT_ADDR and VAULT_TOKEN as ever; VAULT_CLI, the vault command, default vault from PATH.
Example: setup.sh --cluster prod --way container payments/api=arn:aws:iam::111122223333:role/iamra/payments-api
USAGE
}

die() {
    printf 'setup.sh: %s\n' "$*" >&2
    exit 1
}

vault() { command "${VAULT_CLI:-vault}" "$@"; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cluster='' default_arn='' profile_arn='' way=both session_duration=14400 host='' ca='' reviewer='' register_job=no prefix='' mount=iamra auth=kubernetes
audience=vault templates=no
accounts=()

readonly LABEL='^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'
readonly SUBDOMAIN='^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
readonly ROLE_ARN='^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$'
readonly PROFILE_ARN='^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:profile/[0-9a-f-]{36}$'
readonly MOUNT='^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$'

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --register-job) register_job=yes; shift; continue ;;
        --templates) templates=yes; shift; continue ;;
        -h | --help) usage; exit 0 ;;
        --*) [ $# -ge 2 ] || die "$1 needs a value; --help lists the options" ;;
        *) accounts+=("$1"); shift; continue ;;
        esac
        case $1 in
        --cluster) cluster=$2 ;;
        --role-arn) default_arn=$2 ;;
        --profile-arn) profile_arn=$2 ;;
        --way) way=$2 ;;
        --session-duration) session_duration=$2 ;;
        --audience) audience=$2 ;;
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
    case $way in file | container | both) ;; *) die "--way '$way': file, container or both" ;; esac
    [ -z "$profile_arn" ] || [ "$profile_arn" = default ] || [[ $profile_arn =~ $PROFILE_ARN ]] ||
        die "--profile-arn '$profile_arn' is no ARN of a Roles Anywhere profile, nor \`default\`"
    [ -n "$audience" ] || die "--audience: without one, a token made for any other service would log in here"
    [[ $prefix =~ ^([a-z0-9][-a-z0-9]*)?$ ]] || die "--prefix '$prefix': lower-case letters, digits and dashes"
    [[ $mount =~ $MOUNT ]] || die "--mount '$mount' is no path of a mount"
    [[ $auth =~ $MOUNT ]] || die "--auth-mount '$auth' is no path of a mount"
    [ -z "$ca" ] || [ -r "$ca" ] || die "--kubernetes-ca: cannot read $ca"
    [ -z "$reviewer" ] || [ -r "$reviewer" ] || die "--reviewer-jwt: cannot read $reviewer"
    [ "$templates" = no ] || check_namespaces
    [ "${#accounts[@]}" -gt 0 ] || [ "$register_job" = yes ] || die "nothing to do: no service account given; see --help"
}

check_namespaces() {
    local namespace
    [[ $default_arn =~ $ROLE_ARN ]] || die "--role-arn '$default_arn' is no ARN of an IAM role; --templates needs one"
    [ "${#accounts[@]}" -gt 0 ] || die "--templates: no namespace given; see --help"
    for namespace in "${accounts[@]}"; do
        [ "$namespace" = '*' ] || [[ $namespace =~ $LABEL ]] || die "'$namespace' is no name of a namespace; --templates takes namespaces"
    done
}

# namespace/serviceaccount[=role_arn] into the variables namespace, account, arn, name and common_name.
take() {
    local given=${1%%=*}
    arn=$default_arn
    [ "$given" = "$1" ] || arn=${1#*=}
    [[ $given == */* ]] || die "'$1': write it as namespace/serviceaccount or namespace/serviceaccount=role_arn"
    namespace=${given%%/*} account=${given#*/}
    [[ $namespace =~ $LABEL ]] || die "'$1': '$namespace' is no name of a namespace"
    [[ $account =~ $SUBDOMAIN ]] || die "'$1': '$account' is no name of a service account"
    [[ $arn =~ $ROLE_ARN ]] || die "'$1': '$arn' is no ARN of an IAM role; append =role_arn, or give --role-arn"
    name=$prefix$namespace-$account
    common_name=$cluster.$namespace.$account
    [ "${#common_name}" -le 61 ] ||
        die "'$1': the common name $common_name has ${#common_name} characters; AWS takes 61: choose a shorter --cluster"
}

# Reads a field of a path into the variable found, empty where there is nothing; any other trouble ends the script.
look() { # path, field, texts with which Vault says that there is nothing
    local said
    said=$(mktemp)
    if ! found=$(vault read -field="$2" "$1" 2>"$said"); then
        found=
        grep -qE "$3" "$said" || { cat "$said" >&2; rm -f "$said"; die "cannot read $1"; }
    fi
    rm -f "$said"
}

# The name must be free or ours: a-b/c and a/b-c would both be a-b-c, and another cluster's payments/api is somebody else.
check_free() { # whose: what the policy's first line says
    local owner="# $1 "
    look "auth/$auth/role/$name" bound_service_account_namespaces 'No value found|No auth engine|unsupported path|no handler'
    if [ -n "$found" ] && [ "$found" != "[$namespace]" ]; then
        die "the auth role $name belongs to the namespace $found, not to $namespace: rename the service account, or delete that role"
    fi
    look "auth/$auth/role/$name" bound_service_account_names 'No value found|No auth engine|unsupported path|no handler'
    if [ -n "$found" ] && [ "$found" != "[$account]" ]; then
        die "the auth role $name belongs to the service account $found, not to $account: rename one, or delete that role"
    fi
    look "sys/policies/acl/$name" policy 'No value found|No policy named'
    if [ -n "$found" ] && [[ $found != "$owner"* ]]; then
        die "the policy $name was not written for $1; it starts: ${found%%$'\n'*}"
    fi
}

check_free_engine_role() {
    look "$mount/roles/$name" common_name 'No value found'
    if [ -n "$found" ] && [ "$found" != "$common_name" ]; then
        die "the engine role $mount/roles/$name has the common name $found, not $common_name: it is somebody else's; see --prefix"
    fi
}

set_up_auth() {
    look "sys/auth/$auth" type 'No auth engine'
    if [ -z "$found" ]; then
        vault auth enable -path="$auth" kubernetes
        host=${host:-https://kubernetes.default.svc}
    elif [ "$found" != kubernetes ]; then
        die "the auth mount $auth is of type $found"
    fi
    if [ -z "$host" ]; then
        return # an operator's configuration, with a reviewer token that cannot be read back, is left alone
    fi
    local settings=("kubernetes_host=$host")
    if [ -n "$ca" ]; then settings+=("kubernetes_ca_cert=@$ca" disable_local_ca_jwt=true); fi
    if [ -n "$reviewer" ]; then settings+=("token_reviewer_jwt=@$reviewer"); fi
    vault write "auth/$auth/config" "${settings[@]}"
}

# The policy files of this folder, under this name and mount.
rendered() { # whose, file...
    printf '# %s (written by kubernetes/setup.sh, which overwrites changes)\n' "$1"
    shift
    sed -e '/^#/d' -e "s|\"iamra/\([a-z]*\)/payments-api\"|\"$mount/\1/$name\"|" -e "s|sys/mounts/iamra|sys/mounts/$mount|" "$@" |
        awk '!NF { next } /^path/ { skip = seen[$2]++; if (!skip) print "" } !skip'
}

write_policy() { # whose, file...
    rendered "$@" | vault policy write "$name" -
}

write_auth_role() { # token_ttl, token_max_ttl
    vault write "auth/$auth/role/$name" \
        bound_service_account_names="$account" bound_service_account_namespaces="$namespace" audience="$audience" \
        token_policies="$name" token_no_default_policy=true token_ttl="$1" token_max_ttl="$2"
}

# Sets `profile` to the field of the profile that is given, or that the engine role has, which a write would take from it.
choose_profile() {
    found=$profile_arn
    if [ -z "$found" ]; then look "$mount/roles/$name" profile_arn 'No value found|not present in secret'; fi
    profile=()
    if [ -n "$found" ] && [ "$found" != default ]; then profile=("profile_arn=$found"); fi
}

# The auth role comes last: nobody logs in before the rest is there.
set_up_role() { # whose, further fields of the engine role...
    local whose=$1 files=() profile
    shift
    if [ "$way" != container ]; then files+=("$here/../policies/application-file.hcl"); fi
    if [ "$way" != file ]; then files+=("$here/../policies/application-container.hcl"); fi
    choose_profile
    vault write "$mount/roles/$name" "role_arn=$arn" "common_name=$common_name" "session_duration=$session_duration" \
        ${profile[@]+"${profile[@]}"} "$@"
    write_policy "$whose" "${files[@]}"
    write_auth_role 1h 24h
}

# The auth role lets nobody else in, so that all who read are the same at AWS.
set_up_account() {
    set_up_role "$common_name" "organization=$cluster" "organizational_unit=$namespace" \
        "uri_sans=spiffe://$cluster/ns/$namespace/sa/$account" session_sharing=identity
    printf '%s/%s is %s in AWS, through %s and auth/%s\n' "$namespace" "$account" "$common_name" "$mount/roles/$name" "$auth/role/$name"
}

readonly TEMPLATE='{{kubernetes.cluster}}.{{kubernetes.namespace | short}}.{{kubernetes.service_account | short}}'

pods() { namespace=$(IFS=,; printf '%s' "${accounts[*]}") account='*' name=$prefix$cluster-pods common_name=$TEMPLATE arn=$default_arn; }

check_free_pods() {
    look "sys/policies/acl/$name" policy 'No value found|No policy named'
    if [ -n "$found" ] && [[ $found != "# the pods of $cluster "* ]]; then
        die "the policy $name was not written for the pods of $cluster; it starts: ${found%%$'\n'*}"
    fi
    check_free_engine_role
    check_free_cluster
}

# Another auth mount under the cluster's name would make its pods those of this cluster.
check_free_cluster() {
    local accessor
    look "sys/auth/$auth" accessor 'No auth engine'
    accessor=$found
    look "$mount/clusters/$cluster" accessor 'No value found'
    if [ -n "$found" ] && [ "$found" != "$accessor" ]; then
        die "the cluster $cluster is the auth mount $found, not that of auth/$auth: if that mount is gone, vault delete $mount/clusters/$cluster"
    fi
}

set_up_pods() {
    vault write "$mount/clusters/$cluster" accessor="$(vault read -field=accessor "sys/auth/$auth")"
    set_up_role "the pods of $cluster" "clusters=$cluster" "organization={{kubernetes.cluster}}" \
        "organizational_unit={{kubernetes.namespace}}" \
        "uri_sans=spiffe://{{kubernetes.cluster}}/ns/{{kubernetes.namespace}}/sa/{{kubernetes.service_account}}"
    printf 'the pods of %s in %s are %s.<namespace>.<serviceaccount> in AWS, through %s and auth/%s\n' \
        "$cluster" "$namespace" "$cluster" "$mount/roles/$name" "$auth/role/$name"
}

operator() { namespace=vault account=iamra-operator name=iamra-operator; }

read_options "$@"
check_options
singles=(${accounts[@]+"${accounts[@]}"})
if [ "$templates" = yes ]; then
    singles=()
    pods
    check_free_pods
fi
for given in ${singles[@]+"${singles[@]}"}; do
    take "$given"
    [ "$name" != iamra-operator ] || die "'$given': iamra-operator is the name of the register Job's role"
    check_free "$common_name"
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
    write_policy "the register Job" "$here/../plugin/plugin-operator.hcl"
    write_auth_role 10m 10m
fi
if [ "$templates" = yes ]; then
    pods
    set_up_pods
fi
for given in ${singles[@]+"${singles[@]}"}; do
    take "$given"
    set_up_account
done
