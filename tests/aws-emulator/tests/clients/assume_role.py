"""boto3's sts client assumes a role with each set of parameters, at the emulator and at moto, and asks who it then is."""

from moto import mock_aws

from settings import SETTINGS, answer, client, outcome


def hop(parameters):
    sts = client("sts")
    seen = outcome(
        sts.assume_role, **{"RoleArn": SETTINGS["target"], "RoleSessionName": "boto3", **parameters}
    )
    credentials = seen.get("granted", {}).pop("Credentials", None)
    if credentials:
        seen["caller"] = outcome(client("sts", credentials).get_caller_identity)
    return seen


def hops():
    return {name: hop(parameters) for name, parameters in SETTINGS["cases"].items()}


def main():
    emulator = hops()
    SETTINGS.pop("url")
    with mock_aws():
        answer({"emulator": emulator, "moto": hops()})


main()
