"""Serves moto's IAM and STS on loopback with some roles in it, until standard input ends, or three minutes have passed.

usage: serve.py SETTINGS   SETTINGS: JSON with
  roles        a list, each with name, path, trust_policy, max_session_duration, policies (inline, by name), permissions_boundary (a policy)
  sessions     the names of roles to assume
  authenticate whether every request must be signed by one of these sessions and allowed by its role

Prints one line of JSON: url, account, boundaries (ARN by role) and sessions (credentials by role).
"""

import json
import signal
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

LONGEST_RUN = 180

signal.alarm(LONGEST_RUN)
settings = json.loads(sys.argv[1])
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{host}:{port}"


def client(service):
    """Signs with a key that nobody checks yet."""
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="AKIAMAKESTHEROLES00", aws_secret_access_key="none"
    )


def make(iam, role):
    more, boundary = {}, role.get("permissions_boundary")
    if boundary:
        made = iam.create_policy(PolicyName=f"{role['name']}-boundary", PolicyDocument=json.dumps(boundary))
        more["PermissionsBoundary"] = made["Policy"]["Arn"]
    arn = iam.create_role(
        RoleName=role["name"], Path=role.get("path", "/"), AssumeRolePolicyDocument=json.dumps(role["trust_policy"]),
        MaxSessionDuration=role.get("max_session_duration", 3600), **more,
    )["Role"]["Arn"]
    for name, document in role.get("policies", {}).items():
        iam.put_role_policy(RoleName=role["name"], PolicyName=name, PolicyDocument=json.dumps(document))
    return arn, more.get("PermissionsBoundary")


iam, sts = client("iam"), client("sts")
roles = {role["name"]: make(iam, role) for role in settings["roles"]}
sessions = {}
for name in settings["sessions"]:
    assumed = sts.assume_role(RoleArn=roles[name][0], RoleSessionName="4444333322221111")["Credentials"]
    sessions[name] = {key: assumed[key] for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
account = sts.get_caller_identity()["Account"]
if settings["authenticate"]:
    # from the next request on
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST"))
boundaries = {name: boundary for name, (_, boundary) in roles.items()}
print(json.dumps({"url": url, "account": account, "boundaries": boundaries, "sessions": sessions}), flush=True)
sys.stdin.read()
server.stop()
