"""boto3 in each region: who it is, the anchors there, and a hop into another account."""

from settings import SETTINGS, answer, client, outcome


def seen(region):
    sts = client("sts", region=region)
    hop = outcome(sts.assume_role, RoleArn=SETTINGS["target"], RoleSessionName="boto3")
    credentials = hop.get("granted", {}).pop("Credentials", None)
    if credentials:
        hop["caller"] = {
            other: outcome(client("sts", credentials, other).get_caller_identity)
            for other in SETTINGS["regions"]
        }
    return {
        "caller": outcome(sts.get_caller_identity),
        "anchors": outcome(client("rolesanywhere", region=region).list_trust_anchors),
        "hop": hop,
    }


answer({region: seen(region) for region in SETTINGS["regions"]})
