"""What a detector decided about one sample, and what it found.

Rule: values only; a decision is positive, for what is not positive needs no words.
"""

from dataclasses import dataclass
from typing import TypeAlias

from streamguard.core.types import HASH_BYTES, Match, Severity

CERTAIN_VOTES = 2
"""Votes from which a finding is certain."""


@dataclass(frozen=True, slots=True)
class ModelFinding:
    """A model's score of one category.

    score, threshold: 0..1; the score reached the threshold.
    against: what it says on the same sample of labels that speak against the category, 0..1.
    """

    model: str
    version: str
    category: str
    score: float
    threshold: float
    against: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Aligned:
    """How a stream runs along a bank entry.

    starts_us:      media time of the stream at which the entry begins, or would have begun.
    rate:           speed at which it is played, 0.5..2; None where that cannot be told.
    distances_bits: of the last samples that voted, in the order of time, at most 8.
    samples_us:     their media times.
    """

    starts_us: int
    rate: float | None
    distances_bits: tuple[int, ...]
    samples_us: tuple[int, ...]


Finding: TypeAlias = Match | ModelFinding

Key: TypeAlias = tuple[str, str]
"""Of what was found: bank and entry, or model and category."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One positive verdict on one sample for one category or policy code.

    read_at_s: Clock.monotonic() when the sample's packet was read, seconds.
    finding:   the bank entry that matched, or the model's score.
    votes:     samples that agree so far: on entry and offset, or of the last three on the category.
    aligned:   how the stream runs along the entry; None for a model's finding.
    is_shadow: a limit wants it logged and counted, and never flagged.
    """

    category: str
    severity: Severity
    epoch: int
    pts_us: int
    read_at_s: float
    finding: Finding
    votes: int
    aligned: Aligned | None = None
    is_shadow: bool = False

    @property
    def is_certain(self) -> bool:
        """Say whether more than one sample agrees."""
        return self.votes >= CERTAIN_VOTES

    @property
    def key(self) -> Key:
        """Name what was found: decisions with the same key tell of the same thing."""
        match self.finding:
            case Match(bank, entry):
                return (bank, entry)
            case ModelFinding(model=model, category=category):
                return (model, category)

    @property
    def weakness(self) -> float:
        """Rank findings of the same key: the smaller, the better."""
        match self.finding:
            case Match():
                return float(self.finding.distance_bits)
            case ModelFinding():
                return -self.finding.score

    @property
    def strength(self) -> float:
        """Rank findings of any kind, 0 to 1: a match by its bits that agree, else by score."""
        match self.finding:
            case Match():
                return 1.0 - self.finding.distance_bits / (8 * HASH_BYTES)
            case ModelFinding():
                return self.finding.score
