"""Screens hostile cases one after the other, in a process that may die of them.

Rule: the real way in: the source, the decoder, the hashes, in a process confined like a worker.
What it is asked comes a line at a time, `SEED NUMBER` or a case's folder; so do its answers, JSON.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from loadtest.hostile_clips import KINDS, Case, whole_case
from loadtest.hostile_damage import hostile_case
from loadtest.hostile_server import HostileServer
from streamguard.adapters import hls_reader
from streamguard.adapters.heap import heap_trimmer
from streamguard.adapters.hls_follow import HlsFollower
from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import SourceCorrupt, StreamguardError
from streamguard.core.location import Location, parse_location
from streamguard.core.look import views_of
from streamguard.core.region_memory import RegionMemory
from streamguard.core.timeline import Timeline
from streamguard.core.types import Frame
from streamguard.sandbox import confine

TIMEOUTS = SourceTimeouts(open_s=1.0, read_s=1.0)

MAX_FRAMES = 200
"""A source that gives so many is well: a playlist may promise hours."""

ENOUGH_S = 2.0
"""One that has given frames for so long is, too: those of 8K take a third of a second each."""

TRIM_EVERY = 50
"""Cases after which the holes in the heap go back to the machine, as in a worker twice a minute."""

WHOLE = "whole"
"""Asks for one undamaged case of each kind."""


class SkippingClock(SystemClock):
    """Real time, but for waits on purpose, which pass at once: HLS is read at its own pace."""

    def __init__(self) -> None:
        self._skipped_s = 0.0

    def monotonic(self) -> float:
        """Seconds, those skipped among them."""
        return super().monotonic() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        self._skipped_s += seconds


class Screener:
    """Screens cases; its decoder is shared by all of them, as a pool thread's is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = SkippingClock()
        self._server = HostileServer()
        self._decoder = PyavDecoder(self._clock)
        follower = partial(HlsFollower, wait=self._clock.skip)
        setattr(hls_reader, "HlsFollower", follower)  # noqa: B010  # mypy forbids it by name

    def outcome(self, case: Case, *, in_order: bool) -> tuple[str, int]:
        """Screen a case to its end; give the error it ended in, or none, and how many frames."""
        n_frames, end, began_s = 0, "", time.monotonic()
        memory = RegionMemory()
        try:
            frames = self._frames(self._where(case), in_order=in_order)
            for frame in islice(frames, MAX_FRAMES):
                views_of(frame.luma, full_range=frame.full_range, memory=memory)
                n_frames += 1
                if time.monotonic() > began_s + ENOUGH_S:
                    break
            frames.close()
        except StreamguardError as error:
            end = error.reason
        self._server.settle()
        return end, n_frames

    def _where(self, case: Case) -> Location:
        if case.kind != "mp4":
            return parse_location(self._server.url(case))
        path = self._folder / case.first
        path.write_bytes(case.pages[case.first])
        return parse_location(str(path))

    def _frames(self, location: Location, *, in_order: bool) -> Generator[Frame, None, None]:
        with PyavSource(location, Timeline(), self._clock, TIMEOUTS) as source:
            dense = self._decoder.in_order(source.codec)
            for packet in source.packets():
                with suppress(SourceCorrupt):
                    if in_order:
                        yield from dense.feed(packet)
                    elif packet.is_keyframe:
                        yield self._decoder.keyframe(source.codec, packet)
            with suppress(SourceCorrupt):
                yield from dense.finish()


def held() -> dict[str, Any]:
    """Say what this process holds: threads, descriptors, resident MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "rss_mb": pages * resource.getpagesize() / 1e6,
    }


def case_in(folder: Path) -> Case:
    """Read a case that was kept: its name begins with its kind, `first` names its first page."""
    pages = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "first"}
    (kind,) = (kind for kind in KINDS if folder.name.split("-")[0] == kind)
    return Case(kind, (folder / "first").read_text().strip(), pages)


def main() -> None:
    """Answer line by line."""
    confine()
    with tempfile.TemporaryDirectory() as name:
        screener, trim = Screener(Path(name)), heap_trimmer()
        for number, line in enumerate(sys.stdin):
            if number % TRIM_EVERY == 0:
                trim()
            print(json.dumps(_answer(line.strip(), screener) | held()), flush=True)


def _answer(line: str, screener: Screener) -> dict[str, Any]:
    if line == WHOLE:
        cases = [whole_case(kind, variant) for kind in KINDS for variant in range(3)]
        seen = [screener.outcome(case, in_order=at % 2 == 0) for at, case in enumerate(cases)]
        return {"end": "".join(end for end, _ in seen), "frames": min(n for _, n in seen)}
    seed, _, number = line.rpartition(" ")
    case = hostile_case(int(seed), int(number)) if seed.isdecimal() else case_in(Path(line))
    end, n_frames = screener.outcome(case, in_order=len(case.pages[case.first]) % 2 == 0)
    return {"end": end, "frames": n_frames}


if __name__ == "__main__":
    main()
