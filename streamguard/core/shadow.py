"""Tells of the matches of entries in shadow: what would have been a flag, once for each showing.

Rule: a match in shadow is logged and counted, and nothing else comes of it.
"""

from collections.abc import Iterable

from streamguard.core.decision import Decision

AGAIN_US = 30_000_000
"""An entry that has not matched for so long, or in another epoch, is told of again."""


class ShadowBook:
    """The entries in shadow that one stream matches at the moment."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int]] = {}  # epoch and media time

    def news(self, epoch: int, pts_us: int, shadows: Iterable[Decision]) -> tuple[Decision, ...]:
        """Take what matches in shadow on one sample; give what was not told of yet."""
        self._last = {
            key: (at_epoch, at_us)
            for key, (at_epoch, at_us) in self._last.items()
            if at_epoch == epoch and pts_us - at_us <= AGAIN_US
        }
        new = tuple(decision for decision in shadows if decision.key not in self._last)
        self._last |= {decision.key: (epoch, pts_us) for decision in shadows}
        return new


def once_each(shadows: Iterable[Decision]) -> tuple[Decision, ...]:
    """Give the first decision of each entry."""
    first: dict[tuple[str, str], Decision] = {}
    for decision in shadows:
        first.setdefault(decision.key, decision)
    return tuple(first.values())
