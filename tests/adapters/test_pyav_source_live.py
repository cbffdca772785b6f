"""What comes over a network: real servers on loopback, good ones and bad ones."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streamguard.adapters.pyav_source import PyavSource, SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceUnavailable, StreamguardError
from streamguard.core.limits import Limits
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from tests.media import Recipe, audio_ts, video
from tests.servers import (
    HOST,
    Answer,
    cut_short,
    endless,
    in_turn,
    paced,
    redirect,
    refusing_port,
    serving,
    silent,
    status,
    then_silent,
    whole,
)

pytestmark = pytest.mark.integration

TIMEOUTS = SourceTimeouts(open_s=0.5, read_s=0.5)
PATIENT = SourceTimeouts(open_s=30.0, read_s=30.0)
"""For what comes: on a busy machine it may take its time."""

HASTY_READER = SourceTimeouts(open_s=30.0, read_s=2.0)
"""For what comes, and then comes no more."""

BOUND_S = 60.0
"""Who gives up does so by then, on whatever machine; who hangs never does."""

TS = video("mpegts", Recipe(bf=2))
FLV_HEAD_BYTES, FLV_SOUND, FLV_PICTURE = 13, 8, 9
FIRST_MEDIA_PID = 0x100
"""FFmpeg's; tables are below it, but for that of the programme, 0x1000, which is useless alone."""
SECRETS = ("bob", "s3cret", "k3y")
USERINFO = "bob:s3cret@"
PATH = "/live/k3y?key=k3y"


def read_all(url: str, timeouts: SourceTimeouts = PATIENT) -> list[Packet]:
    with open_source(url, timeouts) as source:
        return list(source.packets())


def open_source(url: str, timeouts: SourceTimeouts = TIMEOUTS) -> PyavSource:
    return PyavSource(parse_location(url), Timeline(), SystemClock(), timeouts)


def read_on(url: str, timeline: Timeline) -> list[Packet]:
    with PyavSource(parse_location(url), timeline, SystemClock(), PATIENT) as source:
        return list(source.packets())


def pid_of(packet: bytes) -> int:
    """Read which part of a transport stream a packet belongs to."""
    return int.from_bytes(packet[1:3]) & 0x1FFF


def sound_first(flv: bytes) -> tuple[bytes, bytes]:
    """Cut FLV before its first picture; what a decoder must know of that comes with it."""
    head, tags = flv[:FLV_HEAD_BYTES], []
    at = FLV_HEAD_BYTES
    while at < len(flv):
        end = at + 11 + int.from_bytes(flv[at + 1 : at + 4]) + 4
        tags.append(flv[at:end])
        at = end
    shown = [at for at, tag in enumerate(tags) if tag[0] == FLV_PICTURE]
    first = shown[1]  # before it stands what a decoder must know
    early = [tag for tag in tags[:first] if tag[0] == FLV_SOUND]
    return head + b"".join(early), tags[shown[0]] + b"".join(tags[first:])


@contextmanager
def fails_in_time() -> Iterator[pytest.ExceptionInfo[SourceUnavailable]]:
    start_s = time.monotonic()
    with pytest.raises(SourceUnavailable) as caught:
        yield caught
    assert time.monotonic() - start_s < BOUND_S


@pytest.mark.parametrize("container", ["mpegts", "flv"])
def test_a_stream_over_http_is_read_to_its_announced_end(container: str) -> None:
    with serving(whole(video(container, Recipe(bf=2)))) as server:
        packets = read_all(server.url())

    assert len(packets) == 50
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [endless(TS), cut_short(TS, 2 * len(TS))], ids=["open", "cut"])
def test_an_end_that_was_not_announced_is_a_loss(answer: Answer) -> None:
    found: list[Packet] = []

    with (
        serving(answer) as server,
        fails_in_time(),
        open_source(server.url(), PATIENT) as source,
    ):
        found.extend(source.packets())

    assert len(found) >= 49
    assert len(server.requests) == 1


def test_a_host_that_refuses_is_unavailable() -> None:
    with fails_in_time() as caught:
        open_source(f"http://{HOST}:{refusing_port()}/live")

    assert caught.value.retriable


def test_a_host_that_accepts_and_says_nothing_is_unavailable() -> None:
    with serving(silent) as server, fails_in_time():
        open_source(server.url())


def test_a_host_that_sends_headers_and_no_video_is_unavailable() -> None:
    with serving(then_silent(b"")) as server, fails_in_time():
        open_source(server.url())


def test_a_stream_that_stalls_is_given_up_after_what_came() -> None:
    found: list[Packet] = []

    with (
        serving(then_silent(TS)) as server,
        fails_in_time(),
        open_source(server.url(), HASTY_READER) as source,
    ):
        found.extend(source.packets())

    assert len(found) >= 49


def test_a_trickle_of_sound_alone_is_no_stream() -> None:
    sound = audio_ts(4.0)
    pieces = [sound[at : at + 188] for at in range(0, len(sound), 188)]

    with serving(paced(pieces, 0.02)) as server, fails_in_time() as caught:
        open_source(server.url())

    assert server.requests
    assert caught.value.retriable


def test_a_stream_whose_sound_comes_before_its_picture_is_read() -> None:
    """A server holds the picture back until its next keyframe: of FLV, sound is all there is."""
    sound, picture = sound_first(video("flv", Recipe(first_pts=60, audio_s=6.0)))

    with serving(whole(sound + picture)) as server, open_source(server.url(), PATIENT) as source:
        found = list(source.packets())

    assert len(found) == 50
    assert len(server.requests) == 2


def test_a_stream_whose_tables_come_late_is_read() -> None:
    """Of MPEG-TS the tables may come twice a second: without them nobody knows what is in it."""
    flow = video("mpegts", Recipe(audio_s=2.0))
    packets = [flow[at : at + 188] for at in range(60 * 188, len(flow), 188)]  # in a GOP's middle
    n_late = 4 * 4_096 // 188
    late = [one for n, one in enumerate(packets) if n > n_late or pid_of(one) >= FIRST_MEDIA_PID]
    timeouts = SourceTimeouts(open_s=30.0, read_s=30.0, limits=Limits(probe_bytes=4_096))

    with serving(whole(b"".join(late))) as server:
        location = parse_location(server.url())
        with PyavSource(location, Timeline(), SystemClock(), timeouts) as source:
            found = list(source.packets())

    assert (len(found) > 25, source.codec.name, len(server.requests)) == (True, "h264", 2)


def test_a_stream_of_sound_alone_is_asked_for_twice_and_then_unavailable() -> None:
    sound, _ = sound_first(video("flv", Recipe(first_pts=60, audio_s=6.0)))

    with serving(whole(sound)) as server, pytest.raises(SourceUnavailable, match="no video"):
        open_source(server.url(), PATIENT)

    assert len(server.requests) == 2


def test_sound_that_goes_on_without_picture_does_not_keep_a_stream() -> None:
    """The picture ends after 2 s of media, the sound after 30."""
    both = video("mpegts", Recipe(audio_s=30.0))
    sound_at = both.rindex(b"\x47\x41\x00") + 188  # after the last picture's first TS packet
    pieces = [both[at : at + 376] for at in range(sound_at, len(both), 376)]
    found: list[Packet] = []

    with (
        serving(paced([both[:sound_at], *pieces], 0.02)) as server,
        open_source(server.url(), HASTY_READER) as source,
        fails_in_time(),
    ):
        found.extend(source.packets())

    assert len(found) >= 49


@pytest.mark.parametrize("line", ["404 Not Found", "403 Forbidden", "503 Service Unavailable"])
def test_a_refusal_in_http_is_unavailable(line: str) -> None:
    with serving(status(line)) as server, fails_in_time():
        open_source(server.url())


@pytest.mark.parametrize("path", ["/live.ts", "/live.m3u8", "/live"])
@pytest.mark.parametrize("lines", ["#EXTINF:9,\n{target}\n", '#EXT-X-MAP:URI="{target}"\n'])
def test_a_playlist_is_refused_and_what_it_names_is_not_asked_for(path: str, lines: str) -> None:
    with serving(whole(TS)) as target:
        body = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n" + lines.format(target=target.url())
        with serving(whole(body.encode())) as server, fails_in_time():
            open_source(server.url(path))

    assert len(server.requests) == 1
    assert target.requests == []


def test_a_playlist_that_names_a_local_file_is_refused() -> None:
    body = b"ffconcat version 1.0\nfile /etc/hostname\n"

    with serving(whole(body)) as server, fails_in_time():
        open_source(server.url())


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "h264"])
def test_other_containers_are_no_live_stream(container: str) -> None:
    with serving(whole(video(container, Recipe()))) as server, fails_in_time():
        open_source(server.url())


def test_a_redirect_leads_nowhere() -> None:
    with (
        serving(whole(TS)) as target,
        serving(redirect(target.url())) as server,
        fails_in_time(),
    ):
        open_source(server.url())

    assert target.requests == []


def test_a_reconnect_is_a_new_epoch_of_the_same_timeline() -> None:
    timeline = Timeline()

    with serving(whole(TS)) as server:
        first = read_on(server.url(), timeline)
        timeline.break_off()
        second = read_on(server.url(), timeline)

    assert {packet.epoch for packet in first} == {0}
    assert {packet.epoch for packet in second} == {1}


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        status("404 Not Found"),
        status("401 Unauthorized"),
        whole(b"#EXTM3U\n"),
        whole(audio_ts(1.0)),
        cut_short(TS, 2 * len(TS)),
        then_silent(TS),
    ],
    ids=["silent", "404", "401", "playlist", "sound", "cut", "stall"],
)
def test_no_error_shows_the_url(answer: Answer) -> None:
    with serving(answer) as server:
        url = server.url(PATH, USERINFO)
        with pytest.raises(StreamguardError) as caught:
            read_all(url, TIMEOUTS)

    assert_no_secret(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https", "rtmp", "rtmps"])
def test_no_error_of_a_host_that_refuses_shows_the_url(scheme: str) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        open_source(f"{scheme}://{USERINFO}{HOST}:{refusing_port()}{PATH}")

    assert_no_secret(caught.value)


def test_no_error_of_a_server_that_speaks_otherwise_shows_the_url() -> None:
    with serving(whole(b"hello")) as server, pytest.raises(SourceUnavailable) as caught:
        open_source(f"rtmp://{USERINFO}{HOST}:{server.port}{PATH}")

    assert_no_secret(caught.value)


def assert_no_secret(error: BaseException) -> None:
    """Look at all that a handler may print, the errors behind the error included."""
    told = [*traceback.format_exception(error)]
    behind: BaseException | None = error
    while behind is not None:
        told += [str(behind), repr(behind), repr(behind.args), repr(vars(behind))]
        behind = behind.__cause__ or behind.__context__
    assert "\n" not in str(error)
    for secret in SECRETS:
        assert secret not in "".join(told)


def test_a_location_does_not_show_its_url() -> None:
    location = parse_location(f"rtmp://{USERINFO}{HOST}:1935{PATH}")

    shown = repr(location) + str(location) + location.label

    assert HOST in shown
    for secret in SECRETS:
        assert secret not in shown


def test_a_stream_whose_server_returns_can_be_opened_again() -> None:
    with serving(in_turn(status("503 Service Unavailable"), whole(TS))) as server:
        with fails_in_time():
            open_source(server.url())

        assert len(read_all(server.url())) == 50
