"""RTSP over TCP: GStreamer's server, and servers that answer badly."""

import itertools
import signal
import subprocess
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceUnavailable
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from tests.live_servers import HOST, rtsp_server, running
from tests.media import Recipe, video
from tests.processes import Running
from tests.servers import Answer, Connection, refusing_port, serving, silent

pytestmark = pytest.mark.integration

TIMEOUTS = SourceTimeouts(open_s=1.0, read_s=1.0)
PATIENT = SourceTimeouts(open_s=30.0, read_s=30.0)
"""For what comes: on a busy machine it may take its time."""

HASTY_READER = SourceTimeouts(open_s=30.0, read_s=2.0)
"""For what comes, and then comes no more."""

BOUND_S = 60.0
"""Who gives up does so by then, on whatever machine; who hangs never does."""

FRAME_US = 40_000
CLIP = Recipe(n_frames=75, bf=2)
"""Three seconds; the RTP timestamps of /wrap begin two before they wrap."""

USERINFO, HIDDEN_PATH = "bob:hidden@", "/live/hidden?key=hidden"
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:{control}\r\n"
)
SETUP = "200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rtsp") / "clip.mp4"
    path.write_bytes(video("mp4", CLIP))
    return path


@pytest.fixture(scope="module")
def server(requires_rtsp_server: list[str | Path], clip: Path) -> Iterator[str]:
    with rtsp_server(requires_rtsp_server, clip) as url:
        yield url


def open_source(url: str, timeouts: SourceTimeouts = TIMEOUTS) -> PyavSource:
    return PyavSource(parse_location(url), Timeline(), SystemClock(), timeouts)


def read_all(url: str, timeouts: SourceTimeouts = PATIENT) -> list[Packet]:
    with open_source(url, timeouts) as source:
        return list(source.packets())


@contextmanager
def fails_in_time() -> Iterator[pytest.ExceptionInfo[SourceUnavailable]]:
    """Expect one line that shows no URL, soon."""
    start_s = time.monotonic()
    with pytest.raises(SourceUnavailable) as caught:
        yield caught
    assert time.monotonic() - start_s < BOUND_S
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


def described(control: str = "x", base: str = "") -> str:
    """Describe a stream of video; `control` is where it is to be set up."""
    sdp = SDP.format(control=control)
    base = f"Content-Base: {base}\r\n" if base else ""
    head = f"200 OK\r\n{base}Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
    return f"{head}\r\n{sdp}"


def dialogue(replies: Mapping[str, str]) -> Answer:
    """Answer each method of RTSP as told, else with 200; questions come one by one."""

    def answer(connection: Connection) -> None:
        method = "OPTIONS"  # which the server has read already
        for number in itertools.count(1):
            status, _, rest = replies.get(method, "200 OK\r\nSession: 1\r\n").partition("\r\n")
            end = "" if "\r\n\r\n" in rest else "\r\n"
            connection.send(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{rest}{end}".encode())
            question = connection.receive()
            if not question:
                return
            method = question.split(b" ", maxsplit=1)[0].decode()

    return answer


@pytest.mark.parametrize("path", ["/clip", "/wrap"])
def test_a_stream_is_read_to_its_end_in_one_epoch(server: str, path: str) -> None:
    began_s = time.monotonic()

    packets = read_all(server + path)

    keyframes_us = [packet.pts_us for packet in packets if packet.is_keyframe]
    assert len(packets) == CLIP.n_frames
    assert {packet.epoch for packet in packets} == {0}
    assert keyframes_us == [0, 25 * FRAME_US, 50 * FRAME_US]
    assert max(packet.pts_us for packet in packets) == 74 * FRAME_US
    assert packets[-1].read_at_s - began_s > 1.5


def test_sound_beside_the_picture_is_not_asked_for(server: str) -> None:
    with open_source(f"{server}/both", PATIENT) as source:
        packets = source.packets()
        found = [next(packets) for _ in range(20)]

    assert any(packet.is_keyframe for packet in found)


def test_a_stream_that_does_not_exist_is_unavailable(server: str) -> None:
    with fails_in_time() as caught:
        open_source(server.replace("//", f"//{USERINFO}") + HIDDEN_PATH, PATIENT)

    assert "it has no such stream" in str(caught.value)


def test_sound_alone_is_no_video(server: str) -> None:
    with fails_in_time() as caught:
        open_source(f"{server}/sound", PATIENT)

    assert "it has no video" in str(caught.value)


def test_a_server_that_stalls_is_given_up_after_what_came(
    requires_rtsp_server: list[str | Path], clip: Path
) -> None:
    found: list[Packet] = []

    with running([*requires_rtsp_server, clip], stdout=subprocess.PIPE) as process:
        assert process.stdout
        url = f"rtsp://{HOST}:{int(process.stdout.readline())}/clip"
        with open_source(url, HASTY_READER) as source:
            packets = source.packets()
            found.append(next(packets))
            process.send_signal(signal.SIGSTOP)
            with fails_in_time():
                found.extend(packets)

    assert 0 < len(found) < CLIP.n_frames


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps"])
def test_a_host_that_refuses_is_unavailable(scheme: str) -> None:
    with fails_in_time():
        open_source(f"{scheme}://{USERINFO}{HOST}:{refusing_port()}{HIDDEN_PATH}")


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps"])
def test_a_host_that_accepts_and_says_nothing_is_unavailable(scheme: str) -> None:
    with serving(silent) as server, fails_in_time():
        open_source(f"{scheme}://{USERINFO}{HOST}:{server.port}{HIDDEN_PATH}")


def test_rtsps_speaks_tls_from_its_first_byte() -> None:
    with serving(silent) as server:
        with fails_in_time():
            open_source(f"rtsps://{HOST}:{server.port}/live")

        assert server.requests[0].startswith("\x16\x03")


def test_a_host_that_plays_and_sends_nothing_is_unavailable() -> None:
    replies = {"DESCRIBE": described(), "SETUP": SETUP}

    with serving(dialogue(replies)) as server, fails_in_time():
        read_all(f"rtsp://{USERINFO}{HOST}:{server.port}{HIDDEN_PATH}", TIMEOUTS)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ("401 Unauthorized", "wants other credentials"),
        ("403 Forbidden", "wants other credentials"),
        ("404 Not Found", "has no such stream"),
        ("500 Internal Server Error", "is it up and publishing?"),
    ],
)
def test_a_refusal_is_told(status: str, problem: str) -> None:
    with serving(dialogue({"DESCRIBE": f"{status}\r\n"})) as server, fails_in_time() as caught:
        open_source(f"rtsp://{USERINFO}{HOST}:{server.port}{HIDDEN_PATH}")

    assert problem in str(caught.value)


def test_a_server_that_speaks_otherwise_is_unavailable() -> None:
    answer = dialogue({"OPTIONS": "not RTSP\r\n\r\n" * 100})

    with serving(answer) as server, fails_in_time():
        open_source(f"rtsp://{USERINFO}{HOST}:{server.port}{HIDDEN_PATH}")


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize("status", ["301", "302", "303", "307"])
def test_a_redirect_leads_nowhere(method: str, status: str) -> None:
    replies = {"DESCRIBE": described(), "SETUP": SETUP}

    with serving(silent) as target:
        replies[method] = f"{status} Moved\r\nLocation: rtsp://{HOST}:{target.port}/hidden\r\n"
        with serving(dialogue(replies)) as server, fails_in_time():
            open_source(f"rtsp://{HOST}:{server.port}/live")

    assert target.requests == []


def test_a_stream_that_is_said_to_be_elsewhere_is_not_asked_for_there() -> None:
    with serving(silent) as target:
        elsewhere = f"rtsp://{HOST}:{target.port}/hidden"
        replies = {"DESCRIBE": described(elsewhere, base=elsewhere), "SETUP": SETUP}
        with serving(dialogue(replies)) as server, fails_in_time():
            read_all(f"rtsp://{HOST}:{server.port}/live", TIMEOUTS)

    assert target.requests == []


def test_a_known_clip_is_flagged(
    requires_rtsp_server: list[str | Path], known_bank: Path, real_clips: dict[str, Path]
) -> None:
    with rtsp_server(requires_rtsp_server, real_clips["bikes"]) as url:
        arguments = ("screen", f"{url}/clip", "--stream-id", "studio", "--bank", known_bank)
        with Running(*arguments) as screening:
            flag = screening.wait_for_type("flag.opened")
            screening.stop()

    assert flag["data"]["stream"]["protocol"] == "rtsp"
    assert url not in str(screening.out) + str(screening.log)
