import sys

import pytest

from streamguard.adapters.clock_error import FIELDS, UNSYNCHRONISED, clock_error_ms, error_ms_in


@pytest.mark.parametrize(
    ("max_error_us", "status", "said"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (1_000, 0, 1),
        (1_001, 0, 2),
        (250_000, UNSYNCHRONISED, None),
        (250_000, UNSYNCHRONISED | 1, None),
        (-1, 0, None),
    ],
)
def test_the_bound_is_rounded_up_and_of_a_clock_that_is_disciplined(
    max_error_us: int, status: int, said: int | None
) -> None:
    timex = FIELDS.pack(0, 0, 0, max_error_us, 7, status)

    assert error_ms_in(timex) == said


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is Linux's")
def test_the_kernel_is_asked() -> None:
    said = clock_error_ms()

    assert said is None or 0 <= said < 60_000
