"""Serves an application by uvicorn as our processes do: quietly, on an address of its own.

Rule: the address is had before anything else begins, and signals are left to the process.
"""

import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from streamguard.core.errors import ConfigError

GONE_S = 60.0
"""Who acknowledges nothing for so long has gone (our choice: a connection that fails for a while is
back before, and Linux itself would try for some 15 minutes)."""


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Bind an address; `setting` is the one to change where it cannot be had.

    Its connections send at once what is little, as asyncio has it for sockets of its own making: an
    answer goes out as head and body, and the body would wait 40 ms for the head's acknowledgement.
    One at whose other end nobody is any more, as of a laptop that was closed, ends within GONE_S of
    what was sent last: without that a page would count as open for a quarter of an hour.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another {setting}"
        ) from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(GONE_S * 1000))
    return listening


class HttpServer(uvicorn.Server):
    """uvicorn's server, without its log and without its handlers for signals."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        grace_s: int | None = None,
        sends_date: bool = True,
        proxies: Sequence[str] = (),
    ) -> None:
        """Prepare to serve.

        grace_s: how long requests that are under way may go on at the end, seconds.
        proxies: addresses that are believed when they say for whom they ask (X-Forwarded-For).
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="error",  # below, whoever speaks no HTTP fills the log
            access_log=False,
            server_header=False,
            date_header=sends_date,
            lifespan="off",
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=grace_s,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: those are the process's."""
        yield
