import json
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from streamguard.core.published import Published, RenditionRule
from streamguard.ingest import mediamtx
from streamguard.ingest.asking import Service
from streamguard.ingest.mediamtx import PULLED_ITSELF, REDIRECTED, MediaMtx, Pull
from tests.exchange.services import Answer
from tests.ingest.stand_ins import MediaMtxServer, mediamtx_server
from tests.ingest.watching import Watching, watching


@pytest.fixture
def server() -> Iterator[MediaMtxServer]:
    with mediamtx_server() as running:
        yield running


def asked(
    server: MediaMtxServer, *, pull: Pull | None = None, user: str | None = None
) -> AbstractContextManager[Watching]:
    service = Service("edge", server.url, user, "p@ss/word")
    return watching(MediaMtx(service, pull or Pull("rtsp://127.0.0.1:8554")))


def snapshot(server: MediaMtxServer, pull: Pull | None = None) -> list[Published]:
    with asked(server, pull=pull) as it:
        return it.snapshot()


def test_a_publish_is_found_with_its_place_readers_and_height(server: MediaMtxServer) -> None:
    server.publish("live/one two", n_readers=2, height=540)

    (found,) = snapshot(server)

    assert found.key.path == "live/one two"
    assert found.location.url == "rtsp://127.0.0.1:8554/live/one%20two"
    assert found.location.label == "rtsp source at 127.0.0.1:8554"
    assert (found.n_viewers, found.height) == (2, 540)


def test_who_may_ask_also_pulls_and_is_not_shown(server: MediaMtxServer) -> None:
    server.publish("a")

    with asked(server, user="me@home") as it:
        (found,) = it.look()

    assert found.location.url == "rtsp://me%40home:p%40ss%2Fword@127.0.0.1:8554/a"
    assert "word" not in repr(found)
    assert server.asked[0].headers["Authorization"].startswith("Basic ")


def test_a_slate_that_nobody_publishes_is_no_publish(server: MediaMtxServer) -> None:
    server.publish("a").update(online=False, onlineTime=None)

    assert snapshot(server) == []


def test_before_online_was_there_ready_says_so(server: MediaMtxServer) -> None:
    server.publish("a")
    old = {"name": "a", "ready": True, "source": {"type": "rtmpConn", "id": "1"}, "readers": []}
    body = {"itemCount": 1, "pageCount": 1, "items": [old]}
    server.troubles = [lambda *_: Answer(json.dumps(body).encode())]

    assert len(snapshot(server)) == 1


def test_a_publisher_that_takes_a_path_over_makes_another_session(server: MediaMtxServer) -> None:
    server.publish("a")
    (first,) = snapshot(server)
    server.paths.clear()
    server.publish("a")

    (second,) = snapshot(server)

    assert second.key.path == first.key.path
    assert second.key != first.key


def test_all_pages_are_read(server: MediaMtxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediamtx, "ITEMS_PER_PAGE", 2)
    for name in "abcde":
        server.publish(name)

    found = snapshot(server)

    assert sorted(one.key.path for one in found) == list("abcde")
    assert len(server.asked) == 3


def test_a_list_that_changes_while_it_is_read_is_no_list(
    server: MediaMtxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mediamtx, "ITEMS_PER_PAGE", 2)
    for name in "abc":
        server.publish(name)

    def shifted(*_: object) -> Answer:
        server.paths.pop(0)  # what was first on the second page is now on the first
        return server.answer(server.asked[-1])

    server.troubles = [None, shifted]
    with asked(server) as it:
        it.look()

        assert "changed while it was read" in (it.watch.problem or "")


@pytest.mark.parametrize(
    ("kind", "problem"), [("rtspSource", PULLED_ITSELF), ("redirect", REDIRECTED)]
)
def test_what_nobody_publishes_here_is_left_out_and_on_record(
    server: MediaMtxServer, kind: str, problem: str
) -> None:
    server.publish("camera", kind=kind)

    with asked(server) as it:
        it.look()

        assert it.watch.listed.broadcasts == ()
        assert it.watch.listed.left_out == {"camera": problem}


def test_what_the_server_pulls_itself_is_screened_where_that_is_wanted(
    server: MediaMtxServer,
) -> None:
    server.publish("camera", kind="rtspSource")["source"]["id"] = ""

    (found,) = snapshot(server, Pull("rtsp://h", has_pulled=True))

    assert found.problem is None
    assert found.key.publisher == "rtspSource 2026-01-02T03:04:05Z"


def test_addresses_of_publishers_tell_copies_from_strangers(server: MediaMtxServer) -> None:
    server.connect("rtmpconns", server.publish("a"), "203.0.113.5:40000")
    copy = server.publish("a_360p", kind="rtspSession")
    server.connect("rtspsessions", copy, "[::1]:40001")
    rule = RenditionRule(("_360p",))

    found = snapshot(server, Pull("rtsp://h", needs_addresses=True))

    assert {one.key.path: rule.suffix_of(one) for one in found} == {"a": "", "a_360p": "_360p"}


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"itemCount": 0', b"\xff", b"[" * 100_000])
def test_what_is_no_list_is_refused_without_being_shown(
    server: MediaMtxServer, body: bytes
) -> None:
    server.troubles = [lambda *_: Answer(body)]

    with asked(server) as it:
        it.look()

        assert it.watch.problem == (
            "server edge: its answer is not understood: is this the address of its API?"
        )
