"""Reads HLS playlists: which rendition to fetch, and which segments there are.

Rule: a playlist is a stranger's text. It is bounded before it is parsed, only the tags that matter
here reach the parser, and nothing is fetched here. Source: RFC 8216.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import m3u8

MAX_RENDITIONS = 100
"""Real ladders have ten at most, times a few codecs and groups of sound."""

MAX_LINES = 20_000
"""Sixteen hours of segments of 6 s, two lines each. A playlist is parsed up to twice a second and
other threads wait, at 2 to 8 us a line (measured): a megabyte of short lines took 1.1 s."""

MIN_HEIGHT = 360
"""A hash looks at 64 x 64 pixels, a model at 224 x 224: the smallest rendition that serves."""

MAX_DURATION_S = 60.0
"""What a playlist may say of its segments, seconds; real ones have 1 to 10."""

MIN_TARGET_S = 1.0

NO_VIDEO = frozenset(
    {
        *("mp4a", "mp3", "opus", "flac", "alac", "vorbis", "mha1", "mhm1"),
        *("ac-3", "ec-3", "ac-4", "stpp", "wvtt"),
    }
)
"""Codecs of sound and of subtitles, as RFC 6381 spells them up to the first point."""

_TAGS = frozenset(
    {
        *("#EXTM3U", "#EXTINF", "#EXT-X-BYTERANGE", "#EXT-X-MAP", "#EXT-X-DISCONTINUITY"),
        *("#EXT-X-GAP", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-ENDLIST", "#EXT-X-STREAM-INF"),
    }
)
_TARGET, _KEY, _RENDITION = "#EXT-X-TARGETDURATION", "#EXT-X-KEY", "#EXT-X-STREAM-INF:"
_METHOD_NONE = re.compile(r"[:,]METHOD=NONE(,|\s*$)")
_BYTE_RANGE = re.compile(r"\s*([0-9]{1,15})(?:@([0-9]{1,15}))?\s*")


class PlaylistInvalid(Exception):
    """A playlist that cannot be followed; the message goes on after "its playlist"."""


@dataclass(frozen=True, slots=True)
class Section:
    """Bytes to fetch: a whole resource, or `length` bytes from `start` on.

    base, uri: where the playlist is, and what it says; they may hold a token.
    """

    base: httpx.URL = field(repr=False)
    uri: str = field(repr=False)
    start: int = 0
    length: int | None = None

    @property
    def url(self) -> httpx.URL:
        """The address of the resource; not checked yet.

        Raises:
            PlaylistInvalid: it cannot be one.
        """
        try:
            return self.base.join(self.uri)
        except (httpx.InvalidURL, ValueError):
            raise PlaylistInvalid("names an address that is none") from None


@dataclass(frozen=True, slots=True)
class Rendition:
    """One way in which a broadcast is offered."""

    playlist: Section
    height: int | None
    bandwidth: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """A master playlist: its renditions that carry video."""

    renditions: tuple[Rendition, ...]

    @property
    def choice(self) -> Rendition:
        """The lowest of 360 lines or more, else the tallest; of equals the leanest.

        Where no height is stated the leanest of all.
        """
        stated = [(one.height, one) for one in self.renditions if one.height is not None]
        if not stated:
            return min(self.renditions, key=lambda one: one.bandwidth)
        serving = [height for height, _ in stated if height >= MIN_HEIGHT]
        wanted = min(serving) if serving else max(height for height, _ in stated)
        equals = [one for height, one in stated if height == wanted]
        return min(equals, key=lambda one: one.bandwidth)


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a rendition.

    number:     media sequence number.
    init:       what a decoder needs before it; None for MPEG-TS.
    is_break:   timestamps and codec may differ from those before it.
    is_missing: the packager has nothing here.
    """

    number: int
    section: Section
    init: Section | None
    duration_s: float
    is_break: bool
    is_missing: bool


@dataclass(frozen=True, slots=True)
class SegmentList:
    """A media playlist.

    target_s: the longest segment, seconds, as the packager promises.
    is_over:  nothing will be added.
    """

    segments: tuple[Segment, ...]
    target_s: float
    is_over: bool


def parse_playlist(text: str, base: httpx.URL) -> Ladder | SegmentList:
    """Read a playlist that was fetched from `base`.

    Raises:
        PlaylistInvalid: it is none, is encrypted, too long, offers no video or too many renditions.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith("#EXTM3U"):
        raise PlaylistInvalid("is none: it does not begin with #EXTM3U")
    if text.count(_RENDITION) > MAX_RENDITIONS:
        raise PlaylistInvalid(f"names more than {MAX_RENDITIONS} renditions")
    if len(text.splitlines()) > MAX_LINES:  # as the parser counts them: not by line feeds alone
        raise PlaylistInvalid(f"has more than {MAX_LINES} lines")
    try:
        found: dict[str, Any] = m3u8.parse(text, custom_tags_parser=_is_done)
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError):
        raise PlaylistInvalid("is malformed") from None
    if found["is_variant"]:
        return _ladder(found, base)
    segments = tuple(_segments(found, base))
    longest_s = max((segment.duration_s for segment in segments), default=0.0)
    stated_s = _seconds(found.get("targetduration", ""))
    target_s = max(stated_s or longest_s, MIN_TARGET_S)
    return SegmentList(segments, target_s, bool(found["is_endlist"]))


def _is_done(line: str, _lineno: int, found: dict[str, Any], _state: dict[str, Any]) -> bool:
    """Keep tags from the parser: those that it need not see, and those read here."""
    tag, _, value = line.partition(":")
    if tag == _KEY and not _METHOD_NONE.search(line):
        raise PlaylistInvalid("is of encrypted segments, which cannot be screened")
    if tag == _TARGET:
        found["targetduration"] = value  # some packagers write it with a point, against the RFC
    return tag not in _TAGS


def _seconds(text: Any) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return min(seconds, MAX_DURATION_S) if seconds >= 0 else 0.0  # false for NaN, too


def _ladder(found: dict[str, Any], base: httpx.URL) -> Ladder:
    renditions = []
    for playlist in found["playlists"]:
        stated = playlist["stream_info"]
        height = re.fullmatch("[0-9]{1,5}x([0-9]{1,5})", stated.get("resolution", ""))
        codecs = stated.get("codecs", "").lower().split(",")
        if height or not {codec.strip().split(".")[0] for codec in codecs} <= NO_VIDEO:
            where = Section(base, playlist["uri"])
            lines = int(height[1]) if height else None
            renditions.append(Rendition(where, lines, stated.get("bandwidth", 0)))
    if not renditions:
        raise PlaylistInvalid("offers no video")
    return Ladder(tuple(renditions))


def _segments(found: dict[str, Any], base: httpx.URL) -> Iterator[Segment]:
    end = 0  # of the byte range before
    for number, stated in enumerate(found["segments"], found["media_sequence"]):
        if "uri" not in stated:
            continue  # a playlist that breaks off within its last segment
        section = _section(base, stated["uri"], stated.get("byterange"), end)
        end = section.start + (section.length or 0)
        init = stated.get("init_section")
        yield Segment(
            number=number,
            section=section,
            init=_section(base, init.get("uri"), init.get("byterange"), 0) if init else None,
            duration_s=_seconds(stated.get("duration", "")),
            is_break=bool(stated["discontinuity"]),
            is_missing=bool(stated["gap_tag"]),
        )


def _section(base: httpx.URL, uri: str | None, byte_range: str | None, end: int) -> Section:
    """Read what to fetch; a byte range without a start begins where the one before ended."""
    if uri and byte_range is None:
        return Section(base, uri)
    match = _BYTE_RANGE.fullmatch(byte_range or "")
    if not uri or not match:
        raise PlaylistInvalid("is malformed")
    return Section(base, uri, end if match[2] is None else int(match[2]), int(match[1]))
