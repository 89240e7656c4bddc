#!/bin/sh
# The AWS CLI is a process a call: who am I, again and again. Arguments: the aws program, and for how many seconds;
# it is called once at least.
end=$(($(date +%s) + $2))
while :; do
    if said=$("$1" sts get-caller-identity --query Arn --output text 2>&1); then
        echo "$said"
    else
        printf 'error: %s\n' "$(echo "$said" | tr '\n' ' ')"
    fi
    sleep 4
    [ "$(date +%s)" -lt "$end" ] || exit 0
done
