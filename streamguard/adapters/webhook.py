"""Sends one event to a webhook.

Rule: whatever happens is an answer, never an exception; no answer is read, no redirect followed,
and neither the address nor what was sent is in a log.
"""

import asyncio
import logging
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from streamguard.core.errors import ConfigError
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.core.webhook import Answer, headers_of, meaning_of, secret_of

MAX_WAIT_S = 300.0
"""A receiver that asks for more patience (Retry-After) is asked again after so long."""


class Webhook:
    """One receiver."""

    def __init__(self, url: str, secret: bytes, timeout_s: float, clock: Clock) -> None:
        for noisy in ("httpx", "httpcore"):
            logging.getLogger(noisy).setLevel(logging.WARNING)  # below, they log each address
        self._url = url
        self._secret = secret
        self._clock = clock
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            timeout=timeout_s, headers={"User-Agent": "streamguard"}, trust_env=False
        )

    async def send(self, record: Record) -> Answer:
        """Make one try."""
        headers = headers_of(record, self._secret, self._clock.wall())
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(
                    "POST", self._url, content=record.body.encode(), headers=headers
                ) as response,
            ):
                status, asked = response.status_code, response.headers.get("retry-after", "")
        except TimeoutError:
            return Answer("again", f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return Answer("again", "the webhook cannot be reached")
        wait_s = wait_s_of(asked, self._clock.wall())
        return Answer(meaning_of(status), f"the webhook answers with HTTP {status}", wait_s)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


def wait_s_of(retry_after: str, now_s: float) -> float:
    """Say how long a receiver asks us to wait, seconds, MAX_WAIT_S at most; 0 where it does not.

    Args:
        retry_after: its header, a number of seconds or a date.
        now_s: seconds since 1970 UTC.

    Source: RFC 9110, 10.2.3.
    """
    if retry_after.isdecimal():
        return min(MAX_WAIT_S, float(retry_after))
    try:
        at = parsedate_to_datetime(retry_after)
        due_s = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(MAX_WAIT_S, max(0.0, due_s - now_s))


def read_secret(file: Path, whose: str) -> bytes:
    """Read what requests are signed with; `whose` names it in the problem.

    Raises:
        ConfigError: it cannot be read, or is no secret.
    """
    try:
        return secret_of(file.read_text(encoding="ascii"))
    except OSError:
        raise ConfigError(f"{file}: the secret of {whose} cannot be read") from None
    except ValueError as error:  # one that is no ASCII as well
        raise ConfigError(f"{file}: {error}") from None
