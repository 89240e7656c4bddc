"""boto3's iam client puts, reads and lists inline policies; the last one revokes the very session it works with."""

import json

from settings import SETTINGS, answer, client, outcome


def deny(**condition):
    statement = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def main():
    iam, sts = client("iam"), client("sts")
    listed = iam.list_role_policies(RoleName="demo")["PolicyNames"]
    user_id = sts.get_caller_identity()["UserId"]
    sent = deny(StringEquals={"aws:userid": "AROAEXAMPLE:nobody"})

    def put(name, document):
        return outcome(iam.put_role_policy, RoleName="demo", PolicyName=name, PolicyDocument=document)

    put("revoked", json.dumps(sent))
    read = outcome(iam.get_role_policy, RoleName="demo", PolicyName="revoked")
    many = [f"AROAEXAMPLE:{number:032x}" for number in range(300)]
    result = {
        "role": outcome(iam.get_role, RoleName="demo"),
        "listed": listed,
        "sent": sent,
        "read": read,
        "unknown": outcome(iam.delete_role_policy, RoleName="demo", PolicyName="other"),
        "user_id": user_id,
        "malformed": put("revoked", "{}"),
        "full": put("revoked", json.dumps(deny(StringEquals={"aws:userid": many}))),
    }
    put("revoked", json.dumps(deny(StringLike={"aws:userid": ["*:" + SETTINGS["session_name"]]})))
    result["revoked"] = outcome(sts.get_caller_identity)
    answer(result)


main()
