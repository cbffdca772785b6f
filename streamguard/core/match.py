"""Follows one stream against the banks: which entry, along which line, with how many votes.

Rule: one strong hit is enough to speak, unless a limit asks for more; near misses speak only
together, where they agree on an entry, an offset and a speed, and tell their times apart or all but
are strong hits. A view
that looks like an entry of a negative bank says nothing. Blank, low-quality and near-tie views
never match.

A sample costs 0.02 ms beside the queries of its views where nothing is near, 0.2 ms while an entry
is followed, and 3 to 6 ms where every sample is near hundreds of entries (one core, AMD EPYC).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from streamguard.core.alignment import Alignment, opened
from streamguard.core.banks import Banks
from streamguard.core.closer import Closer
from streamguard.core.decision import Aligned, Decision
from streamguard.core.following import Following, Key, in_force
from streamguard.core.hearing import Hit, fairest, listen
from streamguard.core.news import News, Recheck
from streamguard.core.past import Past
from streamguard.core.policy import Policy
from streamguard.core.types import Limits, Match, Sample, View
from streamguard.core.variants import MIRRORED
from streamguard.core.vote import MAX_HOLD_US, Expected, Vote, nearest

MAX_OPENED = 32
"""Entries that one sample opens an alignment with, the best of each policy code first."""

MAX_NEAR_OPENED = 4
"""Entries that the near misses of one sample open an alignment with, the nearest."""

OFFSETS_OPENED = 2
"""Offsets of one entry at which its near misses open an alignment: the nearest is not always it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one sample told.

    decisions:    flags, or what goes on with one.
    shadows:      decisions of entries in shadow: never a flag.
    is_judged:    at least one view could be held against the banks.
    is_near_miss: something came close without being a decision.
    n_vetoes:     views that a negative bank silenced although something known was near.
    """

    decisions: tuple[Decision, ...]
    is_judged: bool
    is_near_miss: bool
    shadows: tuple[Decision, ...] = ()
    n_vetoes: int = 0


_Rank: TypeAlias = tuple[bool, bool, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Agreed:
    """An alignment with which a sample agrees, its vote counted."""

    alignment: Alignment
    vote: Vote
    is_strong: bool


class Matcher:
    """Judges the samples of one stream, in the order of time within an epoch."""

    def __init__(
        self, banks: Callable[[], Banks], policy: Policy, *, remembers: bool = True
    ) -> None:
        """Make it for one stream.

        banks: gives the newest snapshot; asked for each sample.
        remembers: what is shown is kept, for entries that come later.
        """
        self._banks = banks
        self._policy = policy
        self._epoch = -1
        self._following = Following()
        self._closer = Closer()
        self._past = Past() if remembers else None
        self._news = News()

    def judge(self, sample: Sample) -> Verdict:
        """Hold every matchable view of a sample against the banks."""
        if sample.epoch != self._epoch:
            self._epoch = sample.epoch
            self._following.clear()
        banks = self._newest()  # one snapshot for all that is asked of a sample
        matchable = [view for view in sample.views if view.is_matchable]
        if self._past is not None and matchable:
            self._past.add(sample, matchable)
        heard = listen(banks, matchable)
        if closer := self._closer.views(banks, heard, self._found(heard.hits)):
            more = listen(banks, closer)
            heard = heard.and_that(more)
            if more.hits:
                self._closer.came_near()
        self._following.prune(sample.pts_us)
        agreed = self._follow(banks, sample, heard.views)
        agreed |= self._open(banks, sample, heard.hits, agreed)
        told = [self._decision(sample, each) for each in agreed.values() if each.alignment.is_open]
        return Verdict(
            decisions=tuple(each for each in told if not each.is_shadow),
            is_judged=bool(matchable),
            is_near_miss=bool(heard.hits or agreed) and not told,
            shadows=tuple(each for each in told if each.is_shadow),
            n_vetoes=heard.n_vetoes,
        )

    def judge_alone(self, sample: Sample) -> Verdict:
        """Judge anew the newest sample, which is all that its source has: a picture that stays."""
        told = [
            self._decision(sample, _Agreed(each, each.last, is_strong=True))
            for key in self._following.entries()
            for each in self._following.of(key)
            if each.match.is_still and not each.is_open
            if each.is_proven(self._policy.limits_of(each.match), is_all=True)
        ]
        return Verdict(
            decisions=tuple(each for each in told if not each.is_shadow),
            is_judged=bool(told),
            is_near_miss=False,
            shadows=tuple(each for each in told if each.is_shadow),
        )

    def recheck(self) -> Recheck | None:
        """Give what has come into the banks, to be held against what was shown before; once."""
        banks = self._newest()
        news = self._news.take()
        if self._past is None or not news:
            return None
        rows = self._past.rows()
        return Recheck(banks, self._policy, news, rows) if len(rows) else None

    def _newest(self) -> Banks:
        """Take the newest snapshot; alignments with what is gone or set aside end."""
        banks = self._banks()
        if self._news.look(banks, 0 if self._past is None else self._past.n_taken):
            self._following.change(lambda each: in_force(banks, each))
        return banks

    def _follow(self, banks: Banks, sample: Sample, views: Sequence[View]) -> dict[Key, _Agreed]:
        """Hold a sample against what is followed, each entry near its expected times.

        Returns:
            Of each entry that agrees its best alignment: one that has spoken first, then a strong
            vote, then most votes.
        """
        best: dict[Key, tuple[_Rank, _Agreed]] = {}
        for key in self._following.entries():
            for alignment in self._following.of(key):
                limits = self._policy.limits_of(alignment.match)
                vote = _look(banks, alignment, sample.pts_us, _good(views, limits))
                if vote is None or vote.distance_bits > limits.reach_bits:
                    continue
                is_strong = vote.distance_bits <= limits.max_distance_bits
                grown = alignment.voted(vote, is_strong=is_strong)
                agreed = self._keep(_Agreed(grown, vote, is_strong), alignment)
                is_open = agreed.alignment.is_open
                rank = (not is_open, not is_strong, -alignment.n_votes, vote.distance_bits)
                if key not in best or rank < best[key][0]:
                    best[key] = (rank, agreed)
        return {key: agreed for key, (_, agreed) in best.items()}

    def _open(
        self, banks: Banks, sample: Sample, hits: Sequence[Hit], agreed: Mapping[Key, _Agreed]
    ) -> dict[Key, _Agreed]:
        """Open alignments where hits fit none that is followed.

        A strong hit goes before a loose vote at the time that was expected: the video has jumped.
        """
        strong, near = self._sorted(hits)
        begun = {}
        for key, hit in fairest(strong)[:MAX_OPENED]:
            if key not in agreed or not agreed[key].is_strong:
                begun[key] = self._begin(banks, sample, hit, is_strong=True)
        better = [
            hits
            for key, hits in near.items()
            if key not in strong and not self._is_as_near(key, sample.pts_us, hits[0])
        ]
        for alternatives in better[:MAX_NEAR_OPENED]:
            for hit in alternatives[:OFFSETS_OPENED]:
                self._begin(banks, sample, hit, is_strong=False)
        return begun

    def _found(self, hits: Sequence[Hit]) -> set[Key]:
        """Name the entries that have spoken, or do by a hit."""
        strong, _ = self._sorted(hits)
        return {*strong, *(key for key in self._following.entries() if self._is_open(key))}

    def _is_open(self, key: Key) -> bool:
        return any(each.is_open for each in self._following.of(key))

    def _is_as_near(self, key: Key, pts_us: int, hit: Hit) -> bool:
        """Say whether an alignment with an entry has found it, or explains a hit as well."""
        _, match = hit
        return any(
            each.is_open
            or (each.last.pts_us == pts_us and each.last.distance_bits <= match.distance_bits)
            for each in self._following.of(key)
        )

    def _sorted(self, hits: Sequence[Hit]) -> tuple[dict[Key, Hit], dict[Key, list[Hit]]]:
        """Tell strong hits, of each entry the nearest, from near misses; nearest entries first."""
        strong: dict[Key, Hit] = {}
        near: dict[Key, list[Hit]] = {}
        for hit in sorted(hits, key=lambda hit: hit[1].distance_bits):
            view, match = hit
            key, limits = _key(match), self._policy.limits_of(match)
            if view.quality < limits.min_quality or match.distance_bits > limits.reach_bits:
                continue
            if match.distance_bits <= limits.max_distance_bits:
                strong.setdefault(key, hit)
            elif not match.is_still:
                near.setdefault(key, []).append(hit)
        return strong, near

    def _begin(self, banks: Banks, sample: Sample, hit: Hit, *, is_strong: bool) -> _Agreed:
        view, match = hit
        at_us = match.offset_us
        stretch = banks.near(match.bank, match.entry, at_us, 0)
        is_mirrored = bool(match.variant & MIRRORED)
        only = Expected(at_us, at_us, at_us)
        vote = nearest([view], sample.pts_us, stretch, only, is_mirrored=is_mirrored)
        assert vote is not None  # noqa: S101  # the hash that was hit is there
        return self._keep(_Agreed(opened(match, vote, is_strong=is_strong), vote, is_strong))

    def _keep(self, agreed: _Agreed, instead_of: Alignment | None = None) -> _Agreed:
        """Keep an alignment with its newest vote; it may have become a finding by it.

        Where the entry is found already, a strong hit goes on with that: the video has jumped.
        """
        alignment = agreed.alignment
        key, limits = _key(alignment.match), self._policy.limits_of(alignment.match)
        is_found = agreed.is_strong and self._is_open(key)
        if is_found or alignment.is_proven(limits):
            alignment = replace(alignment, is_open=True)
        self._following.put(key, alignment, instead_of)
        return replace(agreed, alignment=alignment)

    def _decision(self, sample: Sample, agreed: _Agreed) -> Decision:
        alignment, vote = agreed.alignment, agreed.vote
        match = replace(
            alignment.match,
            region=vote.region,
            distance_bits=vote.distance_bits,
            offset_us=vote.offset_us,
            variant=vote.variant,
        )
        return Decision(
            category=match.policy,
            severity=self._policy.hash_rule(match.policy).severity,
            epoch=sample.epoch,
            pts_us=sample.pts_us,
            read_at_s=sample.read_at_s,
            finding=match,
            votes=alignment.n_votes,
            aligned=Aligned(
                starts_us=alignment.starts_us,
                rate=alignment.rate,
                distances_bits=tuple(each.distance_bits for each in alignment.recent),
                samples_us=tuple(each.pts_us for each in alignment.recent),
            ),
            is_shadow=self._policy.limits_of(match).is_shadow,
        )


def _key(match: Match) -> Key:
    return match.bank, match.entry


def _good(views: Sequence[View], limits: Limits) -> list[View]:
    return [view for view in views if view.quality >= limits.min_quality]


def _look(banks: Banks, alignment: Alignment, pts_us: int, views: Sequence[View]) -> Vote | None:
    """Hold views against an entry where it is expected."""
    paused = None if alignment.match.is_still else alignment.stands_still(views, pts_us)
    if paused is not None:
        return paused
    match, expected = alignment.match, alignment.expected(pts_us)
    from_us = expected.from_us - MAX_HOLD_US
    middle_us, half_us = (from_us + expected.to_us) // 2, (expected.to_us - from_us + 1) // 2
    stretch = banks.near(match.bank, match.entry, middle_us, half_us)
    return nearest(views, pts_us, stretch, expected, is_mirrored=alignment.is_mirrored)
