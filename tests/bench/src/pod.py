"""One pod on the seed's path: a certificate from Vault's PKI, and a session that its client signs for with the certificate's key."""

import json
import os
import urllib.request
from urllib.parse import urlsplit

from iam_rolesanywhere_session import IAMRolesAnywhereSession


def certificate():
    """Ask Vault for a key and a certificate."""
    request = urllib.request.Request(
        os.environ["VAULT_ADDR"] + "/v1/pki/issue/pod",
        data=json.dumps({"common_name": "web.pods"}).encode(),
        headers={"X-Vault-Token": os.environ["VAULT_TOKEN"]},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["data"]


def main():
    """Print the session's access key; its secret is used, and not shown."""
    issued = certificate()
    session = IAMRolesAnywhereSession(
        profile_arn=os.environ["PROFILE_ARN"],
        role_arn=os.environ["ROLE_ARN"],
        trust_anchor_arn=os.environ["TRUST_ANCHOR_ARN"],
        certificate=issued["certificate"].encode(),
        private_key=issued["private_key"].encode(),
        region=os.environ["REGION"],
        endpoint=urlsplit(os.environ["ENDPOINT"]).netloc,
        verify=os.environ["CA_FILE"],
    ).get_session()
    credentials = session.get_credentials().get_frozen_credentials()
    print(json.dumps({"access_key": credentials.access_key}))


main()
