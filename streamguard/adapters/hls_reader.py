"""Gives the bytes of an HLS broadcast to FFmpeg's demuxers, as if they were one file after another.

Rule: it never raises while FFmpeg reads: an error ends the bytes, and `problem` says why. Whatever
may differ in codec, timestamps or init section begins a container of its own.
"""

from collections.abc import Collection

import httpx

from streamguard.adapters.hls_fetch import FetchFailed, FetchRefused
from streamguard.adapters.hls_follow import HlsFollower, Part
from streamguard.adapters.hls_playlist import PlaylistInvalid
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.errors import SourceUnavailable, StreamguardError
from streamguard.core.location import Location
from streamguard.core.ports import Clock


class HlsReader:
    """One opened broadcast; a `pyav_open.Reader`. One thread opens, reads and closes it."""

    def __init__(
        self, location: Location, clock: Clock, timeouts: SourceTimeouts, hosts: Collection[str]
    ) -> None:
        """Fetch its first segment.

        hosts: whom its playlists may name beside its own host and port.

        Raises:
            SourceUnavailable: it cannot be fetched, or not be screened.
        """
        self.format_name = ""
        self.problem: StreamguardError | None = None
        self._label = location.label
        self._clock = clock
        self._follower = HlsFollower(_url(location), hosts, clock, timeouts)
        self._parts = self._follower.parts()
        self._video_s = clock.monotonic()
        self._rest = memoryview(b"")
        self._next = self._fetch()
        if not self.go_on():
            self.close()
            raise self.problem or SourceUnavailable(f"{self._label} holds no video")

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes; none where the next segment needs a container of its own."""
        if not self._rest:
            self._next = self._next or self._fetch()
            if self._next is None or self._stands_alone(self._next):
                return b""
            self.go_on()
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece

    def go_on(self) -> bool:
        """Begin the next segment, whatever it needs; False at the end."""
        part, self._next = self._next or self._fetch(), None
        if part is None:
            return False
        self.format_name = part.format_name
        self._rest = memoryview(part.payload)
        return True

    def renew(self) -> None:
        """Take note of a video packet."""
        self._video_s = self._clock.monotonic()

    def close(self) -> None:
        """Close its connections."""
        self._follower.close()

    def _stands_alone(self, part: Part) -> bool:
        """Say whether a segment cannot follow in the same container.

        MP4 never does: FFmpeg would keep an index of all fragments, and not get over a damaged one.
        """
        return part.is_break or part.format_name == "mov" or part.format_name != self.format_name

    def _fetch(self) -> Part | None:
        problem = self.problem
        if self._clock.monotonic() - self._video_s > self._follower.patience_s and not problem:
            problem = SourceUnavailable(f"{self._label} sends no video any more")
        try:
            part = None if problem else next(self._parts, None)
        except PlaylistInvalid as error:
            problem = SourceUnavailable(f"{self._label} cannot be followed: its playlist {error}")
        except FetchRefused as error:
            problem = SourceUnavailable(f"{self._label} {error}")
        except FetchFailed as error:
            problem = SourceUnavailable(f"{self._label} {error}", error.retry_after_s)
        if problem:
            self.problem, part = problem, None
        return part


def _url(location: Location) -> httpx.URL:
    try:
        return httpx.URL(location.url)
    except httpx.InvalidURL:
        problem = SourceUnavailable(f"{location.label} has an address that nobody can be asked for")
    raise problem
