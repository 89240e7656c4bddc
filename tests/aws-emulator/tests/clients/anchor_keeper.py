"""boto3, with a session of Roles Anywhere, adds a CA to its anchor, and is refused what its role may not do."""

import json
import urllib.request
import ssl

from settings import SETTINGS, answer, outcome, rolesanywhere


def knobs(**values):
    request = urllib.request.Request(
        SETTINGS["url"] + "/_admin/knobs", json.dumps(values).encode(), method="PUT"
    )
    trust = ssl.create_default_context(cafile=SETTINGS["ca"])
    urllib.request.urlopen(request, context=trust).close()


def main():
    client, anchor = rolesanywhere(), SETTINGS["anchor_id"]
    source = {
        "sourceType": "CERTIFICATE_BUNDLE",
        "sourceData": {"x509CertificateData": SETTINGS["old_root"] + SETTINGS["root"]},
    }
    updated = outcome(client.update_trust_anchor, trustAnchorId=anchor, source=source)
    read = outcome(client.get_trust_anchor, trustAnchorId=anchor)
    listed = outcome(client.list_trust_anchors)
    knobs(management_tps=1)
    outcome(client.get_trust_anchor, trustAnchorId=anchor)
    throttled = outcome(client.get_trust_anchor, trustAnchorId=anchor)
    answer({"updated": updated, "read": read, "list": listed, "throttled": throttled})


main()
