"""Orders to ingest servers: MediaMTX and SRS by stand-ins that are held against their descriptions.

nginx-rtmp is real, in tests/integration/test_enforce.py.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from streamguard.core.errors import DiscoveryUnavailable
from streamguard.core.published import Published
from streamguard.ingest.asking import Service
from streamguard.ingest.control import Control, OrderRefused
from streamguard.ingest.mediamtx import MediaMtx, Pull
from streamguard.ingest.mediamtx_control import MediaMtxControl
from streamguard.ingest.nginx_control import NginxControl
from streamguard.ingest.srs import Srs
from streamguard.ingest.srs_control import SrsControl
from streamguard.parts.enforce_parts import control_of
from streamguard.sections.enforce_section import ControlSection
from streamguard.sections.ingest_section import ServerSection
from tests.exchange.services import Answer, fails
from tests.ingest.fakes import published
from tests.ingest.stand_ins import MediaMtxServer, SrsServer
from tests.ingest.watching import watching
from tests.servers import Connection, serving, whole

T = TypeVar("T")


@contextmanager
def using(control: Control) -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        try:
            yield runner
        finally:
            runner.run(control.close())


def ordered(control: Control, order: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await order

    with using(control) as runner:
        return runner.run(awaited())


def kick(control: Control, one: Published) -> bool:
    return ordered(control, control.kick(one))


@pytest.fixture
def mediamtx() -> Iterator[MediaMtxServer]:
    server = MediaMtxServer()
    yield server
    server.close()


@pytest.fixture
def srs() -> Iterator[SrsServer]:
    server = SrsServer()
    yield server
    server.close()


def on_mediamtx(server: MediaMtxServer) -> Published:
    with watching(MediaMtx(Service("edge", server.url), Pull("rtsp://h"))) as it:
        return it.snapshot()[0]


def mediamtx_control(server: MediaMtxServer) -> MediaMtxControl:
    return MediaMtxControl(Service("edge", server.url), "rtsp://h:8554")


def on_srs(server: SrsServer) -> Published:
    with watching(Srs(Service("edge", server.url), "rtmp://h")) as it:
        return it.snapshot()[0]


def srs_control(server: SrsServer) -> SrsControl:
    return SrsControl(Service("edge", server.url), "rtmp://h")


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("rtmpConn", "rtmpconns"), ("rtspSession", "rtspsessions"), ("srtConn", "srtconns")],
)
def test_mediamtx_ends_a_publisher_by_its_kind_and_id(
    mediamtx: MediaMtxServer, kind: str, plural: str
) -> None:
    mediamtx.publish("live/a b", kind=kind)
    mediamtx.publish("live/other")
    one = on_mediamtx(mediamtx)

    assert kick(mediamtx_control(mediamtx), one)
    assert [path["name"] for path in mediamtx.paths] == ["live/other"]
    assert mediamtx.asked[-1].path == f"/v3/{plural}/kick/{one.key.publisher}"


def test_mediamtx_leaves_alone_who_took_the_path_over(mediamtx: MediaMtxServer) -> None:
    mediamtx.publish("a")
    one = on_mediamtx(mediamtx)
    mediamtx.paths.clear()
    mediamtx.publish("a")

    assert not kick(mediamtx_control(mediamtx), one)
    assert len(mediamtx.paths) == 1
    assert "kick" not in mediamtx.asked[-1].path


def test_mediamtx_has_nobody_to_end_where_nobody_publishes(mediamtx: MediaMtxServer) -> None:
    mediamtx.publish("a")
    one = on_mediamtx(mediamtx)
    mediamtx.paths.clear()

    assert not kick(mediamtx_control(mediamtx), one)


def test_mediamtx_says_that_it_cannot_end_what_it_pulls_itself(mediamtx: MediaMtxServer) -> None:
    mediamtx.publish("a", kind="rtspSource")

    with pytest.raises(OrderRefused, match="it pulls it"):
        kick(mediamtx_control(mediamtx), on_mediamtx(mediamtx))


def test_srs_ends_a_client(srs: SrsServer) -> None:
    srs.publish("a")
    one = on_srs(srs)

    assert kick(srs_control(srs), one)
    assert srs.streams == []
    assert (srs.asked[-1].method, srs.asked[-1].path) == ("DELETE", "/api/v1/clients/8k74p1h4")


def test_srs_has_nobody_to_end_where_the_client_is_gone(srs: SrsServer) -> None:
    srs.publish("a")
    one = on_srs(srs)
    srs.clients.clear()

    assert not kick(srs_control(srs), one)


def test_srs_says_that_it_will_not(srs: SrsServer) -> None:
    srs.publish("a")
    one = on_srs(srs)
    srs.code = 100

    with pytest.raises(OrderRefused, match="error 100"):
        kick(srs_control(srs), one)


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_an_order_says_so(
    srs: SrsServer, mediamtx: MediaMtxServer, status: int
) -> None:
    srs.publish("a")
    mediamtx.publish("a")
    on_one, on_other = on_srs(srs), on_mediamtx(mediamtx)
    srs.troubles = [fails(status)]
    mediamtx.troubles = [fails(status)]

    with pytest.raises(OrderRefused, match=f"HTTP {status}"):
        kick(srs_control(srs), on_one)
    with pytest.raises(OrderRefused, match=f"HTTP {status}"):
        kick(mediamtx_control(mediamtx), on_other)


def test_an_answer_that_is_none_is_no_success(srs: SrsServer) -> None:
    srs.publish("a")
    one = on_srs(srs)
    srs.troubles = [lambda *_: Answer(b"fine")]

    with pytest.raises(DiscoveryUnavailable, match="not understood"):
        kick(srs_control(srs), one)


@pytest.mark.parametrize("make", [mediamtx_control, srs_control])
def test_what_cannot_move_a_publisher_says_so(make: type[Control], srs: SrsServer) -> None:
    control = make(srs)  # type: ignore[call-arg]  # it is asked nothing

    assert not control.can_hold
    assert control.moved_path("a/b", "held") == "a/b"
    assert control.called("p-1") == ("p-1",)
    with pytest.raises(OrderRefused, match="cannot move"):
        ordered(control, control.move(published("a/b"), "held"))


ON_NGINX = replace(published("live/a", "77-12-500"), address="203.0.113.5")


def test_nginx_is_told_the_connection_and_the_name() -> None:
    with serving(whole(b"1")) as server:
        control = NginxControl(Service("edge", server.url("/control")), "rtmp://h")

        assert kick(control, ON_NGINX)
    assert server.requests == [
        "GET /control/drop/publisher?clientid=12&app=live&name=a HTTP/1.1",
    ]


def test_a_name_that_no_address_can_hold_is_left_to_the_number_of_the_connection() -> None:
    odd = published("live/a&clientid=1", "77-12-500")
    with serving(whole(b"0")) as server:
        control = NginxControl(Service("edge", server.url("/control")), "rtmp://h")

        assert not kick(control, odd)
        with pytest.raises(OrderRefused, match="cannot be written"):
            ordered(control, control.move(odd, "held"))
    assert server.requests == ["GET /control/drop/publisher?clientid=12 HTTP/1.1"]


def test_nginx_moves_a_publisher_within_its_application() -> None:
    with serving(whole(b"1")) as server:
        control = NginxControl(Service("edge", server.url("/control")), "rtmp://h")

        assert ordered(control, control.move(ON_NGINX, "held-7"))
    assert server.requests[0].endswith("clientid=12&app=live&name=a&newname=held-7 HTTP/1.1")
    assert control.moved_path("live/a", "held-7") == "live/held-7"
    assert control.place("live/a").rtmp_name == ("live", "a")


def test_a_page_that_is_no_count_is_no_success() -> None:
    def lost(connection: Connection) -> None:
        connection.head(4, "404 Not Found")
        connection.send(b"gone")

    for answer in (whole(b"<html>"), lost):
        with serving(answer) as server:
            control = NginxControl(Service("edge", server.url("/control")), "rtmp://h")

            with pytest.raises(OrderRefused, match="rtmp_control"):
                kick(control, ON_NGINX)


def test_a_connection_may_be_called_by_the_second_before_or_after() -> None:
    control = NginxControl(Service("edge", "http://h"), "rtmp://h")

    with using(control):
        assert control.called("77-12-500") == ("77-12-499", "77-12-500", "77-12-501")


def test_places_of_srs_have_their_vhost() -> None:
    control = SrsControl(Service("edge", "http://h"), "rtmp://h")

    with using(control):
        assert control.place("live/a%2Fb").rtmp_name == ("live", "a/b")
        assert control.place("v.example/live/a").rtmp_name == ("live?vhost=v.example", "a")


def test_our_viewer_signs_in_at_mediamtx_as_whoever_screens(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss/word")
    server = ServerSection(
        name="edge",
        kind="mediamtx",
        api="http://h",
        pull="rtsp://h:8554",
        user="screen",
        password_file=tmp_path / "password",
    )
    control = control_of(server, ControlSection(server="edge", api="http://h"))

    with using(control):
        place = control.place("live/a b")

    assert place.url == "rtsp://screen:p%40ss%2Fword@h:8554/live/a%20b"
    assert place.label == "rtsp source at h:8554"
