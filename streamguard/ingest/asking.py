"""Asks an ingest server over HTTP, within bounds.

Rule: no answer is waited for or read without an end, no redirect is followed, and no error or log
holds an address, a credential or an answer: what is published is often called by its key.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import msgspec

from streamguard.core.errors import DiscoveryUnavailable

MAX_ANSWER_BYTES = 32 << 20
"""nginx-rtmp says 350 bytes of each client and 700 of each stream: 80,000 viewers (measured)."""


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Service:
    """Where and how an ingest server is asked.

    name:      what errors call it.
    url:       http(s)://host:port, and where its API begins.
    user, password: for Basic authentication; None asks without.
    timeout_s: for the whole of one answer.
    """

    name: str
    url: str = field(repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a server answered; the text of a refusal is not read."""

    status: int
    text: str = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Say whether it did what it was asked for."""
        return 200 <= self.status < 300  # noqa: PLR2004  # RFC 9110, 15.3: successful


class Asking:
    """The questions to one server."""

    def __init__(self, service: Service, *, keeps_connection: bool = True) -> None:
        """keeps_connection: False where it must be seen which process answers each question."""
        for noisy in ("httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)  # below, they log each address
        self._service = service
        auth = None
        if service.user is not None:
            auth = httpx.BasicAuth(service.user, service.password or "")
        self._client = httpx.AsyncClient(
            timeout=service.timeout_s,
            auth=auth,
            headers={"User-Agent": "streamguard", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=keeps_connection),
            trust_env=False,
        )

    async def text(self, path: str = "", params: Mapping[str, int] | None = None) -> str:
        """Ask for text; bytes that are no UTF-8 come as U+FFFD, for publishers choose names.

        Raises:
            DiscoveryUnavailable: there is no answer that can be used.
        """
        told = await self._told("GET", path, params)
        if not told.is_success:
            raise self.problem(f"it answers with HTTP {told.status}: check its url and credentials")
        return told.text

    async def order(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Told:
        """Have something done, and give what it says to that, whatever it is.

        Raises:
            DiscoveryUnavailable: there is no answer; it may have been done, or not.
        """
        return await self._told(method, path, params)

    async def _told(
        self, method: str, path: str, params: Mapping[str, int] | Mapping[str, str] | None
    ) -> Told:
        try:
            async with asyncio.timeout(self._service.timeout_s):
                return await self._answer(method, path, params)
        except TimeoutError:
            failure = self.problem(f"its answer takes longer than {self._service.timeout_s:g} s")
        except (httpx.HTTPError, OSError, ValueError):  # ValueError: a host that is no name
            failure = self.problem("it does not answer: is it up, and is its API enabled?")
        raise failure  # out here the library's error, which may hold the address, is gone

    async def decoded(
        self, kind: type[Answer], path: str, params: Mapping[str, int] | None = None
    ) -> Answer:
        """Ask for JSON of this kind; raises as `text` does, also where it is of another kind."""
        return self.understood(kind, await self.text(path, params))

    def understood(self, kind: type[Answer], text: str) -> Answer:
        """Read an answer in JSON.

        Raises:
            DiscoveryUnavailable: it is of another kind.
        """
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            failure = self.problem("its answer is not understood: is this the address of its API?")
        raise failure  # out here the library's error, which may hold a path, is gone

    def problem(self, what: str) -> DiscoveryUnavailable:
        """Say what is wrong with the server, for the caller to raise."""
        return DiscoveryUnavailable(f"server {self._service.name}: {what}")

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _answer(
        self, method: str, path: str, params: Mapping[str, int] | Mapping[str, str] | None
    ) -> Told:
        body = bytearray()
        url = f"{self._service.url}{path}"
        async with self._client.stream(method, url, params=params) as response:
            if response.is_success:
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise self.problem(
                            f"its answer is larger than {MAX_ANSWER_BYTES >> 20} MiB"
                        )
            return Told(response.status_code, body.decode("utf-8", errors="replace"))
