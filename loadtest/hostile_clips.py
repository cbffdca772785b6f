"""Small whole clips of every kind that comes in, from which hostile ones are made.

Rule: the same bytes on every run with the same libraries; nothing is read from disk.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, get_args

import av
import numpy as np

from loadtest.rtmp_wire import messages_of_flv
from loadtest.rtsp_wire import ANSWER, RTP_BYTES, RtpPackets, description

Kind = Literal["ts", "flv", "mp4", "hls", "rtmp", "rtsp"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SIZES = ((160, 120), (192, 108), (64, 64))
N_FRAMES, GOP, FPS = 16, 4, 25

LIST, MASTER, INIT = "list.m3u8", "master.m3u8", "init.mp4"
PACKETS, SDP, HEAD = "live", "sdp", "head"
_OPTIONS = {
    "fragments": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    "rtp": {"packetsize": str(RTP_BYTES)},
}


@dataclass(frozen=True, slots=True)
class Case:
    """What one source sends: one file, or the pages of a broadcast by HLS, by name.

    first: the page that is opened; by RTSP the packets, beside the description of the stream and
        the head of all answers.
    """

    kind: Kind
    first: str
    pages: Mapping[str, bytes]


def whole_case(kind: Kind, variant: int) -> Case:
    """Give an undamaged source; `variant` counts through sizes, codecs and forms."""
    match kind:
        case "ts":
            return Case(kind, "clip.ts", {"clip.ts": _changing("mpegts", variant)})
        case "flv":
            return Case(kind, "clip.flv", {"clip.flv": clip("flv", variant)})
        case "mp4":
            form = "mp4" if variant % 2 else "fragments"
            return Case(kind, "clip.mp4", {"clip.mp4": clip(form, variant)})
        case "hls":
            return _broadcast(variant)
        case "rtmp":
            return Case(kind, "live", {"live": messages_of_flv(clip("flv", variant))})
        case "rtsp":
            packets = clip("rtp", variant)
            sdp = description(packets, is_hevc=_is_hevc("rtp", variant))
            return Case(kind, PACKETS, {PACKETS: packets, SDP: sdp, HEAD: ANSWER})


@lru_cache(maxsize=64)
def clip(container: str, variant: int) -> bytes:
    """Encode a moving pattern: H.264, H.265 in a sixth of those that hold it, with B-frames."""
    made = RtpPackets() if container == "rtp" else io.BytesIO()
    is_hevc = _is_hevc(container, variant)
    options = _OPTIONS.get(container, {})
    name = "mp4" if container == "fragments" else container
    width, height = SIZES[variant % len(SIZES)]
    with av.open(made, "w", format=name, options={"fflags": "+bitexact"} | options) as muxer:
        stream = muxer.add_stream("libx265" if is_hevc else "libx264", FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = GOP
        stream.codec_context.time_base = Fraction(1, FPS)
        codec_options = (
            {"x265-params": "log-level=none:pools=none:frame-threads=1"}
            if is_hevc
            else {"x264-params": f"scenecut=0:threads=1:bframes={variant % 3}"}
        )
        stream.options = {"preset": "ultrafast", "crf": "36", **codec_options}
        rows, columns = np.mgrid[:height, :width]
        for at in range(N_FRAMES):
            wave = 128 + 100 * np.sin((rows + columns * (1 + variant % 4) + 8 * at) / 9)
            frame = av.VideoFrame.from_ndarray(wave.astype(np.uint8), format="gray")
            frame.pts, frame.time_base = at, Fraction(1, FPS)
            muxer.mux(stream.encode(frame.reformat(format="yuv420p")))
        muxer.mux(stream.encode(None))
    return made.getvalue()


def _is_hevc(container: str, variant: int) -> bool:
    return variant % 6 == 5 and container != "flv"


def _changing(container: str, variant: int) -> bytes:
    """Give one clip, and in every third variant another size behind it."""
    found = clip(container, variant)
    return found + clip(container, variant + 1) if variant % 3 == 0 else found


def _broadcast(variant: int) -> Case:
    """Make a broadcast of two segments: MPEG-TS, or fragments with an init section."""
    pages: dict[str, bytes] = {}
    tags = ""
    if variant % 2:
        whole = clip("fragments", variant)
        at = whole.index(b"moof") - 4
        pages |= {INIT: whole[:at], "0.m4s": whole[at:], "1.m4s": whole[at:]}
        tags = f'#EXT-X-MAP:URI="{INIT}"\n'
        names = ("0.m4s", "1.m4s")
    else:
        pages |= {"0.ts": clip("mpegts", variant), "1.ts": clip("mpegts", variant + 1)}
        names = ("0.ts", "1.ts")
    lines = "".join(f"#EXT-X-DISCONTINUITY\n#EXTINF:0.64,\n{name}\n" for name in names)
    end = "#EXT-X-ENDLIST\n" if variant % 4 < 3 else ""  # one in four is live
    head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n"
    pages[LIST] = (head + tags + lines + end).encode()
    ladder = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=160x120\n{LIST}\n"
    pages[MASTER] = ladder.encode()
    return Case("hls", MASTER if variant % 3 else LIST, pages)
