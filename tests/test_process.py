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


def test_a_second_interrupt_is_not_held_back() -> None:
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.wait(60)

        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
