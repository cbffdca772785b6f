"""A Google Cloud Storage of this test: `python google_storage.py PORT FILE ACCOUNT`.

Its XML API is S3's, down to the lists and uploads in pieces, so moto's S3 does what is asked; who
asks is Google's way: a token, signed by the key of a service account, whose public half is in FILE.
"""

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from moto.server import create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
AS_S3 = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=0"
"""What is said inside of who asks; nobody looks at it but for its form."""

REFUSED = b"<Error><Code>AccessDenied</Code><Message>no token of ours</Message></Error>"

Start = Callable[..., Any]


class Door:
    """Lets in whoever brings a token of the account."""

    def __init__(self, key: RSAKey, account: str) -> None:
        self._key, self._account = key, account
        self._inside = create_backend_app("s3")
        Client(self._inside).put("/evidence")

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        kind, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind != "Bearer" or not self._is_signed(token):
            start("401 Unauthorized", [("Content-Type", "application/xml")])
            return [REFUSED]
        environ["HTTP_AUTHORIZATION"] = AS_S3
        answer: Iterable[bytes] = self._inside(environ, start)
        return answer

    def _is_signed(self, token: str) -> bool:
        try:
            claims = jwt.decode(token, self._key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return False
        is_ours = (claims["iss"], claims["scope"]) == (self._account, SCOPE)
        return bool(is_ours and claims["iat"] - 60 <= time.time() < claims["exp"])


if __name__ == "__main__":
    public = RSAKey.import_key(Path(sys.argv[2]).read_bytes())
    run_simple("127.0.0.1", int(sys.argv[1]), Door(public, sys.argv[3]), threaded=True)
