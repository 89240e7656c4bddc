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
    """The management client, with the emulator's management key and no retries."""
    return boto3.client(
        "rolesanywhere",
        endpoint_url=SETTINGS["url"],
        region_name=SETTINGS["region"],
        aws_access_key_id=SETTINGS["access_key_id"],
        aws_secret_access_key=SETTINGS["secret_access_key"],
        verify=SETTINGS["ca"],
        config=boto3.session.Config(
            retries={"max_attempts": 0}, parameter_validation=False
        ),
    )
