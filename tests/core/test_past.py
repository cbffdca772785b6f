import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.past import KEEP_S, MAX_ROWS, ROW_DTYPE, Past, samples_of
from streamguard.core.types import Sample
from tests.core_fakes import picture, sample, view

SECOND = 1_000_000


def remembered(past: Past) -> list[tuple[int, Sample]]:
    return [*samples_of(past.rows())]


def show(past: Past, *samples: Sample) -> None:
    for each in samples:
        past.add(each, each.views)


def test_what_was_shown_is_given_back_view_by_view() -> None:
    past = Past()
    full, content = view(picture(1), quality=70), view(picture(2), region="content")

    show(past, sample(5, full, content, epoch=3, read_at_s=1.5), sample(9, picture(3), epoch=4))

    (first, one), (second, other) = remembered(past)
    assert (first, one.epoch, one.pts_us, one.read_at_s) == (0, 3, 5, 1.5)
    assert [(each.region, each.quality) for each in one.views] == [("full", 70), ("content", 100)]
    assert [each.pdq.tolist() for each in one.views] == [picture(1).tolist(), picture(2).tolist()]
    assert all(each.is_matchable for each in one.views)
    assert (second, other.epoch, other.pts_us, len(other.views)) == (1, 4, 9, 1)


def test_a_past_without_samples_is_empty() -> None:
    assert remembered(Past()) == []


@pytest.mark.parametrize(("since_s", "n_kept"), [(KEEP_S, 2), (KEEP_S + 0.001, 1)])
def test_ten_minutes_are_remembered(since_s: float, n_kept: int) -> None:
    past = Past()

    show(past, sample(0, picture(1), read_at_s=7.0), sample(1, picture(2), read_at_s=7 + since_s))

    assert [number for number, _ in remembered(past)] == [0, 1][2 - n_kept :]


def test_ten_minutes_of_dense_sampling_are_remembered_whole() -> None:
    past = Past()

    show(past, *(sample(n, picture(1), picture(2), read_at_s=n / 4) for n in range(9_600)))

    numbers = [number for number, _ in remembered(past)]
    assert numbers == [*range(9_600 - 2_401, 9_600)]
    assert past.n_taken == 9_600


def test_memory_is_bounded_whatever_comes() -> None:
    past = Past()

    show(past, *(sample(n, *[picture(1)] * 8, read_at_s=0.0) for n in range(2 * MAX_ROWS // 8 + 5)))

    assert past.size_bytes <= MAX_ROWS * ROW_DTYPE.itemsize
    numbers = [number for number, _ in remembered(past)]
    assert numbers == [*range(numbers[0], past.n_taken)]
    assert len(numbers) >= MAX_ROWS * 3 // 4 // 8 - 1


def test_few_samples_take_little_memory() -> None:
    past = Past()

    show(past, *(sample(n, picture(1), picture(2), read_at_s=2.0 * n) for n in range(3_000)))

    assert past.size_bytes <= 1024 * ROW_DTYPE.itemsize


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 3)), max_size=400))
def test_the_past_is_what_came_within_ten_minutes_in_its_order(
    coming: list[tuple[float, int]],
) -> None:
    past, at_s, shown = Past(), 0.0, []

    for n, (step_s, n_views) in enumerate(coming):
        at_s += step_s
        one = sample(n, *[picture(v) for v in range(n_views)], read_at_s=at_s)
        show(past, one)
        shown += [(n, one)] if n_views else []

    newest_s = shown[-1][1].read_at_s if shown else 0.0
    expected = [(n, one) for n, one in shown if one.read_at_s >= newest_s - KEEP_S]
    assert [(n, len(one.views)) for n, one in remembered(past)] == [
        (n, len(one.views)) for n, one in expected
    ]


def test_what_is_given_out_does_not_change() -> None:
    past = Past()
    show(past, sample(0, picture(1)))
    rows = past.rows()

    show(past, *(sample(n, picture(n)) for n in range(1, 600)))

    assert len(rows) == 1
    assert np.array_equal(rows["pdq"][0], picture(1))
