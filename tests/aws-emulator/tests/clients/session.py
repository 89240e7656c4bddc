"""AWS Labs' client gets a session; boto3 then asks STS who that session is."""

from urllib.parse import urlsplit

from iam_rolesanywhere_session import CredentialsRetrievalError, IAMRolesAnywhereSession

from settings import SETTINGS, answer


def main():
    source = IAMRolesAnywhereSession(
        profile_arn=SETTINGS["profile"],
        role_arn=SETTINGS["role"],
        trust_anchor_arn=SETTINGS["anchor"],
        certificate=SETTINGS["certificate"],
        certificate_chain=SETTINGS.get("chain"),
        private_key=SETTINGS["key"],
        region=SETTINGS["region"],
        endpoint=urlsplit(SETTINGS["url"]).netloc,
        verify=SETTINGS["ca"],
        role_session_name=SETTINGS.get("role_session_name"),
        instance_properties=SETTINGS.get("instance_properties"),
    )
    try:
        session = source.get_session()
        identity = session.client("sts", endpoint_url=SETTINGS["url"]).get_caller_identity()
    except CredentialsRetrievalError as error:
        answer({"status": error.status_code, "message": error.message})
        return
    answer({name: identity[name] for name in ("Arn", "Account", "UserId")})


main()
