import pytest

from loadtest.console_screen import judged

QUICK = [0.2] * 100
OPENED = [(0.4, 1.2)] * 20


def test_what_keeps_every_bar_is_good() -> None:
    figures = judged(QUICK, QUICK, OPENED)

    assert figures["pass"] is True
    assert figures["flag_to_page_ms"]["p95"] == 200.0


@pytest.mark.parametrize(
    ("seen", "heard", "opened"),
    [
        ([*QUICK, None], QUICK, OPENED),
        (QUICK, [*QUICK, None], OPENED),
        ([1.1] * 100, QUICK, OPENED),
        (QUICK, [1.1] * 100, OPENED),
        (QUICK, QUICK, [(0.6, 1.2)] * 20),
        (QUICK, QUICK, [(0.4, 1.6)] * 20),
    ],
)
def test_what_misses_one_is_not(
    seen: list[float | None], heard: list[float | None], opened: list[tuple[float, float]]
) -> None:
    assert judged(seen, heard, opened)["pass"] is False


def test_too_little_is_not_judged() -> None:
    assert judged(QUICK[1:], QUICK, OPENED)["pass"] is None
    assert judged(QUICK, QUICK, OPENED[1:])["pass"] is None
