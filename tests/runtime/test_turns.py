import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.location import parse_location
from streamguard.core.timeline import Timeline
from streamguard.runtime.turns import Turns
from tests.runtime.fakes import FakeSource

DEADLINE_S = 60.0
NEVER_S = 1000.0


class Openings:
    """Streams that are opened in threads, each of which stays until it is let go."""

    def __init__(self, turns: Turns, n_streams: int) -> None:
        self._turns = turns
        self.opening = threading.Semaphore(0)
        self._let_go = threading.Semaphore(0)
        self._pool = ThreadPoolExecutor(n_streams)
        self.done = [self._pool.submit(self._open) for _ in range(n_streams)]

    def _open(self) -> None:
        with self._turns.turn():
            self.opening.release()
            assert self._let_go.acquire(timeout=DEADLINE_S)

    def let_go(self, count: int) -> None:
        self._let_go.release(count)

    def end(self) -> None:
        self.let_go(len(self.done))
        self._pool.shutdown()


def test_so_many_open_at_once_and_the_next_when_one_is_done() -> None:
    openings = Openings(Turns(SystemClock(), n_at_once=2, longest_s=NEVER_S), 3)
    began = [openings.opening.acquire(timeout=DEADLINE_S) for _ in range(2)]

    waits = not openings.opening.acquire(timeout=0.05)
    openings.let_go(1)
    follows = openings.opening.acquire(timeout=DEADLINE_S)
    openings.end()

    assert began == [True, True]
    assert waits
    assert follows


def test_who_opens_for_long_keeps_nobody_from_it() -> None:
    openings = Openings(Turns(SystemClock(), n_at_once=1, longest_s=0.01), 3)

    began = [openings.opening.acquire(timeout=DEADLINE_S) for _ in range(3)]
    openings.end()

    assert all(began)


def test_who_fails_gives_its_turn_back() -> None:
    turns = Turns(SystemClock(), n_at_once=1, longest_s=NEVER_S)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError

    openings = Openings(turns, 1)
    openings.end()
    assert openings.done[0].result(DEADLINE_S) is None


def test_opening_takes_its_turn_and_a_stream_that_is_open_has_none() -> None:
    turns = Turns(SystemClock(), n_at_once=1, longest_s=NEVER_S)
    source = FakeSource([], None)
    open_it = turns.staggered(lambda _location, _timeline: source)
    location = parse_location("rtmp://host/live/a")

    with open_it(location, Timeline()) as first, open_it(location, Timeline()) as second:
        assert first is second is source
