"""What a script is told, how it calls the emulator, and how it answers: JSON in, JSON out."""

import json
import sys

import boto3
import botocore.exceptions

SETTINGS = json.load(open(sys.argv[1], encoding="utf-8"))


def answer(value):
    """Print the one line the test reads."""
    print(json.dumps(value))


def outcome(call, **parameters):
    """Run a boto3 call and tell AWS's code, status and message if it is refused."""
    try:
        return {"granted": strip(call(**parameters))}
    except botocore.exceptions.ClientError as error:
        reply = error.response
        return {
            "code": reply["Error"]["Code"],
            "status": reply["ResponseMetadata"]["HTTPStatusCode"],
            "message": reply["Error"]["Message"],
        }


def strip(reply):
    """Drop what boto3 adds, and show times and bytes as text."""
    reply.pop("ResponseMetadata", None)
    return json.loads(json.dumps(reply, default=str))


def rolesanywhere():
    """The management client."""
    return client("rolesanywhere")


def client(service, credentials=None, region=None):
    """A client without retries, with the keys of the settings or with the credentials of an AssumeRole."""
    keys = credentials or {
        "AccessKeyId": SETTINGS["access_key_id"],
        "SecretAccessKey": SETTINGS["secret_access_key"],
        "SessionToken": SETTINGS.get("session_token"),
    }
    return boto3.client(
        service,
        endpoint_url=SETTINGS.get("url"),
        # with an endpoint of its own, boto3 does not know that IAM stands in one region only
        region_name="us-east-1" if service == "iam" else region or SETTINGS["region"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        verify=SETTINGS["ca"],
        config=boto3.session.Config(
            retries={"max_attempts": 0}, parameter_validation=False
        ),
    )
