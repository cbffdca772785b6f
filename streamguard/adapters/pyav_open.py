"""Opens one stream or file with PyAV, by the options that its protocol needs.

Rule: every open carries a protocol and a format whitelist, so that what a stranger sends can make
the demuxer read nothing else: no playlist, no local file, no other host. Errors never show the URL.
"""

import errno
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from streamguard.adapters.hls_reader import HlsReader
from streamguard.adapters.pyav_decoder import MAX_PIXELS
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.srt_child import SrtChild
from streamguard.core.errors import (
    ConfigError,
    SourceInvalid,
    SourceUnavailable,
    StreamguardError,
)
from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.timeline import FLV_WRAP_TICKS, MPEGTS_WRAP_TICKS

FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,flv,live_flv,asf,ogg,mxf,"
    "h264,hevc,ivf,gif,apng,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif_pipe"
)
FLOW_FORMATS = "mpegts,flv,live_flv"

RTSP = frozenset({"rtsp", "rtsps"})

NO_PROTOCOL = "none"
"""No protocol of FFmpeg has this name: what reads for us itself lets it open nothing."""

METADATA_ERRORS = "replace"
"""A title in another encoding than UTF-8 must not keep a stream from being screened."""

RTP_WRAP_TICKS = 1 << 32
"""RTP timestamps are 32 bits (RFC 3550, 5.1), of video at 90 kHz: they wrap in 13.3 h."""

WRAP_TICKS = {
    "mpegts": MPEGTS_WRAP_TICKS,
    "flv": FLV_WRAP_TICKS,
    "live_flv": FLV_WRAP_TICKS,
    "rtsp": RTP_WRAP_TICKS,
}
"""By FFmpeg's name of the format: where its timestamps begin anew."""

_PROTOCOLS = {
    "file": "file",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "http": "http,tcp",
    "https": "https,tls,tcp",
    "rtsp": "tcp",  # without `rtsp` itself a redirect, which may lead to an inner host, is refused
    "rtsps": "tls,tcp",
}
_JPEG_START = b"\xff\xd8\xff"


class Reader(Protocol):
    """Bytes that come by another way than FFmpeg's own protocols; one thread.

    format_name: FFmpeg's name of the format that it reads now.
    problem:     why nothing more comes; None at an ordinary end.
    """

    format_name: str
    problem: StreamguardError | None

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes; none at the end of what one container can hold."""
        ...

    def go_on(self) -> bool:
        """Begin what needs a container of its own; False at the end of the stream."""
        ...

    def renew(self) -> None:
        """Take note of a video packet: only these show that a stream still sends."""
        ...

    def close(self) -> None:
        """Free what it holds; harmless when repeated."""
        ...


class Opened:
    """One opened stream: FFmpeg's container, the stream chosen in it, and what feeds it."""

    container: InputContainer
    video: VideoStream

    def __init__(
        self, location: Location, clock: Clock, timeouts: SourceTimeouts, hls_hosts: Collection[str]
    ) -> None:
        """Open it.

        Raises:
            ConfigError: there is no such file, or it may not be read.
            SourceInvalid: what is there holds no video.
            SourceUnavailable: the host refuses, says nothing, or sends no video.
        """
        self._location = location
        self._timeouts = timeouts
        self._reader: Reader | None = None
        if location.protocol == "hls":
            self._reader = HlsReader(location, clock, timeouts, hls_hosts)
        elif location.protocol == "srt":
            self._reader = SrtChild(location, clock, timeouts)
        with ExitStack() as undo:
            if self._reader:
                undo.callback(self._reader.close)
            self._open_container()
            undo.pop_all()

    @property
    def wrap_ticks(self) -> int | None:
        """Modulus of the container's timestamps; None where they do not wrap."""
        return WRAP_TICKS.get(self.container.format.name.split(",")[0])

    def renew(self) -> None:
        """Take note of a video packet."""
        if self._reader:
            self._reader.renew()

    def go_on(self) -> bool:
        """Open what follows the end of the container; False where the stream has ended.

        Raises:
            SourceUnavailable: this was no end.
        """
        if self._reader is None:
            return False
        if not self._reader.go_on():
            if self._reader.problem:
                raise self._reader.problem
            return False
        self.container.close()
        self._open_container()
        return True

    def close(self) -> None:
        """Close the container, and what feeds it."""
        self.container.close()
        if self._reader:
            self._reader.close()

    def translated(self, error: Exception, what: str) -> StreamguardError:
        """Say in our words what happened; FFmpeg's message holds the URL."""
        if self._reader and self._reader.problem:
            return self._reader.problem
        return _translated(self._location, error, what)

    def quarter_turns(self) -> int:
        """See how a phone was held: players turn a file's video, and so do those who copy it."""
        if self._location.is_live:
            return 0
        try:
            with _open(self._location, self._timeouts, None) as container:
                video = container.streams[self.video.index]
                assert isinstance(video, VideoStream)  # noqa: S101  # it is the one that was chosen
                video.codec_context.thread_count = 1
                video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
                picture = next(container.decode(video))
        except (av.FFmpegError, StopIteration):
            return 0
        return round(picture.rotation / 90) % 4

    def _open_container(self) -> None:
        where = self._location
        if not where.is_live and not Path(where.label).is_file():
            raise ConfigError(f"no such file: {where.label}")
        problem: StreamguardError | None = None
        try:
            self.container = _open(where, self._timeouts, self._reader)
        except (av.FFmpegError, OSError) as error:
            problem = self.translated(error, "cannot be opened")
        if problem:
            raise problem  # out here FFmpeg's error, which holds the URL, is not even its context
        with ExitStack() as undo:
            undo.callback(self.container.close)
            self.video = self._choose_video()
            undo.pop_all()

    def _choose_video(self) -> VideoStream:
        streams, where = self.container.streams, self._location
        chosen = next((s for s in streams.video if s.codec_context), None)  # else: codec unknown
        if chosen is None:
            if self._reader and self._reader.problem:
                raise self._reader.problem
            raise (SourceUnavailable if where.is_live else SourceInvalid)(
                f"{where.label} holds no video"
            )
        for stream in streams if where.is_live else ():
            if stream is not chosen:
                stream.discard = Discard.all
        return chosen


def _open(location: Location, timeouts: SourceTimeouts, reader: Reader | None) -> InputContainer:
    if reader:
        options = _options(location, timeouts) | {
            "protocol_whitelist": NO_PROTOCOL,
            "format_whitelist": reader.format_name,
        }
        return av.open(
            reader,
            mode="r",
            format=reader.format_name,
            options=options,
            metadata_errors=METADATA_ERRORS,
        )
    return av.open(
        location.url,
        format=None if location.is_live else _forced_format(Path(location.label)),
        options=_options(location, timeouts),
        timeout=(timeouts.open_s, timeouts.read_s),
        metadata_errors=METADATA_ERRORS,
    )


def _options(location: Location, timeouts: SourceTimeouts) -> dict[str, str]:
    protocol = location.protocol
    live_formats = "rtsp" if protocol in RTSP else FLOW_FORMATS
    options = {
        "protocol_whitelist": _PROTOCOLS.get(protocol, NO_PROTOCOL),
        "format_whitelist": live_formats if location.is_live else FILE_FORMATS,
    }
    if location.is_live:
        options |= {"analyzeduration": "500000", "probesize": "131072"}
    timeout_us = str(int(timeouts.read_s * 1e6))
    if protocol in RTSP:
        options |= {
            "rtsp_transport": "tcp",  # the default tries UDP first, and waits for it
            "timeout": timeout_us,
            "allowed_media_types": "video",
        }
    elif location.is_live:
        options["rw_timeout"] = timeout_us
    if protocol in {"http", "https"}:
        options["max_redirects"] = "0"  # they lead to other hosts, inner ones too
    if protocol in {"rtmp", "rtmps"}:
        options["rtmp_live"] = "live"  # RTMP's own `timeout` would mean listening: left alone
    return options


def _forced_format(path: Path) -> str | None:
    """Name the format of a JPEG: by its name FFmpeg takes it for one of a numbered series."""
    with path.open("rb") as file:
        return "jpeg_pipe" if file.read(len(_JPEG_START)) == _JPEG_START else None


def _translated(location: Location, error: Exception, what: str) -> StreamguardError:
    label = location.label
    if not location.is_live:
        if isinstance(error, PermissionError):  # FFmpeg's is one, too
            return ConfigError(f"{label} may not be read: check its permissions")
        return SourceInvalid(f"{label} is no video that can be screened, or is damaged")
    match error:
        case av.error.ExitError() | av.error.TimeoutError():
            why = ": it sent nothing in time"
        case av.error.InvalidDataError() if location.protocol in RTSP:
            why = ": it sent no video that can be read, or nothing in time"
        case av.error.HTTPOtherClientError() if location.protocol in RTSP:
            why = ": it has no video, or will not play it"
        case av.error.InvalidDataError():
            why = ": it sends neither MPEG-TS nor FLV video"
        case av.error.HTTPNotFoundError():
            why = ": it has no such stream; is it publishing?"
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            why = ": it wants other credentials"
        case _:
            number = getattr(error, "errno", None) or 0
            name = errno.errorcode.get(number, "protocol error")
            why = f" ({name}): is it up and publishing?"
    return SourceUnavailable(f"{label} {what}{why}")
