"""Signing in elsewhere: the authorization code flow of OpenID Connect, with PKCE, state and nonce.

Rule: who somebody is, the provider says; what they may do, their account here says. A try is bound
to the browser that began it, works once, and ends after some minutes.

Source: OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9700 (current best practice).
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from streamguard.core.errors import SignInRefused
from streamguard.review.desk_file import DeskFile

Claim = Literal["preferred_username", "email", "sub"]

TRY_S = 600.0
"""How long somebody may take to sign in there, seconds."""

KEPT_S = 600.0
"""How long what the provider publishes is kept; keys that are not known are asked for at once."""

LEEWAY_S = 30
"""By how much clocks may differ, seconds."""

TIMEOUT_S = 10.0

AT_ONCE = 4
"""So many ask the provider at once, of the 40 threads that all requests share."""

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures by a key that the provider alone has; none, and those by a shared secret, are not."""

_PUT = "INSERT INTO oidc_tries VALUES (?, ?, ?, ?, ?)"
_TAKE = """
DELETE FROM oidc_tries WHERE state_sha256 = ? AND browser_sha256 = ? AND made_s > ?
RETURNING nonce, verifier
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who signs people in, and as what we are known there.

    issuer:       as it writes itself; https, or within this host.
    redirect_uri: where it sends browsers back to.
    claim:        what in its word is the name of the account here.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    claim: Claim = "preferred_username"


@dataclass(frozen=True, slots=True)
class Try:
    """What somebody began in a browser, and what the provider has to know of it."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for; `subject` is theirs there for good, a name may change."""

    name: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class _Published:
    document: dict[str, Any]
    keys: KeySet
    at_s: float


class Oidc:
    """One provider; any thread."""

    def __init__(
        self,
        provider: Provider,
        file: DeskFile,
        wall: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """wall: tells the time, seconds since 1970 UTC."""
        self._provider = provider
        self._file = file
        self._wall = wall
        self._monotonic = monotonic
        self._known: _Published | None = None
        self._turns = BoundedSemaphore(AT_ONCE)

    def begin(self) -> tuple[str, str]:
        """Begin a try; give the address to send the browser to, and what the browser must keep.

        Raises:
            SignInRefused: the provider does not answer, or too many ask it at this moment.
        """
        with self._turn():
            published = self._published()
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        now_s = self._wall()
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM oidc_tries WHERE made_s < ?", (now_s - TRY_S,))
            connection.execute(_PUT, (_hash(state), _hash(browser), nonce, verifier, now_s))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": self._provider.redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        place = published.document["authorization_endpoint"]
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}", browser

    def take(self, state: str, browser: str) -> Try | None:
        """End a try; None where it was not begun in this browser, or has ended before."""
        since_s = self._wall() - TRY_S
        with self._file.transaction() as connection:
            rows: list[Any] = connection.execute(
                _TAKE, (_hash(state), _hash(browser), since_s)
            ).fetchall()
        return Try(*rows[0]) if rows else None

    def finish(self, taken: Try, code: str) -> Vouched:
        """Ask whom the provider vouches for.

        Raises:
            SignInRefused: for nobody, or it cannot be asked.
        """
        provider = self._provider
        with self._turn():
            answer = self._asked(
                "POST",
                self._published().document["token_endpoint"],
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "redirect_uri": provider.redirect_uri,
                    "code_verifier": taken.verifier,
                },
                auth=(provider.client_id, provider.client_secret),
            )
            return self._vouched_in(str(answer.get("id_token", "")), taken.nonce)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let so many ask the provider at once: while it hangs, others need our threads."""
        if not self._turns.acquire(blocking=False):
            raise SignInRefused("too many sign in at this moment: try again")
        try:
            yield
        finally:
            self._turns.release()

    def _vouched_in(self, token: str, nonce: str) -> Vouched:
        """Read a name from the provider's word, after looking whether it is that."""
        provider = self._provider
        claims = self._verified(token)
        audience = claims.get("aud")
        is_for_us = provider.client_id in (audience if isinstance(audience, list) else [audience])
        if not is_for_us or claims.get("azp", provider.client_id) != provider.client_id:
            raise SignInRefused("the provider speaks to somebody else")
        if claims.get("nonce") != nonce:
            raise SignInRefused("the provider speaks of another try")
        name = claims.get(provider.claim)
        if provider.claim == "email" and claims.get("email_verified") is not True:
            raise SignInRefused("the provider has not verified the address")
        if not isinstance(name, str) or not name:
            raise SignInRefused(f"the provider says no {provider.claim}")
        return Vouched(name, provider.issuer, str(claims["sub"]))

    def _verified(self, token: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._wall()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._provider.issuer},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
        )
        try:
            return self._checked(token, registry, self._published())
        except (JoseError, ValueError):
            published = self._published(is_fresh=True)  # it may have new keys
        try:
            return self._checked(token, registry, published)
        except (JoseError, ValueError):
            raise SignInRefused("what the provider says is not signed as it has to be") from None

    def _checked(
        self, token: str, registry: jwt.JWTClaimsRegistry, published: _Published
    ) -> dict[str, Any]:
        decoded = jwt.decode(token, published.keys, algorithms=list(ALGORITHMS))
        registry.validate(decoded.claims)
        claims: dict[str, Any] = decoded.claims
        return claims

    def _published(self, *, is_fresh: bool = False) -> _Published:
        known = self._known
        if known and not is_fresh and self._monotonic() - known.at_s < KEPT_S:
            return known
        issuer = self._provider.issuer
        place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        document = self._asked("GET", place)
        if document.get("issuer") != issuer:
            raise SignInRefused("the provider goes by another name than the configured one")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _require_safe(document.get(name))
        try:
            keys = KeySet.import_key_set(self._asked("GET", document["jwks_uri"]))  # type: ignore[arg-type]  # checked there
        except (JoseError, ValueError, KeyError, TypeError):
            raise SignInRefused("the provider publishes no keys that can be used") from None
        self._known = _Published(document, keys, self._monotonic())
        return self._known

    def _asked(self, method: str, url: str, **what: Any) -> dict[str, Any]:
        try:
            with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = client.request(method, url, **what)
                answer.raise_for_status()
                said = answer.json()
        except (httpx.HTTPError, ValueError):
            raise SignInRefused("the provider does not answer as it has to") from None
        if not isinstance(said, dict):
            raise SignInRefused("the provider does not answer as it has to")
        return said


def is_safe(url: str) -> bool:
    """Say whether nobody can listen in: https, or within this host."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    )


def _require_safe(url: object) -> None:
    if not isinstance(url, str) or not is_safe(url):
        raise SignInRefused("the provider names an address that is not https")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
