"""Runs MiniStack as an issuer that a program can ask: its Cognito names itself by the address that it serves at.

MiniStack's tokens, and what it says of itself at 127.0.0.1:PORT/POOL/.well-known/openid-configuration, name
https://cognito-idp.REGION.amazonaws.com/POOL as their issuer. That is AWS, and an issuer has to be asked at the address
that is its name. So that name is replaced in both places. All else is MiniStack's: claims, keys, pages, and what it
refuses.
"""

import json
import os
import sys

from ministack import app
from ministack.services import cognito


def issuer(pool_id):
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/{pool_id}"


signed_jwt = cognito._signed_jwt
openid_configuration = cognito.well_known_openid_configuration


def signed_jwt_of_this_issuer(claims, pool_id="", use=""):
    if pool_id and "iss" in claims:
        claims = {**claims, "iss": issuer(pool_id)}
    return signed_jwt(claims, pool_id, use)


def openid_configuration_of_this_issuer(pool_id, *arguments):
    status, headers, body = openid_configuration(pool_id, *arguments)
    document = {**json.loads(body), "issuer": issuer(pool_id)}
    return status, headers, json.dumps(document).encode()


cognito._signed_jwt = signed_jwt_of_this_issuer
cognito.well_known_openid_configuration = openid_configuration_of_this_issuer
sys.exit(app.main())
