"""boto3's iam client reads a role."""

from settings import answer, client, outcome

answer(outcome(client("iam").get_role, RoleName="demo"))
