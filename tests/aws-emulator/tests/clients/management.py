"""boto3 makes an anchor, a profile and a CRL, reads them back, and is refused what AWS refuses."""

from settings import SETTINGS, answer, outcome, rolesanywhere


def source(pem):
    return {
        "sourceType": "CERTIFICATE_BUNDLE",
        "sourceData": {"x509CertificateData": pem},
    }


def create_anchor(client, pem):
    return outcome(
        client.create_trust_anchor, name="boto3", enabled=True, source=source(pem)
    )


def import_crl(client, anchor, name="revoked", data=None):
    data = SETTINGS["crl"].encode() if data is None else data
    return outcome(
        client.import_crl,
        name=name,
        crlData=data,
        enabled=True,
        trustAnchorArn=anchor,
    )


def main():
    client = rolesanywhere()
    made = create_anchor(client, SETTINGS["root"])
    detail = made["granted"]["trustAnchor"]
    profile = outcome(
        client.create_profile,
        name="boto3",
        enabled=True,
        roleArns=[SETTINGS["role"]],
        durationSeconds=900,
    )
    read = outcome(client.get_trust_anchor, trustAnchorId=detail["trustAnchorId"])
    listed = client.get_paginator("list_trust_anchors").paginate().build_full_result()
    answer(
        {
            "anchor": made,
            "read": read,
            "listed": [anchor["name"] for anchor in listed["trustAnchors"]],
            "profile": profile,
            "58": create_anchor(client, SETTINGS["not_a_ca"]),
            "59": create_anchor(client, "this is no PEM"),
            "60": create_anchor(client, SETTINGS["root"] * 3),
            "crls": [import_crl(client, SETTINGS["anchor"]) for _ in range(2)],
            "61": import_crl(client, SETTINGS["anchor"]),
            "62 size": import_crl(client, SETTINGS["anchor"], data=bytes(300001)),
            "62 name": import_crl(client, SETTINGS["anchor"], name="revoked.crl"),
            "63": import_crl(client, SETTINGS["alias"]),
        }
    )


main()
