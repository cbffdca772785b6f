import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.index import (
    SLOTS_FROM,
    LinearIndex,
    SlotIndex,
    build_index,
    distances,
)
from streamguard.core.slots import build_slots
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS

N_BANK = 3_000
"""So many that a query's candidates stay few and the slot index does not fall back to a scan."""

SCATTERED = np.random.default_rng(1).integers(0, 256, (N_BANK, 32), dtype=np.uint8)


def crowded() -> NDArray[np.uint8]:
    """Give random hashes among which 40 are one hash, or near it: they share many slots."""
    rng = np.random.default_rng(2)
    hashes = SCATTERED.copy()
    for row in range(40):
        hashes[row] = flip(hashes[500], rng.permutation(256)[: 2 * row])
    return hashes


def flip(pdq: NDArray[np.uint8], places: NDArray[np.intp] | list[int]) -> NDArray[np.uint8]:
    bits = np.unpackbits(pdq)
    bits[places] ^= 1
    return np.packbits(bits)


def slot_index(hashes: NDArray[np.uint8]) -> SlotIndex:
    return SlotIndex(hashes, *build_slots(hashes))


def brute_force(pdq: NDArray[np.uint8], hashes: NDArray[np.uint8], within: int) -> dict[int, int]:
    differing = (np.unpackbits(hashes, axis=1) != np.unpackbits(pdq)).sum(axis=1)
    return {row: int(bits) for row, bits in enumerate(differing) if bits <= within}


def answer(
    index: LinearIndex | SlotIndex, pdq: NDArray[np.uint8], within_bits: int
) -> dict[int, int]:
    rows, bits = index.query(pdq, within_bits)
    assert len(set(rows.tolist())) == len(rows)
    assert rows.tolist() == sorted(rows.tolist())
    return dict(zip(rows.tolist(), bits.tolist(), strict=True))


BANKS = {"scattered": SCATTERED, "crowded": crowded()}
INDEXES = {
    (name, form.__name__): form(hashes)
    for name, hashes in BANKS.items()
    for form in (LinearIndex, slot_index)
}

a_form = pytest.mark.parametrize("key", INDEXES, ids="-".join)


@a_form
@given(
    row=st.integers(0, 50) | st.just(500),
    places=st.lists(st.integers(0, 255), unique=True, max_size=40),
    within_bits=st.integers(0, MATCH_DISTANCE_BITS),
)
def test_every_form_equals_brute_force_up_to_31_bits(
    key: tuple[str, str], row: int, places: list[int], within_bits: int
) -> None:
    hashes = BANKS[key[0]]
    pdq = flip(hashes[row], places)

    found = answer(INDEXES[key], pdq, within_bits)

    assert found == brute_force(pdq, hashes, within_bits)


@given(
    row=st.integers(0, 600),
    places=st.lists(st.integers(0, 255), unique=True, max_size=200),
    within_bits=st.integers(MATCH_DISTANCE_BITS + 1, 256),
)
def test_past_31_bits_a_scan_is_complete_and_slots_invent_nothing(
    row: int, places: list[int], within_bits: int
) -> None:
    pdq = flip(SCATTERED[row], places)
    true = brute_force(pdq, SCATTERED, within_bits)

    scanned = answer(INDEXES["scattered", "LinearIndex"], pdq, within_bits)
    looked_up = answer(INDEXES["scattered", "slot_index"], pdq, within_bits)

    assert scanned == true
    assert looked_up.items() <= true.items()


@a_form
@pytest.mark.parametrize("n_flips", [0, 1, 30, 31])
def test_a_hash_is_found_at_its_distance_and_not_one_bit_nearer(
    key: tuple[str, str], n_flips: int
) -> None:
    pdq = flip(BANKS[key[0]][2_000], list(range(0, 8 * n_flips, 8)))

    assert answer(INDEXES[key], pdq, n_flips) == {2_000: n_flips}
    assert answer(INDEXES[key], pdq, n_flips - 1) == {}


@a_form
@pytest.mark.parametrize("place", range(16))
def test_the_worst_spread_of_31_flips_is_found(key: tuple[str, str], place: int) -> None:
    """Two flips in each slot but one, which has one, anywhere: no slot is left as it was."""
    places = [16 * slot + bit for slot in range(16) if slot != place for bit in (3, 12)]
    pdq = flip(BANKS[key[0]][2_000], [*places, 16 * place + place])

    found = answer(INDEXES[key], pdq, MATCH_DISTANCE_BITS)

    assert found == {2_000: 31}


def test_slots_miss_48_flips_that_spoil_every_slot_three_times() -> None:
    """The price of speed past the match distance, which the module states."""
    places = [16 * slot + bit for slot in range(16) for bit in (3, 7, 12)]
    pdq = flip(SCATTERED[2_000], places)

    assert answer(INDEXES["scattered", "slot_index"], pdq, 48) == {}
    assert answer(INDEXES["scattered", "LinearIndex"], pdq, 48) == {2_000: 48}


def test_slots_find_nine_of_ten_near_misses_at_50_bits() -> None:
    rng = np.random.default_rng(3)
    index = INDEXES["scattered", "slot_index"]

    n_found = sum(
        row in answer(index, flip(SCATTERED[row], rng.permutation(256)[:50]), NEAR_DISTANCE_BITS)
        for row in range(500)
    )

    assert n_found >= 450


@pytest.mark.parametrize("form", [LinearIndex, slot_index])
@pytest.mark.parametrize("n_hashes", [0, 1, 2, 40_000])
def test_a_bank_of_equal_hashes_gives_all_of_them_or_none(form: type, n_hashes: int) -> None:
    pdq = SCATTERED[0]
    index = form(np.repeat(pdq[None], n_hashes, axis=0))

    assert answer(index, flip(pdq, list(range(31))), 31) == dict.fromkeys(range(n_hashes), 31)
    assert answer(index, flip(pdq, list(range(32))), 31) == {}


@pytest.mark.parametrize("flipped", [0, 1, MATCH_DISTANCE_BITS, MATCH_DISTANCE_BITS + 1, 256])
def test_distance_counts_flipped_bits(flipped: int) -> None:
    other = flip(SCATTERED[0], list(range(flipped)))

    assert distances(SCATTERED[0], other[None]).tolist() == [flipped]


def test_slots_are_built_from_their_threshold_on() -> None:
    hashes = np.zeros((SLOTS_FROM, 32), np.uint8)

    assert isinstance(build_index(hashes[1:]), LinearIndex)
    assert isinstance(build_index(hashes), SlotIndex)
