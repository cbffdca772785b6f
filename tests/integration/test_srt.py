"""SRT between ffmpeg and libsrt's own program, in both directions of calling."""

import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loadtest.hostile_clips import KINDS
from loadtest.hostile_damage import hostile_case
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceUnavailable
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.core.types import Packet
from tests.live_servers import HOST, running, srt_sender, udp_port
from tests.media import Recipe, video
from tests.processes import streamguard

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("requires_srt_tools", "requires_ffmpeg"),
]

TIMEOUTS = SourceTimeouts(open_s=2.0, read_s=1.0)
PATIENT = SourceTimeouts(open_s=30.0, read_s=30.0)
"""For what comes: on a busy machine it may take its time."""

HASTY_READER = SourceTimeouts(open_s=30.0, read_s=2.0)
"""For what comes, and then comes no more."""

BOUND_S = 60.0
"""Who gives up does so by then, on whatever machine; who hangs never does."""
CLIP = Recipe(n_frames=50, bf=2)
SEED, N_DAMAGED = 5, 5
SRT_PAYLOAD_BYTES = 7 * 188
CONNECTED_S = 0.5
"""By then a caller is there; what was sent before is lost, as to any who joins late."""

IN_FLIGHT = 12
"""Frames that ffmpeg does not wait for when it ends: it says so and is gone."""

KEYED = "passphrase=hidden-hidden"
STREAMID = "streamid=#!::r=live/hidden,m=request"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("srt") / "clip.mp4"
    path.write_bytes(video("mp4", CLIP))
    return path


def open_source(port: int, options: str, timeouts: SourceTimeouts = TIMEOUTS) -> PyavSource:
    location = parse_location(f"srt://{HOST}:{port}?{options}")
    return PyavSource(location, Timeline(), SystemClock(), timeouts)


@contextmanager
def fails_in_time() -> Iterator[pytest.ExceptionInfo[SourceUnavailable]]:
    """Expect one line that shows no secret, soon."""
    start_s = time.monotonic()
    with pytest.raises(SourceUnavailable) as caught:
        yield caught
    assert time.monotonic() - start_s < BOUND_S
    assert "\n" not in str(caught.value)
    assert "hidden" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("mode=listener", f"{STREAMID}&latency=200"),
        (f"mode=listener&{KEYED}&pbkeylen=32", f"mode=caller&{KEYED}"),
        (f"mode=caller&{KEYED}", f"mode=listener&{KEYED}"),
    ],
    ids=["called", "called-with-passphrase", "listening"],
)
def test_a_stream_is_read_to_its_end(clip: Path, theirs: str, ours: str) -> None:
    port = udp_port()
    began_s = time.monotonic()

    with running(srt_sender(clip, theirs, port=port)), open_source(port, ours, PATIENT) as source:
        packets = list(source.packets())

    assert source.codec.name == "h264"
    assert CLIP.n_frames - IN_FLIGHT <= len(packets) <= CLIP.n_frames
    assert {packet.epoch for packet in packets} == {0}
    assert packets[-1].read_at_s - began_s > 1.0


def test_a_port_at_which_nobody_sends_is_unavailable() -> None:
    with fails_in_time() as caught:
        open_source(udp_port(), f"{KEYED}&{STREAMID}")

    assert "is it publishing there" in str(caught.value)


@pytest.mark.parametrize("ours", ["passphrase=hidden-another", "latency=120"])
def test_a_wrong_passphrase_is_refused(clip: Path, ours: str) -> None:
    port = udp_port()

    with (
        running(srt_sender(clip, f"mode=listener&{KEYED}", port=port)),
        fails_in_time() as caught,
    ):
        open_source(port, ours, PATIENT)

    assert "are streamid and passphrase right?" in str(caught.value)


def test_a_sender_that_connects_and_says_nothing_is_unavailable(requires_srt_tools: Path) -> None:
    port = udp_port()
    silent = [requires_srt_tools, "-q", "file://con", f"srt://{HOST}:{port}?mode=listener"]

    with running(silent, stdin=subprocess.PIPE), fails_in_time():
        open_source(port, STREAMID)


def test_a_sender_that_stalls_is_given_up_after_what_came(clip: Path) -> None:
    port = udp_port()
    found: list[Packet] = []

    with (
        running(srt_sender(clip, "mode=listener", port=port)) as sender,
        open_source(port, "", HASTY_READER) as source,
    ):
        packets = source.packets()
        found.append(next(packets))
        sender.kill()
        with fails_in_time() as caught:
            found.extend(packets)

    assert "sent no video in time" in str(caught.value)
    assert 0 < len(found) < CLIP.n_frames


@contextmanager
def fed(sender: subprocess.Popen[bytes], payload: bytes) -> Iterator[None]:
    """Give a program its input in a thread, slowly enough for SRT; end it where the test does."""
    over = threading.Event()

    def feed() -> None:
        assert sender.stdin
        over.wait(CONNECTED_S)
        for at in range(0, len(payload), SRT_PAYLOAD_BYTES):
            if over.wait(0.004):
                break
            with suppress(BrokenPipeError):
                sender.stdin.write(payload[at : at + SRT_PAYLOAD_BYTES])
                sender.stdin.flush()

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield
    finally:
        over.set()
        feeding.join()


def test_damaged_video_ends_in_an_error_of_ours_soon(requires_srt_tools: Path) -> None:
    """Damaged as in the hostile corpus, which screens MPEG-TS by the thousand without SRT."""
    program = [requires_srt_tools, "-q", "file://con"]
    n_packets = 0
    for number in range(0, N_DAMAGED * len(KINDS), len(KINDS)):
        port = udp_port()
        payload = hostile_case(SEED, number).pages["clip.ts"]
        sending = [*program, f"srt://{HOST}:{port}?mode=listener"]

        with (
            running(sending, stdin=subprocess.PIPE) as sender,
            fed(sender, payload),
            fails_in_time(),
            open_source(port, "") as source,
        ):
            for _ in source.packets():
                n_packets += 1

    assert n_packets > 0


def test_a_known_clip_is_flagged(known_bank: Path, real_clips: dict[str, Path]) -> None:
    port = udp_port()
    sender = srt_sender(real_clips["bikes"], f"mode=listener&{KEYED}", port=port)
    url = f"srt://{HOST}:{port}?{KEYED}"

    with running([*sender[:4], "-t", "4", *sender[4:]]):
        done = streamguard("screen", url, "--stream-id", "studio", "--bank", known_bank)

    assert done.code == 0, done.err
    assert "flag.opened" in done.types
    assert done.rows[0]["data"]["stream"]["protocol"] == "srt"
    assert "hidden" not in done.out + done.err


def test_a_refusal_ends_the_command_with_one_line() -> None:
    done = streamguard("screen", f"srt://{HOST}:{udp_port()}?{KEYED}", "--stream-id", "studio")

    assert (done.code, done.out) == (3, "")
    assert "cannot be opened" in done.problem
    assert "hidden" not in done.err
