"""Opens one stream or file with PyAV, and what feeds it where FFmpeg does not read itself.

Rule: what fails to open leaves nothing behind, and FFmpeg's errors go no further.
"""

from collections.abc import Collection
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamguard.adapters.picture_size import size_of
from streamguard.adapters.pyav_errors import translated
from streamguard.adapters.pyav_index import Keyframe, keyframes_of
from streamguard.adapters.pyav_options import (
    FLV_FORMATS,
    METADATA_ERRORS,
    file_options,
    forced_format,
    options,
    wrap_ticks,
)
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.adapters.srt_child import SrtChild
from streamguard.core.errors import ConfigError, SourceInvalid, SourceUnavailable, StreamguardError
from streamguard.core.limits import MAX_SIDE
from streamguard.core.location import Location
from streamguard.core.ports import Clock


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
    sound: AudioStream | None

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
        self._clock = clock
        self._timeouts = timeouts
        self._reader: Reader | None = None
        self._hears = False
        if location.protocol == "hls":
            from streamguard.adapters.hls_reader import HlsReader  # noqa: PLC0415  # its HTTP client takes long to import

            self._reader = HlsReader(location, clock, timeouts, hls_hosts)
        elif location.protocol == "srt":
            self._reader = SrtChild(location, clock, timeouts)
        with ExitStack() as undo:
            if self._reader:
                undo.callback(self._reader.close)
            self._open_container()
            undo.pop_all()

    @property
    def is_live(self) -> bool:
        """Say whether it is no file."""
        return self._location.is_live

    @cached_property
    def keyframes(self) -> list[Keyframe]:
        """List the keyframes of a file, but for the last, where its index can be trusted."""
        return [] if self._location.is_live else keyframes_of(self.video)

    @property
    def wrap_ticks(self) -> int | None:
        """Modulus of the container's timestamps; None where they do not wrap."""
        return wrap_ticks(self.container.format.name)

    @property
    def codec_name(self) -> str:
        """FFmpeg's name of the video's codec."""
        return self.video.codec_context.codec.canonical_name

    @property
    def n_tracks(self) -> int:
        """Count the tracks of video that can be played; a cover is none."""
        return sum(
            stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
            for stream in self.container.streams.video
        )

    def hear(self) -> None:
        """Read the sound, too, from now on."""
        self._hears = True
        if self.sound:
            self.sound.discard = Discard.default

    def renew(self) -> None:
        """Take note of a video packet."""
        if self._reader:
            self._reader.renew()

    def go_on(self) -> bool:
        """Open what follows the end of the container; False where the stream has ended.

        Raises:
            SourceUnavailable: this was no end, or it goes on in another codec.
        """
        if self._reader is None:
            return False
        codec_name = self.codec_name
        if not self._open_next(self._reader):
            return False
        if self.codec_name != codec_name:
            raise SourceUnavailable(f"{self._location.label} changed its codec: it begins anew")
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
        return translated(self._location, error, what)

    def quarter_turns(self) -> int:
        """See how a phone was held: players turn a file's video, and so do those who copy it."""
        if self._location.is_live:
            return 0
        try:
            if self.keyframes:  # what is read here can be read again
                smallest = min(self.keyframes, key=lambda keyframe: keyframe.size)
                try:
                    self.container.seek(smallest.within, stream=self.video)
                    picture = self._first_picture(self.container)
                finally:
                    self.container.seek(self.keyframes[0].within, stream=self.video)
            else:
                given = options(self._location, self._timeouts)
                with _open(self._location, given, self._timeouts, None) as container:
                    picture = self._first_picture(container)
        except (av.FFmpegError, StopIteration):
            return 0
        return round(picture.rotation / 90) % 4

    def _first_picture(self, container: InputContainer) -> VideoFrame:
        """Decode the next keyframe alone: else FFmpeg decodes four more, to know the order.

        Raises:
            StopIteration: there is none.
        """
        video = container.streams[self.video.index]
        assert isinstance(video, VideoStream)  # noqa: S101  # it is the one that was chosen
        context = video.codec_context
        context.thread_count = 1
        max_pixels = str(self._timeouts.limits.max_pixels)
        context.options = {"max_pixels": max_pixels, "skip_loop_filter": "all"}
        packet = next(packet for packet in container.demux(video) if packet.is_keyframe)
        return next(picture for unit in (packet, None) for picture in context.decode(unit))

    def _open_next(self, reader: Reader) -> bool:
        """Open the next piece that is whole; False at the end."""
        while reader.go_on():
            self.container.close()
            with suppress(SourceUnavailable):
                self._open_container()
                return True
        if reader.problem:
            raise reader.problem
        return False

    def _open_container(self) -> None:
        where = self._location
        if not where.is_live and not Path(where.label).is_file():
            raise ConfigError(f"no such file: {where.label}")
        self._try_container(options(where, self._timeouts))
        if where.is_live and not self._reader and _has_only_begun(self.container):
            self.container.close()
            self._try_container(options(where, self._timeouts, is_patient=True))
        with ExitStack() as undo:
            undo.callback(self.container.close)
            self.video = self._choose_video()
            undo.pop_all()

    def _try_container(self, given: dict[str, str]) -> None:
        where = self._location
        problem: StreamguardError | None = None
        try:
            self.container = _open(where, given, self._timeouts, self._reader)
        except av.error.HTTPTooManyRequestsError:
            from streamguard.adapters.http_patience import wanted_pause_s  # noqa: PLC0415  # as above

            pause_s = wanted_pause_s(where, self._clock, self._timeouts)
            problem = SourceUnavailable(f"{where.label} is asked too often", pause_s)
        except (av.FFmpegError, OSError) as error:
            problem = self.translated(error, "cannot be opened")
        if problem:
            raise problem  # out here FFmpeg's error, which holds the URL, is not even its context

    def _choose_video(self) -> VideoStream:
        streams, where = self.container.streams, self._location
        chosen = next((s for s in streams.video if s.codec_context), None)  # else: codec unknown
        if chosen is None:
            if self._reader and self._reader.problem:
                raise self._reader.problem
            raise (SourceUnavailable if where.is_live else SourceInvalid)(
                f"{where.label} holds no video"
            )
        self._check_limits(chosen)
        self.sound = next((s for s in streams.audio if s.codec_context), None)
        wanted = (chosen, self.sound) if self._hears else (chosen,)
        for stream in streams if where.is_live else ():
            if stream not in wanted:
                stream.discard = Discard.all
        return chosen

    def _check_limits(self, chosen: VideoStream) -> None:
        """Refuse what is too much, and say by which setting."""
        where, limits = self._location, self._timeouts.limits
        width, height = size_of(chosen.codec_context)
        size = f"pictures of {width}x{height}"
        if width * height > limits.max_pixels:
            problem = f"{size}: more than limits.max_pixels"
        elif max(width, height) > MAX_SIDE:
            problem = f"{size}: a longer side than {MAX_SIDE}, the most that streamguard"
        elif where.is_live and len(self.container.streams) > limits.max_streams:
            problem = "more streams in one than limits.max_streams"
        else:
            return
        refusal = SourceUnavailable if where.is_live else SourceInvalid
        raise refusal(f"{where.label} holds {problem} allows: refused")


def _has_only_begun(container: InputContainer) -> bool:
    """Say whether more must come: tables of MPEG-TS, or after the sound of FLV its picture.

    Servers send who joins sound at once, and the picture from its next keyframe on.
    """
    is_flv, streams = container.format.name in FLV_FORMATS, container.streams
    is_partial = is_flv or not all(stream.codec_context for stream in streams)
    return is_partial and len(streams) > 0 and not any(s.codec_context for s in streams.video)


def _open(
    location: Location, given: dict[str, str], timeouts: SourceTimeouts, reader: Reader | None
) -> InputContainer:
    if reader:
        name = reader.format_name
        given |= {"format_whitelist": name}
        return av.open(
            reader, mode="r", format=name, options=given, metadata_errors=METADATA_ERRORS
        )
    path = None if location.is_live else Path(location.label)
    return av.open(
        location.url,
        format=forced_format(path) if path else None,
        options=given | (file_options(path) if path else {}),
        timeout=(timeouts.open_s, timeouts.read_s),
        metadata_errors=METADATA_ERRORS,
    )
