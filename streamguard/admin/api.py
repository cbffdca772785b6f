"""The admin API: what operators and a platform's own software ask of a running deployment.

Rule: it listens on loopback unless told otherwise; every call under /v1 needs the token, and none
gives away an address. Nothing here cuts a stream: only whether it is screened is decided.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from streamguard.adapters.http_server import HttpServer, listen
from streamguard.admin.status import stream_rows, worker_rows
from streamguard.admin.token import is_allowed
from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.ports import Clock
from streamguard.ingest.hooks import Hooks
from streamguard.ingest.registry import Registry
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop
from streamguard.runtime.supervisor import Supervisor
from streamguard.sections.admin_section import AdminSection
from streamguard.sections.stream_section import StreamSection
from streamguard.toml_file import problem_in

if TYPE_CHECKING:
    from streamguard.vault.vault import Vault

MAX_BODY_BYTES = 64 * 1024

CONFIGURED_ALONE = frozenset(("url_file", "policy_file", "not_screened"))
"""What is said of a stream in the configuration, and not here: files of this machine are not for
whoever holds a token to name, and what is added is there to be screened."""

REPORTED_S = 600.0
"""How long a report by a trusted flagger makes us look closer, seconds (our choice: longer than the
minutes in which such reports are acted on; a second one renews it)."""

Handler = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger()


class AdminApi:
    """The API of one deployment; on the event loop of its supervisor."""

    def __init__(
        self,
        section: AdminSection,
        token_file: Path,
        crew: Supervisor,
        registry: Registry,
        clock: Clock,
        stop: Stop,
        vault: "Vault | None" = None,
    ) -> None:
        """Make it, and bind its address at once.

        vault: whose clips can be watched; None where no evidence is kept.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._socket = listen(section.host, section.port, "[admin] port")
        self.port: int = self._socket.getsockname()[1]
        self._token_file = token_file
        self._crew = crew
        self._registry = registry
        self._clock = clock
        self._stop = stop
        self.app = Starlette(
            routes=[
                *(
                    Route(path, self._guarded(handler), methods=[method])
                    for method, path, handler in (
                        ("GET", "/v1/streams", self._list),
                        ("POST", "/v1/streams", self._add),
                        ("POST", "/v1/streams/{id:path}/pin", self._pin),
                        ("DELETE", "/v1/streams/{id:path}/pin", self._unpin),
                        ("POST", "/v1/streams/{id:path}/report", self._report),
                        ("DELETE", "/v1/streams/{id:path}/quarantine", self._let_back),
                        ("GET", "/v1/streams/{id:path}", self._show),
                        ("DELETE", "/v1/streams/{id:path}", self._remove),
                        ("GET", "/v1/workers", self._workers),
                        ("POST", "/v1/drain", self._drain),
                    )
                ),
                *(Route(at, self._guarded(show)) for at, show in _clip_routes(vault, clock, stop)),
                Mount("/hooks", Hooks(registry.look_now)),
            ]
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        log.info("admin_started", port=self.port)
        try:
            await HttpServer(self.app).serve([self._socket])
        finally:
            self.close()

    def close(self) -> None:
        """Give the address back."""
        self._socket.close()

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not is_allowed(request.headers.get("authorization"), self._token_file):
                return _problem(401, "give the token: Authorization: Bearer …")
            try:
                return await handler(request)
            except _Refused as refused:
                return _problem(refused.status, str(refused))
            except (ConfigError, LogUnavailable) as error:
                return _problem(409, str(error))

        return guarded

    def _rows(self) -> list[dict[str, Any]]:
        now_s = self._clock.monotonic()
        crew = self._crew
        held = crew.quarantined()
        return stream_rows(self._registry.wanted(), crew.members, crew.risk_of, held, now_s)

    async def _list(self, _: Request) -> JSONResponse:
        """List the streams, and what is found but not screened."""
        return JSONResponse({"streams": self._rows(), "excluded": dict(self._registry.excluded())})

    async def _show(self, request: Request) -> JSONResponse:
        wanted = request.path_params["id"]
        row = next((row for row in self._rows() if row["id"] == wanted), None)
        return JSONResponse(row) if row else _problem(404, "there is no stream of this id")

    async def _add(self, request: Request) -> JSONResponse:
        """Screen one more stream, after a restart as well."""
        section = await _section_of(request)
        self._registry.add(Stream(section.id, section.location, section.sampling, section.banks))
        log.info("stream_added", stream_id=section.id)
        return JSONResponse({"id": section.id}, 201)

    async def _remove(self, request: Request) -> JSONResponse:
        """Screen a stream no more that was added here."""
        stream_id = request.path_params["id"]
        if not self._registry.remove(stream_id):
            if stream_id in self._registry.wanted():
                return _problem(409, "this stream is configured or found, not added: exclude it")
            return _problem(404, "there is no stream of this id")
        log.info("stream_removed", stream_id=stream_id)
        return JSONResponse({"id": stream_id})

    async def _pin(self, request: Request) -> JSONResponse:
        """Look at all frames of a stream, as far as there is time, until it is unpinned."""
        return self._tuned(request, is_pinned=True)

    async def _unpin(self, request: Request) -> JSONResponse:
        return self._tuned(request, is_pinned=False)

    async def _report(self, request: Request) -> JSONResponse:
        """Take a report by a trusted flagger: look closer for a while."""
        return self._tuned(request, reported_until_s=self._clock.monotonic() + REPORTED_S)

    async def _let_back(self, request: Request) -> JSONResponse:
        """Screen a stream again at once that is held back, for workers died of it."""
        stream_id = request.path_params["id"]
        if not self._crew.let_back(stream_id):
            return _problem(404, "no stream of this id is held back")
        log.warning("quarantine_ended", stream_id=stream_id)
        return JSONResponse({"id": stream_id})

    def _tuned(self, request: Request, **what: Any) -> JSONResponse:
        stream_id = request.path_params["id"]
        if stream_id not in self._registry.wanted():
            return _problem(404, "there is no stream of this id")
        self._crew.tune(stream_id, replace(self._crew.risk_of(stream_id), **what))
        log.info("stream_tuned", stream_id=stream_id, **what)
        return JSONResponse({"id": stream_id, **what})

    async def _workers(self, _: Request) -> JSONResponse:
        return JSONResponse({"workers": worker_rows(self._crew.members)})

    async def _drain(self, _: Request) -> JSONResponse:
        """Close all streams in order, and end, as SIGTERM does."""
        log.warning("drain_asked")
        self._stop.because("interrupted")
        return JSONResponse({"n_streams": self._crew.n_held()}, 202)


def _clip_routes(vault: "Vault | None", clock: Clock, stop: Stop) -> Iterator[tuple[str, Handler]]:
    """Give where clips can be watched; only who keeps evidence loads what that needs."""
    if vault is not None:
        from streamguard.admin.clips import Clips  # noqa: PLC0415  # only who keeps evidence

        yield "/v1/evidence/{id}/clip", Clips(vault, clock, stop).watch


class _Refused(Exception):  # it is caught here
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


async def _section_of(request: Request) -> StreamSection:
    """Read the stream of a request; its URL may hold a key, so no problem quotes it."""
    try:
        said = json.loads(await _body(request))
    except (ValueError, RecursionError):
        raise _Refused(400, "the body is no JSON") from None
    keys: set[str] = set(said) if isinstance(said, dict) else set()
    for name in sorted(CONFIGURED_ALONE & keys):
        raise _Refused(400, f"{name}: for the configuration alone; give id, url, sampling, banks")
    if "url" not in keys:
        raise _Refused(400, "give a JSON object with id and url")
    try:
        return StreamSection.model_validate(said)
    except ValidationError as error:
        raise _Refused(400, problem_in(None, error)) from None


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(413, f"the body has more than {MAX_BODY_BYTES} bytes")
    return body


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"problem": text}, status)
