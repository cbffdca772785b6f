import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.sampling import Level
from streamguard.core.schedule import (
    BUSY_SHARE,
    CALM_S,
    LATE_S,
    NEW_S,
    OVERDUE_S,
    RECENT_S,
    RECOVERY_S,
    STEP_UP_S,
    SUDDEN_VIEWERS,
    Concern,
    Governor,
    Load,
    Risk,
    Shed,
    Suspicion,
    levels_of,
)

IDLE = Load(0.1, 0.0)
BUSY = Load(0.6, 0.0)
OVERLOADED = Load(BUSY_SHARE + 0.01, 0.0)
OVERDUE = Load(1.0, OVERDUE_S + 0.1)


def old(now_s: float = 0.0) -> Suspicion:
    """Give what is known of a session that is not new at this time."""
    return begun(now_s - NEW_S)


def begun(at_s: float) -> Suspicion:
    suspicion = Suspicion()
    suspicion.began(at_s)
    return suspicion


@pytest.mark.parametrize(("age_s", "concern"), [(NEW_S - 0.1, Concern.NEW), (NEW_S, Concern.NONE)])
def test_a_session_is_new_for_a_minute(age_s: float, concern: Concern) -> None:
    suspicion = begun(100.0)
    suspicion.began(100.0 + age_s)

    assert suspicion.concern(100.0 + age_s) is concern


def test_a_stream_that_is_not_on_air_takes_no_time_from_others() -> None:
    suspicion = Suspicion()
    suspicion.tune(Risk(is_pinned=True), 0.0)
    before = suspicion.concern(1.0)
    suspicion.began(2.0)

    assert (before, suspicion.concern(2.0)) == (Concern.NONE, Concern.PINNED)


@pytest.mark.parametrize(
    ("since_s", "is_recent"), [(0.0, True), (RECENT_S - 0.1, True), (RECENT_S, False)]
)
def test_a_flag_and_an_evasion_count_for_five_minutes(since_s: float, *, is_recent: bool) -> None:
    flagged, evasive = old(), old()
    flagged.was_flagged(10.0)
    evasive.evaded(10.0)

    concerns = [one.concern(10.0 + since_s) for one in (flagged, evasive)]

    recent = [Concern.FLAGGED, Concern.EVASIVE]
    assert concerns == (recent if is_recent else [Concern.NONE] * 2)


@pytest.mark.parametrize(("at_s", "concern"), [(19.9, Concern.REPORTED), (20.0, Concern.NONE)])
def test_a_report_counts_until_it_expires(at_s: float, concern: Concern) -> None:
    suspicion = old()
    suspicion.tune(Risk(reported_until_s=20.0), 0.0)

    assert suspicion.concern(at_s) is concern


def test_a_pin_counts_until_it_is_taken_back() -> None:
    suspicion = old()
    suspicion.tune(Risk(is_pinned=True), 0.0)
    pinned = suspicion.concern(1e9)
    suspicion.tune(Risk(), 0.0)

    assert (pinned, suspicion.concern(1e9)) == (Concern.PINNED, Concern.NONE)


def test_the_strongest_reason_counts() -> None:
    suspicion = begun(0.0)
    suspicion.was_flagged(0.0)
    suspicion.tune(Risk(is_pinned=True, reported_until_s=9.0), 0.0)

    assert suspicion.concern(1.0) is Concern.PINNED


@pytest.mark.parametrize(
    ("before", "after", "concern"),
    [
        (SUDDEN_VIEWERS, 2 * SUDDEN_VIEWERS, Concern.GROWING),
        (SUDDEN_VIEWERS, 2 * SUDDEN_VIEWERS - 1, Concern.NONE),
        (0, SUDDEN_VIEWERS, Concern.GROWING),
        (0, SUDDEN_VIEWERS - 1, Concern.NONE),
        (1000, 1999, Concern.NONE),
    ],
)
def test_an_audience_that_doubles_is_sudden(before: int, after: int, concern: Concern) -> None:
    suspicion = old()
    suspicion.tune(Risk(n_viewers=before), 0.0)

    suspicion.tune(Risk(n_viewers=after), RECENT_S)

    assert suspicion.concern(RECENT_S) is concern


def test_an_audience_that_grows_over_hours_is_not_sudden() -> None:
    suspicion = old()
    suspicion.tune(Risk(n_viewers=100), 0.0)

    suspicion.tune(Risk(n_viewers=200), RECENT_S + 0.1)

    assert suspicion.concern(RECENT_S + 0.1) is Concern.NONE


def fed(governor: Governor, load: Load, seconds: float, *, wanting: int = 100) -> None:
    """Let time pass from 0 on, or from where it was, at one load."""
    start_s = getattr(governor, "at_s", 0.0)
    for tick in range(1, round(seconds * 2) + 1):
        governor.decide(load, wanting, start_s + tick / 2)
    governor.at_s = start_s + seconds  # type: ignore[attr-defined]  # the test's own clock


def test_what_is_spare_is_spent_slowly() -> None:
    governor = Governor(0.5)

    fed(governor, IDLE, CALM_S)
    at_first = governor.n_dense
    fed(governor, IDLE, 0.5)
    then = governor.n_dense
    fed(governor, IDLE, 10 * CALM_S)

    assert (at_first, then) == (0, 1)
    assert 10 <= governor.n_dense <= 15


def test_it_grows_no_further_than_the_share_that_may_be_spent() -> None:
    governor = Governor(0.5)
    fed(governor, IDLE, 4 * CALM_S)
    n_dense = governor.n_dense

    fed(governor, BUSY, 100)

    assert governor.n_dense == n_dense > 0
    assert governor.shed is Shed.NOTHING


def test_no_more_streams_are_dense_than_want_to_be() -> None:
    governor = Governor(0.5)
    fed(governor, IDLE, 100, wanting=2)

    assert governor.n_dense == 2
    fed(governor, IDLE, 0.5, wanting=0)
    assert governor.n_dense == 0


def test_nothing_is_spent_where_nothing_may_be() -> None:
    governor = Governor(0.0)

    fed(governor, Load(0.0, 0.0), 100)

    assert governor.n_dense == 0


@pytest.mark.parametrize(
    ("load", "is_shed"),
    [
        (OVERLOADED, True),
        (Load(0.1, LATE_S + 0.01), True),
        (Load(BUSY_SHARE, LATE_S), False),
    ],
)
def test_overload_sheds_what_was_dense_at_once(load: Load, *, is_shed: bool) -> None:
    governor = Governor(0.5)
    fed(governor, IDLE, 30)

    fed(governor, load, 0.5)

    assert (governor.n_dense == 0) is is_shed
    assert governor.shed is (Shed.RISK_DENSE if is_shed else Shed.NOTHING)


def test_long_gops_are_left_out_when_that_did_not_help() -> None:
    governor = Governor(0.5)
    fed(governor, OVERDUE, 0.5)
    first = governor.shed
    fed(governor, OVERDUE, STEP_UP_S)

    assert (first, governor.shed) == (Shed.RISK_DENSE, Shed.LONG_GOP)


def test_long_gops_stay_while_packets_are_in_time() -> None:
    governor = Governor(0.5)

    fed(governor, OVERLOADED, 60)

    assert governor.shed is Shed.RISK_DENSE


def test_it_takes_back_one_rung_after_another_when_it_has_been_calm() -> None:
    governor = Governor(0.5)
    fed(governor, OVERDUE, 10)

    rungs = []
    for _ in range(3):
        fed(governor, IDLE, RECOVERY_S + 0.5)
        rungs.append(governor.shed)

    assert rungs == [Shed.RISK_DENSE, Shed.NOTHING, Shed.NOTHING]


def test_a_busy_moment_ends_the_calm() -> None:
    governor = Governor(0.5)
    fed(governor, OVERDUE, 10)
    for _ in range(10):
        fed(governor, IDLE, RECOVERY_S - 1)
        fed(governor, OVERLOADED, 0.5)

    assert governor.shed is Shed.LONG_GOP


def test_the_greatest_concern_is_dense_first() -> None:
    concerns = {"new": Concern.NEW, "plain": Concern.NONE, "pinned": Concern.PINNED}

    assert levels_of(concerns, 1, Shed.NOTHING) == {
        "new": Level.STANDARD,
        "plain": Level.STANDARD,
        "pinned": Level.DENSE,
    }


def test_a_stream_without_concern_is_never_dense() -> None:
    assert levels_of({"plain": Concern.NONE}, 9, Shed.NOTHING) == {"plain": Level.STANDARD}


@given(concerns=st.dictionaries(st.text(max_size=2), st.sampled_from(Concern)))
def test_under_overload_only_streams_that_hide_or_are_reported_keep_their_long_gops(
    concerns: dict[str, Concern],
) -> None:
    levels = levels_of(concerns, 0, Shed.LONG_GOP)

    assert levels == {
        name: Level.STANDARD if concern >= Concern.EVASIVE else Level.FLOOR
        for name, concern in concerns.items()
    }


LOADS = st.builds(Load, st.floats(0, 1), st.floats(0, 5))


@given(loads=st.lists(st.tuples(LOADS, st.integers(0, 20)), max_size=60))
def test_whatever_comes_nothing_is_dense_while_anything_is_shed(
    loads: list[tuple[Load, int]],
) -> None:
    governor = Governor(0.5)

    for tick, (load, n_wanting) in enumerate(loads):
        governor.decide(load, n_wanting, tick / 2)

        assert 0 <= governor.n_dense <= n_wanting
        assert governor.n_dense == 0 or governor.shed is Shed.NOTHING
