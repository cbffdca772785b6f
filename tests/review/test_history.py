from streamguard.core.events import Event, gap_event
from streamguard.review.history import (
    KEPT_S,
    MAX_GAPS,
    MAX_SAMPLES,
    audience_of,
    forget_audiences,
    gaps_of,
    keep_audience,
)
from streamguard.review.projection import note_audience
from tests.core_fakes import SOURCE
from tests.made_reviews import flag, flag_opened, gap, stream_ended
from tests.review.bench import Bench


def gap_told(number: int, session: str = "s-1") -> Event:
    return gap_event(SOURCE, gap(number, session), recorded_s=1_000.0)


def test_the_latest_gaps_of_a_session_are_kept(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)), *(gap_told(number) for number in range(MAX_GAPS + 3)))

    bench.desk.projection.catch_up()

    starts = [one.start_pts_ms for one in gaps_of(bench.file, "s-1")]
    assert starts == [number * 1_000 for number in range(3, MAX_GAPS + 3)]


def test_gaps_of_a_session_without_a_case_go_with_it(bench: Bench) -> None:
    flagged = flag_opened(flag(1, session="flagged"))
    bench.tell(flagged, gap_told(1, "flagged"), gap_told(2, "s-1"))
    bench.desk.projection.catch_up()
    assert len(gaps_of(bench.file, "s-1")) == 1

    bench.tell(stream_ended("flagged"), stream_ended("s-1"))
    bench.desk.projection.catch_up()

    assert (len(gaps_of(bench.file, "flagged")), gaps_of(bench.file, "s-1")) == (1, [])


def test_gaps_are_made_anew_from_the_log(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)), gap_told(1))
    bench.desk.projection.catch_up()
    before = gaps_of(bench.file, "s-1")

    bench.desk.projection.rebuild()

    assert gaps_of(bench.file, "s-1") == before
    assert len(before) == 1


def test_the_audience_is_kept_when_it_changes_and_while_a_case_waits(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    bench.desk.projection.catch_up()

    for at_s, n_viewers in ((1.0, 10), (3.0, 10), (5.0, 12)):
        note_audience(bench.file, {"s-1": n_viewers, "unknown": 1}, at_s)

    assert audience_of(bench.file, "s-1") == [(1.0, 10), (5.0, 12)]
    assert audience_of(bench.file, "unknown") == []


def test_the_latest_audiences_are_kept_for_two_days(bench: Bench) -> None:
    with bench.file.transaction() as connection:
        for number in range(MAX_SAMPLES + 2):
            keep_audience(connection, "s-1", float(number), number)
        keep_audience(connection, "s-2", 0.0, 1)
    assert [at_s for at_s, _ in audience_of(bench.file, "s-1")][:: MAX_SAMPLES - 1] == [2.0, 901.0]

    with bench.file.transaction() as connection:
        forget_audiences(connection, 172_800.0)
        assert audience_of(bench.file, "s-2") == [(0.0, 1)]
        forget_audiences(connection, 172_800.1)

    assert audience_of(bench.file, "s-2") == []


def test_old_audiences_go_while_others_are_noted(bench: Bench) -> None:
    bench.tell(flag_opened(flag(1)))
    bench.desk.projection.catch_up()
    note_audience(bench.file, {"s-1": 1}, 0.0)

    note_audience(bench.file, {}, KEPT_S + 1)

    assert audience_of(bench.file, "s-1") == []
