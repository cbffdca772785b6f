"""The values that travel the way of a frame: packet, frame, view, sample, match, decision.

Rule: values only; they are frozen, know no clock, no library and no path. All media times are int
microseconds of the stream's own unwrapped timeline (`pts_us`), comparable only within one epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 32
"""Length of a PDQ hash, bytes (256 bits). Source: ThreatExchange pdq/README."""

MATCH_DISTANCE_BITS = 31
"""Inclusive Hamming distance of a PDQ match. Source: ThreatExchange pdq/README."""

NEAR_DISTANCE_BITS = 61
"""Inclusive bound of a near miss: overlays land at 24 to 60, unrelated clips at 82 or more
(measured on real footage). One buys dense sampling; only several that agree can be a flag."""

MIN_QUALITY = 50
"""Lowest PDQ quality that may match; less is discarded. Source: ThreatExchange pdq/README."""

Region = Literal["full", "content", "inset"]
"""Which part of the picture a hash covers: all of it, what lies between its bars, or a picture
within the picture."""

Role = Literal["known", "negative"]
"""What a bank is for: content to be found, or pictures (slates, test cards) that veto a match."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound beside the video, of which evidence is kept.

    name:       FFmpeg's name of its codec: "aac", "opus", "mp3"...
    n_channels: 1 for mono, 2 for stereo; 0 where it is not known yet.
    """

    name: str
    n_channels: int


@dataclass(frozen=True, slots=True)
class Codec:
    """What a decoder must know before the first packet.

    name:          FFmpeg's name of the codec: "h264", "hevc", "mpeg4"...
    extradata:     out-of-band parameters; empty for H.264 and H.265, whose keyframes carry theirs.
    width, height: picture size in pixels as announced, 0 where it is not known yet.
    quarter_turns: turns of 90 degrees, counterclockwise, after which the picture stands upright.
    n_tracks:      tracks of video that the source has; this one, the first, is screened alone.
    sound:         None where there is none, or nobody keeps it.
    """

    name: str
    extradata: bytes
    width: int
    height: int
    quarter_turns: int = 0
    n_tracks: int = 1
    sound: Sound | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SoundPacket:
    """One encoded unit of sound.

    pts_us:  presentation time on the timeline of the video, of the same epoch.
    payload: encoded bytes, as they came.
    head:    out-of-band parameters; empty where they are in-band, as with AAC in MPEG-TS.
    """

    pts_us: int
    payload: bytes
    head: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """One encoded unit as the demuxer read it.

    epoch:       counts the unbroken timelines of one session, from 0.
    pts_us:      presentation time, unwrapped.
    dts_us:      decode time, unwrapped; never decreasing within an epoch.
    is_keyframe: decodable alone; H.264 and H.265 keyframes carry their parameter sets.
    read_at_s:   Clock.monotonic() when the demuxer handed it over, seconds.
    payload:     encoded bytes; H.264 and H.265 in Annex B form.
    n_passed_over: packets right before it that were not read, for nobody wanted them.
    is_refresh:  no keyframe, but the picture begins to be made anew here, piece by piece: what is
        decoded in order from it on is whole some frames later.
    is_blind:    decoding may begin here for want of anything better: what moves is seen soon, and
        nobody knows when the picture is whole. H.264 and H.265 carry their parameter sets here.
    sounds:      what was read of the sound since the packet before; empty where nobody keeps it.
    """

    epoch: int
    pts_us: int
    dts_us: int
    is_keyframe: bool
    read_at_s: float
    payload: bytes
    n_passed_over: int = 0
    is_refresh: bool = False
    is_blind: bool = False
    sounds: tuple[SoundPacket, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Encoded bytes, with those of the sound."""
        return len(self.payload) + sum(len(sound.payload) for sound in self.sounds)

    @property
    def is_start(self) -> bool:
        """Say whether decoding in order may begin here."""
        return self.is_keyframe or self.is_poor_start

    @property
    def is_poor_start(self) -> bool:
        """Say whether decoding in order may begin here, and gives no whole picture at once."""
        return self.is_refresh or self.is_blind


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture on its way to being hashed.

    packet:        what it was decoded from; gives its epoch and time.
    luma:          (H, W) uint8 view of the decoder's luma plane, read-only, rows may be padded.
    rgb:           makes a (H, W, 3) uint8 RGB copy; in the decoding thread, while the frame lives.
    full_range:    luma spans 0..255 (True) or 16..235 (False).
    decoded_at_s:  Clock.monotonic() when the decoder gave it out, seconds.
    is_whole:      all of it was decoded; else parts are missing or grey.
    """

    packet: Packet
    luma: NDArray[np.uint8]
    rgb: Callable[[], NDArray[np.uint8]]
    full_range: bool
    decoded_at_s: float
    is_whole: bool = True


def _no_sides(n_first: int = 0) -> tuple["View", ...]:  # noqa: ARG001  # there are none
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The hash of one region of a frame.

    pdq:       (32,) uint8, packed, most significant bit first (bit 255 of PDQ is the first).
    quality:   PDQ quality, 0..100.
    is_stable: False where so many DCT terms tie with the median that the bits are noise.
    sides:     hashes what overlays leave free of the region, see streamguard.core.sides; gives
        nothing where only the hash is left, and no more than `n_first` where that is said. It holds
        a thumbnail of 16 KB while the view lives.
    """

    region: Region
    pdq: NDArray[np.uint8]
    quality: int
    is_stable: bool
    sides: Callable[..., tuple["View", ...]] = _no_sides

    @property
    def is_matchable(self) -> bool:
        """Say whether this hash may be held against a bank at all."""
        return self.is_stable and self.quality >= MIN_QUALITY


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One screened frame, reduced to hashes; pictures stay behind in the decode pool.

    Of them a thumbnail of each view goes along until the sample is judged, see View.sides.

    read_at_s:   Clock.monotonic() when the packet was read, seconds.
    hashed_at_s: Clock.monotonic() when its views were done, seconds.
    is_whole:    as of Frame: what is found on it counts, that nothing is found does not.
    """

    epoch: int
    pts_us: int
    is_keyframe: bool
    read_at_s: float
    hashed_at_s: float
    views: tuple[View, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bank, or one entry of it, asks of a match beyond the policy.

    max_distance_bits: inclusive, 0..31.
    min_votes:         samples that must agree on an alignment, 1 or more.
    min_quality:       PDQ quality of the live frame, 50..100.
    is_shadow:         a match is logged and counted, never flagged.
    """

    max_distance_bits: int = MATCH_DISTANCE_BITS
    min_votes: int = 1
    min_quality: int = MIN_QUALITY
    is_shadow: bool = False

    @property
    def reach_bits(self) -> int:
        """Give the bound of a near miss: 61, or less in proportion to the distance allowed."""
        return self.max_distance_bits * NEAR_DISTANCE_BITS // MATCH_DISTANCE_BITS

    def and_those_of(self, other: "Limits") -> "Limits":
        """Join two sets of limits: of each the stricter one."""
        return Limits(
            max_distance_bits=min(self.max_distance_bits, other.max_distance_bits),
            min_votes=max(self.min_votes, other.min_votes),
            min_quality=max(self.min_quality, other.min_quality),
            is_shadow=self.is_shadow or other.is_shadow,
        )


NO_LIMITS = Limits()
"""What the policy alone decides."""


@dataclass(frozen=True, slots=True)
class Match:
    """One bank hash within reach of one view of a sample.

    entry, policy:  name and policy code of the bank entry.
    bank:           name of the bank.
    distance_bits:  Hamming distance, 0..256.
    offset_us:      time of the matching hash within the bank entry; 0 for still images.
    is_still:       the entry is an image: it has no timeline to align with.
    variant:        how the entry's picture was cut or turned before hashing; 0 is not at all.
    limits:         those of the bank and of the entry, joined.
    role:           that of the bank.
    """

    bank: str
    entry: str
    policy: str
    region: Region
    distance_bits: int
    offset_us: int
    is_still: bool = False
    variant: int = 0
    limits: Limits = NO_LIMITS
    role: Role = "known"


class Severity(StrEnum):
    """How fast a human must look: P0 is an attack in progress, P3 can wait for a shift."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


Detector = Literal["hash", "classifier"]
"""What judges samples: hashes against banks, or a model."""

CloseReason = Literal["ended", "idle", "epoch_ended", "stream_ended", "interrupted"]
"""Why a segment closed: `ended` by the stream's time, `idle` by the clock, `interrupted` by our own
stop."""

MAX_SIGNALS = 8
"""Bank entries that one segment and its flag name: the strongest ones."""


class GapReason(StrEnum):
    """Why a stretch of media was not screened."""

    SOURCE_UNAVAILABLE = "source_unavailable"
    SOURCE_CORRUPT = "source_corrupt"
    NO_KEYFRAME = "no_keyframe"
    LONG_GOP = "long_gop"
    DECODE_ERROR = "decode_error"
    OVERLOAD = "overload"
    LOW_QUALITY = "low_quality"
    MODEL_ERROR = "model_error"
    TRUNCATED = "truncated"
    INTERRUPTED = "interrupted"
    QUARANTINED = "quarantined"
