"""Keeps the flags of one session: what each says, and which revision it has reached.

Rule: `closed` comes last. A flag whose segment is over waits for its evidence, which is bounded in
time, so that its last event tells everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, assert_never
from uuid import UUID

from streamguard.core.account import Account
from streamguard.core.course import MAX_POINTS, Course
from streamguard.core.decision import Decision, ModelFinding
from streamguard.core.event_data import (
    Evidence,
    FlagClock,
    FlagData,
    FlagPolicy,
    Latency,
    Safety,
    StreamRef,
    Window,
    ceil_ms,
    floor_ms,
    utc_text,
)
from streamguard.core.events import Event, flag_event
from streamguard.core.location import Protocol
from streamguard.core.policy import Policy
from streamguard.core.segments import (
    Segment,
    SegmentClosed,
    SegmentEvent,
    SegmentOpened,
    SegmentPeaked,
    SegmentStrengthened,
    SegmentWentOn,
)
from streamguard.core.signal_data import (
    MAX_FLAG_POINTS,
    BankMatch,
    LabelScore,
    MatchCourse,
    ModelScore,
    ScoreCourse,
    Signal,
)
from streamguard.core.types import CloseReason, Detector, Match
from streamguard.core.variants import variant_name


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What all events of one session share.

    source:  `/streamguard/<deployment>`.
    wall_of: turns Clock.monotonic() seconds into seconds since 1970 UTC.
    banks:   names of the banks that the stream is held against.
    session_key: tells one publish from the next, by discovery; "" where there is none.
    found_s: Clock.monotonic() since when the session is accounted for, packets or none; None where
        that begins with its first packet.
    """

    source: str
    stream_id: str
    session_id: str
    protocol: Protocol
    wall_of: Callable[[float], float]
    banks: tuple[str, ...] = ()
    session_key: str = ""
    found_s: float | None = None

    def first_account(self, detectors: tuple[Detector, ...]) -> Account:
        """Give the account of a session of which nothing was read yet."""
        return Account(
            stream_id=self.stream_id,
            session_id=self.session_id,
            session_key=self.session_key,
            protocol=self.protocol,
            detectors=detectors,
            epoch=0,
            newest_us=0,
            accounted_s=self.found_s or 0.0,
            accounted_wall_s=self.wall_of(self.found_s or 0.0),
        )

    def ref(self, epoch: int) -> StreamRef:
        """Name the stream and one epoch of it."""
        return StreamRef(
            stream_id=self.stream_id,
            session_id=self.session_id,
            epoch=epoch,
            protocol=self.protocol,
            publish=self.session_key or None,
        )


@dataclass(frozen=True, slots=True)
class _Flag:
    segment: Segment
    evidence: Evidence
    latency: Latency
    revision: int = 0
    over: CloseReason | None = None
    is_rescreened: bool = False
    is_collecting: bool = False


Stage = Literal["opened", "updated", "closed"]


class FlagBook:
    """The flags of one session that are not closed yet."""

    def __init__(self, context: SessionContext, policy: Policy, *, has_evidence: bool) -> None:
        self._context = context
        self._policy = policy
        self._first = Evidence(state="pending" if has_evidence else "off")
        self._collects = has_evidence
        self._flags: dict[UUID, _Flag] = {}

    def change(self, event: SegmentEvent, now_s: float) -> list[Event]:
        """Turn what happened to a segment into what the world is told."""
        flag_id = event.segment.flag_id
        match event:
            case SegmentOpened(segment):
                latency = self._latency(segment, now_s)
                self._flags[flag_id] = _Flag(
                    segment, self._first, latency, is_collecting=self._collects
                )
                return [self._told(flag_id, "opened", now_s)]
            case SegmentStrengthened(segment) | SegmentWentOn(segment):
                self._flags[flag_id] = replace(self._flags[flag_id], segment=segment)
                return [self._told(flag_id, "updated", now_s)]
            case SegmentPeaked(segment):
                self._flags[flag_id] = replace(self._flags[flag_id], segment=segment)
                return []
            case SegmentClosed(segment, reason):
                flag = replace(self._flags[flag_id], segment=segment, over=reason)
                self._flags[flag_id] = flag
                return [] if flag.is_collecting else self._closed(flag_id, now_s)
            case _:
                assert_never(event)

    def recall(self, segment: Segment, now_s: float, *, is_held: bool) -> list[Event]:
        """Tell of what was found in the past: a flag that opens and is over.

        is_held: there is still something to make evidence of.
        """
        is_gone = self._collects and not is_held
        flag = _Flag(
            segment,
            Evidence(state="unavailable") if is_gone else self._first,
            self._latency(segment, now_s),
            is_rescreened=True,
            is_collecting=self._collects and is_held,
        )
        self._flags[segment.flag_id] = flag
        opened = self._told(segment.flag_id, "opened", now_s)
        return [opened, *self.change(SegmentClosed(segment, "ended"), now_s)]

    def ended_us(self, flag_id: UUID) -> int | None:
        """Say at which media time the segment of a flag ended; None while it is open."""
        flag = self._flags.get(flag_id)
        return flag.segment.end_us if flag and flag.over else None

    def attach(self, flag_id: UUID, evidence: Evidence, now_s: float) -> list[Event]:
        """Tell of a flag's evidence, stored or failed; close the flag if it waited for the last."""
        is_news = evidence != self._flags[flag_id].evidence
        is_collecting = evidence.is_growing is not None
        flag = replace(self._flags[flag_id], evidence=evidence, is_collecting=is_collecting)
        self._flags[flag_id] = flag
        told = [self._told(flag_id, "updated", now_s)] if is_news else []
        is_over = flag.over is not None and not is_collecting
        return [*told, *(self._closed(flag_id, now_s) if is_over else ())]

    def _latency(self, segment: Segment, now_s: float) -> Latency:
        took_ms = max(0.0, (now_s - segment.start_read_at_s) * 1000)
        return Latency(ingest_to_decision=round(took_ms, 3))

    def _closed(self, flag_id: UUID, now_s: float) -> list[Event]:
        event = self._told(flag_id, "closed", now_s)
        del self._flags[flag_id]
        return [event]

    def _told(self, flag_id: UUID, stage: Stage, now_s: float) -> Event:
        flag = self._flags[flag_id]
        self._flags[flag_id] = replace(flag, revision=flag.revision + 1)
        segment, wall_of = flag.segment, self._context.wall_of
        at_s = segment.start_read_at_s if stage == "opened" else segment.end_read_at_s
        return flag_event(
            self._context.source,
            stage,
            self._data(flag, stage),
            time_s=wall_of(at_s),
            recorded_s=wall_of(now_s),
        )

    def _data(self, flag: _Flag, stage: Stage) -> FlagData:
        segment, wall_of = flag.segment, self._context.wall_of
        return FlagData(
            flag_id=str(segment.flag_id),
            revision=flag.revision,
            state="open" if stage == "opened" else stage,
            close_reason=flag.over if stage == "closed" else None,
            stream=self._context.ref(segment.epoch),
            window=Window(
                start_pts_ms=floor_ms(segment.start_us),
                end_pts_ms=ceil_ms(segment.end_us),
                start_time=utc_text(wall_of(segment.start_read_at_s)),
                end_time=utc_text(wall_of(segment.end_read_at_s)),
                n_samples=segment.n_samples,
            ),
            clock=FlagClock(basis="ingest"),
            policy=FlagPolicy(code=segment.category, severity=segment.severity),
            signals=self._signals(segment),
            evidence=flag.evidence,
            latency_ms=flag.latency,
            safety=Safety(human_required=True),
            is_rescreened=flag.is_rescreened or None,
        )

    def _signals(self, segment: Segment) -> tuple[Signal, ...]:
        n_points = min(MAX_POINTS, MAX_FLAG_POINTS // len(segment.signals))
        courses = (course.within(n_points) for course in segment.courses)
        return tuple(map(self._signal, segment.signals, courses))

    def _signal(self, decision: Decision, course: Course) -> Signal:
        match decision.finding:
            case Match() as found:
                return Signal(detector="hash", match=self._bank_match(decision, found, course))
            case ModelFinding() as found:
                score = _model_score(found, decision, course)
                return Signal(detector="classifier", score=score)
            case _:
                assert_never(decision.finding)

    def _bank_match(self, decision: Decision, match: Match, course: Course) -> BankMatch:
        aligned = decision.aligned
        return BankMatch(
            algorithm="pdq",
            distance_bits=match.distance_bits,
            max_distance_bits=self._policy.limits_of(match).max_distance_bits,
            bank=match.bank,
            entry=match.entry,
            region=match.region,
            bank_offset_ms=floor_ms(match.offset_us),
            votes=decision.votes,
            is_certain=decision.is_certain,
            variant=variant_name(match.variant),
            entry_start_pts_ms=floor_ms(aligned.starts_us) if aligned else None,
            rate=round(aligned.rate, 3) if aligned and aligned.rate else None,
            distances_bits=aligned.distances_bits if aligned else None,
            sample_pts_ms=tuple(map(floor_ms, aligned.samples_us)) if aligned else None,
            course=MatchCourse(
                step_ms=floor_ms(course.step_us),
                sample_pts_ms=_times_ms(course),
                distances_bits=tuple(round(point.weakness) for point in course.points),
            ),
        )


def _model_score(finding: ModelFinding, decision: Decision, course: Course) -> ModelScore:
    return ModelScore(
        model=finding.model,
        version=finding.version,
        category=finding.category,
        score=round(finding.score, 6),
        threshold=finding.threshold,
        votes=decision.votes,
        course=ScoreCourse(
            step_ms=floor_ms(course.step_us),
            sample_pts_ms=_times_ms(course),
            scores=tuple(round(-point.weakness, 3) for point in course.points),
        ),
        against=tuple(
            LabelScore(label=label, score=round(score, 6)) for label, score in finding.against
        )
        or None,
    )


def _times_ms(course: Course) -> tuple[int, ...]:
    return tuple(floor_ms(point.pts_us) for point in course.points)
