"""Verifies receipts as a program of somebody else's does, with joserfc.

Standard input has {"keys": a JWK Set, "receipts": {name: text}}; what is printed says of each name what the receipt
says, or null if it is refused. tests/browser/verify_receipts.mjs does the same with npm's jose.
"""

import json
import sys

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

TYPE = "file-share-receipt+jwt"


def claims_of(text, keys):
    try:
        signed = jws.deserialize_compact(text, keys, algorithms=["Ed25519"])
    except (JoseError, ValueError):
        return None
    return json.loads(signed.payload) if signed.headers().get("typ") == TYPE else None


case = json.load(sys.stdin)
keys = KeySet.import_key_set(case["keys"])
json.dump({name: claims_of(text, keys) for name, text in case["receipts"].items()}, sys.stdout)
