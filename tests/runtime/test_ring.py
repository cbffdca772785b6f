import threading
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.types import Packet
from streamguard.runtime.ring import PacketRing
from tests.runtime.fakes import packet

SECOND_US = 1_000_000
KEEP_US = 10 * SECOND_US


def gops(
    n_gops: int, *, gop_s: int = 2, first_s: int = 0, epoch: int = 0, size: int = 10
) -> list[Packet]:
    """Make groups of one packet a second, each beginning with a keyframe."""
    return [
        packet(
            (first_s + second) * SECOND_US,
            is_keyframe=second % gop_s == 0,
            epoch=epoch,
            payload=bytes(size),
        )
        for second in range(n_gops * gop_s)
    ]


def ring_of(
    packets: Iterable[Packet], watermark_s: int | None = None, max_bytes: int = 10_000
) -> PacketRing:
    watermark_us = None if watermark_s is None else watermark_s * SECOND_US
    ring = PacketRing(lambda: watermark_us, keep_us=KEEP_US, max_bytes=max_bytes)
    for each in packets:
        ring.add(each)
    return ring


def seconds(packets: Iterable[Packet]) -> list[int]:
    return [each.pts_us // SECOND_US for each in packets]


def held(ring: PacketRing, epoch: int = 0) -> list[int]:
    return seconds(ring.between(epoch, -SECOND_US, 10**12))


def test_it_begins_with_a_keyframe() -> None:
    ring = ring_of(
        [packet(0, is_keyframe=False), packet(1, is_keyframe=False), *gops(1, first_s=3)]
    )

    assert held(ring) == [3, 4]


def test_the_newest_gop_is_given_whole() -> None:
    ring = ring_of(gops(3)[:-1])

    assert seconds(ring.gop()) == [4]
    ring.add(gops(3)[-1])
    assert seconds(ring.gop()) == [4, 5]


def test_an_empty_ring_gives_nothing() -> None:
    ring = ring_of([packet(0, is_keyframe=False)])

    assert ring.gop() == ()
    assert ring.between(0, 0, SECOND_US) == ()
    assert ring.size_bytes == 0


def test_a_gop_leaves_once_the_next_reaches_back_far_enough() -> None:
    """At 12 s, the keyframe of 2 s reaches back 10 s: what lies before it may go."""
    ring = ring_of(gops(6))
    assert held(ring)[0] == 0

    ring.add(packet(12 * SECOND_US - 1))
    assert held(ring)[0] == 0

    ring.add(packet(12 * SECOND_US))
    assert held(ring)[0] == 2


def test_what_is_not_judged_yet_holds_packets_back() -> None:
    behind = ring_of(gops(10), watermark_s=13)
    ahead = ring_of(gops(10), watermark_s=99)

    assert held(behind)[0] == 2
    assert held(ahead)[0] == 8  # the watermark is no reason to let go of more


def test_bytes_bound_it_whatever_is_judged() -> None:
    ring = ring_of(gops(10), watermark_s=0, max_bytes=100)

    assert ring.size_bytes <= 100
    assert held(ring)[-1] == 19
    assert held(ring)[0] % 2 == 0


def test_as_many_bytes_as_the_bound_are_held_and_one_more_is_not() -> None:
    exact = ring_of(gops(5), watermark_s=0, max_bytes=100)
    over = ring_of([*gops(5), packet(10 * SECOND_US, payload=b"1")], watermark_s=0, max_bytes=100)

    assert held(exact) == list(range(10))
    assert held(over) == list(range(2, 11))


def test_one_endless_gop_is_let_go_and_the_next_keyframe_begins_anew() -> None:
    endless = [packet(n * SECOND_US, is_keyframe=n == 0, payload=bytes(10)) for n in range(12)]
    ring = ring_of(endless[:10], max_bytes=100)
    assert held(ring) == list(range(10))

    ring.add(endless[10])
    ring.add(endless[11])
    assert held(ring) == []
    assert ring.gop() == ()
    assert ring.size_bytes == 0

    ring.add(packet(12 * SECOND_US))
    assert held(ring) == [12]


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (4, 5, [4, 5]),
        (5, 6, [4, 5, 6]),
        (3, 3, [2, 3]),
        (-5, 1, [0, 1]),
        (9, 99, [8, 9]),
        (99, 99, [8, 9]),
    ],
)
def test_a_stretch_begins_at_the_keyframe_before_it(
    start_s: int, end_s: int, expected: list[int]
) -> None:
    ring = ring_of(gops(5))

    found = ring.between(0, start_s * SECOND_US, end_s * SECOND_US)

    assert seconds(found) == expected
    assert found[0].is_keyframe


def test_the_epoch_before_can_still_be_had_and_older_ones_cannot() -> None:
    ring = ring_of([*gops(2), *gops(2, first_s=50, epoch=1)])

    assert held(ring, epoch=0) == [0, 1, 2, 3]
    assert held(ring, epoch=1) == [50, 51, 52, 53]
    assert seconds(ring.gop()) == [52, 53]

    ring.add(packet(0, epoch=2))
    assert held(ring, epoch=0) == []
    assert held(ring, epoch=1) == [50, 51, 52, 53]
    assert held(ring, epoch=7) == []


def test_an_epoch_that_begins_in_the_middle_waits_for_its_keyframe() -> None:
    ring = ring_of([*gops(1), packet(9, epoch=1, is_keyframe=False)])

    assert ring.gop() == ()
    assert held(ring, epoch=0) == [0, 1]
    assert held(ring, epoch=1) == []


@pytest.mark.parametrize(("n_gops", "is_kept"), [(2, True), (3, False)])
def test_the_epoch_before_leaves_where_both_would_be_too_many_bytes(
    n_gops: int,
    is_kept: bool,  # noqa: FBT001
) -> None:
    ring = ring_of([*gops(3), *gops(n_gops, epoch=1)], watermark_s=0, max_bytes=100)

    assert held(ring, epoch=0) == (list(range(6)) if is_kept else [])
    assert held(ring, epoch=1) == list(range(2 * n_gops))
    assert ring.size_bytes == (100 if is_kept else 60)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 60), st.booleans()),
        max_size=80,
    ),
    st.one_of(st.none(), st.integers(0, 100)),
)
def test_it_is_whole_gops_within_its_bounds_and_the_newest(
    steps: list[tuple[int, bool, int, bool]], watermark_s: int | None
) -> None:
    ring = ring_of([], watermark_s, max_bytes=200)
    pts_s = epoch = 0
    fed: list[Packet] = []
    for step_s, is_keyframe, size, is_break in steps:
        epoch += is_break and bool(fed)
        pts_s += step_s
        fed.append(
            packet(pts_s * SECOND_US, is_keyframe=is_keyframe, epoch=epoch, payload=bytes(size))
        )
        ring.add(fed[-1])

        kept = ring.between(epoch, -SECOND_US, 10**15)
        assert ring.size_bytes <= 200
        assert sum(len(each.payload) for each in kept) <= 200
        if kept:
            assert kept[0].is_keyframe
            assert list(kept) == fed[-len(kept) :]
            behind_s = min(pts_s, pts_s if watermark_s is None else watermark_s)
            keyframes = [each.pts_us // SECOND_US for each in kept if each.is_keyframe]
            if kept[-1].is_keyframe:
                assert all(then > behind_s - 10 for _, then in pairwise(keyframes))
        assert [each for each in ring.gop() if each.is_keyframe] == list(ring.gop())[:1]


def test_readers_see_a_whole_ring_while_it_grows() -> None:
    ring = ring_of([], max_bytes=400)
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = ring.between(0, 0, 10**15)
            if found and not found[0].is_keyframe:
                problems.append("it began in the middle")
            if seconds(found) != sorted(set(seconds(found))):
                problems.append("it was out of order")

    reader = threading.Thread(target=read)
    reader.start()
    for each in gops(500):
        ring.add(each)
    done.set()
    reader.join()

    assert problems == []


@pytest.mark.parametrize(
    ("epoch", "second", "is_held"),
    [(0, 6, True), (0, 5, False), (0, 19, True), (0, 20, False), (1, 0, True), (2, 0, False)],
)
def test_it_says_what_it_still_holds(epoch: int, second: int, *, is_held: bool) -> None:
    ring = ring_of(gops(10), watermark_s=16)
    for each in gops(1, epoch=1):
        ring.add(each)

    assert held(ring, 0)[0] == 6
    assert ring.holds(epoch, second * SECOND_US) is is_held


def test_an_empty_ring_holds_nothing() -> None:
    assert not ring_of([]).holds(0, 0)


def test_where_a_picture_begins_to_be_renewed_is_as_good_a_beginning_as_a_keyframe() -> None:
    ring = PacketRing()
    for pts_us in range(4):
        ring.add(replace(packet(pts_us, is_keyframe=False), is_refresh=pts_us in {1, 3}))

    assert [each.pts_us for each in ring.gop()] == [3]
    assert [each.pts_us for each in ring.between(0, 2, 9)] == [1, 2, 3]
