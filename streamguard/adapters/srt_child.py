"""Reads an SRT stream through libsrt's own program, whose output is MPEG-TS.

PyAV's wheels know no SRT. The program takes its URL as an argument and from nowhere else, neither
from the environment nor from a file: while a stream is read, its streamid and passphrase stand in
this host's list of processes, where other users of the host may see them.

Rule: the child ends with its stream, however that ends, and with us. What it says is thrown away:
it may hold the URL.
"""

import os
import select
import shutil
import subprocess
from collections import deque

from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.errors import SourceUnavailable, StreamguardError
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.srt_address import srt_address

PROGRAM = "srt-live-transmit"
PACKAGE = "srt-tools"
OPTIONS = ("-quiet", "-autoreconnect:no", "-loglevel:fatal")

STOP_S = 1.0
"""How long the child may take to close its connection, seconds; then it is killed."""

LOST_AFTER_S = 2.0
"""A sender that ends says so, at once; one that vanished is given up after 5 s of silence, less
what libsrt still held back. Source: libsrt, SRTO_PEERIDLETIMEO."""


class SrtChild:
    """One opened stream; a `pyav_open.Reader`. One thread opens, reads and closes it."""

    format_name = "mpegts"

    def __init__(self, location: Location, clock: Clock, timeouts: SourceTimeouts) -> None:
        """Start the program.

        Raises:
            SourceUnavailable: it is not installed.
        """
        self.problem: StreamguardError | None = None
        self._label = location.label
        self._clock = clock
        self._read_s = timeouts.read_s
        self._has_begun = False
        self._waits_s: deque[float] = deque(maxlen=2)  # for the newest two reads
        self._deadline_s = clock.monotonic() + timeouts.open_s
        self._process = subprocess.Popen(  # noqa: S603  # an argument list; the URL was spelt by us
            [*_program(location.label), *OPTIONS, srt_address(location.url).url, "file://con"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={},  # ours may hold secrets, and it needs none of it
            start_new_session=True,  # a Ctrl-C is for us: we end it in good order
        )
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        self._output = self._process.stdout.fileno()
        self._poll = select.poll()  # select() cannot watch descriptors beyond 1023
        self._poll.register(self._output, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes as they come; none at the end, or where nothing came in time."""
        if self.problem:
            return b""
        began_s = self._clock.monotonic()
        left_s = self._deadline_s - began_s
        has_more = left_s > 0 and bool(self._poll.poll(left_s * 1000))
        piece = os.read(self._output, size) if has_more else b""
        self._waits_s.append(self._clock.monotonic() - began_s)
        if not piece:
            self.problem = self._why_it_ended(is_late=not has_more)
        elif not self._has_begun:
            self._has_begun = True
            self.renew()
        return piece

    def go_on(self) -> bool:
        """Tell that nothing follows: it is one stream."""
        return False

    def renew(self) -> None:
        """Take note of a video packet: as much time again for the next one."""
        self._deadline_s = self._clock.monotonic() + self._read_s

    def close(self) -> None:
        """End the child, and wait until it has ended."""
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _why_it_ended(self, *, is_late: bool) -> StreamguardError | None:
        if not self._has_begun:
            return SourceUnavailable(
                f"{self._label} cannot be opened: is it publishing there, and are streamid and "
                "passphrase right?"
            )
        if is_late:
            return SourceUnavailable(f"{self._label} broke off: it sent no video in time")
        if max(self._waits_s) > LOST_AFTER_S:
            return SourceUnavailable(f"{self._label} broke off: its sender vanished")
        return None


def _program(label: str) -> list[str]:
    """Find the program; where it can be, it is bound to end when we do, silent or not."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise SourceUnavailable(
            f"{label} cannot be opened: {PROGRAM} is missing, install Debian's {PACKAGE}"
        )
    binder = shutil.which("setpriv")
    return [binder, "--pdeathsig", "KILL", "--", program] if binder else [program]
