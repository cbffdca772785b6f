"""What a platform decided about each kind of content: how urgent it is, and when it counts.

Rule: a policy is a value; a code that no rule names gets the default rule, so a new bank is never
silently ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamguard.core.types import (
    MATCH_DISTANCE_BITS,
    MIN_QUALITY,
    Limits,
    Match,
    Severity,
)


@dataclass(frozen=True, slots=True)
class HashRule:
    """When a bank match of one policy code becomes a flag.

    severity:          how fast a human must look.
    max_distance_bits: inclusive, 0..31 (the index is exact up to 31).
    min_quality:       of the live frame, 50..100.
    min_votes:         matches at one consistent offset that open a flag; 1 opens at the first.
    """

    severity: Severity = Severity.P1
    max_distance_bits: int = MATCH_DISTANCE_BITS
    min_quality: int = MIN_QUALITY
    min_votes: int = 1

    @property
    def limits(self) -> Limits:
        """Give what a bank and its entries may only tighten."""
        return Limits(self.max_distance_bits, self.min_votes, self.min_quality)


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """When a model's score of one category becomes a flag.

    threshold:   inclusive, 0..1; None takes the model pack's own.
    exonerating: labels of the model that speak against the category: a reviewer is told of them.
    """

    severity: Severity = Severity.P2
    threshold: float | None = None
    exonerating: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force, by policy code of the bank and by category of the model."""

    version: str = "default"
    default: HashRule = HashRule()
    banks: Mapping[str, HashRule] = field(default_factory=dict)
    categories: Mapping[str, CategoryRule] = field(default_factory=dict)

    def hash_rule(self, code: str) -> HashRule:
        """Give the rule for a bank's policy code."""
        return self.banks.get(code, self.default)

    def limits_of(self, match: Match) -> Limits:
        """Give what a match must keep: the rule of its code, joined with its bank's and entry's."""
        return self.hash_rule(match.policy).limits.and_those_of(match.limits)
