"""One candidate alignment of a stream with a bank entry: which samples agree on it, how well.

Rule: an alignment is a value. It foretells which time of the entry the next sample shows, and is
replaced by one with a further vote when the sample shows that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamguard.core.types import Limits, Match, View
from streamguard.core.vote import Expected, Vote, bits_between

SLOWEST, FASTEST = 0.5, 2.0
"""Speeds of playback that are followed; disguised copies run at 0.8 to 1.25."""

SLACK_US = 1_000_000
"""How far a sample may lie from the time that is expected of it, microseconds of the entry."""

MAX_WIDTH_US = 60_000_000
"""Widest stretch of an entry that one sample is held against: half a minute at double speed."""

STILL_BITS = 2
"""A hash within so many bits of the last one that voted is the same picture: it has no new vote."""

RATE_SPAN_US = 4_000_000
"""Shortest stretch by which the speed of playback is told: 0.2 s of error at both ends are 10 %."""

MAX_RECENT = 8
"""Votes that an alignment tells of: the last ones."""

MIN_APART, MAX_APART = 2, 3
"""Votes that tell their times apart of which the evidence is made: the nearest."""

APART_BITS = 24
"""Two votes tell their times apart where each sample is so much nearer to its own moment of the
entry than to the other's. A slate, a dashboard or a template round the picture makes a stream look
like an entry at any moment; a copy looks like one moment at a time."""

APART_US = 30_000_000
"""Votes make evidence together within so much media time: over hours chance would add up, too."""

EVIDENCE_FROM_BITS = 64
"""A vote below this distance is evidence, one bit for each bit that it lies below."""

EVIDENCE_BITS = 40
"""Evidence at which votes that no strong hit supports are believed: two of 44 bits, three of 50.

Measured with a bank of eleven real clips on copies of them in 23 disguises, 253 in all: strong hits
find 143 by keyframes and 169 by dense sampling; with this evidence and closeness (below) 190 and
210 are found, 209 by `auto`, and no wrong entry. Nine real clips under the same heavy graphics
(dashboards, templates, a ticker, a scope), each held against a bank of the others with mirrored and
cropped variants: of 189 streams none had more than 10 bits. Drawn look-alikes (slates, talking
heads, dashboards over a pan) reached 34 where no strong hit was among them.
"""

CLOSE_WITHIN_BITS = 17
"""How far beyond a strong hit a vote may lie to count as close, one bit for each bit less."""

CLOSE_BITS = 56
"""Closeness at which the last eight votes are believed without telling their times apart: four of
34 bits, eight of 41. Scenery that hardly moves looks alike at every moment; under a logo it lies at
32 to 36 each time, cut or beside a chat at 36 to 42. Of the drawn look-alikes above one slate came
to 47; real clips under the same graphics never came nearer than 44 bits, and 28 drawn generators
(games, slides, newscasts, crowds, nights), four scenes of each held against two others of every one
of them, never within 61.
"""


STILL_VOTES = 2
"""Samples that must match an image: a single frame of a montage is no showing of it. A source that
is one picture shows it with its only sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The votes of one stream for one entry along one line.

    first:     where the line begins, or goes on after a pause.
    last:      the newest vote.
    recent:    the newest votes, at most 8, in the order of time.
    apart:     votes that tell their times apart, at most 3, the nearest.
    n_votes:   samples that agree; a picture that stands still counts once.
    n_strong:  those of them that would have opened the alignment.
    slowest, fastest: bounds of the speed of playback that all votes allow.
    seen_us:   media time of the last sample that agreed, counted or not.
    paused_us: time since `last` over which the picture stood still.
    is_open:   it has spoken: from now on each vote is a decision.
    """

    match: Match
    first: Vote
    last: Vote
    recent: tuple[Vote, ...]
    apart: tuple[Vote, ...]
    n_votes: int
    n_strong: int
    seen_us: int
    slowest: float = SLOWEST
    fastest: float = FASTEST
    paused_us: int = 0
    is_open: bool = False

    @property
    def is_mirrored(self) -> bool:
        """Say whether it runs along the mirrored hashes of the entry: a copy is turned or not."""
        return self.first.is_mirrored

    @property
    def rate(self) -> float | None:
        """Give the speed of playback: 1.25 is a quarter faster; None where it cannot be told."""
        span_us = self.last.pts_us - self.first.pts_us
        if self.match.is_still or span_us < RATE_SPAN_US:
            return None
        rate = (self.last.offset_us - self.first.offset_us) / span_us
        return min(max(rate, self.slowest), self.fastest)

    @property
    def evidence_bits(self) -> int:
        """Weigh votes that no strong hit supports; 0 unless two of them tell their times apart."""
        if len(self.apart) < MIN_APART:
            return 0
        return sum(max(0, EVIDENCE_FROM_BITS - vote.distance_bits) for vote in self.apart)

    def closeness_bits(self, max_distance_bits: int) -> int:
        """Weigh the last eight votes by how nearly they are strong hits."""
        bound = max_distance_bits + CLOSE_WITHIN_BITS
        return sum(max(0, bound - vote.distance_bits) for vote in self.recent)

    def is_proven(self, limits: Limits, *, is_all: bool = False) -> bool:
        """Say whether the votes suffice to speak; from then on each further one does.

        is_all: no further sample comes, for the source is a single picture: that stays, by nature.
        """
        if self.match.is_still:
            return self.n_strong >= max(1 if is_all else STILL_VOTES, limits.min_votes)
        is_believed = (
            self.n_strong > 0
            or self.evidence_bits >= EVIDENCE_BITS
            or self.closeness_bits(limits.max_distance_bits) >= CLOSE_BITS
        )
        return is_believed and self.n_votes >= limits.min_votes

    @property
    def starts_us(self) -> int:
        """Give the media time at which the entry begins, or would have begun."""
        return self.last.pts_us - round(self.last.offset_us / (self.rate or 1.0))

    def expected(self, pts_us: int) -> Expected:
        """Foretell what a sample at this time shows; the error grows until the next vote."""
        if self.match.is_still:
            return Expected(0, 0, 0)
        since_us = pts_us - self.last.pts_us
        start_us = self.last.offset_us
        usual = min(max(1.0, self.slowest), self.fastest)
        from_us = start_us + round(self.slowest * (since_us - self.paused_us)) - SLACK_US
        to_us = start_us + round(self.fastest * since_us) + SLACK_US
        at_us = start_us + round(usual * (since_us - self.paused_us))
        return Expected(from_us, at_us, min(to_us, from_us + MAX_WIDTH_US))

    def stands_still(self, views: Sequence[View], pts_us: int) -> Vote | None:
        """Give the last vote anew where a sample shows the same picture, as in a paused video."""
        if any(bits_between(view.pdq, self.last.seen) <= STILL_BITS for view in views):
            return replace(self.last, pts_us=pts_us)
        return None

    def voted(self, vote: Vote, *, is_strong: bool) -> "Alignment":
        """Take a sample that agrees; a picture of a video that stands still has no new vote."""
        is_same = bits_between(vote.seen, self.last.seen) <= STILL_BITS
        if is_same and not self.match.is_still:
            stood_us = vote.pts_us - self.seen_us
            return replace(
                self,
                n_strong=max(self.n_strong, int(is_strong)),
                seen_us=vote.pts_us,
                paused_us=self.paused_us + stood_us,
            )
        slowest, fastest = self._rates_with(vote)
        return replace(
            self,
            first=vote if self.paused_us else self.first,
            last=vote,
            recent=(*self.recent, vote)[-MAX_RECENT:],
            apart=_apart_with(self.apart, vote),
            n_votes=self.n_votes + 1,
            n_strong=self.n_strong + is_strong,
            seen_us=vote.pts_us,
            slowest=slowest,
            fastest=fastest,
            paused_us=0,
        )

    def _rates_with(self, vote: Vote) -> tuple[float, float]:
        """Narrow the speed of playback by a vote; after a pause it says nothing."""
        span_us = vote.pts_us - self.first.pts_us
        if self.match.is_still or self.paused_us or span_us <= 0:
            return self.slowest, self.fastest
        went_us = vote.offset_us - self.first.offset_us
        slowest = max(self.slowest, (went_us - 2 * SLACK_US) / span_us)
        fastest = min(self.fastest, (went_us + 2 * SLACK_US) / span_us)
        return min(slowest, self.fastest), max(fastest, self.slowest)


def opened(match: Match, vote: Vote, *, is_strong: bool) -> Alignment:
    """Begin an alignment with its first vote."""
    return Alignment(
        match=match,
        first=vote,
        last=vote,
        recent=(vote,),
        apart=(vote,),
        n_votes=1,
        n_strong=int(is_strong),
        seen_us=vote.pts_us,
    )


def _apart_with(apart: tuple[Vote, ...], vote: Vote) -> tuple[Vote, ...]:
    """Take a vote among those that tell their times apart, in place of farther ones like it."""
    apart = tuple(other for other in apart if vote.pts_us - other.pts_us <= APART_US)
    alike = [other for other in apart if not is_apart(vote, other)]
    if any(other.distance_bits <= vote.distance_bits for other in alike):
        return apart
    kept = [other for other in apart if other not in alike]
    return tuple(sorted([*kept, vote], key=lambda each: each.distance_bits)[:MAX_APART])


def is_apart(one: Vote, other: Vote) -> bool:
    """Say whether two samples are each more like their own moment of the entry."""
    return (
        bits_between(one.seen, other.known) >= one.distance_bits + APART_BITS
        and bits_between(other.seen, one.known) >= other.distance_bits + APART_BITS
    )
