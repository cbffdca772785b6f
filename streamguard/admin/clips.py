"""Serves the clip of a flag by the admin API while it is collected: one open-ended response.

Rule: the person who looks is on record before the first byte: whoever has the token says who that
is. Bytes are decrypted as they are sent, and kept nowhere; nobody who looks holds up anything else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import unquote

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.ports import Clock
from streamguard.runtime.stop import Stop
from streamguard.vault.live_clip import LiveClip
from streamguard.vault.vault import Vault

LOOK_EVERY_S = 0.1
"""How often it is looked whether a clip has begun or grown, seconds: a fifth of a fragment."""

N_TRIES = 20
"""So often it is looked whether a clip has begun: a flag is told first, and its clip is on disk 0.1
to 0.3 s later (seen with two streams of 1080p), on a busy machine later still."""

SILENT_S = 30.0
"""A clip that has not grown for so long has lost who writes it (more than a segment stays open
without packets), seconds."""

MAX_VIEWERS = 16
"""Clips that are watched at a time: each may hold a file of one, decrypted."""

ACTOR = "Streamguard-Actor"
"""Header that names who looks; percent-encoded (UTF-8) where it is not plain ASCII."""

MAX_ACTOR = 100
"""Characters of a name, more than anybody's."""

PURPOSE = "to watch the clip of a flag, by the admin API"

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger()


class Clips:
    """What is served of one store of evidence; on the event loop."""

    def __init__(self, vault: Vault, clock: Clock, stop: Stop) -> None:
        self._vault = vault
        self._clock = clock
        self._stop = stop
        self._n_viewers = 0

    async def watch(self, request: Request) -> Response:
        """Send the clip of a flag from its beginning, and go on as it grows, to its end."""
        actor = _actor_of(request)
        if actor is None:
            return _problem(400, f"say who looks, for the custody: {ACTOR}: NAME")
        if self._n_viewers >= MAX_VIEWERS:
            return _problem(503, "too many clips are being watched: try again later")
        self._n_viewers += 1
        found: LiveClip | Response | None = None
        try:
            found = await self._found(request.path_params["id"], actor)
        finally:
            if not isinstance(found, LiveClip):
                self._n_viewers -= 1
        if isinstance(found, LiveClip):
            return _Watched(self._sent(found), partial(self._let_go, found))
        return found

    async def _found(self, evidence_id: str, actor: str) -> LiveClip | Response:
        """Open a clip, where it is there or soon is; or say why not."""
        answer = _problem(404, "there is no such evidence")
        for _ in range(N_TRIES):
            try:
                return await asyncio.to_thread(self._opened, evidence_id, actor)
            except (ConfigError, EvidenceUnavailable) as problem:
                answer = _problem(404, str(problem))
            except EvidenceDamaged as problem:
                return _problem(409, str(problem))
            await asyncio.sleep(LOOK_EVERY_S)
        return answer

    def _let_go(self, clip: LiveClip) -> None:
        self._n_viewers -= 1
        clip.close()

    def _opened(self, evidence_id: str, actor: str) -> LiveClip:
        return LiveClip(self._vault, evidence_id, actor=actor, purpose=PURPOSE)

    async def _sent(self, clip: LiveClip) -> AsyncIterator[bytes]:
        """Give what there is, then what comes."""
        try:
            grown_s = self._clock.monotonic()
            while (content := await asyncio.to_thread(clip.read)) is not None:
                if content:
                    grown_s = self._clock.monotonic()
                    yield content
                elif self._stop.is_set() or self._clock.monotonic() - grown_s > SILENT_S:
                    return
                else:
                    await asyncio.sleep(LOOK_EVERY_S)
        except (EvidenceDamaged, EvidenceUnavailable) as problem:
            log.error("clip_not_served", problem=str(problem))  # noqa: TRY400  # expected: the message says it all
            raise ConnectionAbortedError from None  # what was sent is not all


class _Watched(StreamingResponse):
    """A clip on its way to somebody, who may leave before the first byte."""

    def __init__(self, content: AsyncIterator[bytes], let_go: Callable[[], None]) -> None:
        super().__init__(content, media_type="video/mp4", headers=HEADERS)
        self._let_go = let_go

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let go of it, however that ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._let_go()


def _actor_of(request: Request) -> str | None:
    """Give the name of who looks; None where nobody is named."""
    name = unquote(request.headers.get(ACTOR, "")).strip()
    return name if name.isprintable() and 0 < len(name) <= MAX_ACTOR else None


def _problem(status: int, text: str) -> Response:
    return JSONResponse({"problem": text}, status)
