import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.course import FIRST_STEP_US, MAX_POINTS, Course, Point

SAMPLES = st.lists(
    st.tuples(st.integers(-(10**10), 10**10), st.floats(0, 256)), min_size=1, max_size=200
)


def course_of(samples: list[tuple[int, float]]) -> Course:
    course = Course()
    for pts_us, weakness in samples:
        course = course.and_of(pts_us, weakness)
    return course


def test_few_samples_are_told_one_by_one() -> None:
    course = course_of([(0, 31.0), (250_000, 12.0), (2_000_000, 20.0)])

    assert course.step_us == FIRST_STEP_US
    assert course.points == (Point(31.0, 0), Point(12.0, 250_000), Point(20.0, 2_000_000))


@pytest.mark.parametrize(("n_samples", "n_points"), [(MAX_POINTS, 64), (MAX_POINTS + 1, 33)])
def test_one_sample_too_many_leaves_every_second_one_the_stronger(
    n_samples: int, n_points: int
) -> None:
    course = course_of([(n * FIRST_STEP_US, 20.0 + n % 2) for n in range(n_samples)])

    assert len(course.points) == n_points
    assert {point.weakness for point in course.points[:-1]} == (
        {20.0, 21.0} if n_points == MAX_POINTS else {20.0}
    )


def test_of_the_same_strength_the_earlier_sample_stands() -> None:
    assert course_of([(50_000, 12.0), (20_000, 12.0)]).points == (Point(12.0, 20_000),)


def test_fewer_points_are_as_evenly_spread() -> None:
    course = course_of([(n * FIRST_STEP_US, float(n)) for n in range(64)]).within(16)

    assert course.step_us == 4 * FIRST_STEP_US
    assert [point.weakness for point in course.points] == [float(n) for n in range(0, 64, 4)]


@given(SAMPLES, st.data())
def test_samples_in_any_order_give_the_same_course(
    samples: list[tuple[int, float]], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(samples))

    assert course_of(mixed) == course_of(samples)


@given(SAMPLES)
def test_the_strongest_sample_stands_within_the_bound_and_one_a_step(
    samples: list[tuple[int, float]],
) -> None:
    course = course_of(samples)

    assert min(course.points).weakness == min(weakness for _, weakness in samples)
    assert {(point.pts_us, point.weakness) for point in course.points} <= set(samples)
    places = [point.pts_us // course.step_us for point in course.points]
    assert len(places) <= MAX_POINTS
    assert places == sorted(set(places))
