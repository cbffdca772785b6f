"""How much of what a stranger sends is taken, before he is refused.

Rule: every way for a stream to come in keeps to the same bounds, and who exceeds one is told which.
"""

from dataclasses import dataclass

MAX_PIXELS = 8192 * 4320
"""8K: the largest picture of H.264 and H.265 levels 6.2. One in 4:2:0 takes 53 MB."""

MAX_SIDE = 16_384
"""Pixels of the longer side; H.264 level 6.2 allows 16,880 (ITU-T H.264, A.3.1). To look at a new
size takes 0.1 s at this bound and 2.6 s at 16 x 65312 (measured), whatever its pixels."""

MAX_STREAMS = 64
"""A broadcast has a picture and some sound; whole multiplexes of television stay below."""

MAX_PACKET_BYTES = 16 << 20
"""What an FLV tag can hold; a keyframe of 8K at 200 Mbit/s is a tenth of it."""

PROBE_BYTES = 65_536
PROBE_S = 0.5
"""An eighth of a second at 4 Mbit/s, and half a second. FFmpeg reads so many bytes of MPEG-TS in
any case, and what is read there is screened late. Of tables that come every 0.1 s it finds some in
each of 24 tries; of those that come every 0.5 s in a third, and in twice as many bytes in two."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one live source; files, which an operator chose, have only that of pixels.

    max_pixels:       of one picture.
    max_streams:      of one container, picture and sound and all else.
    max_packet_bytes: of one packet.
    probe_bytes:      read to find out what is in a stream.
    probe_s:          media time that may be looked at for it, seconds; of RTMP, and where sound
        came without its picture, as long as opening may take.
    """

    max_pixels: int = MAX_PIXELS
    max_streams: int = MAX_STREAMS
    max_packet_bytes: int = MAX_PACKET_BYTES
    probe_bytes: int = PROBE_BYTES
    probe_s: float = PROBE_S
