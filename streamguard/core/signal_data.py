"""What a flag says of each of its reasons: an entry of a bank that matched, or a model's score.

Rule: as for `event_data`: bounded, no hash of a bank; media times are integer milliseconds of one
epoch's unwrapped timeline.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamguard.core.course import MAX_POINTS
from streamguard.core.event_values import MAX_INT, Bits, Count, Name, PtsMs, Value
from streamguard.core.types import Detector, Region

MAX_TOLD = 8
"""Samples that a signal tells of one by one: the last ones."""

MAX_FLAG_POINTS = 128
"""Points that a flag tells in the courses of all its signals, shared out evenly: with 24 bytes each
at most they are 3 KiB of an event."""

MAX_AGAINST = 4
"""Labels that speak against a category: reviewers weigh no more at a glance."""

Share = Annotated[float, Field(ge=0, le=1)]


class Course(Value):
    """How strong a signal was over time: its points in the order of time, evenly thinned."""

    step_ms: Annotated[int, Field(ge=1, le=MAX_INT)]
    """Of the samples within each stretch of so many milliseconds the strongest one is told."""
    sample_pts_ms: Annotated[tuple[PtsMs, ...], Field(min_length=1, max_length=MAX_POINTS)]
    """Media time of each of these samples, milliseconds."""


class MatchCourse(Course):
    """How near an entry was from sample to sample that matched."""

    distances_bits: Annotated[tuple[Bits, ...], Field(min_length=1, max_length=MAX_POINTS)]
    """Distance of each of these samples, bits."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if len(self.distances_bits) != len(self.sample_pts_ms):
            raise ValueError("each sample has a distance")
        return self


class ScoreCourse(Course):
    """What a model said from sample to sample, also where that was below the threshold."""

    scores: Annotated[tuple[Share, ...], Field(min_length=1, max_length=MAX_POINTS)]
    """Score of each of these samples, to three digits."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if len(self.scores) != len(self.sample_pts_ms):
            raise ValueError("each sample has a score")
        return self


class BankMatch(Value):
    """The best match of one bank entry."""

    algorithm: Literal["pdq"]
    """The perceptual hash that was compared."""
    distance_bits: Bits
    """Bits in which the hashes differ, of 256."""
    max_distance_bits: Bits
    """Inclusive bound within which one sample alone is a match, bits; samples that agree on an
    alignment may lie farther off."""
    bank: Name
    """Name of the bank."""
    entry: Name
    """Name of the entry; its hashes stay in the bank."""
    region: Region
    """Which part of the picture matched: all of it, or what lies between its bars."""
    bank_offset_ms: Count
    """Media time within the bank entry, milliseconds; 0 for a still image."""
    votes: Count
    """Samples that agree on one alignment of stream and entry; a picture that stands still has
    one."""
    is_certain: bool
    """The votes suffice to rule out chance."""
    variant: Name | None = None
    """How the entry's picture was cut or turned before it was hashed: `whole` is not at all."""
    entry_start_pts_ms: PtsMs | None = None
    """Media time of the stream at which the entry begins, or would have begun, milliseconds."""
    rate: Annotated[float, Field(gt=0, le=16)] | None = None
    """Speed at which the entry is played: 1.25 is a quarter faster; absent until it can be told."""
    distances_bits: Annotated[tuple[Bits, ...], Field(max_length=MAX_TOLD)] | None = None
    """Distance of each of the last samples that voted, in the order of time."""
    sample_pts_ms: Annotated[tuple[PtsMs, ...], Field(max_length=MAX_TOLD)] | None = None
    """Media time of each of these samples, milliseconds."""
    course: MatchCourse | None = None
    """How near it was while the flag lasts; told anew every few seconds."""


class LabelScore(Value):
    """What a model says of one of its labels."""

    label: Annotated[str, Field(pattern="^[a-z0-9_-]{1,64}$")]
    """In the words of the model pack."""
    score: Share
    """How sure the model is of it."""


class ModelScore(Value):
    """The highest score that a model gave for one category."""

    model: Name
    """Name of the model pack."""
    version: Name
    """Version of the model pack."""
    category: Name
    """What the score is about, in the words of the policy."""
    score: Share
    """How sure the model is; it reached the threshold."""
    threshold: Share
    """Inclusive bound that was in force."""
    votes: Count
    """Samples among the last three that reached the threshold."""
    course: ScoreCourse | None = None
    """What it said while the flag lasts; told anew every few seconds."""
    against: Annotated[tuple[LabelScore, ...], Field(max_length=MAX_AGAINST)] | None = None
    """What it says on the same sample of labels that the policy calls exonerating: a game, say."""


class Signal(Value):
    """One reason for a flag."""

    detector: Detector
    """What found it: `hash` knows content of a bank, `classifier` judges what nobody has seen."""
    match: BankMatch | None = None
    """What a `hash` found."""
    score: ModelScore | None = None
    """What a `classifier` found."""

    @model_validator(mode="after")
    def _says_what_was_found(self) -> Self:
        if (self.match is None) != (self.detector != "hash") or (self.score is None) != (
            self.detector != "classifier"
        ):
            raise ValueError("a hash signal has a match, a classifier signal a score")
        return self
