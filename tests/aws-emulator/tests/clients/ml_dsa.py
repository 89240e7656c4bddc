"""CreateSession with ML-DSA keys, certificates and signatures of the library `cryptography`, over an anchor made by boto3."""

import base64
import datetime
import hashlib
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from settings import SETTINGS, answer, rolesanywhere

KEYS = {
    "44": mldsa.MLDSA44PrivateKey,
    "65": mldsa.MLDSA65PrivateKey,
    "87": mldsa.MLDSA87PrivateKey,
}
USAGES = [
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
]


def certificate(name, key, issuer, issuer_key, usage):
    """A certificate valid for an hour, of a CA if it may sign others."""
    now = datetime.datetime.now(datetime.timezone.utc)
    usages = x509.KeyUsage(**{known: known == usage for known in USAGES})
    authority = x509.BasicConstraints(ca=usage == "key_cert_sign", path_length=None)
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(named[0])
        .issuer_name(named[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(usages, critical=True)
        .add_extension(authority, critical=True)
    )
    return builder.sign(issuer_key, None)


def anchor(root):
    """The ARN of a new anchor that trusts this CA."""
    pem = root.public_bytes(Encoding.PEM).decode()
    source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": pem}}
    made = rolesanywhere().create_trust_anchor(name="ml-dsa", enabled=True, source=source)
    return made["trustAnchor"]["trustAnchorArn"]


def create_session(arn, leaf, key, alter=False):
    """The status of one CreateSession, signed as the signing page says."""
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    body = json.dumps(
        {"trustAnchorArn": arn, "profileArn": SETTINGS["profile"], "roleArn": SETTINGS["role"]}
    ).encode()
    headers = {
        "content-type": "application/json",
        "host": urllib.parse.urlsplit(SETTINGS["url"]).netloc,
        "x-amz-date": stamp,
        "x-amz-x509": base64.b64encode(leaf.public_bytes(Encoding.DER)).decode(),
    }
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    names = ";".join(headers)
    canonical = f"POST\n/sessions\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{SETTINGS['region']}/rolesanywhere/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = key.sign(f"AWS4-X509-MLDSA\n{stamp}\n{scope}\n{digest}".encode())
    headers["authorization"] = (
        f"AWS4-X509-MLDSA Credential={leaf.serial_number}/{scope}, "
        f"SignedHeaders={names}, Signature={signature.hex()}"
    )
    sent = body.replace(b", ", b",") if alter else body
    request = urllib.request.Request(SETTINGS["url"] + "/sessions", sent, headers)
    try:
        trust = ssl.create_default_context(cafile=SETTINGS["ca"])
        with urllib.request.urlopen(request, context=trust) as reply:
            return {"status": reply.status}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "body": error.read().decode()}


def main():
    seen = {}
    for size, kind in KEYS.items():
        root_key, key = kind.generate(), kind.generate()
        root = certificate(f"Root {size}", root_key, f"Root {size}", root_key, "key_cert_sign")
        leaf = certificate("payments", key, f"Root {size}", root_key, "digital_signature")
        arn = anchor(root)
        seen[size] = create_session(arn, leaf, key)
        seen[size]["altered"] = create_session(arn, leaf, key, alter=True)
    answer(seen)


main()
