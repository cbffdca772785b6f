"""Takes the calls by which ingest servers tell that somebody publishes.

Rule: every call is answered with "allowed", at once and before it is even read, whatever it says:
who may publish is not for us to decide, and a server that has to wait refuses its publishers. A
call is a hint to ask the server now; to lose it costs the rest of a second.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PREFIX = "/hooks/"
"""What the path of a call begins with; the configured name of the server follows."""

ALLOWED = b"0"
"""SRS takes nothing else for a yes; of the others any answer with status 200 is one.
Source: SRS 6, HTTP Callback."""

Message = MutableMapping[str, Any]


class Hooks:
    """An ASGI application; it belongs to the event loop of the registry."""

    def __init__(self, look_now: Callable[[str], None]) -> None:
        """look_now: told the name of the server that called, as it calls itself."""
        self._look_now = look_now

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],  # noqa: ARG002  # the protocol passes it
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith(PREFIX):
            self._look_now(path.removeprefix(PREFIX))
        length = str(len(ALLOWED)).encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ALLOWED})
