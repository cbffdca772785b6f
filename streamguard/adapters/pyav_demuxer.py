"""Demuxes one container: all of it, or only the keyframes of a file whose index tells the rest.

Rule: what is passed over is counted, and nobody has to believe the index about the end: the last
two GOPs, and all from where anything is not as the index says, are read whole.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, takewhile
from typing import cast

import av
from av.packet import Packet as AvPacket
from av.stream import Stream

from streamguard.adapters.pyav_index import Keyframe
from streamguard.adapters.pyav_open import Opened

AHEAD_BYTES = 1 << 20
"""Keyframes that are read ahead: seven of 1080p, which stay in the caches of a core."""


class Demuxer:
    """Reads one container in the order of the file; one thread."""

    def __init__(self, opened: Opened, may_pass_over: Callable[[], bool]) -> None:
        """may_pass_over: asked after each keyframe whether the packets up to the next matter."""
        self._opened = opened
        self._may_pass_over = may_pass_over
        self._is_sparse = not opened.is_live
        self._given: int | None = None  # decode time of the last keyframe before all is read, ticks
        self._is_refused = False
        self.n_passed_over = 0
        """Packets that were not read, before the one that was given last."""

    def packets(self) -> "Iterator[AvPacket[Stream]]":
        """Yield the packets; where it raised, it may be called again, and goes on after the damage.

        Raises:
            av.FFmpegError: a packet is damaged, or the stream broke off.
        """
        if self._is_sparse and self._may_pass_over():
            yield from self._keyframes()
        self._is_sparse = False
        with suppress(IndexError):  # at the end PyAV trips over streams that appeared on the way
            for packet in self._opened.container.demux():
                if not self._was_given(packet):
                    yield packet

    def refuse(self) -> bool:
        """Give the last packet back where others were passed over before it; say whether it was.

        It comes again, after those.
        """
        self._is_refused = self._is_sparse and self.n_passed_over > 0
        return self._is_refused

    def _keyframes(self) -> "Iterator[AvPacket[Stream]]":
        """Yield keyframes, as long as they are what the index says and nobody wants more.

        Each is sought: told to discard what lies between, FFmpeg's MP4 demuxer takes presentation
        times from the wrong packets (seen in FFmpeg 8.0).
        """
        keyframes = self._opened.keyframes
        back_to = keyframes[0] if keyframes else None
        with suppress(av.error.InvalidDataError):  # it is met again, reading all
            for keyframe, packet in self._read_ahead(keyframes):
                if packet is None or packet.dts != keyframe.ticks or not packet.is_keyframe:
                    break
                self.n_passed_over = keyframe.n_before
                yield packet
                if self._is_refused:
                    break
                self._given, back_to = keyframe.ticks, keyframe
                if not self._may_pass_over():
                    break
        self.n_passed_over = 0
        if back_to is not None:
            self._opened.container.seek(back_to.within, stream=self._opened.video)

    def _read_ahead(
        self, keyframes: Sequence[Keyframe]
    ) -> "Iterator[tuple[Keyframe, AvPacket[Stream] | None]]":
        """Seek several keyframes in a row: between two pictures to decode it takes thrice as long.

        Raises:
            av.FFmpegError: one is damaged; those read before it come again, reading all.
        """
        while keyframes:
            n_bytes = accumulate(keyframe.size for keyframe in keyframes)
            n_ahead = max(1, sum(1 for _ in takewhile(lambda size: size <= AHEAD_BYTES, n_bytes)))
            ahead, keyframes = keyframes[:n_ahead], keyframes[n_ahead:]
            yield from [(keyframe, self._sought(keyframe.within)) for keyframe in ahead]

    def _sought(self, ticks: int) -> "AvPacket[Stream] | None":
        video = self._opened.video
        self._opened.container.seek(ticks, stream=video)
        packet = next(self._opened.container.demux(video), None)
        return cast("AvPacket[Stream] | None", packet)

    def _was_given(self, packet: "AvPacket[Stream]") -> bool:
        is_before = self._given is not None and packet.dts is not None and packet.dts <= self._given
        return is_before and packet.stream_index == self._opened.video.index
