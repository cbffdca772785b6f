"""The child that reads SRT: scripts of its name stand in for it, and it for its own end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.srt_child import OPTIONS, PROGRAM, SrtChild
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceUnavailable
from streamguard.core.location import parse_location
from streamguard.core.ports import Clock
from streamguard.core.timeline import Timeline
from tests.clock import FakeClock
from tests.live_servers import HOST, udp_port
from tests.media import audio_ts
from tests.processes import DEADLINE_S, ROOT, environment, until

pytestmark = pytest.mark.integration

HIDDEN = "srt://media.example:9000?streamid=#!::r=hidden&passphrase=hidden-hidden"
TIMEOUTS = SourceTimeouts(open_s=0.5, read_s=0.5)
HASTY_READER = SourceTimeouts(open_s=30.0, read_s=1.0)
"""For what comes, on a busy machine as well, and then comes no more."""

LONG = SourceTimeouts(open_s=1000.0, read_s=1000.0)


EMPTY_TS_PACKET = bytes([0x47, 0x1F, 0xFF, 0x10]) + bytes(184)
"""A null packet. Source: ISO/IEC 13818-1, 2.4.3.3."""


class TickingClock(FakeClock):
    """So many seconds pass with each look."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        self.advance(self._seconds)
        return self.now_s


@contextmanager
def child(
    clock: Clock | None = None, timeouts: SourceTimeouts = LONG, url: str = HIDDEN
) -> Iterator[SrtChild]:
    reader = SrtChild(parse_location(url), clock or SystemClock(), timeouts)
    try:
        yield reader
    finally:
        reader.close()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for the program; what the test writes there is run by the shell."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / PROGRAM


def write(script: Path, lines: str) -> None:
    script.write_text(f"#!/bin/sh\n{lines}\n")
    script.chmod(0o755)


def read_all(reader: SrtChild) -> bytes:
    pieces = []
    while piece := reader.read(4096):
        pieces.append(piece)
    return b"".join(pieces)


def is_running(pid: int) -> bool:
    """Say whether a process runs; one that ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_missing_program_is_told_with_its_package(script: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        SrtChild(parse_location(HIDDEN), SystemClock(), TIMEOUTS)

    assert str(caught.value) == (
        "srt source at media.example:9000 cannot be opened: srt-live-transmit is missing, install "
        "Debian's srt-tools"
    )
    assert caught.value.exit_code == 3


def test_the_program_is_given_its_url_and_nothing_of_ours(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGUARD_SECRET", "hidden")
    write(script, "printf '%s\\n' \"$@\"; echo .; /usr/bin/env; /bin/cat; echo hidden >&2")

    with child() as reader:
        told, _, variables = read_all(reader).decode().partition(".\n")

    url = "srt://media.example:9000?mode=caller&streamid=#!::r=hidden&passphrase=hidden-hidden"
    assert told.splitlines() == [*OPTIONS, url, "file://con"]
    assert "STREAMGUARD" not in variables
    assert "HOME=" not in variables


def test_what_it_says_beside_its_output_goes_nowhere(
    script: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(script, "echo hidden >&2; echo video")

    with child() as reader:
        read_all(reader)

    assert capfd.readouterr() == ("", "")


def test_its_output_is_given_in_pieces_to_an_ordinary_end(script: Path) -> None:
    write(script, "echo 0123456789")

    with child() as reader:
        pieces = [reader.read(4), reader.read(4), reader.read(4), reader.read(4)]

        assert pieces == [b"0123", b"4567", b"89\n", b""]
        assert reader.problem is None
        assert not reader.go_on()


@pytest.mark.parametrize("lines", ["exit 1", "exit 0", "exec /bin/sleep 60"])
def test_a_program_that_gives_nothing_has_not_connected(script: Path, lines: str) -> None:
    write(script, lines)

    with child(timeouts=TIMEOUTS) as reader:
        assert reader.read(4096) == b""

    assert str(reader.problem) == (
        "srt source at media.example:9000 cannot be opened: is it publishing there, and are "
        "streamid and passphrase right?"
    )
    assert reader.problem
    assert reader.problem.retriable


def test_a_program_that_falls_silent_has_broken_off(script: Path) -> None:
    write(script, "echo video; exec /bin/sleep 60")

    with child(timeouts=HASTY_READER) as reader:
        given = read_all(reader)

        assert given == b"video\n"
        assert "broke off: it sent no video in time" in str(reader.problem)
        assert reader.read(4096) == b""


@pytest.mark.parametrize(("tick_s", "is_lost"), [(2.0, False), (2.1, True)])
def test_an_end_after_silence_is_a_loss(script: Path, tick_s: float, *, is_lost: bool) -> None:
    """The clock is looked at before and after each wait."""
    write(script, "echo video")

    with child(TickingClock(tick_s)) as reader:
        given = read_all(reader)

    assert given == b"video\n"
    assert ("broke off: its sender vanished" in str(reader.problem)) == is_lost
    assert (reader.problem is None) != is_lost


def test_only_video_packets_show_that_it_still_sends(script: Path) -> None:
    write(script, "while :; do echo sound; done")
    clock = FakeClock()

    with child(clock) as reader:
        for _ in range(3):
            assert reader.read(6) == b"sound\n"
            clock.advance(LONG.read_s - 0.01)
            reader.renew()
        assert reader.read(6) == b"sound\n"
        clock.advance(LONG.read_s)
        assert reader.read(6) == b""

    assert "it sent no video in time" in str(reader.problem)


@pytest.mark.parametrize("before", ["", "trap '' TERM; "])
def test_the_child_ends_with_its_stream_and_leaves_nothing(script: Path, before: str) -> None:
    """A child that will not end is killed."""
    write(script, f"{before}echo $$; exec /bin/sleep 60")

    with child() as reader:
        pid = int(reader.read(4096))
        assert is_running(pid)

    assert not Path(f"/proc/{pid}").exists()
    reader.close()


@pytest.mark.parametrize(
    ("body", "lines", "problem"),
    [
        (b"no video", "exec /bin/sleep 60", "broke off: it sent no video in time"),
        (EMPTY_TS_PACKET * 50, "exec /bin/sleep 60", "broke off: it sent no video in time"),
        (EMPTY_TS_PACKET * 50, "exit", "ended before any video came"),
        (b"no video", "exit", "ended before any video came"),
        (audio_ts(2.0), "exit", "holds no video"),
        (audio_ts(4.0), "exec /bin/sleep 60", "holds no video"),
    ],
)
def test_a_stream_that_cannot_be_opened_leaves_no_child(
    script: Path, tmp_path: Path, body: bytes, lines: str, problem: str
) -> None:
    (tmp_path / "body").write_bytes(body)
    write(script, f"echo $$ > {tmp_path}/pid; /bin/cat {tmp_path}/body; {lines}")

    with pytest.raises(SourceUnavailable) as caught:
        PyavSource(parse_location(HIDDEN), Timeline(), SystemClock(), HASTY_READER)

    assert problem in str(caught.value)
    assert not Path(f"/proc/{int((tmp_path / 'pid').read_text())}").exists()


def test_the_child_ends_with_us_although_its_stream_is_silent(requires_srt_tools: Path) -> None:
    url = f"srt://{HOST}:{udp_port()}?mode=listener"
    program = (
        "import sys, time\n"
        "from streamguard.adapters.source_timeouts import SourceTimeouts\n"
        "from streamguard.adapters.srt_child import SrtChild\n"
        "from streamguard.adapters.system_clock import SystemClock\n"
        "from streamguard.core.location import parse_location\n"
        "child = SrtChild(parse_location(sys.argv[1]), SystemClock(), SourceTimeouts())\n"
        "print(child._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, url], stdout=subprocess.PIPE, env=environment(), cwd=ROOT
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        until(lambda: PROGRAM.startswith(Path(f"/proc/{pid}/comm").read_text().strip()))
        parent.send_signal(signal.SIGKILL)

    deadline_s = time.monotonic() + DEADLINE_S
    while is_running(pid) and time.monotonic() < deadline_s:
        os.sched_yield()
    assert not is_running(pid)
