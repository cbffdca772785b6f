"""Builders of the values that the core is fed with.

Rule: hashes are made so that their distances are known. `picture(n)` of different n are unrelated
(about 128 bits apart), `flipped` lies exactly so many bits away.
"""

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from streamguard.core.bank_editor import edit_bank, empty_bank
from streamguard.core.bank_values import BankSettings, Entry
from streamguard.core.banks import Banks
from streamguard.core.decision import Aligned, Decision, Finding
from streamguard.core.flags import SessionContext
from streamguard.core.model import InputSpec, ModelSpec, Scores
from streamguard.core.types import Limits, Match, Packet, Region, Sample, Severity, View

Pdq = NDArray[np.uint8]

SOURCE = "/streamguard/test"
WALL_AT_START_S = 1_700_000_000.0


def picture(number: int) -> Pdq:
    """Give the hash of a picture like no other number's."""
    return np.random.default_rng(number).integers(0, 256, 32, dtype=np.uint8)


def flipped(pdq: Pdq, n_bits: int) -> Pdq:
    """Give a hash that differs in so many bits."""
    mask = np.zeros(256, np.uint8)
    mask[:n_bits] = 1
    return pdq ^ np.packbits(mask)


def packet(pts_us: int, *, epoch: int = 0, is_keyframe: bool = False) -> Packet:
    """Give a packet that was read when it was presented."""
    return Packet(epoch, pts_us, pts_us, is_keyframe, pts_us / 1e6, b"")


def view(pdq: Pdq, *, quality: int = 100, is_stable: bool = True, region: Region = "full") -> View:
    """Give the hash of one region."""
    return View(region, pdq, quality, is_stable)


def sample(
    pts_us: int, *views: View | Pdq, epoch: int = 0, read_at_s: float | None = None
) -> Sample:
    """Give a keyframe's sample; a bare hash stands for the full view of a good picture."""
    made = tuple(each if isinstance(each, View) else view(each) for each in views)
    at_s = pts_us / 1e6 if read_at_s is None else read_at_s
    return Sample(epoch, pts_us, is_keyframe=True, read_at_s=at_s, hashed_at_s=at_s, views=made)


def entry(
    name: str,
    pictures: Mapping[int, Pdq],
    *,
    policy: str = "TVEC-TEST",
    kind: Literal["video", "image"] = "video",
    limits: Limits | None = None,
    variant: int = 0,
) -> Entry:
    """Give a bank entry with these hashes by their time in it, microseconds."""
    return Entry(
        name=name,
        policy=policy,
        kind=kind,
        duration_us=max(pictures),
        hashes=np.array([*pictures.values()], np.uint8),
        offsets_us=np.array([*pictures], np.int64),
        variants=np.full(len(pictures), variant, np.uint8),
        limits=limits,
    )


def film(name: str, first: int, seconds: int = 60, *, policy: str = "TVEC-TEST") -> Entry:
    """Give a video with `picture(first + n)` at its nth second."""
    return entry(name, {n * 1_000_000: picture(first + n) for n in range(seconds)}, policy=policy)


def banks(*entries: Entry, name: str = "known", settings: BankSettings | None = None) -> Banks:
    """Give one bank of these entries."""
    return Banks((edit_bank(empty_bank(name, settings), add=entries),))


def decision(  # noqa: PLR0913  # a builder: each test names what matters to it
    pts_us: int,
    *,
    entry: str = "film",
    category: str = "TVEC-TEST",
    distance_bits: int = 10,
    finding: Finding | None = None,
    aligned: Aligned | None = None,
    votes: int = 1,
    epoch: int = 0,
    read_at_s: float | None = None,
) -> Decision:
    """Give a positive verdict on one sample; unless told of a match with the entry."""
    found = finding or Match("known", entry, category, "full", distance_bits, 0)
    at_s = pts_us / 1e6 if read_at_s is None else read_at_s
    return Decision(category, Severity.P1, epoch, pts_us, at_s, found, votes, aligned)


def model_spec(**thresholds: float) -> ModelSpec:
    """Give a model that scores these categories."""
    shape = InputSpec("in", "NHWC", 8, 8, 8, 8, "RGB", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), None)
    labels = {name: name for name in thresholds}
    return ModelSpec(
        "pack", "1", "MIT", "here", "0" * 64, shape, "out", (*labels,), labels, thresholds
    )


def scores(pts_us: int, *, epoch: int = 0, read_at_s: float | None = None, **by: float) -> Scores:
    """Give what a model said of a sample."""
    return Scores(epoch, pts_us, pts_us / 1e6 if read_at_s is None else read_at_s, by)


def minting() -> Callable[[], UUID]:
    """Give a mint of flag ids that counts: 1, 2, 3..."""
    ids = iter(range(1, 1_000_000))
    return lambda: UUID(int=next(ids))


def wall_of(at_s: float) -> float:
    """Turn seconds of the steady clock into seconds since 1970."""
    return WALL_AT_START_S + at_s


def context() -> SessionContext:
    """Give a session of a live stream."""
    return SessionContext(SOURCE, "lobby", "s-1", "rtmp", wall_of)
