"""Reads the packets of one stream or file with PyAV; never decodes.

Rule: every open carries a protocol and a format whitelist, so that what a stranger sends can make
the demuxer read nothing else: no playlist, no local file, no other host. Errors never show the URL.
"""

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.stream import Discard
from av.video.stream import VideoStream

from streamguard.adapters.annexb import parameter_sets
from streamguard.adapters.pyav_decoder import MAX_PIXELS
from streamguard.core.budget import ErrorBudget
from streamguard.core.errors import (
    ConfigError,
    SourceCorrupt,
    SourceInvalid,
    SourceTruncated,
    SourceUnavailable,
    StreamguardError,
)
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.timeline import FLV_WRAP_TICKS, MPEGTS_WRAP_TICKS, Timeline
from streamguard.core.types import Codec, Packet

OPEN_TIMEOUT_S = 5.0
"""FFmpeg arms it twice, for the connection and for the first packets: the worst case is 10 s."""

READ_TIMEOUT_S = 10.0
"""A stream without a video packet for so long has stopped sending."""

TRUNCATION_SLACK_US = 1_000_000
"""A file whose packets end so much before its stated duration is cut short."""

FALLBACK_TIME_BASE = Fraction(1, 90_000)
"""Seconds per tick where a container names none: MPEG's own clock."""

_FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,flv,live_flv,asf,ogg,mxf,"
    "h264,hevc,ivf,gif,apng,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif_pipe"
)
_LIVE_FORMATS = "mpegts,flv,live_flv"
_PROTOCOLS = {
    "file": "file",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "http": "http,tcp",
    "https": "https,tls,tcp",
}
_WRAP_TICKS = {"mpegts": MPEGTS_WRAP_TICKS, "flv": FLV_WRAP_TICKS, "live_flv": FLV_WRAP_TICKS}
_JPEG_START = b"\xff\xd8\xff"
_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


@dataclass(frozen=True, slots=True)
class SourceTimeouts:
    """How long to wait, seconds, for a stream to open and for its next video packet."""

    open_s: float = OPEN_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S


def _options(location: Location, timeouts: SourceTimeouts) -> dict[str, str]:
    options = {
        "protocol_whitelist": _PROTOCOLS[location.protocol],
        "format_whitelist": _LIVE_FORMATS if location.is_live else _FILE_FORMATS,
    }
    if location.is_live:
        options |= {
            "rw_timeout": str(int(timeouts.read_s * 1e6)),
            "analyzeduration": "500000",
            "probesize": "131072",
        }
    if location.protocol in {"http", "https"}:
        options["max_redirects"] = "0"  # they lead to other hosts, inner ones too
    if location.protocol in {"rtmp", "rtmps"}:
        options["rtmp_live"] = "live"  # RTMP's own `timeout` would mean listening: left alone
    return options


def _forced_format(path: Path) -> str | None:
    """Name the format of a JPEG: by its name FFmpeg takes it for one of a numbered series."""
    with path.open("rb") as file:
        return "jpeg_pipe" if file.read(len(_JPEG_START)) == _JPEG_START else None


class PyavSource:
    """One opened stream; a context manager. One thread opens, reads and closes it."""

    def __init__(
        self,
        location: Location,
        timeline: Timeline,
        clock: Clock,
        timeouts: SourceTimeouts | None = None,
    ) -> None:
        """Open it; the timeline outlives the connection, so that a reconnect is a new epoch.

        Raises:
            ConfigError: there is no such file, or it may not be read.
            SourceInvalid: what is there holds no video.
            SourceUnavailable: the host refuses, says nothing, or sends no video.
        """
        self._location = location
        self._clock = clock
        self._timeline = timeline
        self._timeouts = timeouts or SourceTimeouts()
        self._budget = ErrorBudget()
        self._sets = b""
        self._ends: dict[int, int] = {}  # by stream, in its ticks: where its packets end
        self._container = self._open()
        with ExitStack() as undo:
            undo.callback(self._container.close)
            self._stream = self._choose_video()
            undo.pop_all()
        timeline.wrap_ticks = _WRAP_TICKS.get(self._container.format.name.split(",")[0])
        context = self._stream.codec_context
        name = context.codec.canonical_name
        self.codec = Codec(
            name=name,
            extradata=b"" if name in _TO_ANNEX_B else bytes(context.extradata or b""),
            width=context.width,
            height=context.height,
            quarter_turns=0 if location.is_live else self._quarter_turns(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._container.close()

    def packets(self) -> Iterator[Packet]:
        """Yield the video packets in the order of reading, to the end.

        Raises:
            SourceUnavailable: the stream stopped sending without ending.
            SourceCorrupt: too many damaged packets in a short time.
            SourceTruncated: a file ended before its stated duration; all before it was given.
        """
        for unit in self._units():
            yield self._packet(unit)
        self._check_whole()

    def _open(self) -> InputContainer:
        where = self._location
        if not where.is_live and not Path(where.label).is_file():
            raise ConfigError(f"no such file: {where.label}")
        problem: StreamguardError
        try:
            return av.open(
                where.url,
                format=None if where.is_live else _forced_format(Path(where.label)),
                options=_options(where, self._timeouts),
                timeout=(self._timeouts.open_s, self._timeouts.read_s),
            )
        except PermissionError:  # FFmpeg's is one, too
            problem = ConfigError(f"{where.label} may not be read: check its permissions")
        except (av.FFmpegError, OSError) as error:
            problem = self._translated(error, "cannot be opened")
        raise problem  # out here FFmpeg's error, which holds the URL, is not even its context

    def _translated(self, error: Exception, what: str) -> SourceInvalid | SourceUnavailable:
        """Say in our words what happened; FFmpeg's message holds the URL."""
        label = self._location.label
        if not self._location.is_live:
            return SourceInvalid(f"{label} is no video that can be screened, or is damaged")
        if isinstance(error, av.error.ExitError):
            return SourceUnavailable(f"{label} {what}: it sent nothing in time")
        if isinstance(error, av.error.InvalidDataError):
            return SourceUnavailable(f"{label} {what}: it sends neither MPEG-TS nor FLV video")
        number = getattr(error, "errno", None) or 0
        why = errno.errorcode.get(number, "protocol error")
        return SourceUnavailable(f"{label} {what} ({why}): is it up and publishing?")

    def _choose_video(self) -> VideoStream:
        if not self._container.streams.video:
            what = f"{self._location.label} holds no video"
            raise (SourceUnavailable if self._location.is_live else SourceInvalid)(what)
        chosen = self._container.streams.video[0]
        for stream in self._container.streams if self._location.is_live else ():
            if stream is not chosen:
                stream.discard = Discard.all
        return chosen

    def _quarter_turns(self) -> int:
        """See how a phone was held: players turn its video, and so do those who copy it."""
        try:
            with self._open() as container:
                context = container.streams.video[0].codec_context
                context.thread_count = 1
                context.options = {"max_pixels": str(MAX_PIXELS)}
                picture = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration):
            return 0
        return round(picture.rotation / 90) % 4

    def _units(self) -> "Iterator[AvPacket[VideoStream]]":
        """Demux, and convert to Annex B, past single damaged packets up to the error budget."""
        name = _TO_ANNEX_B.get(self.codec.name)
        annex_b = BitStreamFilterContext(name, self._stream) if name else None
        problem: StreamguardError | None = None
        while problem is None:
            try:
                for packet in self._demuxed():
                    yield from annex_b.filter(packet) if annex_b else (packet,)
            except av.error.InvalidDataError:
                if not self._budget.spend(self._clock.monotonic()):
                    problem = SourceCorrupt(
                        f"{self._location.label} sends too many damaged packets"
                    )
            except (av.FFmpegError, OSError) as error:
                problem = self._translated(error, "broke off")
            else:
                return
        raise problem  # see _open

    def _demuxed(self) -> "Iterator[AvPacket[VideoStream]]":
        """Read on; the other streams of a file are read only to see how far they reach."""
        for packet in self._container.demux():
            if not packet.size:
                continue
            index = packet.stream_index
            end = (packet.pts or 0) + (packet.duration or 0)
            self._ends[index] = max(self._ends.get(index, end), end)
            if index == self._stream.index:
                yield cast("AvPacket[VideoStream]", packet)

    def _packet(self, unit: "AvPacket[VideoStream]") -> Packet:
        payload = bytes(unit)
        is_keyframe = unit.is_keyframe
        if is_keyframe and self.codec.name in _TO_ANNEX_B:
            payload = self._with_parameter_sets(payload)
        time_base = self._stream.time_base or FALLBACK_TIME_BASE
        stamp = self._timeline.place(unit.pts, unit.dts, time_base)
        now_s = self._clock.monotonic()
        return Packet(stamp.epoch, stamp.pts_us, stamp.dts_us, is_keyframe, now_s, payload)

    def _with_parameter_sets(self, payload: bytes) -> bytes:
        """Let each keyframe carry its parameter sets; a change of them breaks the timeline."""
        sets = parameter_sets(self.codec.name, payload)
        if not sets:
            extradata = bytes(self._stream.codec_context.extradata or b"")
            known = self._sets or parameter_sets(self.codec.name, extradata)
            return known + payload
        if self._sets and sets != self._sets:
            self._timeline.break_off()
        self._sets = sets
        return payload

    def _check_whole(self) -> None:
        """Raise where a file says that it is longer than even the longest of its streams."""
        duration_us = self._container.duration  # microseconds, None where the format has none
        if self._location.is_live or not duration_us:
            return
        start_us = self._container.start_time or 0
        streams = self._container.streams
        ends_s = (end * (streams[index].time_base or 0) for index, end in self._ends.items())
        end_us = max((int(end_s * 1_000_000) for end_s in ends_s), default=start_us) - start_us
        if duration_us - end_us > TRUNCATION_SLACK_US:
            raise SourceTruncated(
                f"{self._location.label} is cut short after {end_us / 1e6:.1f} of "
                f"{duration_us / 1e6:.1f} s: what came before was screened",
                duration_us - end_us,
            )
