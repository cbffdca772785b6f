import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.index import SlotIndex
from streamguard.core.slots import SlotShape, build_slots, reach
from streamguard.core.types import NEAR_DISTANCE_BITS
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]

N_HASHES = 3_000
HASHES = np.random.default_rng(1).integers(0, 256, (N_HASHES, 32), dtype=np.uint8)
HASHES[1_000:1_010] = HASHES[0]  # few enough for numpy to look them up as well
OFFSETS, IDS = build_slots(HASHES, SlotShape(12, 17, 3), None)
WITHOUT_KERNELS = SlotIndex(HASHES, OFFSETS, IDS, None)


def look_up(
    query: NDArray[np.uint8], *, within_bits: int = 61, most: int = N_HASHES, room: int = N_HASHES
) -> tuple[int, list[int], list[int]]:
    rows, bits = np.full(room, -1, np.intp), np.full(room, 999, np.uint16)
    limits = within_bits, *reach(within_bits), most
    n_found = kernels.slot_query(query, HASHES, OFFSETS, IDS, *limits, rows, bits)
    return n_found, rows.tolist(), bits.tolist()


@given(
    row=st.integers(0, N_HASHES - 1),
    places=st.sets(st.integers(0, 255), max_size=70),
    within_bits=st.integers(0, 256),
)
def test_rows_and_bits_are_those_that_numpy_finds(
    row: int, places: set[int], within_bits: int
) -> None:
    flips = np.zeros(256, np.uint8)
    flips[list(places)] = 1
    query = HASHES[row] ^ np.packbits(flips)
    expected_rows, expected_bits = WITHOUT_KERNELS.query(query, within_bits)

    n_found, rows, bits = look_up(query, within_bits=within_bits)

    assert rows[:n_found] == expected_rows.tolist()
    assert bits[:n_found] == expected_bits.tolist()


def test_what_finds_no_room_is_counted_and_not_written() -> None:
    assert look_up(HASHES[0], room=3) == (11, [0, 1_000, 1_001], [0, 0, 0])


@pytest.mark.parametrize(("most", "n_found"), [(100, -1), (5_000, 11)])
def test_more_candidates_than_a_scan_is_worth_are_not_looked_at(most: int, n_found: int) -> None:
    assert look_up(HASHES[0], most=most)[0] == n_found


def test_wrong_shapes_are_refused() -> None:
    rows, bits = np.zeros(8, np.intp), np.zeros(8, np.uint16)
    query = HASHES[0]
    limits = 61, 32, 0, N_HASHES

    for wrong in (
        (query[:31], HASHES, OFFSETS, IDS, *limits, rows, bits),
        (query, HASHES[:-1], OFFSETS, IDS, *limits, rows, bits),
        (query, np.zeros((N_HASHES, 31), np.uint8), OFFSETS, IDS, *limits, rows, bits),
        (query, HASHES, OFFSETS[:-1], IDS, *limits, rows, bits),
        (query, HASHES, np.ascontiguousarray(OFFSETS[:, 1:]), IDS, *limits, rows, bits),
        (query, HASHES, OFFSETS.astype(np.uint64), IDS, *limits, rows, bits),
        (query, HASHES, OFFSETS, np.zeros((12, N_HASHES, 2), np.uint8), *limits, rows, bits),
        (query, HASHES, OFFSETS[:0], IDS[:0], *limits, rows, bits),
        (query, HASHES, OFFSETS, IDS, 257, *limits[1:], rows, bits),
        (query, HASHES, OFFSETS, IDS, *limits[:3], -1, rows, bits),
        (query, HASHES, OFFSETS, IDS, *limits, rows[:7], bits),
        (query, HASHES, OFFSETS, IDS, *limits, rows.astype(np.int32), bits),
    ):
        with pytest.raises(ValueError, match=r"expected|of 32 bytes|is not within"):
            kernels.slot_query(*wrong)
    with pytest.raises(ValueError, match="of 32 bytes"):
        kernels.slot_build(HASHES, OFFSETS.copy(), np.zeros((11, N_HASHES, 3), np.uint8))
    with pytest.raises(TypeError, match="takes 10 arguments, got 8"):
        kernels.slot_query(query, HASHES, OFFSETS, IDS, *limits)
    with pytest.raises(TypeError, match="takes 3 arguments, got 2"):
        kernels.slot_build(HASHES, OFFSETS)


def test_tables_that_cannot_be_written_are_not_built() -> None:
    offsets = OFFSETS.copy()
    offsets.flags.writeable = False

    with pytest.raises(ValueError, match="read-only"):
        kernels.slot_build(HASHES, offsets, IDS.copy())


def test_every_row_within_reach_is_given_once() -> None:
    n_found, rows, _ = look_up(HASHES[0], within_bits=NEAR_DISTANCE_BITS)

    assert rows[:n_found] == [0, *range(1_000, 1_010)]
