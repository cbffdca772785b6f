import pytest

from streamguard.core.evasion import (
    CALM,
    MAX_PROBE_EVERY_US,
    PROBE_US,
    STRETCHED_US,
    BlankKeyframes,
    Evasion,
    RareKeyframes,
)
from streamguard.core.types import Packet
from tests.core_fakes import packet

SECOND = 1_000_000
GOP_US = 2 * SECOND


def refresh(pts_us: int) -> Packet:
    return Packet(0, pts_us, pts_us, is_keyframe=False, read_at_s=0, payload=b"", is_refresh=True)


@pytest.mark.parametrize("is_keyframe", [True, False])
def test_a_gop_is_stretched_beyond_what_encoders_do_and_told_of_once(*, is_keyframe: bool) -> None:
    """Also one whose keyframe was before we came."""
    watch = RareKeyframes()
    times_us = [STRETCHED_US, STRETCHED_US + 1, STRETCHED_US + 2, 250 * SECOND]

    found = [
        watch.read(packet(0, is_keyframe=is_keyframe)),
        *map(watch.read, map(packet, times_us)),
    ]

    assert found == [None, None, Evasion.STRETCHED_GOP, None, None]


def test_each_stretched_gop_is_told_of() -> None:
    watch = RareKeyframes()
    times_us = range(0, 40 * SECOND, SECOND)

    found = [watch.read(packet(t, is_keyframe=t % (20 * SECOND) == 0)) for t in times_us]

    assert found.count(Evasion.STRETCHED_GOP) == 2


def test_refreshing_without_keyframes_is_told_of_once_an_epoch() -> None:
    watch = RareKeyframes()

    found = [watch.read(refresh(t * GOP_US)) for t in range(20)]

    assert found == [Evasion.INTRA_REFRESH, *[None] * 19]


def shown(watch: BlankKeyframes, pattern: str, start: int = 0) -> list[int]:
    """Show GOPs, and judge what lies between where it is probed; give those that begin evasion.

    "g" is a good one, "b" has a blank keyframe and blanks between, "h" one that hides pictures.
    """
    begun = []
    for number, kind in enumerate(pattern, start):
        at_us = number * GOP_US
        begins = watch.judged(0, at_us, is_keyframe=True, is_blank=kind != "g")
        if watch.is_probing(0, at_us + SECOND):
            begins |= watch.judged(0, at_us + SECOND, is_keyframe=False, is_blank=kind == "b")
        if begins:
            begun.append(number)
    return begun


def test_blank_keyframes_that_hide_pictures_are_met_at_once_and_told_of_at_the_second() -> None:
    watch = BlankKeyframes()

    assert shown(watch, "gghhhhhh") == [3]
    assert watch.is_probing(0, 7 * GOP_US + PROBE_US - 1)
    assert not watch.is_probing(0, 7 * GOP_US + PROBE_US)


def test_a_single_blank_keyframe_is_a_fade() -> None:
    assert shown(BlankKeyframes(), "ghgggghgg") == []


def test_a_stream_that_shows_nothing_is_no_evasion_and_is_looked_into_now_and_then() -> None:
    watch = BlankKeyframes()
    probed = []
    for number in range(60):
        shown(watch, "b", number)
        probed.append(watch.is_probing(0, number * GOP_US + SECOND))

    assert probed[:1] == [True]
    assert 8 <= sum(probed[10:60]) <= 25  # of 50 GOPs, each 10 s at least one
    longest = max(map(len, "".join("x" if each else "." for each in probed).split("x")))
    assert longest * GOP_US <= MAX_PROBE_EVERY_US


def test_what_begins_to_hide_in_a_black_stream_is_met_within_ten_seconds() -> None:
    watch = BlankKeyframes()
    shown(watch, "b" * 50)

    begun = shown(watch, "h" * 10, 50)

    assert len(begun) == 1
    assert (begun[0] - 50) * GOP_US <= MAX_PROBE_EVERY_US


def test_good_keyframes_end_the_suspicion() -> None:
    watch = BlankKeyframes()
    shown(watch, "hhh" + "g" * (CALM - 1))
    before = watch.is_probing(0, (2 + CALM) * GOP_US - 1)

    shown(watch, "gg", 2 + CALM)

    assert before
    assert not watch.is_probing(0, (3 + CALM) * GOP_US + 1)


def test_an_epoch_begins_without_suspicion() -> None:
    watch = BlankKeyframes()
    shown(watch, "hhh")

    watch.judged(1, 0, is_keyframe=True, is_blank=False)

    assert not watch.is_probing(1, 1)
    assert not watch.is_probing(0, 3 * GOP_US - 1)
