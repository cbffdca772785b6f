"""Follows one stream against the banks: which entry, at which offset, with how many votes.

Rule: one strong hit is enough to speak; hits that agree on an offset make it certain. A near miss
is never a flag: it asks for dense sampling. Blank, low-quality and near-tie views never match.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from streamguard.core.bank import Banks
from streamguard.core.decision import Decision
from streamguard.core.policy import Policy
from streamguard.core.types import Match, Sample

ALIGNMENT_SLACK_US = 1_000_000
"""Two hits agree when their offsets differ by no more (a clip cut or played slightly off)."""

ALIGNMENT_MEMORY_US = 30_000_000
"""A candidate alignment without a vote for so long is forgotten."""

MAX_ALIGNMENTS = 8
"""Candidate alignments kept for one entry: static content matches at many offsets."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one sample told.

    is_judged:    at least one view could be held against the banks.
    is_near_miss: something came close without being a positive decision.
    """

    decisions: tuple[Decision, ...]
    is_judged: bool
    is_near_miss: bool


@dataclass(frozen=True, slots=True)
class _Alignment:
    shift_us: int  # stream time less entry time
    votes: int
    last_us: int


class Matcher:
    """Judges the samples of one stream, in the order of time within an epoch."""

    def __init__(self, banks: Callable[[], Banks], policy: Policy) -> None:
        self._banks = banks
        self._policy = policy
        self._epoch = -1
        self._alignments: dict[tuple[str, str], list[_Alignment]] = {}

    def judge(self, sample: Sample) -> Verdict:
        """Hold every matchable view of a sample against the banks."""
        if sample.epoch != self._epoch:
            self._epoch = sample.epoch
            self._alignments.clear()
        views = [view for view in sample.views if view.is_matchable]
        accepted: dict[tuple[str, str], list[Match]] = {}
        is_near = False
        banks = self._banks()  # one snapshot for all that is asked of a sample
        for view in views:
            for match in banks.query(view.pdq, view.region):
                if self._policy.hash_rule(match.policy).accepts(match, view):
                    accepted.setdefault((match.bank, match.entry), []).append(match)
                else:
                    is_near = True
        decisions = []
        for key, matches in accepted.items():
            decision = self._vote(key, matches, sample)
            rule = self._policy.hash_rule(decision.category)
            if decision.votes >= rule.min_votes:
                decisions.append(decision)
            else:
                is_near = True
        return Verdict(tuple(decisions), bool(views), is_near and not decisions)

    def _vote(self, key: tuple[str, str], matches: Iterable[Match], sample: Sample) -> Decision:
        """Count this sample once, for the alignment that most samples share."""
        known = self._recent(key, sample.pts_us)
        best: tuple[int, int, Match, _Alignment | None] | None = None
        for match in matches:
            shift_us = 0 if match.is_still else sample.pts_us - match.offset_us
            agreeing = [a for a in known if abs(a.shift_us - shift_us) <= ALIGNMENT_SLACK_US]
            alignment = max(agreeing, key=lambda a: a.votes, default=None)
            rank = (-(alignment.votes if alignment else 0), match.distance_bits)
            if best is None or rank < best[:2]:
                best = (*rank, match, alignment)
        assert best is not None  # noqa: S101  # an accepted key has a match
        _, _, match, alignment = best
        shift_us = 0 if match.is_still else sample.pts_us - match.offset_us
        voted = replace(
            alignment or _Alignment(shift_us, 0, 0),
            votes=alignment.votes + 1 if alignment else 1,
            last_us=sample.pts_us,
        )
        rest = [a for a in known if a is not alignment]
        self._alignments[key] = [voted, *rest][:MAX_ALIGNMENTS]
        return Decision(
            category=match.policy,
            severity=self._policy.hash_rule(match.policy).severity,
            epoch=sample.epoch,
            pts_us=sample.pts_us,
            read_at_s=sample.read_at_s,
            finding=match,
            votes=voted.votes,
        )

    def _recent(self, key: tuple[str, str], now_us: int) -> list[_Alignment]:
        return [
            a for a in self._alignments.get(key, ()) if now_us - a.last_us <= ALIGNMENT_MEMORY_US
        ]
