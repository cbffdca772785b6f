"""Answers ingest servers that ask who may publish and watch.

Rule: an answer comes from memory alone: no server is asked, nothing is scored, no file is read.
`observe` allows everything; whatever cannot be understood is answered as the operator said.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from streamguard.adapters.sqlite_actions import Hold
from streamguard.core.denials import DenyList, Kind
from streamguard.core.enforcing import HELD, broadcast_path
from streamguard.core.naming import stream_id_of
from streamguard.core.published import RenditionRule
from streamguard.ingest.srs import one_part

PREFIX = "/admission/"
"""What the path of a question begins with; the configured name of the server follows."""

MAX_BODY_BYTES = 64 * 1024

ServerKind = Literal["nginx_rtmp", "mediamtx", "srs"]
Reply = tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]
Message = MutableMapping[str, Any]

ALLOWED: Reply = (200, b"0", ())
"""SRS takes nothing else for a yes; of the others any answer with status 200 is one."""
DENIED: Reply = (403, b"1", ())
"""nginx refuses at any 4xx, MediaMTX at any but 2xx, SRS at any but 200 with `0`."""

SRS_DEFAULT_VHOST = "__defaultVhost__"
"""What SRS calls the vhost of who names none; its API leaves it out."""

_KINDS: Mapping[str, Kind] = {
    "publish": "publish",
    "on_publish": "publish",
    "play": "play",
    "read": "play",
    "playback": "play",
    "on_play": "play",
}
"""What servers call the two questions; nginx, MediaMTX and SRS."""


@dataclass(frozen=True, slots=True)
class Gate:
    """How questions of one server are answered.

    exempt: addresses whose viewers are never refused: those of whoever screens.
    """

    kind: ServerKind
    rule: RenditionRule
    exempt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody at an address asks to do something to a path."""

    kind: Kind
    path: str
    address: str


class Admission:
    """An ASGI application that any thread may serve."""

    def __init__(
        self,
        gates: Mapping[str, Gate],
        secret: bytes,
        denied: Callable[[], tuple[DenyList, Mapping[str, Hold]]],
        now_s: Callable[[], float],
        *,
        enforces: bool,
        on_error: Reply = ALLOWED,
        told: Callable[[str, str], None] = lambda server, answer: None,  # noqa: ARG005
    ) -> None:
        """Make it.

        denied: gives the deny list and what is held, at this moment.
        now_s:  seconds since 1970 UTC.
        told:   hears the server and `allowed`, `denied`, `would_deny` or `error`.
        """
        self._gates = gates
        self._secret = secret
        self._denied = denied
        self._now_s = now_s
        self._enforces = enforces
        self._on_error = on_error
        self._told = told

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one question."""
        if scope["type"] != "http":
            return
        server = str(scope["path"]).removeprefix(PREFIX)
        body = await _body(receive)
        status, said, more = self.answer(server, body)
        headers = [(b"content-length", str(len(said)).encode()), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    def answer(self, server: str, body: bytes | None) -> Reply:
        """Answer a question as it came; None for one that was too long."""
        gate = self._gates.get(server)
        if gate is None or body is None:
            return self._not_understood("unknown" if gate is None else server)
        try:
            asked = asked_in(gate.kind, body)
        except (ValueError, RecursionError):
            return self._not_understood(server)
        verdict = ALLOWED if asked is None else self._judge(server, gate, asked)
        if verdict == ALLOWED:
            self._told(server, "allowed")
            return ALLOWED
        self._told(server, "denied" if self._enforces else "would_deny")
        return verdict if self._enforces else ALLOWED

    def _not_understood(self, server: str) -> Reply:
        self._told(server, "error")
        return self._on_error

    def _judge(self, server: str, gate: Gate, asked: Asked) -> Reply:
        if asked.kind == "play" and asked.address in gate.exempt:
            return ALLOWED
        if asked.kind == "play" and asked.path.rpartition("/")[2].startswith(HELD):
            return DENIED  # who screens and reviews alone sees what is held
        path = broadcast_path(asked.path, asked.address, gate.rule)
        stream_id = stream_id_of(self._secret, server, path)
        denied, held = self._denied()
        if denied.find(stream_id, asked.kind, self._now_s()) is not None:
            return DENIED
        hold = held.get(stream_id)
        if hold is None or asked.kind == "play":
            return ALLOWED
        if gate.kind != "nginx_rtmp":
            return DENIED
        return (302, b"", ((b"location", hold.name.encode()),))  # it goes on by that name


def asked_in(kind: ServerKind, body: bytes) -> Asked | None:
    """Read a question; None where it is about something that is never denied.

    Raises:
        ValueError: it is none.
    """
    if kind == "nginx_rtmp":
        return _of_nginx(body)
    said = json.loads(body)
    if not isinstance(said, dict):
        raise ValueError("no object")  # noqa: TRY004  # what is wrong is what was sent
    fields = {name: one for name, one in said.items() if isinstance(one, str)}
    what = _KINDS.get(fields["action"]) if "action" in fields else None
    if what is None:
        return None
    if kind == "mediamtx":
        return Asked(what, _field(fields, "path"), fields.get("ip", ""))
    vhost = fields.get("vhost", "")
    names = [_field(fields, "app"), _field(fields, "stream")]
    if vhost not in {"", SRS_DEFAULT_VHOST}:
        names.insert(0, vhost)
    return Asked(what, "/".join(map(one_part, names)), fields.get("ip", ""))


def _of_nginx(body: bytes) -> Asked | None:
    """Read what nginx-rtmp asks; names as its page of statistics shows them.

    Source: nginx-rtmp-module 1.2.2, ngx_rtmp_notify_module.c and ngx_rtmp_stat_module.c: the page
    shows a space for each byte that is no printable ASCII.
    """
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    fields = dict(reversed(pairs))  # the first one counts: what follows is the publisher's
    what = _KINDS.get(fields.get("call", ""))
    if what is None:
        return None
    names = (_field(fields, "app"), _field(fields, "name"))
    path = "/".join("".join(c if " " <= c <= "~" else " " for c in name) for name in names)
    return Asked(what, path, fields.get("addr", ""))


def _field(fields: Mapping[str, str], name: str) -> str:
    if not fields.get(name):
        raise ValueError(f"no {name}")
    return fields[name]


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)
