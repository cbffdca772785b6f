"""What a decision tells whoever sets bounds: which one would have kept a mistake out.

Rule: pure; a hint is said only where a reviewer says that the match or the model was wrong, and
changes nothing by itself.
"""

from collections.abc import Iterable

from streamguard.core.decision_data import ThresholdHint
from streamguard.core.event_data import FlagData
from streamguard.core.signal_data import BankMatch, ModelScore

WRONG_MATCH, WRONG_SCORE = "ERROR.WRONG_MATCH", "ERROR.WRONG_SCORE"

BLAMED = frozenset({WRONG_MATCH, WRONG_SCORE})
"""Reason codes that blame a bound."""


def hint_of(reason_code: str, flags: Iterable[FlagData]) -> ThresholdHint | None:
    """Give the best hit of the kind that the reason blames; None where it blames none."""
    signals = [one for flag in flags for one in flag.signals]
    if reason_code == WRONG_MATCH:
        return _of_match([one.match for one in signals if one.match is not None])
    if reason_code == WRONG_SCORE:
        return _of_score([one.score for one in signals if one.score is not None])
    return None


def _of_match(found: list[BankMatch]) -> ThresholdHint | None:
    if not found:
        return None
    best = min(found, key=lambda one: one.distance_bits)
    bits = best.distance_bits
    return ThresholdHint(source=best.bank, name=best.entry, kind="distance_bits", found=bits)


def _of_score(found: list[ModelScore]) -> ThresholdHint | None:
    if not found:
        return None
    best = max(found, key=lambda one: one.score)
    return ThresholdHint(source=best.model, name=best.category, kind="score", found=best.score)
