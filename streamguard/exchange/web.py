"""Asks a hash exchange over HTTPS for JSON, with patience and within bounds.

Rule: no answer is waited for or read without an end, nothing is asked of another place than the
configured one, and no error, log or traceback holds an address, a credential or an answer, but for
the cleaned text of a refusal.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ssl import SSLContext
from typing import Any, NoReturn

import httpx

from streamguard.core.errors import ConfigError, ExchangeDenied, ExchangeUnavailable
from streamguard.exchange.complaint import MAX_BODY_BYTES, complaint_of

CONNECT_TIMEOUT_S, READ_TIMEOUT_S, WHOLE_TIMEOUT_S = 10.0, 30.0, 120.0
"""For a connection, for the next bytes, and for the whole of an answer (our choice; the published
clients wait 60 s for bytes and for ever for the whole)."""

MAX_ANSWER_BYTES = 64 << 20
"""A page of 500 updates with ten opinions each is about 1 MB."""

MAX_TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Tries of one question, and the longest wait after the first and after any; each doubles it."""

MAX_RETRY_AFTER_S = 300.0
"""A service that wants to be left alone for longer is asked again by the next sync."""

DENIED = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
PASSING = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS}

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Patience:
    """How time passes between two tries.

    wait:      lets so many seconds pass; says whether to give up.
    chance:    draws evenly from [0, 1).
    monotonic: seconds on a clock that never jumps.
    now:       the time of day, by which Retry-After may name an instant.
    """

    wait: Callable[[float], bool]
    chance: Callable[[], float]
    monotonic: Callable[[], float]
    now: Callable[[], datetime]


class _Again(Exception):
    """A try that failed in a way that may pass.

    after_s: how long the service wants to be left alone; None where it does not say.
    said:    what the service says of it, for the end of a message.
    """

    def __init__(self, what: str, after_s: float | None = None, said: str = "") -> None:
        super().__init__(what)
        self.after_s, self.said = after_s, said


class Web:
    """One exchange's service; a context manager, one thread.

    name: what errors call the exchange.
    """

    def __init__(self, name: str, base: str, patience: Patience) -> None:
        """Raise ConfigError where `base` is no HTTPS address and none on this machine."""
        self.name = name
        self.base = _checked(name, base)
        self._patience = patience
        for noisy in ("httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)  # below, they log each address
        self._client = httpx.Client(
            verify=_tls(),
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={"User-Agent": "streamguard", "Accept": "application/json"},
            trust_env=False,
        )

    def get(
        self, path: str, params: Params, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Ask for a JSON object.

        Raises:
            ExchangeDenied: the service does not accept who we are.
            ExchangeUnavailable: there is no answer that can be used, after several tries.
        """
        return self._patiently("GET", path, {"params": dict(params), "headers": headers})

    def post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form and take a JSON object; raises as `get` does."""
        return self._patiently("POST", path, {"data": dict(form)})

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def problem(self, what: str) -> ExchangeUnavailable:
        """Say what is wrong with the service, for the caller to raise."""
        return ExchangeUnavailable(f"exchange {self.name}: {what}")

    def _patiently(self, method: str, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        for n_failures in range(1, MAX_TRIES + 1):
            try:
                return self._once(method, path, asked)
            except _Again as failure:
                what, after_s, said = str(failure), failure.after_s, failure.said
            if n_failures == MAX_TRIES:
                break
            if after_s is not None and after_s > MAX_RETRY_AFTER_S:
                raise self.problem(f"{what}, for {after_s:.0f} s: sync again after that{said}")
            pause_s = retry_s(n_failures, self._patience.chance()) if after_s is None else after_s
            if self._patience.wait(pause_s):
                raise self.problem(f"{what}, and the sync was stopped{said}")
        raise self.problem(f"{what}, {MAX_TRIES} times; what had come before is kept{said}")

    def _once(self, method: str, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        deadline_s = self._patience.monotonic() + WHOLE_TIMEOUT_S
        try:
            with self._client.stream(method, f"{self.base}{path}", **asked) as response:
                if not response.is_success:
                    self._refuse(response, self._complaint(response, deadline_s, asked))
                body = self._read(response, deadline_s)
        except (httpx.HTTPError, ValueError):  # ValueError: a host name that cannot be looked up
            failure = _Again("it does not answer, or breaks off")
        else:
            return self._object(body)
        raise failure  # out here the library's error, which may hold the address, is gone

    def _refuse(self, response: httpx.Response, said: str) -> NoReturn:
        status = response.status_code
        if status in DENIED:
            raise ExchangeDenied(
                f"exchange {self.name}: it refuses the credentials (HTTP {status}): check them"
                f"{said}"
            )
        if response.is_redirect:
            raise self.problem(f"it redirects (HTTP {status}), which is refused: check its url")
        if status in PASSING or response.is_server_error:
            raise _Again(f"it answers with HTTP {status}", self._retry_after_s(response), said)
        raise self.problem(
            f"it answers with HTTP {status}: check the settings of this exchange{said}"
        )

    def _complaint(
        self, response: httpx.Response, deadline_s: float, asked: Mapping[str, Any]
    ) -> str:
        """Read what a service says instead of an answer; what is cut off or long says nothing."""
        body = bytearray()
        try:
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES or self._patience.monotonic() > deadline_s:
                    return ""
        except httpx.HTTPError:
            return ""
        sent = [str(value) for part in asked.values() if part for value in part.values()]
        return complaint_of(bytes(body), sent)

    def _retry_after_s(self, response: httpx.Response) -> float | None:
        after = response.headers.get("retry-after", "")
        if after.isdecimal():
            return float(after)
        try:
            instant = parsedate_to_datetime(after)
        except ValueError:
            return None
        instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return max(0.0, (instant - self._patience.now()).total_seconds())

    def _read(self, response: httpx.Response, deadline_s: float) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise self.problem(f"an answer is larger than {MAX_ANSWER_BYTES >> 20} MiB")
            if self._patience.monotonic() > deadline_s:
                raise _Again(f"an answer takes longer than {WHOLE_TIMEOUT_S:.0f} s")
        return bytes(body)

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise _Again("an answer is no JSON object, or is cut short")
        return answer


def retry_s(n_failures: int, chance: float) -> float:
    """Give the seconds to wait after so many failures, 1 or more; full jitter.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return float(chance * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (n_failures - 1)))


def _checked(name: str, base: str) -> str:
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL:
        url = httpx.URL("")
    is_local = url.scheme == "http" and _is_loopback(url.host)
    if not (url.scheme == "https" and url.host) and not is_local:
        raise ConfigError(f"exchange {name}: its url must be https:// (http:// on loopback alone)")
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(f"exchange {name}: its url is a plain address, without user and query")
    return base.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    """Trust httpx's own list of authorities and this machine's; one for all syncs."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
