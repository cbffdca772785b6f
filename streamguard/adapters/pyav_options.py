"""Says what FFmpeg may do with a source: which protocols and formats, how long, how much.

Rule: every open carries a protocol and a format whitelist, so that what a stranger sends can make
the demuxer read nothing else: no playlist, no local file, no other host.
"""

from pathlib import Path

from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.location import Location
from streamguard.core.timeline import FLV_WRAP_TICKS, MPEGTS_WRAP_TICKS

FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,flv,live_flv,asf,ogg,mxf,"
    "h264,hevc,ivf,gif,apng,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,gif_pipe"
)
FLV_FORMATS = ("flv", "live_flv")
FLOW_FORMATS = ",".join(("mpegts", *FLV_FORMATS))

RTSP = frozenset({"rtsp", "rtsps"})

RTMP = frozenset({"rtmp", "rtmps"})

RTMP_PROBE_BYTES = 32_768
"""FLV has no list of its streams: FFmpeg takes what came within so much for all. A picture alone is
there with its first keyframe then; sound that comes before it fills this in 2 s at 128 kbit/s."""

PATIENT = 8
"""So many times probe_bytes is looked at where sound came, and no picture: 26 s of 320 kbit/s."""

NO_PROTOCOL = "none"
"""No protocol of FFmpeg has this name: what reads for us itself lets it open nothing."""

NO_CODEC = "none"
"""No decoder of FFmpeg has this name: opening a stream decodes nothing. FFmpeg would decode its
first pictures to learn their pixel format, and bounds on those reach no stream that FLV and RTMP
bring up late. Parsers tell the size as soon, with a tenth of the CPU (measured, 1080p)."""

METADATA_ERRORS = "replace"
"""A title in another encoding than UTF-8 must not keep a stream from being screened."""

RTP_WRAP_TICKS = 1 << 32
"""RTP timestamps are 32 bits (RFC 3550, 5.1), of video at 90 kHz: they wrap in 13.3 h."""

_WRAP_TICKS = {
    "mpegts": MPEGTS_WRAP_TICKS,
    "flv": FLV_WRAP_TICKS,
    "live_flv": FLV_WRAP_TICKS,
    "rtsp": RTP_WRAP_TICKS,
}
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


def options(
    location: Location, timeouts: SourceTimeouts, *, is_patient: bool = False
) -> dict[str, str]:
    """Give the options with which FFmpeg opens a source.

    is_patient: its sound came first, and its picture did not within what is usually looked at.
    """
    protocol = location.protocol
    live_formats = "rtsp" if protocol in RTSP else FLOW_FORMATS
    chosen = {
        "protocol_whitelist": _PROTOCOLS.get(protocol, NO_PROTOCOL),
        "format_whitelist": live_formats if location.is_live else FILE_FORMATS,
    }
    limits = timeouts.limits
    chosen["max_pixels"] = str(limits.max_pixels)  # of the pictures that are decoded when it opens
    if location.is_live and protocol not in RTSP:  # RTP has no decode times: pictures tell them
        chosen["codec_whitelist"] = NO_CODEC
    if location.is_live:
        waits = is_patient or protocol in RTMP
        probe_bytes = limits.probe_bytes * PATIENT if is_patient else limits.probe_bytes
        chosen |= {
            "analyzeduration": str(int((timeouts.open_s if waits else limits.probe_s) * 1e6)),
            "probesize": str(probe_bytes),
            "max_streams": str(limits.max_streams + 1),  # one more, so that it is seen
            "fpsprobesize": "0",  # it would wait for 20 frames, to guess at their rate
        }
    timeout_us = str(int(timeouts.read_s * 1e6))
    if protocol in RTSP:
        chosen |= {
            "rtsp_transport": "tcp",  # the default tries UDP first, and waits for it
            "timeout": timeout_us,
            "allowed_media_types": "video",
        }
    elif location.is_live:
        chosen["rw_timeout"] = timeout_us
    if protocol in {"http", "https"}:
        chosen["max_redirects"] = "0"  # they lead to other hosts, inner ones too
    if protocol in RTMP:
        chosen["rtmp_live"] = "live"  # RTMP's own `timeout` would mean listening: left alone
        chosen["tcp_nodelay"] = "1"  # else three of its questions wait 44 ms each (measured)
        if not is_patient:
            chosen["probesize"] = str(min(RTMP_PROBE_BYTES, limits.probe_bytes))
    if location.rtmp_name:  # of a URL FFmpeg would cut `.flv`, and take `a/b` for an application
        chosen["rtmp_app"], chosen["rtmp_playpath"] = location.rtmp_name
    return chosen


_MP4_START = b"ftyp"  # after four bytes of length. Source: ISO/IEC 14496-12, 4.3


def forced_format(path: Path) -> str | None:
    """Name the format of a JPEG: by its name FFmpeg takes it for one of a numbered series."""
    with path.open("rb") as file:
        return "jpeg_pipe" if file.read(len(_JPEG_START)) == _JPEG_START else None


def file_options(path: Path) -> dict[str, str]:
    """Keep FFmpeg from decoding an MP4's first pictures, 17 ms for 1080p, when it opens it.

    All that it would learn is their pixel format: sizes and times stand in the file's index. What
    other formats leave out is reckoned from pictures. PyAV hands these options to the decoders of
    all streams; options for each stream it refuses where a damaged file turns out to have none.
    """
    with path.open("rb") as file:
        is_mp4 = file.read(8)[4:] == _MP4_START
    return {"skip_frame": "all"} if is_mp4 else {}


def wrap_ticks(format_name: str) -> int | None:
    """Give the modulus of a format's timestamps; None where they do not wrap."""
    return _WRAP_TICKS.get(format_name.split(",", maxsplit=1)[0])
