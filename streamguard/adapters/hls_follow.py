"""Follows one rendition of an HLS broadcast, segment after segment, as time goes on.

Rule: a live broadcast begins with its newest whole segment and is read at the pace at which it is
made; a recording is read from its beginning, at the pace at which it would be watched. No rendition
but the chosen one is ever fetched.
"""

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from streamguard.adapters.hls_fetch import Fetched, FetchFailed, HlsFetcher
from streamguard.adapters.hls_playlist import (
    MIN_TARGET_S,
    Ladder,
    PlaylistInvalid,
    Section,
    Segment,
    SegmentList,
    parse_playlist,
)
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.budget import ErrorBudget
from streamguard.core.ports import Clock

MAX_PLAYLIST_BYTES = 1 << 20

MAX_INIT_BYTES = 1 << 20

MAX_SEGMENT_BYTES = 64 << 20
"""Ten seconds at 50 Mbit/s; the rendition that is chosen has 1 Mbit/s or less."""

PATIENCE_TARGETS = 3
"""A broadcast that adds nothing for so many of its segments' lengths has stopped sending."""

MAX_LOST, LOST_WITHIN_S = 5, 60.0
"""So many segments lost within a minute are no accident."""

TOO_BUSY = frozenset({429, 503})
"""HTTP: too many requests, service unavailable. It is asked again later."""

TS_SYNC = 0x47
MP4_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft"})
"""What an init section or a fragment of MP4 may begin with. Source: ISO/IEC 23000-19, 7.3."""


@dataclass(frozen=True, slots=True)
class Part:
    """One segment as it was fetched.

    format_name: FFmpeg's name of its format: "mpegts" or "mov".
    payload:     its init section, if it has one, and its bytes.
    is_break:    it does not go on where the one before ended.
    """

    format_name: str
    payload: bytes = field(repr=False)
    is_break: bool


class HlsFollower:
    """Fetches one broadcast; one thread."""

    def __init__(
        self,
        url: httpx.URL,
        hosts: Collection[str],
        clock: Clock,
        timeouts: SourceTimeouts,
        wait: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Fetch nothing yet; `chance` draws evenly from [0, 1), so that streams spread."""
        self._fetcher = HlsFetcher(url, hosts, clock, timeouts)
        self._where = Section(url.copy_with(userinfo=b""), "")
        self._clock = clock
        self._read_s = timeouts.read_s
        self._wait = wait
        self._chance = chance
        self._lost = ErrorBudget(MAX_LOST, LOST_WITHIN_S)
        self._validators: Mapping[str, str] = {}
        self._init: tuple[Section, bytes] | None = None
        self._target_s = MIN_TARGET_S
        self._fresh_s = clock.monotonic()  # when a segment came
        self._is_broken = False
        self._trouble: FetchFailed | PlaylistInvalid | None = None

    @property
    def patience_s(self) -> float:
        """How long the broadcast may add nothing, seconds."""
        return max(PATIENCE_TARGETS * self._target_s, self._read_s)

    def parts(self) -> Iterator[Part]:
        """Yield the segments as they come, to the announced end.

        Raises:
            FetchRefused: it leads to where nothing may be asked.
            FetchFailed: it stopped sending, or too much of it is lost.
            PlaylistInvalid: it cannot be followed.
        """
        listed = self._open()
        if not listed.segments:
            raise PlaylistInvalid("names no segment yet")
        is_recording = listed.is_over
        wanted = listed.segments[0 if is_recording else -1].number
        due_s = self._clock.monotonic()
        while True:
            for segment in (one for one in listed.segments if one.number >= wanted):
                if is_recording:
                    self._wait(max(0.0, due_s - self._clock.monotonic()))
                    due_s += segment.duration_s
                self._is_broken |= segment.is_break or segment.number > wanted
                wanted = segment.number + 1
                part = self._part(segment)
                if part:
                    yield part
            if listed.is_over:
                return
            listed = self._reloaded(listed)
            wanted = self._resumed(wanted, listed)

    def close(self) -> None:
        """Close its connections."""
        self._fetcher.close()

    def _open(self) -> SegmentList:
        """Find the rendition to follow: a ladder leads to it in one step."""
        found = self._parsed(self._get(self._where, MAX_PLAYLIST_BYTES))
        if isinstance(found, Ladder):
            self._where = found.choice.playlist
            found = self._parsed(self._get(self._where, MAX_PLAYLIST_BYTES))
        return self._followed(found)

    def _reloaded(self, listed: SegmentList) -> SegmentList:
        """Let some time pass, and see what was added; a playlist may fail now and then."""
        if not self._left_s():
            raise self._trouble or FetchFailed("adds nothing more: is it still publishing?")
        self._wait(min(self._poll_s(), self._left_s()))
        try:
            fetched = self._get(self._where, MAX_PLAYLIST_BYTES, self._validators)
            listed = self._followed(self._parsed(fetched)) if fetched.body is not None else listed
        except (FetchFailed, PlaylistInvalid) as error:
            self._trouble = error
        else:
            self._trouble = None
        return listed

    def _resumed(self, wanted: int, listed: SegmentList) -> int:
        """Give the next segment's number, which a packager that began anew counts from elsewhere.

        A list that ends a little earlier than the one before is an old copy of it.
        """
        n_listed = len(listed.segments)
        if not n_listed or listed.segments[-1].number + 1 >= wanted - n_listed:
            return wanted
        self._is_broken = True
        return listed.segments[-1].number

    def _part(self, segment: Segment) -> Part | None:
        """Fetch a segment; None where it is lost, which too many may not be."""
        try:
            part = None if segment.is_missing else self._fetched(segment)
        except FetchFailed as error:
            if not self._lost.spend(self._clock.monotonic()):
                raise
            self._trouble = error
            part = None
        self._is_broken = part is None
        if part:
            self._fresh_s = self._clock.monotonic()
        return part

    def _fetched(self, segment: Segment) -> Part:
        init = self._init_section(segment.init) if segment.init else b""
        payload = self._get(segment.section, MAX_SEGMENT_BYTES).body or b""
        name = _format_of(init or payload)
        if name is None:
            raise FetchFailed("sends segments that are neither MPEG-TS nor MP4")
        return Part(name, init + payload, self._is_broken)

    def _init_section(self, section: Section) -> bytes:
        """Fetch what a decoder needs before each segment; once, as long as it is the same."""
        if self._init is None or self._init[0] != section:
            self._init = section, self._get(section, MAX_INIT_BYTES).body or b""
        return self._init[1]

    def _get(
        self, section: Section, max_bytes: int, validators: Mapping[str, str] | None = None
    ) -> Fetched:
        """Fetch; a server that is too busy is asked again as long as patience lasts."""
        while True:
            try:
                return self._fetcher.get(section, max_bytes, self.patience_s, validators)
            except FetchFailed as error:
                if error.status not in TOO_BUSY or not self._left_s():
                    raise
                pause_s = max(error.retry_after_s, self._poll_s())
            self._wait(min(pause_s, self._left_s()))

    def _parsed(self, fetched: Fetched) -> Ladder | SegmentList:
        text = (fetched.body or b"").decode("utf-8", "replace")
        found = parse_playlist(text, fetched.url)
        self._validators = fetched.validators
        return found

    def _followed(self, found: Ladder | SegmentList) -> SegmentList:
        if isinstance(found, Ladder):
            raise PlaylistInvalid("leads to another list of renditions: refused")
        self._target_s = found.target_s
        return found

    def _poll_s(self) -> float:
        """Half of a segment's length, a fifth more or less."""
        return self._target_s / 2 * (0.8 + 0.4 * self._chance())

    def _left_s(self) -> float:
        return max(0.0, self._fresh_s + self.patience_s - self._clock.monotonic())


def _format_of(payload: bytes) -> str | None:
    """Name the format by what bytes begin with, whatever a server calls them."""
    if payload[4:8] in MP4_BOXES:
        return "mov"
    return "mpegts" if payload[:1] == bytes([TS_SYNC]) else None
