"""Viewers of live streams, who count the frames that arrive, and those that do not.

Rule: a frame is missing where decode times leave room for it: what is late is not missing. A thread
each reads and never decodes; a stream that breaks off is asked for again.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import av

from loadtest.origin_content import RATE

TIMEOUT_S = 5.0
AGAIN_S = 0.2
STANDING_S = 1.0
"""What has not come for so long counts as missing: bursts and delays are shorter."""
PATIENCE_S = 30.0
OPTIONS = {"rtmp_live": "live", "analyzeduration": "500000"}
SEAM_S = 0.12
"""A shorter step of decode times is no loss: where ffmpeg begins a file anew, two frames lack."""

MAX_STEP_S = 60.0
"""A longer step of decode times is another timeline, not missing frames."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came to all viewers since `begin`, and what did not."""

    n_frames: int
    n_missing: int
    longest_pause_s: float


class Viewers:
    """One viewer of each stream; a context manager that joins them."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.n_streams = len(urls)
        self._n_frames = [0] * len(urls)
        self._n_missing = [0] * len(urls)
        self._dts_s = [0.0] * len(urls)
        self._last_s = [time.monotonic()] * len(urls)
        self._pause_s = [0.0] * len(urls)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(number, url), daemon=True)
            for number, url in enumerate(urls)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def wait(self) -> None:
        """Wait until all see something, or long enough."""
        until_s = time.monotonic() + PATIENCE_S
        while not all(self._n_frames) and time.monotonic() < until_s:
            time.sleep(AGAIN_S)

    def begin(self) -> None:
        """Count from here."""
        self._n_frames[:] = [0] * self.n_streams
        self._n_missing[:] = [0] * self.n_streams
        self._pause_s[:] = [0.0] * self.n_streams

    def so_far(self) -> Arrived:
        """Say what came; a stream that stands still counts its pause up to now."""
        now_s = time.monotonic()
        standing = [now_s - last_s for last_s in self._last_s]
        longest_s = max(*self._pause_s, *standing)
        n_standing = sum(round(s * RATE) for s in standing if s > STANDING_S)
        return Arrived(sum(self._n_frames), sum(self._n_missing) + n_standing, longest_s)

    def _watch(self, number: int, url: str) -> None:
        while not self._stop.is_set():
            try:
                with av.open(url, timeout=TIMEOUT_S, options=OPTIONS) as container:
                    self._count(number, container)
            except (av.FFmpegError, OSError):
                self._stop.wait(AGAIN_S)

    def _count(self, number: int, container: av.container.InputContainer) -> None:
        for packet in container.demux(video=0):
            if self._stop.is_set():
                return
            now_s = time.monotonic()
            self._pause_s[number] = max(self._pause_s[number], now_s - self._last_s[number])
            self._last_s[number] = now_s
            if packet.dts is not None and packet.time_base:
                self._n_frames[number] += 1
                dts_s = float(packet.dts * packet.time_base)
                step_s, self._dts_s[number] = dts_s - self._dts_s[number], dts_s
                if SEAM_S < step_s < MAX_STEP_S:
                    self._n_missing[number] += round(step_s * RATE) - 1
