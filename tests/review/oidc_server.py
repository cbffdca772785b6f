"""A provider of OpenID Connect within this host, which may be told to lie."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Semaphore, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

SUBJECT = "u-1"
CLIENT_ID, CLIENT_SECRET = "console", "a secret of sixteen or more"
REDIRECT_URI = "http://console.test/api/v1/oidc/back"


class OidcServer:
    """Answers as a provider does.

    claims:    over what the word says by itself.
    published: over what it publishes of itself.
    signer:    signs its word; its own key unless a test forges one.
    """

    def __init__(self, now_s: float) -> None:
        self.now_s = int(now_s)
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.signer = self.key
        self.claims: dict[str, Any] = {}
        self.published: dict[str, Any] = {}
        self._asked = Semaphore(0)
        self._may_answer = Event()
        self._may_answer.set()
        self.challenge = ""
        self.nonce = ""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._asked.release()
                server._may_answer.wait(30)
                pages = {
                    "/.well-known/openid-configuration": server.document,
                    "/keys": {"keys": [server.key.as_dict(private=False)]},
                }
                self._say(pages.get(self.path))

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                self._say(server.token(form) if self.path == "/token" else None)

            def _say(self, said: dict[str, Any] | None) -> None:
                body = json.dumps(said or {}).encode()
                self.send_response(400 if said is None else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self) -> None:
        """Hang: answer nobody."""
        self._may_answer.clear()

    def until_asked(self, n_times: int) -> None:
        """Wait until so many have asked."""
        for _ in range(n_times):
            assert self._asked.acquire(timeout=30)

    def let_go(self) -> None:
        """Answer again."""
        self._may_answer.set()

    @property
    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        } | self.published

    def visited(self, url: str) -> dict[str, str]:
        """Have a browser come to sign in; give what it brings back."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT_ID, REDIRECT_URI)
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        self.challenge, self.nonce = asked["code_challenge"], asked["nonce"]
        return {"state": asked["state"], "code": "a code"}

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Give the word for a code, to whoever began the try."""
        digest = sha256(form["code_verifier"].encode()).digest()
        if urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return None
        claims = {
            "iss": self.issuer,
            "sub": SUBJECT,
            "aud": CLIENT_ID,
            "iat": self.now_s,
            "exp": self.now_s + 60,
            "nonce": self.nonce,
            "preferred_username": "anna",
        } | self.claims
        word = jwt.encode({"alg": "ES256", "kid": "one"}, claims, self.signer)
        return {"id_token": word, "access_token": "x", "token_type": "Bearer"}
