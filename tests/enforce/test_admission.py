import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from streamguard.adapters.sqlite_actions import Hold
from streamguard.core.denials import Denial, DenyList, Kind
from streamguard.core.naming import stream_id_of
from streamguard.core.published import RenditionRule
from streamguard.enforce.admission import ALLOWED, DENIED, MAX_BODY_BYTES, Admission, Gate
from streamguard.enforce.admission_server import AdmissionServer

SECRET = b"s" * 32
KINDS = {"n": "nginx_rtmp", "m": "mediamtx", "s": "srs"}
GATES = {
    name: Gate(kind, RenditionRule(("_360p",)), frozenset({"127.0.0.1"}))  # type: ignore[arg-type]  # of the table
    for name, kind in KINDS.items()
}


def stream(server: str, path: str) -> str:
    return stream_id_of(SECRET, server, path)


def denied(server: str, path: str, kind: Kind = "publish") -> Denial:
    return Denial(stream(server, path), kind, "c-1", "d-1", 0.0, 100.0)


def admission(
    *denials: Denial,
    enforces: bool = True,
    now_s: float = 0.0,
    held: Mapping[str, Hold] | None = None,
    heard: list[tuple[str, str]] | None = None,
) -> Admission:
    return Admission(
        GATES,
        SECRET,
        lambda: (DenyList(denials), held or {}),
        lambda: now_s,
        enforces=enforces,
        told=lambda *what: (heard if heard is not None else []).append(what),
    )


def asks(server: str, path: str, verb: str = "publish", address: str = "203.0.113.5") -> bytes:
    """Ask as the server would."""
    app, _, name = path.partition("/")
    if server == "n":
        said = {"app": app, "addr": address, "clientid": "1", "call": verb, "name": name}
        return urllib.parse.urlencode({**said, "token": "x"}).encode()
    if server == "m":
        verb = {"play": "read"}.get(verb, verb)
        said = {"user": "u", "password": "p", "ip": address, "action": verb, "path": path}
        return json.dumps({**said, "protocol": "rtmp", "id": "1", "query": ""}).encode()
    said = {"action": f"on_{verb}", "client_id": "c", "ip": address, "vhost": "__defaultVhost__"}
    return json.dumps({**said, "app": app, "stream": name, "param": ""}).encode()


@pytest.mark.parametrize("server", KINDS)
def test_who_was_cut_is_refused_and_nobody_else(server: str) -> None:
    gate = admission(denied(server, "live/key"))

    assert gate.answer(server, asks(server, "live/key")) == DENIED
    assert gate.answer(server, asks(server, "live/other")) == ALLOWED
    assert gate.answer(server, asks(server, "live/key", "play")) == ALLOWED


@pytest.mark.parametrize("server", KINDS)
def test_observing_allows_all_and_tells_whom_it_would_refuse(server: str) -> None:
    heard: list[tuple[str, str]] = []
    gate = admission(denied(server, "live/key"), enforces=False, heard=heard)

    answers = [gate.answer(server, asks(server, f"live/{name}")) for name in ("key", "other")]

    assert answers == [ALLOWED, ALLOWED]
    assert heard == [(server, "would_deny"), (server, "allowed")]


@pytest.mark.parametrize(("now_s", "answer"), [(99.9, DENIED), (100.0, ALLOWED)])
def test_an_entry_ends_at_its_instant(now_s: float, answer: Any) -> None:
    gate = admission(denied("n", "live/key"), now_s=now_s)

    assert gate.answer("n", asks("n", "live/key")) == answer


@pytest.mark.parametrize("server", KINDS)
def test_new_viewers_are_refused_where_reach_is_limited_but_those_who_screen(server: str) -> None:
    gate = admission(denied(server, "live/key", "play"))

    assert gate.answer(server, asks(server, "live/key", "play")) == DENIED
    assert gate.answer(server, asks(server, "live/key", "play", "127.0.0.1")) == ALLOWED
    assert gate.answer(server, asks(server, "live/key")) == ALLOWED


def test_a_copy_is_denied_with_its_broadcast_where_the_platform_makes_it() -> None:
    gate = admission(denied("n", "live/key"))

    assert gate.answer("n", asks("n", "live/key_360p", address="127.0.0.1")) == DENIED
    assert gate.answer("n", asks("n", "live/key_360p")) == ALLOWED


def test_who_comes_back_to_a_held_stream_goes_on_held() -> None:
    held = {
        stream(server, "live/key"): Hold("", "c", server, "live/key", "sg-hold-1", "h", "d")
        for server in KINDS
    }
    gate = admission(held=held)

    status, _, headers = gate.answer("n", asks("n", "live/key"))
    assert (status, headers) == (302, ((b"location", b"sg-hold-1"),))
    assert gate.answer("s", asks("s", "live/key")) == DENIED
    assert gate.answer("n", asks("n", "live/key", "play")) == ALLOWED


def test_where_a_stream_is_held_nobody_watches_but_those_who_screen() -> None:
    gate = admission()

    assert gate.answer("n", asks("n", "live/sg-hold-1", "play")) == DENIED
    assert gate.answer("n", asks("n", "live/sg-hold-1", "play", "127.0.0.1")) == ALLOWED
    assert gate.answer("n", asks("n", "live/sg-hold-1")) == ALLOWED
    assert gate.answer("n", asks("n", "live/not-sg-hold-1", "play")) == ALLOWED


@pytest.mark.parametrize(
    ("server", "body"),
    [
        ("else", asks("n", "live/key")),
        ("n", b"call=publish&app=live"),
        ("n", b"call=publish&name=key"),
        ("m", b"{"),
        ("m", b"[]"),
        ("m", b'{"action": "publish"}'),
        ("s", b'{"action": "on_publish", "app": "live", "stream": 7}'),
        ("s", b"[" * 10_000),
        ("n", None),
    ],
)
def test_what_is_not_understood_is_answered_as_the_operator_said(
    server: str, body: bytes | None
) -> None:
    heard: list[tuple[str, str]] = []
    lenient = admission(denied("n", "live/key"), heard=heard)
    strict = Admission(
        GATES, SECRET, lambda: (DenyList(), {}), lambda: 0.0, enforces=True, on_error=DENIED
    )

    assert lenient.answer(server, body) == ALLOWED
    assert strict.answer(server, body) == DENIED
    assert heard[0][1] == "error"


@pytest.mark.parametrize(
    ("server", "body"),
    [("n", b"call=update_publish&app=live&name=key"), ("m", b'{"action": "api", "path": ""}')],
)
def test_what_is_never_denied_is_allowed(server: str, body: bytes) -> None:
    assert admission(denied("n", "live/key")).answer(server, body) == ALLOWED


def test_names_are_those_of_the_listing_whatever_bytes_they_hold() -> None:
    """nginx-rtmp's page shows a space for each byte that is no printable ASCII."""
    gate = admission(denied("n", "live/k  y"), denied("s", "live/a%2Fb"), denied("s", "v/live/a"))

    odd = b"app=live&call=publish&addr=a&name=k%C3%A9y"
    assert gate.answer("n", odd) == DENIED
    slash = json.dumps({"action": "on_publish", "app": "live", "stream": "a/b"}).encode()
    assert gate.answer("s", slash) == DENIED
    fields = {"action": "on_publish", "vhost": "v", "app": "live", "stream": "a"}
    assert gate.answer("s", json.dumps(fields).encode()) == DENIED


def test_the_first_name_counts_for_what_follows_is_the_publishers() -> None:
    gate = admission(denied("n", "live/key"))

    assert gate.answer("n", b"app=live&call=publish&name=key&name=other&call=x") == DENIED


def test_the_door_answers_over_http_and_takes_no_long_question() -> None:
    with AdmissionServer("127.0.0.1", 0, admission(denied("n", "live/key"))) as door:
        url = f"http://127.0.0.1:{door.port}/admission/n"
        refused = httpx.post(url, content=asks("n", "live/key"))
        allowed = httpx.post(url, content=asks("n", "live/other"))
        long = httpx.post(url, content=b"a" * (MAX_BODY_BYTES + 1))

    assert [one.status_code for one in (refused, allowed, long)] == [403, 200, 200]
    assert (refused.text, allowed.text) == ("1", "0")
