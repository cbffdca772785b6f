from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamguard.core.slots import (
    SPENDING,
    SlotShape,
    build_slots,
    choose_flips,
    runs_near,
    shape_of,
    slot_shape,
)
from streamguard.core.types import MATCH_DISTANCE_BITS, NEAR_DISTANCE_BITS
from streamguard.kernels.compiled import kernels

HASHES = np.random.default_rng(1).integers(0, 256, (500, 32), dtype=np.uint8)

SHAPES = [SlotShape(16, 16, 3), SlotShape(12, 20, 3), SlotShape(11, 18, 4), SlotShape(12, 17, 4)]

a_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def a_bank_of(n_slots: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, (n_slots, 3), elements=st.integers(0, 1_000_000))


@pytest.mark.parametrize("n_hashes", [0, 1, 6, 131_072, 10_000_000, 2**32 - 1])
def test_every_shape_fits_a_hash_and_can_carry_31_bits(n_hashes: int) -> None:
    shape = slot_shape(n_hashes)

    assert shape.width_bits >= 1
    assert shape.n_slots * shape.width_bits <= 256
    assert shape.n_slots * 3 > MATCH_DISTANCE_BITS


@pytest.mark.parametrize(("n_hashes", "id_bytes"), [(0, 3), (2**24 - 1, 3), (2**24, 4)])
def test_a_row_number_takes_three_bytes_while_it_can(n_hashes: int, id_bytes: int) -> None:
    assert slot_shape(n_hashes).id_bytes == id_bytes


@pytest.mark.parametrize("n_hashes", [131_072, 1_000_000, 2**23, 10_000_000, 2**24, 2**32 - 1])
def test_the_tables_of_a_hash_take_68_bytes_at_most(n_hashes: int) -> None:
    shape = slot_shape(n_hashes)
    n_values = (1 << shape.width_bits) + 1

    assert shape.n_slots * (shape.id_bytes + 4 * n_values / n_hashes) < 69


@pytest.mark.parametrize("loops", [kernels, None], ids=["compiled", "numpy"])
@a_shape
def test_slots_list_each_row_once_under_its_value(
    shape: SlotShape, loops: ModuleType | None
) -> None:
    offsets, ids = build_slots(HASHES, shape, loops)
    numbers = [int.from_bytes(pdq.tobytes(), "little") for pdq in HASHES]
    n_values = 1 << shape.width_bits

    assert shape_of(offsets, ids) == shape
    for slot in range(shape.n_slots):
        rows = [int.from_bytes(row.tobytes(), "little") for row in ids[slot]]
        own = [numbers[row] >> slot * shape.width_bits & n_values - 1 for row in rows]
        assert list(zip(own, rows, strict=True)) == sorted(zip(own, rows, strict=True))
        assert sorted(rows) == list(range(len(HASHES)))
        for place, value in enumerate(own):
            assert offsets[slot, value] <= place < offsets[slot, value + 1]


@given(a_bank_of(12) | a_bank_of(16), st.integers(0, NEAR_DISTANCE_BITS))
def test_what_is_within_31_bits_is_never_given_up(shells: np.ndarray, within_bits: int) -> None:
    flips = choose_flips(shells, within_bits)

    assert sum(flips + 1) > min(within_bits, MATCH_DISTANCE_BITS)
    assert set(flips.tolist()) <= {-1, 0, 1, 2}


def test_no_more_is_looked_up_than_31_bits_need() -> None:
    flips = choose_flips(np.ones((12, 3), np.int64), MATCH_DISTANCE_BITS)

    assert sum(flips + 1) == 32


@pytest.mark.parametrize(("surplus", "n_flips"), [(0, 36), (1, 35)])
def test_farther_than_31_bits_candidates_are_spent_up_to_a_bound(
    surplus: int, n_flips: int
) -> None:
    shells = np.zeros((12, 3), np.int64)
    shells[3, 2], shells[5, 2] = SPENDING - 100, 100 + surplus

    flips = choose_flips(shells, MATCH_DISTANCE_BITS + 1)

    assert sum(flips + 1) == n_flips
    assert flips[3] == 2 - surplus


def test_the_most_crowded_slots_give_up_first() -> None:
    shells = np.ones((12, 3), np.int64)
    shells[4] = SPENDING
    shells[7, 2] = SPENDING + 1

    flips = choose_flips(shells, NEAR_DISTANCE_BITS)

    assert flips.tolist() == [2, 2, 2, 2, -1, 2, 2, 1, 2, 2, 2, 2]


@a_shape
def test_runs_stay_inside_the_tables_whatever_these_hold(shape: SlotShape) -> None:
    offsets, ids = build_slots(HASHES, shape)
    offsets[:] = np.random.default_rng(3).integers(0, 2**32, offsets.shape, dtype=np.uint32)

    starts, counts = runs_near(HASHES[0], NEAR_DISTANCE_BITS, offsets, ids)

    listed = counts > 0
    assert counts.min() >= 0
    assert (starts + counts)[listed].max(initial=0) <= shape.n_slots * len(HASHES)
