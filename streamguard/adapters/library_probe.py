"""Asks the libraries that streamguard stands on what they can really do here.

Rule: a capability is tried, not looked up: a codec has to decode a picture, a protocol to reach for
a host. Nothing leaves this machine.
"""

import shutil
import socket
from base64 import b64decode
from pathlib import Path

import apsw
import av

from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.check import Check, fail, ok, warn
from streamguard.core.errors import StreamguardError
from streamguard.core.types import Codec, Packet
from streamguard.kernels.compiled import kernels

OLDEST_SQLITE = (3, 51, 3)
"""Older ones may lose commits when two connections write (the WAL-reset bug of 3.7.0 to 3.51.2).
Source: https://sqlite.org/wal.html#walresetbug"""

PROTOCOLS = {"rtmp": "RTMP", "rtmps": "RTMP over TLS", "http": "HTTP and HLS", "https": "HTTPS"}
"""FFmpeg's protocols that a live stream may need, and what it needs them for."""

DEMUXERS = {"flv": "RTMP", "mpegts": "MPEG-TS", "hls": "HLS", "rtsp": "RTSP", "mov": "MP4 files"}
"""FFmpeg's demuxers, likewise."""

INDISPENSABLE = frozenset({"h264", "rtmp", "http", "flv", "mpegts"})
"""Without these most livestreams cannot be screened at all."""

SRT_PROGRAM = "srt-live-transmit"

KEYFRAMES = {
    "h264": "AAAAAWdCwAraEJoQAAADABAAAAMDIPEiagAAAAFozg/IAAAAAWWIhDonJycnXWKAAIoF9dddddd99eA=",
    "hevc": (
        "AAAAAUABDAH//wFgAAADAJAAAAMAAAMAHpWUCQAAAAFCAQEBYAAAAwCQAAADAAADAB6gIIEFllZUpMLmgIAAAAMAgAAA"
        "DIQAAAABRAHAc8CJAAAAASgBrHaYp7K9VXn8a7piSSJwO6PA"
    ),
    "av1": "EgAKCgAAAAKv/41fMAgyKRAAugIIIEEBAAAI2yvVSsRGS5dFW2B1qB3qliyM4Og57/ljgIKhpNq5",
    "vp9": "gkmDQgAD8AP2ADgkHBhKAAAwYAAAdagn///tHcReGNP8lZe7xAA=",
    "vp8": "8AIAnQEqQABAAABHCIWFiIWEiAICAAZz54mUmhkIpOag/v7hmAA=",
    "mpeg4": (
        "AAABsAEAAAG1iRMAAAEAAAABIADEjYgAzQIECBRDAAABskxhdmM2Mi4yOC4xMDIAAAGzABAHAAABthBgUbbfxtt/G238"
        "bbfvAACgkbbfxgyG38bbfxgt238bbfxtt/G238bbfgAA4JG238bbfxtt/G237w=="
    ),
    "mpeg2video": (
        "AAABswQAQBP//+AYAAABtRSKAAEAAAAAAbgACABAAAABAAAP//gAAAG1j//zQYAAAAEBE5SlIi5SlIi5SlIi5SlIiAAA"
        "AQITlKUiL+kUpSIuUpSIv5vSlIiAAAABAxOUpSIv6RSlIi5SlIi/m9KUiIAAAAEEE5SlIi5SlIi5SlIi5SlIiA=="
    ),
}
"""A keyframe of each codec, base64: 64 x 64, grey with a lighter square."""

SIDE = 64
TRY_S = 2.0
"""How long a protocol may take to be refused on loopback, seconds."""


def sqlite() -> Check:
    """Say which SQLite apsw carries."""
    version = apsw.sqlite_lib_version()
    oldest = ".".join(map(str, OLDEST_SQLITE))
    what = f"SQLite {version}, apsw {apsw.apsw_version()}"
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_SQLITE:
        return fail("sqlite", what, f"install apsw {oldest} or later: this one may lose commits")
    return ok("sqlite", what)


def protocols() -> Check:
    """Say which ways for a stream to come in this PyAV knows."""
    with socket.socket() as deaf:  # bound, not listening: whoever connects is refused at once
        deaf.bind(("127.0.0.1", 0))
        port = int(deaf.getsockname()[1])
        found = {name for name in PROTOCOLS if reaches_out(name, port)}
    found |= {name for name in DEMUXERS if name in av.formats_available}
    return _judged("protocols", [*PROTOCOLS, *DEMUXERS], found)


def reaches_out(protocol: str, port: int) -> bool:
    """Say whether FFmpeg knows a protocol; `port` of loopback refuses whoever comes."""
    try:
        av.open(f"{protocol}://127.0.0.1:{port}/", timeout=TRY_S).close()
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        return True
    return True


def codecs() -> Check:
    """Say which codecs can be decoded, by decoding a keyframe of each as `run` does."""
    return _judged("codecs", list(KEYFRAMES), {name for name in KEYFRAMES if decodes(name)})


def decodes(name: str) -> bool:
    """Decode the keyframe of a codec."""
    codec = Codec(name, b"", SIDE, SIDE)
    packet = Packet(0, 0, 0, is_keyframe=True, read_at_s=0.0, payload=b64decode(KEYFRAMES[name]))
    try:
        frame = PyavDecoder(SystemClock()).keyframe(codec, packet)
    except (StreamguardError, av.FFmpegError, ValueError):
        return False
    return frame.luma.shape == (SIDE, SIDE)


def _judged(name: str, wanted: list[str], found: set[str]) -> Check:
    what = f"{' '.join(one for one in wanted if one in found)} (PyAV {av.__version__}"
    what += f", FFmpeg {av.ffmpeg_version_info})"
    missing = [one for one in wanted if one not in found]
    if not missing:
        return ok(name, what)
    text = f"without {' '.join(missing)}: {what}"
    remedy = "install PyAV from PyPI, whose wheels carry them"
    return (fail if INDISPENSABLE & set(missing) else warn)(name, text, remedy)


def srt() -> Check:
    """Say whether srt:// sources can be read."""
    found = shutil.which(SRT_PROGRAM)
    if found is None:
        return warn(
            "srt",
            f"no {SRT_PROGRAM} on PATH",
            "install Debian's srt-tools, if you have srt:// sources; nothing else needs it",
        )
    return ok("srt", str(Path(found)))


def compiled() -> Check:
    """Say whether the compiled kernels are in use, and by which instructions."""
    if kernels is None:
        return warn(
            "kernels",
            "not compiled: numpy and Pillow do the same, more slowly",
            "install gcc and Python's headers (Debian: gcc libc6-dev python3-dev), then "
            "streamguard anew",
        )
    return ok("kernels", f"compiled, {kernels.instructions()}")
