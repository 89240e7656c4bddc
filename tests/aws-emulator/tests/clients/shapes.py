"""The same IAM calls of boto3 at moto, which is somebody else's IAM, and at the emulator: what each answers, values aside."""

import json

from moto import mock_aws

from settings import SETTINGS, answer, client, outcome

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DENY = {
    "Effect": "Deny",
    "Action": "*",
    "Resource": "*",
    "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}},
}
POLICY = {"Version": "2012-10-17", "Statement": [DENY]}


def shape(value):
    """Names of members and kinds of values; a policy is shown as it is."""
    if isinstance(value, dict):
        return value if "Statement" in value else {name: shape(one) for name, one in value.items()}
    return type(value).__name__


def answers(iam):
    role, policy = {"RoleName": "demo"}, {"RoleName": "demo", "PolicyName": "revoked"}

    def put(document):
        return outcome(iam.put_role_policy, PolicyDocument=json.dumps(document), **policy)

    seen = {
        "role": shape(outcome(iam.get_role, **role)),
        "no role": outcome(iam.get_role, RoleName="nobody"),
        "put": put(POLICY),
        "listed": outcome(iam.list_role_policies, **role),
        "read": outcome(iam.get_role_policy, **policy),
        "with principal": put({**POLICY, "Statement": [{**DENY, "Principal": "*"}]}),
        "one id twice": put({**POLICY, "Statement": [{**DENY, "Sid": "A"}, {**DENY, "Sid": "A"}]}),
        "hyphen in id": put({**POLICY, "Statement": [{**DENY, "Sid": "a-b"}]}),
        "no vendor": put({**POLICY, "Statement": [{**DENY, "Action": "GetObject"}]}),
        "no arn": put({**POLICY, "Statement": [{**DENY, "Resource": "bucket"}]}),
        "deleted": outcome(iam.delete_role_policy, **policy),
        "deleted again": outcome(iam.delete_role_policy, **policy),
        "read again": outcome(iam.get_role_policy, **policy),
    }
    seen["role"].get("granted", {}).get("Role", {}).pop("AssumeRolePolicyDocument", None)
    return seen


def main():
    emulator = answers(client("iam"))
    SETTINGS.pop("url")
    with mock_aws():
        other = client("iam")
        other.create_role(RoleName="demo", AssumeRolePolicyDocument=TRUST)
        answer({"emulator": emulator, "moto": answers(other)})


main()
