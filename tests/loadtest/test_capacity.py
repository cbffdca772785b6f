from typing import Any

import pytest

from loadtest.capacity import NEAR_ENOUGH, answer, is_carried, search


def figures(n_streams: int, coverage: float = 1.0, p99_ms: float | None = 60.0) -> dict[str, Any]:
    return {"streams": n_streams, "coverage": coverage, "p99_ms": p99_ms}


@pytest.mark.parametrize(
    ("coverage", "p99_ms", "expected"),
    [
        (0.999, 500.0, True),
        (0.9989, 500.0, False),
        (0.999, 500.1, False),
        (1.0, None, False),
    ],
)
def test_both_bars_decide(coverage: float, p99_ms: float | None, expected: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert is_carried(figures(100, coverage, p99_ms)) is expected


@pytest.mark.parametrize("limit", [1, 7, 99, 100, 101, 163, 1000])
@pytest.mark.parametrize("guess", [1, 100, 160])
def test_the_search_ends_near_the_limit_from_any_guess(limit: int, guess: int) -> None:
    def run(n_streams: int) -> dict[str, Any]:
        return figures(n_streams, 1.0 if n_streams <= limit else 0.5)

    best, runs = search(run, guess)

    assert best is not None
    assert best["streams"] <= limit < max(best["streams"] + 1, best["streams"] * NEAR_ENOUGH) + 1
    assert len({each["streams"] for each in runs}) == len(runs)


def test_where_one_stream_is_too_many_there_is_no_capacity() -> None:
    best, runs = search(lambda n: figures(n, 0.0), 4)

    assert best is None
    assert runs[-1]["streams"] == 1


def test_the_answer_tells_our_cores_from_those_of_the_origin() -> None:
    run = {"streams": 180, "cores": {"supervisor": 0.08, "workers": 1.4, "origin": 0.07}}

    said = answer(run, "1080p30")

    assert said == "180 streams of 1080p30 need 1.48 cores, and their origin 0.07"
