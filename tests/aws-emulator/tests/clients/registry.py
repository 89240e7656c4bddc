"""boto3's ecr client asks for a registry's password with a session, for one account and for two, and is told what it lacks."""

from settings import SETTINGS, answer, client, outcome


def main():
    ecr = client("ecr")
    two = {"registryIds": ["111122223333", "444455556666"]}
    calls = {"own": {}, "two": two, "none": {"registryIds": []}, "short": {"registryIds": ["1"]}}
    seen = {name: outcome(ecr.get_authorization_token, **parameters) for name, parameters in calls.items()}
    seen["other operation"] = outcome(ecr.describe_repositories)
    answer(seen)


main()
