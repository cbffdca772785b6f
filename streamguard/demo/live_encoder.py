"""Pictures in, a live stream out, packet by packet: MPEG-TS to send, or FLV to an RTMP server.

Rule: what one call gives out is whole; each packet's bytes can be sent, or left out, on their own.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from streamguard.demo.programme import BIT_RATE, HEIGHT, WIDTH
from streamguard.demo.scenes import FPS, Picture

_GOP_FRAMES = 2 * FPS
"""Most frames from keyframe to keyframe."""

_FIRST_PTS = FPS
"""PTS of the first frame, frames: one second, so that no DTS is negative and nothing is shifted."""

_CONNECT_S, _SEND_S = 5.0, 5.0
"""How long a server may take to let us publish, and to take a packet, seconds."""


class LiveEncoder:
    """H.264 with B-frames; keyframes where asked for, and every 2 s."""

    def __init__(self, publish_to: str | None = None) -> None:
        """publish_to: the RTMP URL to publish at; without one the bytes are given out.

        Raises:
            OSError: the server does not answer, or does not let us publish.
        """
        self._tap = _Tap()
        options = {"flush_packets": "1"}
        if publish_to is None:
            self._container = av.open(self._tap, "w", format="mpegts", options=options)
        else:
            options["protocol_whitelist"] = "rtmp,tcp"
            self._container = av.open(
                publish_to, "w", format="flv", options=options, timeout=(_CONNECT_S, _SEND_S)
            )
        self._stream = self._container.add_stream("libx264", rate=FPS)
        self._stream.width, self._stream.height = WIDTH, HEIGHT
        self._stream.pix_fmt = "yuv420p"
        self._stream.gop_size = _GOP_FRAMES
        self._stream.max_b_frames = 2
        self._stream.options = {
            "preset": "veryfast",
            "sc_threshold": "0",  # keyframes come where the programme wants them
            "maxrate": str(BIT_RATE),  # only with a rate buffer does x264 heed a new bit rate
            "bufsize": str(BIT_RATE),
        }
        context = self._stream.codec_context
        context.thread_count = 1
        context.time_base = Fraction(1, FPS)

    def encode(
        self, picture: Picture, index: int, *, bit_rate: int, is_keyframe: bool
    ) -> Iterator[tuple[bytes, int | None]]:
        """Encode frame `index`, counted from 0, at a bit rate that may change at any time.

        Yields:
            What to send, a packet at a time, and the frame's index where it is a keyframe. They
            come some frames after their pictures: the encoder looks ahead.
        """
        frame = picture.to_video_frame()
        frame.pts, frame.time_base = _FIRST_PTS + index, Fraction(1, FPS)
        frame.pict_type = PictureType.I if is_keyframe else PictureType.NONE
        self._stream.codec_context.bit_rate = bit_rate
        yield from self._mux(self._stream.encode(frame))

    def drain(self) -> Iterator[tuple[bytes, int | None]]:
        """Give out what the encoder still holds; nothing can be encoded after."""
        yield from self._mux(self._stream.encode(None))

    def close(self) -> None:
        """Release encoder and muxer."""
        self._container.close()

    def _mux(self, packets: "list[Packet[VideoStream]]") -> Iterator[tuple[bytes, int | None]]:
        for packet in packets:
            at_s = (packet.pts or 0) * packet.time_base  # muxing rewrites both
            keyframe = round(at_s * FPS) - _FIRST_PTS if packet.is_keyframe else None
            self._container.mux(packet)
            yield self._tap.take(), keyframe


def pts_ms(index: int) -> int:
    """Say when frame `index` is presented, as readers of the stream see it, ms rounded down."""
    return (_FIRST_PTS + index) * 1000 // FPS


class _Tap:
    """A file that the muxer writes to and that is emptied after each packet."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, chunk: bytes) -> int:
        """Take bytes from the muxer."""
        self._written += chunk
        return len(chunk)

    def take(self) -> bytes:
        """Hand over what was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
