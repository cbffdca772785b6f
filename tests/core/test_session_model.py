"""What a session tells of a model's answers, and how far it has come with both detectors."""

from itertools import pairwise
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.banks import Banks
from streamguard.core.coverage import REACH_US, LossLedger
from streamguard.core.coverage_data import GapData, StreamEndedData
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event
from streamguard.core.judgement import EvidenceRequest, Judgement
from streamguard.core.match import Matcher
from streamguard.core.model import Scores
from streamguard.core.policy import Policy
from streamguard.core.sampling import Sampling
from streamguard.core.scores import ScoreJudge
from streamguard.core.session import Session
from streamguard.core.signal_data import ScoreCourse
from streamguard.core.types import Codec, GapReason
from tests.core_fakes import context, minting, picture, sample
from tests.fake_classifier import CATEGORY, SPEC

SECOND = 1_000_000
CODEC = Codec("h264", b"", 1280, 720)
HIGH, LOW = 0.9, 0.1

D = TypeVar("D")


def begun(*, has_evidence: bool = False) -> Session:
    """Give a session with a model, whose first packet was read at 0 s, of media time 0."""
    rules = Policy()
    held = Session(
        context(),
        Matcher(lambda: Banks(()), rules),
        rules,
        LossLedger(),
        minting(),
        has_evidence=has_evidence,
        make_judge=lambda: ScoreJudge(SPEC, rules),
    )
    held.epoch_began(0, 0, 0.0, CODEC, Sampling.AUTO)
    return held


def score(
    held: Session, second: float, value: float, *, epoch: int = 0, now_s: float | None = None
) -> Judgement:
    """Hand over the scores of a sample, at the instant of its reading unless told otherwise."""
    scores = Scores(epoch, int(second * SECOND), second, {CATEGORY: value})
    return held.scored(scores, second if now_s is None else now_s)


def see(held: Session, *seconds: int, epoch: int = 0) -> list[Event]:
    """Let the hashes judge samples of unknown content."""
    told: list[Event] = []
    for second in seconds:
        one = sample(second * SECOND, picture(second + 7), epoch=epoch)
        told += held.sampled(one, float(second)).events
    return told


def of(kind: type[D], events: list[Event]) -> list[D]:
    return [event.data for event in events if isinstance(event.data, kind)]


def gaps(events: list[Event]) -> list[tuple[str, int, int, str]]:
    return [
        (gap.detector, gap.start_pts_ms, gap.end_pts_ms, gap.reason) for gap in of(GapData, events)
    ]


def states(events: list[Event]) -> list[str]:
    return [flag.state for flag in of(FlagData, events)]


def account(held: Session) -> StreamEndedData:
    (data,) = of(StreamEndedData, held.ended("ended", 0, 0, 100.0))
    return data


def test_high_scores_open_a_flag_that_says_what_the_model_found() -> None:
    held = begun(has_evidence=True)
    score(held, 0, HIGH)

    judgement = score(held, 2, 0.75, now_s=2.25)

    (flag,) = of(FlagData, judgement.events)
    assert (flag.state, flag.policy.code, flag.policy.severity) == ("open", CATEGORY, "P2")
    (signal,) = flag.signals
    assert (signal.detector, signal.match) == ("classifier", None)
    assert signal.score is not None
    assert signal.score.model_dump(exclude_none=True) == {
        "model": "fake",
        "version": "1.0",
        "category": CATEGORY,
        "score": 0.75,
        "threshold": 0.6,
        "votes": 2,
        "course": {"step_ms": 100, "sample_pts_ms": (2_000,), "scores": (0.75,)},
    }
    assert flag.latency_ms.ingest_to_decision == 250
    assert judgement.requests == [EvidenceRequest(UUID(flag.flag_id), 0, 2 * SECOND, 0.75)]


def test_a_flag_tells_what_the_model_said_over_time_also_below_the_threshold() -> None:
    held = begun()
    told: list[Event] = []
    for second, value in enumerate((HIGH, HIGH, LOW, HIGH, LOW, HIGH, HIGH)):
        told += score(held, second, value).events

    opened, updated = of(FlagData, told)
    assert (opened.state, updated.state) == ("open", "updated")
    said = updated.signals[0].score
    assert said is not None
    assert said.course == ScoreCourse(
        step_ms=100,
        sample_pts_ms=(1_000, 2_000, 3_000, 4_000, 5_000, 6_000),
        scores=(HIGH, LOW, HIGH, LOW, HIGH, HIGH),
    )


def test_a_sample_that_is_not_scored_lies_in_a_gap_of_the_classifier_alone() -> None:
    held = begun()
    told = see(held, *range(0, 31, 2))
    score(held, 0, LOW)
    for second in range(2, 30, 2):
        told += held.not_scored(0, second * SECOND, GapReason.MODEL_ERROR, second)
    told += score(held, 30, LOW).events
    told += held.epoch_ended(0, 30 * SECOND, "stream_ended", 30.0)
    told += held.scoring_ended(0, 30 * SECOND, "stream_ended", 30.0)

    assert {(who, why) for who, _, _, why in gaps(told)} == {("classifier", "model_error")}
    spans = [(start, end) for _, start, end, _ in gaps(told)]
    assert (spans[0][0], spans[-1][1]) == (2_500, 27_500)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))


def test_what_the_model_did_not_see_does_not_count_as_screened() -> None:
    held = begun()
    see(held, *range(0, 31, 2))
    score(held, 0, LOW)
    for second in range(2, 30, 2):
        held.not_scored(0, second * SECOND, GapReason.MODEL_ERROR, second)
    score(held, 30, LOW)
    held.epoch_ended(0, 30 * SECOND, "stream_ended", 30.0)
    held.scoring_ended(0, 30 * SECOND, "stream_ended", 30.0)

    assert held.screened_us == 5 * SECOND
    assert (account(held).screened_ms, account(held).gap_ms) == (5_000, 25_000)


def test_scores_of_two_timelines_are_never_taken_together() -> None:
    held = begun()
    score(held, 2, HIGH)
    held.epoch_ended(0, 2 * SECOND, "epoch_ended", 2.0)
    held.epoch_began(1, 0, 3.0, CODEC, Sampling.AUTO)

    told = score(held, 3, HIGH, epoch=1).events
    told += score(held, 1, HIGH, epoch=0).events

    assert [flag.stream.epoch for flag in of(FlagData, told)] == [0]


def test_answers_that_our_own_stop_does_not_wait_for_were_interrupted() -> None:
    held = begun()
    score(held, 0, HIGH)
    score(held, 2, HIGH)
    held.epoch_ended(0, 9 * SECOND, "interrupted", 9.0)

    told = held.scoring_given_up(11.0, "interrupted")

    assert gaps(told) == [("classifier", 4_500, 9_000, "interrupted")]
    assert [flag.close_reason for flag in of(FlagData, told)] == ["interrupted"]


def test_the_watermark_is_that_of_the_slower_detector() -> None:
    held = begun()
    watermarks = [held.watermark_us]
    see(held, 2, 4)
    watermarks.append(held.watermark_us)
    score(held, 2, LOW)
    watermarks.append(held.watermark_us)
    held.not_scored(0, 4 * SECOND, GapReason.MODEL_ERROR, 5.0)
    score(held, 6, LOW)
    watermarks.append(held.watermark_us)

    assert watermarks == [0, 0, 2 * SECOND, 4 * SECOND]


def test_without_a_model_the_watermark_is_that_of_the_hashes() -> None:
    rules = Policy()
    held = Session(
        context(),
        Matcher(lambda: Banks(()), rules),
        rules,
        LossLedger(),
        minting(),
        has_evidence=False,
    )
    assert held.watermark_us is None

    held.epoch_began(0, SECOND, 0.0, CODEC, Sampling.AUTO)
    see(held, 4)

    assert held.watermark_us == 4 * SECOND
    assert not held.is_scoring


ANSWER = st.one_of(st.sampled_from([LOW, HIGH]), st.sampled_from(list(GapReason)[:3]), st.none())


@given(
    answers=st.lists(ANSWER, max_size=40),
    every_s=st.sampled_from([1, 2, 5, 9]),
    ending=st.sampled_from(["answered", "given up"]),
)
def test_every_media_second_is_screened_or_in_one_gap_and_every_flag_closes(
    answers: list[Any], every_s: int, ending: str
) -> None:
    """None: the sample never reached the model."""
    held = begun()
    end_s = len(answers) * every_s
    told: list[Event] = []
    for number, answer in enumerate(answers):
        second = number * every_s
        if isinstance(answer, float):
            told += score(held, second, answer).events
        elif answer is not None:
            told += held.not_scored(0, second * SECOND, answer, second)
    told += held.epoch_ended(0, end_s * SECOND, "stream_ended", end_s)
    if ending == "given up":
        told += held.scoring_given_up(end_s)
    else:
        told += held.scoring_ended(0, end_s * SECOND, "stream_ended", end_s)

    spans = [(start, end) for who, start, end, _ in gaps(told) if who == "classifier"]
    assert spans == sorted(spans)
    reached = [n * every_s for n, answer in enumerate(answers) if isinstance(answer, float)]
    for second in range(end_s):
        middle_ms = second * 1000 + 400  # at no edge
        is_screened = any(abs(at * 1000 - middle_ms) <= REACH_US // 1000 for at in reached)
        n_gaps = sum(start <= middle_ms < end for start, end in spans)
        assert n_gaps == (0 if is_screened else 1)
    kinds = states(told)
    assert kinds.count("open") == kinds.count("closed")
