"""Makes people of a Cognito user pool, and prints what somebody of them gets by another client.

    create_test_people.py USER_POOL_ID

"alice" is in the group "admins", "bob" in "members", "carol" in "guests", and "dave" in none. Their password is
"correct horse battery". Prints the ID of a client that isn't the stack's, and the tokens that "alice" has for it:
{"clientId", "access", "id"}.
"""

import json
import os
import sys

import botocore.session

GROUPS = {"alice": "admins", "bob": "members", "carol": "guests", "dave": None}
PASSWORD = "correct horse battery"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: create_test_people.py USER_POOL_ID")
    if not os.environ.get("AWS_ENDPOINT_URL"):
        sys.exit("set AWS_ENDPOINT_URL to the emulator's address")
    pool = sys.argv[1]
    cognito = botocore.session.get_session().create_client("cognito-idp")
    for person, group in GROUPS.items():
        cognito.admin_create_user(UserPoolId=pool, Username=person, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=person, Password=PASSWORD, Permanent=True)
        if group:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=person, GroupName=group)
    client = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="another",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    tokens = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "alice", "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    json.dump({"clientId": client, "access": tokens["AccessToken"], "id": tokens["IdToken"]}, sys.stdout)


if __name__ == "__main__":
    main()
