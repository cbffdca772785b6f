"""Fetches for HLS over HTTP(S), bounded in place, size and time.

Rule: nothing is asked of a host that was not configured, whatever a playlist or a redirect names;
an address is checked as the very object that is then fetched. No error shows an address.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext

import httpx

from streamguard.adapters.hls_playlist import Section
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.ports import Clock

MAX_REDIRECTS = 3

MAX_RETRY_AFTER_S = 60.0
"""A server that wants to be left alone for longer has stopped sending."""

DEFAULT_PORTS = {"http": 80, "https": 443}

VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
"""What an answer carries, and how the next question asks whether it still holds."""

NOT_MODIFIED, PARTIAL_CONTENT = 304, 206


class FetchRefused(Exception):
    """An address that must not be asked; the message goes on after the source's label."""


class FetchFailed(Exception):
    """No answer, or one that cannot be taken; the message goes on after the source's label.

    status:        of HTTP; None where there was no answer.
    retry_after_s: how long the server wants to be left alone, seconds.
    """

    def __init__(self, message: str, status: int | None = None, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered.

    url:        where the answer came from, after redirects.
    body:       None where it is the same as before.
    validators: headers with which to ask for it again.
    """

    url: httpx.URL = field(repr=False)
    body: bytes | None = field(repr=False)
    validators: Mapping[str, str]


class HlsFetcher:
    """Asks the configured origin, and the hosts that were allowed beside it; one thread."""

    def __init__(
        self, origin: httpx.URL, hosts: Collection[str], clock: Clock, timeouts: SourceTimeouts
    ) -> None:
        """hosts: each as `host`, for the scheme's usual port, or `host:port`."""
        self._origin = origin
        self._hosts = {host.lower() for host in hosts}
        self._auth = (origin.username, origin.password) if origin.userinfo else None
        self._clock = clock
        logging.getLogger("httpx").setLevel(logging.WARNING)  # below, it logs each address
        self._client = httpx.Client(
            verify=_tls(),
            timeout=httpx.Timeout(timeouts.read_s, connect=timeouts.open_s),
            headers={"Accept-Encoding": "identity", "User-Agent": "streamguard"},
            trust_env=False,
        )

    def get(
        self,
        section: Section,
        max_bytes: int,
        within_s: float,
        validators: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Fetch a resource, or a part of it.

        Args:
            section: what to fetch.
            max_bytes: the most that is taken.
            within_s: how long all of it may take, seconds.
            validators: of an answer that need not come again.

        Raises:
            FetchRefused: the address, or one to which it redirects, must not be asked.
            FetchFailed: there was no answer that can be taken.
            PlaylistInvalid: the address is none.
        """
        headers = dict(validators or {})
        if section.length is not None:
            headers["Range"] = f"bytes={section.start}-{section.start + section.length - 1}"
        deadline_s = self._clock.monotonic() + within_s
        url = section.url
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            answer = self._ask(url, headers, max_bytes, deadline_s)
            if isinstance(answer, Fetched):
                return answer
            url = answer.url
        raise FetchRefused("redirects too often: refused")

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _check(self, url: httpx.URL) -> None:
        """Refuse what is neither the configured origin nor a host that was allowed beside it."""
        if _place(url) == _place(self._origin):
            return
        is_downgrade = (self._origin.scheme, url.scheme) == ("https", "http")
        if url.scheme not in DEFAULT_PORTS or is_downgrade:
            raise FetchRefused("leads away from HTTP, or from HTTPS to HTTP: refused")
        named = url.host if url.port is None else f"{url.host}:{url.port}"
        if named not in self._hosts:
            raise FetchRefused(
                "leads to another host or port: refused, unless hls_hosts in [source] names it"
            )

    def _ask(
        self, url: httpx.URL, headers: dict[str, str], max_bytes: int, deadline_s: float
    ) -> Fetched | Section:
        """Ask once; give the answer, or where the server redirects to."""
        auth = self._auth if _place(url) == _place(self._origin) else None
        try:
            with self._client.stream("GET", url, headers=headers, auth=auth) as response:
                if response.has_redirect_location:
                    return Section(response.url, response.headers["location"])
                if response.status_code == NOT_MODIFIED:
                    return Fetched(response.url, None, {})
                _check_status(response, is_part="Range" in headers)
                body = self._read(response, max_bytes, deadline_s)
                return Fetched(response.url, body, _validators(response))
        except (httpx.HTTPError, ValueError):  # ValueError: a host name that cannot be looked up
            problem = FetchFailed("does not answer as it should: is it up and publishing?")
        raise problem  # out here the library's error, which may hold the address, is gone

    def _read(self, response: httpx.Response, max_bytes: int, deadline_s: float) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > max_bytes:
                raise FetchFailed(f"sends more than {max_bytes} bytes in one piece")
            if self._clock.monotonic() > deadline_s:
                raise FetchFailed("sends too slowly")
        return bytes(body)


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or DEFAULT_PORTS.get(url.scheme)


def _check_status(response: httpx.Response, *, is_part: bool) -> None:
    wanted = PARTIAL_CONTENT if is_part else httpx.codes.OK
    status = response.status_code
    if status == wanted:
        return
    if is_part and response.is_success:
        raise FetchFailed("does not give parts of a file, which its playlist asks for")
    after = response.headers.get("retry-after", "")
    after_s = min(float(after), MAX_RETRY_AFTER_S) if after.isdecimal() else 0.0
    raise FetchFailed(f"answers with HTTP {status}: is it publishing?", status, after_s)


def _validators(response: httpx.Response) -> dict[str, str]:
    headers = response.headers
    return {ask: headers[name] for name, ask in VALIDATORS.items() if name in headers}


@lru_cache(maxsize=1)
def _tls() -> SSLContext:
    """Trust httpx's own list of authorities and this machine's; one for all streams."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
