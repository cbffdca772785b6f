"""Servers that are down and come back, on real sockets."""

import asyncio
import socket
import time

import pytest

from streamguard.core.location import parse_location
from streamguard.runtime import doors as module
from streamguard.runtime.doors import Doors, door_of, takes_connections
from tests.servers import HOST, refusing_port

DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_EVERY_S", 0.05)


def waited(
    port: int,
    seconds: float,
    *,
    opens: bool = False,
    stops: bool = False,
    settle_s: float = 0.0,
) -> bool:
    """Wait for a server that may open, or for a stop, soon after."""

    async def waiting() -> bool:
        stop = asyncio.Event()
        location = parse_location(f"rtmp://{HOST}:{port}/live/a")
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(Doors().wait(location, seconds, stop, settle_s))
            assert not await takes_connections((HOST, port))  # and so the task, which was first
            if stops:
                stop.set()
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if opens:
                    server.bind((HOST, port))
                    server.listen()
                return await task

    return asyncio.run(waiting())


def test_a_server_that_comes_back_ends_the_wait() -> None:
    begun_s = time.monotonic()

    assert waited(refusing_port(), DEADLINE_S, opens=True)

    assert time.monotonic() - begun_s < DEADLINE_S / 2


def test_a_server_that_stays_away_is_waited_for_as_long_as_was_said() -> None:
    assert not waited(refusing_port(), 0.2)


def test_who_waits_for_news_waits_on_when_a_server_is_back() -> None:
    begun_s = time.monotonic()

    assert waited(refusing_port(), 0.0, opens=True, settle_s=0.3)

    assert time.monotonic() - begun_s >= 0.3


def test_who_waits_for_news_does_not_try_a_server_that_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DOWN_S", 0.4)
    begun_s = time.monotonic()

    assert not waited(refusing_port(), 0.0, settle_s=0.1)

    assert time.monotonic() - begun_s >= 0.4


def test_a_stop_ends_the_wait() -> None:
    begun_s = time.monotonic()

    assert not waited(refusing_port(), DEADLINE_S, stops=True)

    assert time.monotonic() - begun_s < DEADLINE_S / 2


def test_a_server_that_was_never_down_did_not_come_back() -> None:
    async def waiting(port: int) -> bool:
        location = parse_location(f"rtmp://{HOST}:{port}/live/a")
        return await Doors().wait(location, 0.2, asyncio.Event())

    with socket.create_server((HOST, 0)) as server:
        assert not asyncio.run(waiting(server.getsockname()[1]))


def test_a_server_is_asked_once_however_many_wait() -> None:
    async def waiting(server: socket.socket) -> int:
        doors, stop = Doors(), asyncio.Event()
        location = parse_location(f"rtmp://{HOST}:{server.getsockname()[1]}/live/a")
        server.setblocking(False)  # noqa: FBT003  # as the socket's method wants it
        await asyncio.gather(*(doors.wait(location, 0.06, stop) for _ in range(20)))
        n_asked = 0
        while True:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return n_asked
            n_asked += 1

    with socket.create_server((HOST, 0)) as server:
        assert asyncio.run(waiting(server)) == 1


@pytest.mark.parametrize(
    ("url", "door"),
    [
        ("rtmp://a/live/x", ("a", 1935)),
        ("rtmp://a:1/live/x", ("a", 1)),
        ("rtsp://user:key@[::1]/x", ("::1", 554)),
        ("https://a/x.m3u8", ("a", 443)),
        ("srt://a:9000", None),
        ("clip.mp4", None),
    ],
)
def test_where_connections_are_taken(url: str, door: tuple[str, int] | None) -> None:
    assert door_of(parse_location(url)) == door


def test_a_host_that_is_not_found_takes_no_connections() -> None:
    assert not asyncio.run(takes_connections(("host.invalid", 1)))
