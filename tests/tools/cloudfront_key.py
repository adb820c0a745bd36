"""Makes a key for download URLs, and verifies a URL as somebody else's library reads CloudFront's rules.

    cloudfront_key.py make FOLDER        writes private.pem (as `openssl ecparam -genkey` does) and public.pem
    cloudfront_key.py verify FOLDER URL  ends with 0 if the URL is signed by that key with a canned policy

The text of the policy is botocore's, and key and signature are those of `cryptography`: nothing here is ours.
"""

import base64
import datetime
import pathlib
import sys

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "private.pem").write_bytes(private)
    (folder / "public.pem").write_bytes(public)


def verify(folder, url):
    resource, _, signed = url.partition("&Expires=")
    expires, signature, _, algorithm = (part.rpartition("=")[2] if index else part
                                        for index, part in enumerate(signed.split("&")))
    if algorithm != "SHA256":
        sys.exit("CloudFront would take SHA-1")
    until = datetime.datetime.fromtimestamp(int(expires), datetime.timezone.utc)
    policy = CloudFrontSigner("any", lambda message: message).build_policy(resource, until)
    plain = signature.replace("-", "+").replace("_", "=").replace("~", "/")
    public = serialization.load_pem_public_key((folder / "public.pem").read_bytes())
    public.verify(base64.b64decode(plain), policy.encode(), ec.ECDSA(hashes.SHA256()))


def main():
    match sys.argv[1:]:
        case ["make", folder]:
            make(pathlib.Path(folder))
        case ["verify", folder, url]:
            verify(pathlib.Path(folder), url)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
