import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from streamguard.core.types import Packet, Sample
from streamguard.runtime.mailbox import Mailbox
from streamguard.runtime.notes import Note, SourceEnded
from streamguard.runtime.puller import BREATH_S, Puller
from tests.clock import FakeClock
from tests.runtime.fakes import packet

ENDED = SourceEnded(None, 0)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


class Bench:
    """A file of packets of which every other one gives a sample; it ends with a note."""

    def __init__(self, n_packets: int, *, n_at_once: int, takes_s: float = 0.0) -> None:
        self.clock = FakeClock()
        self.mailbox: Mailbox[Sample, Note] = Mailbox(1_000, on_drop=lambda _: None)
        self.n_read = 0
        self._takes_s = takes_s
        packets = self._packets(n_packets)
        self.puller = Puller(packets, self.mailbox, self.clock, n_at_once)

    def _packets(self, n_packets: int) -> Iterator[Packet]:
        for number in range(n_packets):
            self.n_read += 1
            self.clock.advance(self._takes_s)
            if number % 2:
                self.mailbox.put(
                    Sample(0, number, is_keyframe=True, read_at_s=0.0, hashed_at_s=0.0, views=())
                )
            yield packet(number)
        self.mailbox.note(ENDED)


@pytest.mark.parametrize(("n_at_once", "n_read"), [(1, [2, 4, 6]), (2, [4, 4, 8])])
def test_so_much_is_read_before_the_first_is_given(n_at_once: int, n_read: list[int]) -> None:
    async def test() -> None:
        bench = Bench(10, n_at_once=n_at_once)

        read = []
        for _ in range(3):
            assert isinstance(await bench.puller.get(), Sample)
            read.append(bench.n_read)

        assert read == n_read

    run(test)


def test_a_file_is_given_to_its_end() -> None:
    async def test() -> None:
        bench = Bench(5, n_at_once=16)

        given = [await bench.puller.get() for _ in range(3)]

        assert [each.pts_us for each in given if isinstance(each, Sample)] == [1, 3]
        assert given[-1] is ENDED

    run(test)


def test_others_have_their_turn_while_nothing_comes() -> None:
    async def test() -> None:
        bench = Bench(100, n_at_once=16, takes_s=BREATH_S / 4)
        turns = []
        asyncio.get_running_loop().call_soon(lambda: turns.append(bench.n_read))

        given = [await bench.puller.get() for _ in range(2)]

        assert turns == [4]
        assert [each.pts_us for each in given if isinstance(each, Sample)] == [1, 3]

    run(test)


def test_nothing_is_given_where_nothing_came_in_time() -> None:
    async def test() -> None:
        bench = Bench(2, n_at_once=1, takes_s=BREATH_S)

        assert await bench.puller.get() is None
        assert isinstance(await bench.puller.get(), Sample)

    run(test)
