from streamguard.core.joining import AGAIN_US, JOIN_US, Joining


def begun(*packets: tuple[int, bool]) -> list[bool]:
    """Give whether to begin blindly, for each packet: decode time, and whether it is a start."""
    joining = Joining()
    return [joining.begins(dts_us, is_start=is_start) for dts_us, is_start in packets]


def test_a_stream_without_a_start_is_begun_blindly_after_a_while() -> None:
    assert begun((7, False), (JOIN_US + 6, False), (JOIN_US + 7, False)) == [False, False, True]


def test_it_is_begun_again_now_and_then() -> None:
    times_us = (0, JOIN_US, JOIN_US + 1, JOIN_US + AGAIN_US - 1, JOIN_US + AGAIN_US)

    assert begun(*((at, False) for at in times_us)) == [False, True, False, False, True]


def test_a_stream_that_showed_a_start_is_left_alone() -> None:
    assert begun((0, True), (JOIN_US, False), (9 * JOIN_US, False)) == [False, False, False]
    assert begun((0, False), (1, True), (9 * JOIN_US, False)) == [False, False, False]


def test_a_start_itself_needs_no_other() -> None:
    assert begun((0, False), (JOIN_US, True)) == [False, False]
