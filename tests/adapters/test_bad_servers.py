"""Servers that misbehave in the ways that users of such programs report, one after another."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.rtmp import RtmpServer
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.drift import Drift
from streamguard.core.errors import SourceUnavailable
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from tests.freezing_proxy import freezing_proxy
from tests.media import Recipe, video
from tests.processes import on_time, transport_stream
from tests.servers import (
    HOST,
    Answer,
    Connection,
    endless,
    in_turn,
    paced,
    serving,
    silent,
    status,
)

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.rtmp"]

TS = video("mpegts", Recipe())
TIMEOUTS = SourceTimeouts(open_s=1.0, read_s=1.0)
PATIENT = SourceTimeouts(open_s=30.0, read_s=30.0)
"""For what comes: on a busy machine it may take its time."""

HASTY_READER = SourceTimeouts(open_s=1.0, read_s=4.0)
"""For what comes, and then comes no more."""

BOUND_S = 60.0
"""Who gives up does so by then, on whatever machine; who hangs never does."""


def open_source(url: str, timeouts: SourceTimeouts = TIMEOUTS) -> PyavSource:
    return PyavSource(parse_location(url), Timeline(), SystemClock(), timeouts)


@contextmanager
def fails_in_time() -> Iterator[None]:
    begun_s = time.monotonic()
    with pytest.raises(SourceUnavailable):
        yield
    assert time.monotonic() - begun_s < BOUND_S


def halting(connection: Connection) -> None:
    """Shake hands as an RTMP server does, and say nothing more."""
    hello = connection.receive()
    connection.send(b"\x03" + bytes(1536) + hello[1:1537])
    connection.wait()


@pytest.mark.parametrize("answer", [silent, halting], ids=["no handshake", "handshake alone"])
def test_an_rtmp_server_that_hangs_is_given_up(answer: Answer) -> None:
    with serving(answer) as server, fails_in_time():
        open_source(f"rtmp://{HOST}:{server.port}/live/a")


def test_an_rtmp_server_that_is_gone_without_a_word_is_given_up(
    rtmp: RtmpServer, real_clips: dict[str, Path], requires_ffmpeg: Path
) -> None:
    """What a pulled cable or a killed host leaves: a connection that stays, and nothing on it."""
    with (
        rtmp.publish(real_clips["bikes"], "a"),
        freezing_proxy(rtmp.port) as proxy,
        open_when_it_comes(f"rtmp://{HOST}:{proxy.port}/live/a") as source,
    ):
        packets = source.packets()
        next(packets)
        proxy.freeze()

        with fails_in_time():
            list(packets)


def test_an_rtmp_publisher_that_leaves_is_told_or_given_up(
    rtmp: RtmpServer, real_clips: dict[str, Path], requires_ffmpeg: Path
) -> None:
    """The server keeps its players when a publisher leaves, and tells them nothing."""
    with (
        rtmp.publish(real_clips["bikes"], "a") as publisher,
        open_when_it_comes(rtmp.url("a")) as source,
    ):
        packets = source.packets()
        next(packets)
        publisher.kill()

        with fails_in_time():
            list(packets)


def test_a_server_that_is_slower_than_the_stream_is_seen_to_fall_behind(
    real_clips: dict[str, Path],
) -> None:
    """It sends at half the pace: after two seconds one has come, and the source is one behind.

    Later where the machine was slow, but never as far behind as if nothing had come.
    """
    slow = [(2 * due_s, payload) for due_s, payload in transport_stream(real_clips["bikes"])]
    drift = Drift()

    with serving(on_time(slow)) as server, open_source(server.url(), PATIENT) as source:
        begun_s = time.monotonic()
        for packet in source.packets():
            drift.read(packet.epoch, packet.dts_us, packet.read_at_s)
            took_s = time.monotonic() - begun_s
            if took_s > 2.0:
                break

    assert 0.5 < drift.behind_s < took_s - 0.5


def test_a_trickle_of_video_is_no_stream() -> None:
    """Each byte comes in time, no picture ever does."""
    begin, rest = TS[: len(TS) // 2], TS[len(TS) // 2 :]
    pieces = [rest[at : at + 1] for at in range(1000)]

    with (
        serving(paced([begin, *pieces], 0.05)) as server,
        open_source(server.url(), SourceTimeouts(PATIENT.open_s, TIMEOUTS.read_s)) as source,
        fails_in_time(),
    ):
        list(source.packets())


def test_a_server_in_trouble_is_unavailable() -> None:
    with serving(status("500 Internal Server Error")) as server, fails_in_time():
        open_source(server.url())

    assert len(server.requests) == 1  # FFmpeg itself does not try again


@pytest.mark.parametrize(
    ("header", "pause_s"), [("Retry-After: 7\r\n", 7.0), ("Retry-After: 9999\r\n", 60.0), ("", 0.0)]
)
def test_a_server_that_is_asked_too_often_says_how_long_it_wants_to_be_left_alone(
    header: str, pause_s: float
) -> None:
    def answer(connection: Connection) -> None:
        connection.head(0, "429 Too Many Requests", header)

    with serving(answer) as server, pytest.raises(SourceUnavailable, match="too often") as refused:
        open_source(server.url(userinfo="me:secret@"), PATIENT)

    assert refused.value.retry_after_s == pause_s
    assert "secret" not in f"{refused.value}"
    assert len(server.requests) == 2  # FFmpeg shows no header: it is asked once more


def test_a_server_that_has_room_again_when_asked_why_is_tried_at_once() -> None:
    answers = in_turn(status("429 Too Many Requests"), endless(TS))

    with serving(answers) as server, pytest.raises(SourceUnavailable) as refused:
        open_source(server.url(), PATIENT)

    assert refused.value.retry_after_s == 0.0


def open_when_it_comes(url: str) -> PyavSource:
    """Open a stream that somebody has just begun to publish."""
    until_s = time.monotonic() + 30.0
    while True:
        try:
            return open_source(url, HASTY_READER)
        except SourceUnavailable:
            if time.monotonic() > until_s:
                raise
