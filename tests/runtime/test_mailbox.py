import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.runtime.mailbox import Mailbox

PATIENCE_S = 60.0


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


class Box(Mailbox[int, str]):
    """A mailbox of numbers and words that keeps what it drops."""

    def __init__(self, capacity: int) -> None:
        self.dropped: list[int] = []
        super().__init__(capacity, on_drop=self.dropped.append)

    async def all(self) -> list[int | str]:
        """Take what is in it."""
        taken = []
        while len(self):
            taken.append(await self.get(PATIENCE_S))
        return [item for item in taken if item is not None]


def test_what_is_put_comes_out_in_order() -> None:
    async def test() -> None:
        box = Box(4)
        for item in (1, 2, 3, 4):
            box.put(item)

        assert await box.all() == [1, 2, 3, 4]
        assert box.dropped == []

    run(test)


def test_a_live_box_that_is_full_drops_its_oldest_sample_and_counts_it() -> None:
    async def test() -> None:
        box = Box(3)
        for item in (1, 2, 3, 4, 5):
            box.put(item)

        assert await box.all() == [3, 4, 5]
        assert (box.dropped, box.n_dropped) == ([1, 2], 2)

    run(test)


def test_notes_are_never_dropped_take_no_room_and_keep_their_place() -> None:
    async def test() -> None:
        box = Box(2)
        box.note("begin")
        box.put(1)
        box.note("a")
        box.note("b")
        box.put(2)
        box.put(3)
        box.note("end")

        assert await box.all() == ["begin", "a", "b", 2, 3, "end"]
        assert box.dropped == [1]

    run(test)


@given(st.lists(st.one_of(st.integers(), st.text(), st.none()), max_size=60), st.integers(1, 5))
def test_nothing_vanishes_and_nothing_changes_places(
    steps: list[int | str | None], capacity: int
) -> None:
    """A number is put, a word is noted, None takes one item out."""

    async def test() -> None:
        box, taken = Box(capacity), []
        for step in steps:
            if isinstance(step, int):
                box.put(step)
            elif isinstance(step, str):
                box.note(step)
            elif len(box):
                taken.append(await box.get(PATIENCE_S))
        taken += await box.all()

        given_in = [step for step in steps if step is not None]
        assert [item for item in taken if isinstance(item, str)] == [
            item for item in given_in if isinstance(item, str)
        ]
        assert len(taken) + len(box.dropped) == len(given_in)
        assert box.n_dropped == len(box.dropped)
        rest = iter(given_in)
        assert all(item in rest for item in taken)  # taken is a subsequence of what was given

    run(test)


def test_a_reader_waits_for_what_another_thread_puts() -> None:
    async def test() -> None:
        box = Box(4)
        getting = asyncio.create_task(box.get(PATIENCE_S))
        await asyncio.sleep(0)

        thread = threading.Thread(target=box.put, args=(7,))
        thread.start()

        assert await getting == 7
        thread.join()

    run(test)


@pytest.mark.parametrize("timeout_s", [0.0, 0.01])
def test_a_reader_is_told_when_nothing_came_in_time(timeout_s: float) -> None:
    async def test() -> None:
        assert await Box(4).get(timeout_s) is None

    run(test)


def test_a_wake_up_for_what_was_taken_before_is_not_nothing_in_time() -> None:
    """The item was taken at once; its call to the loop comes while the reader waits for more."""

    async def test() -> None:
        box = Box(4)
        box.put(1)
        assert await box.get(PATIENCE_S) == 1

        asyncio.get_running_loop().call_later(0.05, box.put, 2)

        assert await box.get(PATIENCE_S) == 2

    run(test)


def test_a_closed_box_drops_what_comes_and_gives_what_it_has() -> None:
    async def test() -> None:
        box = Box(1)
        box.put(1)

        box.close()
        box.put(2)
        box.note("end")

        assert await box.all() == [1, "end"]
        assert (box.dropped, box.n_dropped) == ([2], 1)

    run(test)


def test_many_writers_lose_nothing() -> None:
    async def test() -> None:
        box = Box(300)
        writers = [
            threading.Thread(target=lambda first=first: [box.put(first + n) for n in range(100)])
            for first in (0, 1_000, 2_000)
        ]
        for writer in writers:
            writer.start()

        taken = [await box.get(PATIENCE_S) for _ in range(300)]
        for writer in writers:
            writer.join()

        for first in (0, 1_000, 2_000):
            expected = list(range(first, first + 100))
            assert [item for item in taken if item in expected] == expected

    run(test)


def test_a_writer_that_comes_after_the_loop_has_ended_breaks_nothing() -> None:
    boxes: list[Box] = []

    async def test() -> None:
        boxes.append(Box(1))

    run(test)

    boxes[0].put(1)
    boxes[0].note("end")
    assert len(boxes[0]) == 2


async def let_the_loop_run() -> None:
    """Let all that is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_reader_of_a_live_stream_is_called_by_each_sample() -> None:
    async def test() -> None:
        box = Box(4)
        reader = asyncio.create_task(box.get(PATIENCE_S))
        await let_the_loop_run()

        box.put(1)

        assert await reader == 1

    run(test)
