"""Asks the banks about the views of a sample, and leaves out the views that may not speak.

Rule: a view that looks like an entry of a negative bank (a slate, a test card, an intro) says
nothing at all: neither matches nor near misses of it count, and what it would have said is counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamguard.core.banks import Banks
from streamguard.core.following import Key
from streamguard.core.types import Match, View

Hit = tuple[View, Match]
"""A view, and a hash of a known entry within its reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the banks say of a sample.

    views:    those that may speak.
    hits:     what is near them.
    n_vetoes: views that may not, although something known is near.
    """

    views: tuple[View, ...]
    hits: tuple[Hit, ...]
    n_vetoes: int

    def and_that(self, more: "Heard") -> "Heard":
        """Join what was heard of other views of the same sample."""
        n_vetoes = self.n_vetoes + more.n_vetoes
        return Heard(self.views + more.views, self.hits + more.hits, n_vetoes)


def listen(banks: Banks, views: Sequence[View]) -> Heard:
    """Hold matchable views against all banks."""
    heard, hits, n_vetoes = [], [], 0
    for view in views:
        matches = banks.query(view.pdq, view.region)
        known = [match for match in matches if match.role == "known"]
        if any(_is_veto(match, view) for match in matches):
            n_vetoes += bool(known)
            continue
        heard.append(view)
        hits += [(view, match) for match in known]
    return Heard(tuple(heard), tuple(hits), n_vetoes)


def _is_veto(match: Match, view: View) -> bool:
    limits = match.limits
    is_within = match.distance_bits <= limits.max_distance_bits
    is_good = view.quality >= limits.min_quality
    return match.role == "negative" and is_within and is_good and not limits.is_shadow


def fairest(strong: Mapping[Key, Hit]) -> list[tuple[Key, Hit]]:
    """Order hits so that each policy code's best comes before the second best of any."""
    n_before: Counter[str] = Counter()
    ranked = []
    for key, hit in strong.items():
        _, match = hit
        ranked.append((n_before[match.policy], key, hit))
        n_before[match.policy] += 1
    return [(key, hit) for _, key, hit in sorted(ranked, key=lambda each: each[0])]
