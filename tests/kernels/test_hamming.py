import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.index import distances
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import instructions, needs_kernels

__all__ = ["instructions"]

pytestmark = [needs_kernels, pytest.mark.usefixtures("instructions")]


def scan(
    query: NDArray[np.uint8], hashes: NDArray[np.uint8], within_bits: int, room: int | None = None
) -> tuple[int, list[int], list[int]]:
    room = len(hashes) if room is None else room
    rows, bits = np.full(room, -1, np.intp), np.full(room, 999, np.uint16)
    n_found = kernels.hamming_scan(query, hashes, within_bits, rows, bits)
    return n_found, rows.tolist(), bits.tolist()


def hashes_near(query: NDArray[np.uint8], flips: list[int]) -> NDArray[np.uint8]:
    """Make a hash at each distance, the flipped bits anywhere."""
    random = np.random.default_rng(len(flips))
    bits = np.repeat(np.unpackbits(query)[None], len(flips), axis=0)
    for line, n_flips in zip(bits, flips, strict=True):
        line[random.permutation(256)[:n_flips]] ^= 1
    return np.packbits(bits, axis=1).reshape(-1, 32)


@given(st.lists(st.integers(0, 256), max_size=40), st.integers(0, 256), st.integers(0, 2**32))
def test_rows_and_bits_are_those_that_numpy_finds(
    flips: list[int], within_bits: int, seed: int
) -> None:
    query = np.random.default_rng(seed).integers(0, 256, 32, np.uint8)
    hashes = hashes_near(query, flips)
    near = np.flatnonzero(distances(query, hashes) <= within_bits)

    n_found, rows, bits = scan(query, hashes, within_bits)

    assert n_found == len(near)
    assert rows[:n_found] == near.tolist()
    assert bits[:n_found] == [flips[row] for row in near]


@pytest.mark.parametrize("n_hashes", [1, 7, 8, 9, 17])
def test_bound_is_included_and_one_more_bit_is_not(n_hashes: int) -> None:
    query = np.random.default_rng(5).integers(0, 256, 32, np.uint8)

    assert scan(query, hashes_near(query, [31] * n_hashes), 31)[0] == n_hashes
    assert scan(query, hashes_near(query, [32] * n_hashes), 31)[0] == 0


def test_inverted_hash_is_256_bits_away() -> None:
    zeros, ones = np.zeros(32, np.uint8), np.full((9, 32), 255, np.uint8)

    assert scan(zeros, ones, 256) == (9, list(range(9)), [256] * 9)
    assert scan(zeros, ones, 255)[0] == 0


def test_what_finds_no_room_is_counted_and_not_written() -> None:
    query = np.zeros(32, np.uint8)

    assert scan(query, np.zeros((20, 32), np.uint8), 0, room=3) == (20, [0, 1, 2], [0, 0, 0])


def test_read_only_hashes_are_welcome_and_read_only_results_are_not() -> None:
    hashes = np.zeros((8, 32), np.uint8)
    hashes.flags.writeable = False
    rows = np.zeros(8, np.intp)

    assert scan(np.zeros(32, np.uint8), hashes, 0)[0] == 8
    rows.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.hamming_scan(hashes[0], hashes, 0, rows, np.zeros(8, np.uint16))


def test_wrong_shapes_are_refused() -> None:
    query, hashes = np.zeros(32, np.uint8), np.zeros((8, 32), np.uint8)
    rows, bits = np.zeros(8, np.intp), np.zeros(8, np.uint16)

    for wrong in (
        (query[:31], hashes, 0, rows, bits),
        (query, np.zeros((8, 31), np.uint8), 0, rows, bits),
        (query, hashes.reshape(-1), 0, rows, bits),
        (query, hashes, 0, rows[:7], bits),
        (query, hashes, 0, rows.astype(np.int32), bits),
        (query, hashes, 0, rows, bits.astype(np.int16)),
    ):
        with pytest.raises(ValueError, match=r"expected|of 32 bytes"):
            kernels.hamming_scan(*wrong)
    with pytest.raises(ValueError, match="contiguous"):
        kernels.hamming_scan(query, np.zeros((16, 32), np.uint8)[::2], 0, rows, bits)
    with pytest.raises(TypeError, match="takes 5 arguments, got 4"):
        kernels.hamming_scan(query, hashes, 0, rows)


def any_near(queries: NDArray[np.uint8], hashes: NDArray[np.uint8], within_bits: int) -> list[bool]:
    is_near = np.full(len(queries), 7, np.uint8)
    kernels.hamming_any(queries, hashes, within_bits, is_near)
    return is_near.view(np.bool_).tolist()


@given(st.lists(st.integers(0, 256), max_size=20), st.integers(0, 256), st.integers(0, 2**32))
def test_of_several_hashes_each_is_told_whether_any_is_near(
    flips: list[int], within_bits: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    queries = random.integers(0, 256, (3, 32), np.uint8)
    hashes = hashes_near(queries[1], flips)
    near = [bool((distances(query, hashes) <= within_bits).any()) for query in queries]

    assert any_near(queries, hashes, within_bits) == near
    assert near[1] is any(n_flips <= within_bits for n_flips in flips)


@pytest.mark.parametrize("n_queries", [0, 1])
def test_of_no_hashes_none_is_near(n_queries: int) -> None:
    queries = np.zeros((n_queries, 32), np.uint8)

    assert any_near(queries, np.zeros((0, 32), np.uint8), 256) == [False] * n_queries


def test_hashes_that_do_not_fit_are_refused() -> None:
    queries, is_near = np.zeros((2, 32), np.uint8), np.zeros(2, np.uint8)
    for wrong in (
        (queries[:, :31].copy(), queries, 31, is_near),
        (queries, queries[:, :31].copy(), 31, is_near),
        (queries, queries, 31, is_near[:1]),
        (queries, queries, 257, is_near),
        (queries[:, ::2], queries, 31, is_near),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  # each says another thing
            kernels.hamming_any(*wrong)
