import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.drift import MAX_SKEW, Drift


def fed(*packets: tuple[float, float], epoch: int = 0) -> Drift:
    """Read packets of (media time, time of reading), seconds."""
    drift = Drift()
    for media_s, read_s in packets:
        drift.read(epoch, round(media_s * 1e6), read_s)
    return drift


def test_what_keeps_time_is_not_behind() -> None:
    assert fed(*((second, 100.0 + second) for second in range(60))).behind_s == 0.0


def test_what_comes_later_than_the_soonest_is_behind_by_that() -> None:
    assert fed((0, 100), (1, 101), (2, 107)).behind_s == pytest.approx(5.0, abs=0.01)


def test_a_burst_at_the_beginning_is_no_drift() -> None:
    """Four seconds come at once, then all in time."""
    packets = [(0, 100), (2, 100), (4, 100), *((4 + s, 100 + s) for s in range(1, 30))]

    assert fed(*packets).behind_s == pytest.approx(0.0, abs=1e-9)


def test_what_catches_up_is_not_behind_any_more() -> None:
    assert fed((0, 100), (1, 108), (2, 108), (9, 109)).behind_s == pytest.approx(0.0, abs=0.01)


def test_a_new_timeline_begins_anew() -> None:
    drift = fed((0, 100), (1, 111))

    drift.read(1, 0, 112.0)

    assert drift.behind_s == 0.0


@pytest.mark.parametrize(("skew", "is_behind"), [(MAX_SKEW / 2, False), (MAX_SKEW * 2, True)])
def test_a_clock_that_runs_a_little_slow_is_no_drift(skew: float, *, is_behind: bool) -> None:
    day = fed(*((s, 100.0 + s * (1 + skew)) for s in range(0, 86_400, 60)))

    assert (day.behind_s > 1.0) == is_behind


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=30))
def test_nothing_is_ahead(packets: list[tuple[float, float]]) -> None:
    packets.sort(key=lambda packet: packet[1])

    assert fed(*packets).behind_s >= 0.0
