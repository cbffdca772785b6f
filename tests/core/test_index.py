from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.index import (
    SLOTS_FROM,
    Index,
    LinearIndex,
    SlotIndex,
    any_near,
    build_index,
    distances,
)
from streamguard.core.slots import SlotShape, build_slots
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS
from streamguard.kernels.compiled import kernels

N_BANK = 3_000
"""So many that a query's candidates stay few and the slot index does not fall back to a scan."""

SCATTERED = np.random.default_rng(1).integers(0, 256, (N_BANK, 32), dtype=np.uint8)

SHAPES = {
    "16x16": SlotShape(16, 16, 3),
    "12x17": SlotShape(12, 17, 3),
    "11x18": SlotShape(11, 18, 4),
}


def flip(pdq: NDArray[np.uint8], places: NDArray[np.intp] | list[int]) -> NDArray[np.uint8]:
    bits = np.unpackbits(pdq, bitorder="little")
    bits[places] ^= 1
    return np.packbits(bits, bitorder="little")


def crowded() -> NDArray[np.uint8]:
    """Give random hashes among which 40 are one hash, or near it: they share many slots."""
    rng = np.random.default_rng(2)
    hashes = SCATTERED.copy()
    for row in range(40):
        hashes[row] = flip(hashes[500], rng.permutation(256)[: 2 * row])
    return hashes


def degenerate() -> NDArray[np.uint8]:
    """Give random hashes, a few of which no picture has: none, one, nearly all or all bits set."""
    hashes = SCATTERED.copy()
    hashes[:5] = 0
    hashes[5:10] = 255
    for row in range(10, 51):
        hashes[row] = flip(hashes[0 if row % 2 else 5], list(range(row)))
    return hashes


BANKS = {"scattered": SCATTERED, "crowded": crowded(), "degenerate": degenerate()}

FORMS = ["scan", *SHAPES]

a_bank = pytest.mark.parametrize("bank", BANKS)
a_form = pytest.mark.parametrize("form", FORMS)
compiled_or_not = pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "numpy"])


@cache
def index_of(bank: str, form: str, *, is_compiled: bool) -> Index:
    return make_index(BANKS[bank], form, is_compiled=is_compiled)


def make_index(hashes: NDArray[np.uint8], form: str, *, is_compiled: bool) -> Index:
    if is_compiled and kernels is None:
        pytest.skip("the kernels are not compiled")
    loops = kernels if is_compiled else None
    if form == "scan":
        return LinearIndex(hashes, loops)
    return SlotIndex(hashes, *build_slots(hashes, SHAPES[form], loops), loops)


def brute_force(pdq: NDArray[np.uint8], hashes: NDArray[np.uint8], within: int) -> dict[int, int]:
    differing = (np.unpackbits(hashes, axis=1) != np.unpackbits(pdq)).sum(axis=1)
    return {row: int(bits) for row, bits in enumerate(differing) if bits <= within}


def answer(index: Index, pdq: NDArray[np.uint8], within_bits: int) -> dict[int, int]:
    rows, bits = index.query(pdq, within_bits)
    assert len(set(rows.tolist())) == len(rows)
    assert rows.tolist() == sorted(rows.tolist())
    return dict(zip(rows.tolist(), bits.tolist(), strict=True))


@compiled_or_not
@a_form
@a_bank
@given(
    row=st.integers(0, 50) | st.just(500),
    places=st.lists(st.integers(0, 255), unique=True, max_size=40),
    within_bits=st.integers(0, MATCH_DISTANCE_BITS),
)
def test_every_form_equals_brute_force_up_to_31_bits(
    bank: str, form: str, *, is_compiled: bool, row: int, places: list[int], within_bits: int
) -> None:
    hashes = BANKS[bank]
    pdq = flip(hashes[row], places)

    found = answer(index_of(bank, form, is_compiled=is_compiled), pdq, within_bits)

    assert found == brute_force(pdq, hashes, within_bits)


@compiled_or_not
@pytest.mark.parametrize("form", ["scan", "16x16"])
@settings(max_examples=30)  # each builds an index
@given(planted=st.lists(st.sets(st.integers(0, 255), min_size=20, max_size=33), min_size=1))
def test_hashes_planted_around_the_bound_are_found_on_its_near_side_only(
    form: str, *, is_compiled: bool, planted: list[set[int]]
) -> None:
    """The slots that they crowd are the first to be given up."""
    pdq = SCATTERED[0]
    hashes = SCATTERED.copy()
    hashes[: len(planted)] = [flip(pdq, list(places)) for places in planted]
    index = make_index(hashes, form, is_compiled=is_compiled)

    assert answer(index, pdq, 30) == brute_force(pdq, hashes, 30)
    assert answer(index, pdq, 31) == brute_force(pdq, hashes, 31)
    assert answer(index, pdq, 32).items() <= brute_force(pdq, hashes, 32).items()


@a_form
@a_bank
@given(
    row=st.integers(0, 600),
    places=st.lists(st.integers(0, 255), unique=True, max_size=200),
    within_bits=st.integers(0, 256),
)
def test_the_kernels_find_what_numpy_finds(
    bank: str, form: str, row: int, places: list[int], within_bits: int
) -> None:
    pdq = flip(BANKS[bank][row], places)

    compiled = answer(index_of(bank, form, is_compiled=True), pdq, within_bits)
    plain = answer(index_of(bank, form, is_compiled=False), pdq, within_bits)

    assert compiled == plain


@a_form
@given(
    row=st.integers(0, 600),
    places=st.lists(st.integers(0, 255), unique=True, max_size=200),
    within_bits=st.integers(MATCH_DISTANCE_BITS + 1, 256),
)
def test_past_31_bits_a_scan_is_complete_and_slots_invent_nothing(
    form: str, row: int, places: list[int], within_bits: int
) -> None:
    pdq = flip(SCATTERED[row], places)
    true = brute_force(pdq, SCATTERED, within_bits)

    found = answer(index_of("scattered", form, is_compiled=False), pdq, within_bits)

    assert found == true if form == "scan" else found.items() <= true.items()


@compiled_or_not
@a_form
@a_bank
@pytest.mark.parametrize("n_flips", [1, 30, 31])
def test_a_hash_is_found_at_its_distance_and_not_one_bit_nearer(
    bank: str, form: str, *, is_compiled: bool, n_flips: int
) -> None:
    pdq = flip(BANKS[bank][2_000], list(range(0, 8 * n_flips, 8)))
    index = index_of(bank, form, is_compiled=is_compiled)

    assert answer(index, pdq, n_flips) == {2_000: n_flips}
    assert answer(index, pdq, n_flips - 1) == {}


@compiled_or_not
@a_bank
@pytest.mark.parametrize("form", ["12x17", "11x18"])
@pytest.mark.parametrize("seed", range(8))
def test_the_worst_spread_of_31_flips_is_found(
    bank: str, form: str, *, is_compiled: bool, seed: int
) -> None:
    """Three flips in each slot while they last: only one or two slots stay within reach."""
    shape = SHAPES[form]
    slots = np.random.default_rng(seed).permutation(shape.n_slots)
    places = [shape.width_bits * slot + bit for slot in slots for bit in (3, 9, 15)][:31]
    pdq = flip(BANKS[bank][2_000], places)

    found = answer(index_of(bank, form, is_compiled=is_compiled), pdq, MATCH_DISTANCE_BITS)

    assert found == {2_000: 31}


@compiled_or_not
def test_slots_miss_36_flips_that_spoil_every_slot_three_times(*, is_compiled: bool) -> None:
    """The price of speed past the match distance, which the module states."""
    pdq = flip(SCATTERED[2_000], [17 * slot + bit for slot in range(12) for bit in (3, 9, 15)])

    slots = index_of("scattered", "12x17", is_compiled=is_compiled)
    scan = index_of("scattered", "scan", is_compiled=is_compiled)

    assert answer(slots, pdq, 36) == {}
    assert answer(scan, pdq, 36) == {2_000: 36}


def test_slots_find_nine_of_ten_near_misses_at_50_bits() -> None:
    rng = np.random.default_rng(3)
    index = index_of("scattered", "12x17", is_compiled=False)

    n_found = sum(
        row in answer(index, flip(SCATTERED[row], rng.permutation(256)[:50]), NEAR_DISTANCE_BITS)
        for row in range(500)
    )

    assert n_found >= 450


@compiled_or_not
@a_form
@pytest.mark.parametrize("n_hashes", [0, 1, 2, 70_000])
def test_a_bank_of_equal_hashes_gives_all_of_them_or_none(
    form: str, *, is_compiled: bool, n_hashes: int
) -> None:
    pdq = SCATTERED[0]
    index = make_index(np.repeat(pdq[None], n_hashes, axis=0), form, is_compiled=is_compiled)

    assert answer(index, flip(pdq, list(range(31))), 31) == dict.fromkeys(range(n_hashes), 31)
    assert answer(index, flip(pdq, list(range(32))), 31) == {}


@compiled_or_not
def test_damaged_tables_cost_matches_and_nothing_else(*, is_compiled: bool) -> None:
    rng = np.random.default_rng(4)
    whole = index_of("crowded", "16x16", is_compiled=is_compiled)
    assert isinstance(whole, SlotIndex)
    for n_damaged in (1, 100, 1_000_000):
        offsets, ids = whole.offsets.copy(), whole.ids.copy()
        offsets.ravel()[rng.integers(0, offsets.size, n_damaged)] = rng.integers(0, 2**32)
        ids.ravel()[rng.integers(0, ids.size, n_damaged)] = rng.integers(0, 256)
        damaged = replace(whole, offsets=offsets, ids=ids)
        for pdq in BANKS["crowded"][:20]:
            true = brute_force(pdq, whole.hashes, NEAR_DISTANCE_BITS)
            assert answer(damaged, pdq, NEAR_DISTANCE_BITS).items() <= true.items()


@compiled_or_not
@a_form
def test_threads_may_query_one_index_at_once(form: str, *, is_compiled: bool) -> None:
    index = index_of("crowded", form, is_compiled=is_compiled)
    needles = BANKS["crowded"][:200]
    alone = [answer(index, pdq, NEAR_DISTANCE_BITS) for pdq in needles]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda pdq: answer(index, pdq, NEAR_DISTANCE_BITS), needles))

    assert together == alone


@pytest.mark.parametrize("flipped", [0, 1, MATCH_DISTANCE_BITS, MATCH_DISTANCE_BITS + 1, 256])
def test_distance_counts_flipped_bits(flipped: int) -> None:
    other = flip(SCATTERED[0], list(range(flipped)))

    assert distances(SCATTERED[0], other[None]).tolist() == [flipped]


def test_slots_are_built_from_their_threshold_on() -> None:
    hashes = np.zeros((SLOTS_FROM, 32), np.uint8)

    assert isinstance(build_index(hashes[1:]), LinearIndex)
    assert isinstance(build_index(hashes), SlotIndex)


@pytest.mark.parametrize("with_kernels", [kernels, None], ids=["kernels", "numpy"])
@pytest.mark.parametrize("n_bits", [0, 61, 62])
def test_what_is_near_any_of_many_is_told_for_several_at_once(
    n_bits: int, with_kernels: ModuleType | None
) -> None:
    shown = np.stack([SCATTERED[5] ^ 255, flip(SCATTERED[7], list(range(n_bits)))])

    near = any_near(shown, SCATTERED, NEAR_DISTANCE_BITS, with_kernels)

    assert near.tolist() == [False, n_bits <= NEAR_DISTANCE_BITS]
    assert any_near(shown, SCATTERED[:0], 256, with_kernels).tolist() == [False, False]
