import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.made_events import later, opened
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.events import Event, stream_excluded_event
from streamguard.core.record import Row, row_of
from streamguard.core.shedding import (
    EVIDENCE_LEAVES_BYTES,
    ROOM_BYTES,
    SMALL_DISK_BYTES,
    Room,
    scarcity,
    shed,
)
from streamguard.core.types import Severity

NONE: frozenset[str] = frozenset()
LIMITS = sorted(ROOM_BYTES.items())


def free(free_bytes: int) -> Room:
    """Give the room on a large disk."""
    return Room(free_bytes, 1 << 40)


def rows(*events: Event) -> list[Row]:
    return [row_of(event) for event in events]


@pytest.mark.parametrize(("severity", "room"), LIMITS)
def test_a_flag_is_taken_where_there_is_room_and_goes_a_byte_below(
    severity: Severity, room: int
) -> None:
    flag = rows(opened(1, severity=severity))

    at, below = (shed(flag, free(left), NONE) for left in (room, room - 1))

    assert (at.kept, at.gone) == (flag, [])
    assert (below.kept, below.gone) == ([], [severity])


@pytest.mark.parametrize(
    ("severity", "next_lower"), [("P1", Severity.P2), ("P2", Severity.P3), ("P3", None)]
)
def test_the_highest_severity_that_goes_is_said(severity: str, next_lower: Severity | None) -> None:
    room = ROOM_BYTES[Severity(severity)]

    assert scarcity(free(room - 1)) == severity
    assert scarcity(free(room)) is next_lower


@pytest.mark.parametrize(("severity", "room"), LIMITS)
def test_of_a_small_disk_the_same_shares_count(severity: Severity, room: int) -> None:
    half = SMALL_DISK_BYTES // 2

    assert Room(room // 2 - 1, half).is_scarce_for(severity)
    assert not Room(room // 2, half).is_scarce_for(severity)
    assert Room(room - 1, SMALL_DISK_BYTES).is_scarce_for(severity)


def test_what_cannot_wait_and_what_is_no_flag_is_taken_on_the_last_byte() -> None:
    excluded = StreamExcludedData(stream_id="lobby", reason="by_contract")
    last = rows(
        opened(1, severity="P0"),
        stream_excluded_event("/streamguard/test", excluded, recorded_s=0.0),
        later(opened(1, severity="P0"), "closed"),
    )

    assert shed(last, free(0), NONE).kept == last


def test_a_flag_goes_whole_even_where_there_is_room_again() -> None:
    flag = opened(1)

    first = shed(rows(flag), free(0), NONE)
    second = shed(
        rows(later(flag, "updated"), later(flag, "closed", 2)), free(1 << 30), first.flags
    )

    assert (second.kept, second.gone, second.flags) == ([], [], NONE)


def test_a_flag_that_was_taken_is_taken_whole_even_where_there_is_no_room_any_more() -> None:
    flag = opened(1)
    rest = rows(later(flag, "updated"), later(flag, "closed", 2))

    assert shed(rest, free(0), NONE).kept == rest


def test_other_flags_are_taken_while_one_that_went_is_still_open() -> None:
    first = shed(rows(opened(1)), free(0), NONE)
    other = rows(opened(2), later(opened(2), "updated"))

    result = shed(other, free(1 << 30), first.flags)

    assert result.kept == other
    assert result.flags == first.flags


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(Severity)), st.booleans())),
    st.integers(0, 300 << 20),
)
def test_everything_is_kept_or_counted_and_order_stays(
    made: list[tuple[int, Severity, bool]], free_bytes: int
) -> None:
    events = rows(
        *(opened(at * 4 + n, f"{n}", severity=severity) for at, (n, severity, _) in enumerate(made))
    )

    result = shed(events, free(free_bytes), NONE)

    assert len(result.kept) + len(result.gone) == len(events)
    assert result.kept == [row for row in events if row in result.kept]
    assert Severity.P0 not in result.gone


@pytest.mark.parametrize("n_bytes", [0, 6 << 20])
def test_evidence_stops_before_a_flag_goes_for_it(n_bytes: int) -> None:
    last = free(EVIDENCE_LEAVES_BYTES + n_bytes)

    assert last.takes_evidence(n_bytes)
    assert not last.takes_evidence(n_bytes + 1)
    assert scarcity(free(last.free_bytes - n_bytes)) is None


def test_evidence_leaves_as_large_a_share_of_a_small_disk() -> None:
    half, left = SMALL_DISK_BYTES // 2, EVIDENCE_LEAVES_BYTES // 2

    assert Room(left, half).takes_evidence(0)
    assert not Room(left, half).takes_evidence(1)
