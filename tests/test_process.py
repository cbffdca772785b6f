import os
import signal
from collections.abc import Iterator

import pytest

from streamguard.process import INTERRUPTED, Interrupt


@pytest.fixture(autouse=True)
def _handlers_are_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 0)])
def test_a_signal_ends_the_waiting_and_says_the_exit_code(number: int, code: int) -> None:
    with Interrupt() as interrupt:
        assert not interrupt.wait(0)
        os.kill(os.getpid(), number)

        assert interrupt.wait(60)

    assert interrupt.code == code


def test_a_second_interrupt_goes_where_it_went_before() -> None:
    """Whoever started this process may have told it to ignore Ctrl-C."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert interrupt.wait(60)
            assert seen == []

            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert seen == [signal.SIGINT]
