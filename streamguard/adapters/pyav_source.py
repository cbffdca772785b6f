"""Reads the packets of one stream or file with PyAV; never decodes.

Rule: single damaged packets are passed over, a burst ends the source; whatever happens, the errors
raised are ours, and never show the URL.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Self, cast

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet as AvPacket
from av.stream import Stream
from av.video.stream import VideoStream

from streamguard.adapters.annexb import parameter_sets, sets_in_box
from streamguard.adapters.picture_size import size_of
from streamguard.adapters.pyav_demuxer import Demuxer
from streamguard.adapters.pyav_open import Opened
from streamguard.adapters.pyav_sound import Sounds
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.access_unit import is_gradual
from streamguard.core.budget import ErrorBudget
from streamguard.core.errors import SourceCorrupt, SourceTruncated, StreamguardError
from streamguard.core.joining import Joining
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.timeline import MAX_TIME_US, Timeline
from streamguard.core.types import Codec, Packet

TRUNCATION_SLACK_US = 1_000_000
"""A file whose packets end so much before its stated duration is cut short."""

FALLBACK_TIME_BASE = Fraction(1, 90_000)
"""Seconds per tick where a container names none: MPEG's own clock."""

_ANNEX_B_FORMATS = frozenset({"mpegts", "h264", "hevc"})
"""What carries H.264 and H.265 in Annex B form by its definition: filtering costs 1 us a packet."""

_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


class PyavSource:
    """One opened stream; a context manager. One thread opens, reads and closes it."""

    def __init__(
        self,
        location: Location,
        timeline: Timeline,
        clock: Clock,
        timeouts: SourceTimeouts | None = None,
        hls_hosts: Collection[str] = (),
    ) -> None:
        """Open it; the timeline outlives the connection, so that a reconnect is a new epoch.

        hls_hosts: whom an HLS playlist may name beside its own host and port.

        Raises:
            ConfigError: there is no such file, or it may not be read.
            SourceInvalid: what is there holds no video.
            SourceUnavailable: the host refuses, says nothing, or sends no video.
        """
        self._location = location
        self._clock = clock
        self._timeline = timeline
        self._budget = ErrorBudget()
        self._sets = b""
        self._joining = Joining()
        self._dts_us = 0
        self._sounds: Sounds | None = None
        self._ends: dict[int, tuple[int, Fraction]] = {}  # by stream: its last tick, their length
        timeouts = timeouts or SourceTimeouts()
        most_bytes = timeouts.limits.max_packet_bytes
        self._max_packet_bytes = most_bytes if location.is_live else sys.maxsize
        self._opened = Opened(location, clock, timeouts, hls_hosts)
        timeline.wrap_ticks = self._opened.wrap_ticks
        context = self._opened.video.codec_context
        name, (width, height) = self._opened.codec_name, size_of(context)
        self.codec = Codec(
            name=name,
            extradata=b"" if name in _TO_ANNEX_B else bytes(context.extradata or b""),
            width=width,
            height=height,
            quarter_turns=self._opened.quarter_turns(),
            n_tracks=self._opened.n_tracks,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def hear(self) -> None:
        """Read the sound, too: its packets come with those of the video; before all packets."""
        self._opened.hear()
        self._sounds = Sounds(self._opened)
        self.codec = replace(self.codec, sound=self._sounds.described)

    def packets(self, may_pass_over: Callable[[], bool] = lambda: False) -> Iterator[Packet]:
        """Yield the video packets in the order of reading, to the end.

        may_pass_over: asked after each keyframe whether what comes before the next matters; of a
            file with a good index it is not read then.

        Raises:
            SourceUnavailable: the stream stopped sending without ending.
            SourceCorrupt: too many damaged packets in a short time.
            SourceTruncated: a file ended before its stated duration; all before it was given.
        """
        self._may_pass_over = may_pass_over
        for unit in self._units():
            payload, sets = bytes(unit), b""
            if unit.is_keyframe and self.codec.name in _TO_ANNEX_B:
                sets = parameter_sets(self.codec.name, payload)
            is_break = bool(self._sets and sets and sets != self._sets)
            if is_break and self._demuxer.refuse():
                continue  # first comes what was passed over: the old epoch ends with it
            if is_break:
                self._timeline.break_off()
            yield self._packet(unit, self._with_parameter_sets(unit, payload, sets))
        self._check_whole()

    def _units(self) -> "Iterator[AvPacket[VideoStream]]":
        """Give the packets of one container after another, in Annex B form."""
        yield from self._units_of_one()
        while self._opened.go_on():
            self._timeline.wrap_ticks = self._opened.wrap_ticks
            yield from self._units_of_one()

    def _units_of_one(self) -> "Iterator[AvPacket[VideoStream]]":
        """Demux, and convert to Annex B, past single damaged packets up to the error budget."""
        self._time_base = self._opened.video.time_base or FALLBACK_TIME_BASE  # made anew when asked
        annex_b = self._annex_b()
        self._demuxer = Demuxer(self._opened, self._may_pass_over)
        problem: StreamguardError | None = None
        while problem is None:
            try:
                for packet in self._demuxed():
                    yield from annex_b.filter(packet) if annex_b else (packet,)
            except av.error.InvalidDataError:
                if not self._budget.spend(self._damage_s()):
                    problem = SourceCorrupt(
                        f"{self._location.label} sends too many damaged packets"
                    )
            except (av.FFmpegError, OSError) as error:
                problem = self._opened.translated(error, "broke off")
            else:
                return
        raise problem  # out here FFmpeg's error, which holds the URL, is not even its context

    def _damage_s(self) -> float:
        """Say when damage came: a file is read in no time, so its own counts, in seconds."""
        return self._clock.monotonic() if self._location.is_live else self._dts_us / 1_000_000

    def _annex_b(self) -> "BitStreamFilterContext | None":
        """Make the filter that this codec needs; none where packets come as they are wanted.

        Raises:
            SourceInvalid, SourceUnavailable: the parameter sets cannot be read.
        """
        is_annex_b = self._opened.container.format.name in _ANNEX_B_FORMATS
        name = None if is_annex_b else _TO_ANNEX_B.get(self.codec.name)
        try:
            return BitStreamFilterContext(name, self._opened.video) if name else None
        except av.FFmpegError as error:
            problem = self._opened.translated(error, "cannot be read")
        raise problem

    def _demuxed(self) -> "Iterator[AvPacket[VideoStream]]":
        """Read on; the other streams of a file are read only to see how far they reach."""
        is_live, video = self._location.is_live, self._opened.video.index
        for packet in self._demuxer.packets():
            if not packet.size:
                continue
            if not is_live:
                self._note_end(packet)
            if self._sounds:
                self._sounds.take(packet)
            if packet.stream_index == video:
                self._check_size(packet.size)
                self._opened.renew()
                yield cast("AvPacket[VideoStream]", packet)

    def _check_size(self, size: int) -> None:
        """Refuse what would fill the rings of all streams.

        Raises:
            SourceCorrupt: a packet is larger than allowed.
        """
        if size > self._max_packet_bytes:
            raise SourceCorrupt(
                f"{self._location.label} sends a packet of {size} bytes: more than "
                "limits.max_packet_bytes allows"
            )

    def _note_end(self, packet: "AvPacket[Stream]") -> None:
        """Remember how far a stream of a file reaches."""
        index = packet.stream_index
        end = (packet.pts or 0) + (packet.duration or 0)
        known = self._ends.get(index)
        if known is None:
            self._ends[index] = (
                end,
                packet.time_base or FALLBACK_TIME_BASE,
            )  # made anew when asked
        elif end > known[0]:
            self._ends[index] = (end, known[1])

    def _packet(self, unit: "AvPacket[VideoStream]", payload: bytes) -> Packet:
        stamp = self._timeline.place(unit.pts, unit.dts, self._time_base)
        self._dts_us = stamp.dts_us
        may_begin = unit.is_keyframe or self.codec.name == "hevc"
        is_gradual_one = may_begin and is_gradual(self.codec.name, payload)
        is_start = unit.is_keyframe or is_gradual_one
        sets = self._sets_to_begin(stamp.dts_us, is_start=is_start)
        return Packet(
            stamp.epoch,
            stamp.pts_us,
            stamp.dts_us,
            unit.is_keyframe and not is_gradual_one,
            self._clock.monotonic(),
            sets + payload,
            self._demuxer.n_passed_over,
            is_gradual_one,
            is_blind=bool(sets),
            sounds=self._sounds.placed(unit, self._time_base, stamp) if self._sounds else (),
        )

    def _sets_to_begin(self, dts_us: int, *, is_start: bool) -> bytes:
        """Give parameter sets where decoding is to begin blindly; empty where it is not."""
        if self.codec.name not in _TO_ANNEX_B or not self._joining.begins(
            dts_us, is_start=is_start
        ):
            return b""
        return self._known_sets()

    def _with_parameter_sets(
        self, unit: "AvPacket[VideoStream]", payload: bytes, sets: bytes
    ) -> bytes:
        """Let each keyframe carry its parameter sets, those that it has or the last ones known."""
        if sets:
            self._sets = sets
        if sets or not unit.is_keyframe or self.codec.name not in _TO_ANNEX_B:
            return payload
        return self._known_sets() + payload

    def _known_sets(self) -> bytes:
        """Give the last parameter sets that came, of H.264 and H.265; empty where none did."""
        head, name = bytes(self._opened.video.codec_context.extradata or b""), self.codec.name
        return self._sets or parameter_sets(name, head) or sets_in_box(name, head)

    def _check_whole(self) -> None:
        """Raise where a file says that it is longer than even the longest of its streams."""
        if self._location.is_live:
            return
        container = self._opened.container
        duration_us = container.duration  # microseconds, None where the format has none
        if not duration_us or duration_us > MAX_TIME_US:
            return
        start_us = container.start_time or 0
        ends_us = (int(end * tick_s * 1_000_000) for end, tick_s in self._ends.values())
        end_us = max(ends_us, default=start_us) - start_us
        if duration_us - end_us > TRUNCATION_SLACK_US:
            raise SourceTruncated(
                f"{self._location.label} is cut short after {end_us / 1e6:.1f} of "
                f"{duration_us / 1e6:.1f} s: what came before was screened",
                duration_us - end_us,
            )
