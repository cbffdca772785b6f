import numpy as np
import pytest

from loadtest.vpdq_method import Feature, matched_percent


def feature(n_bits: int) -> Feature:
    """Give a hash with the first bits set."""
    bits = np.zeros(256, np.uint8)
    bits[:n_bits] = 1
    return Feature(0, 0, 100, np.packbits(bits))


def test_hashes_within_31_bits_are_alike_and_those_of_32_are_not() -> None:
    assert matched_percent([feature(31)], [feature(0)]) == 100
    assert matched_percent([feature(32)], [feature(0)]) == 0


def test_the_share_is_of_the_different_hashes_of_the_query() -> None:
    query = [feature(0), feature(0), feature(100), feature(200)]

    assert matched_percent(query, [feature(4)]) == pytest.approx(100 / 3)


def test_nothing_is_like_a_video_without_hashes() -> None:
    assert matched_percent([], [feature(0)]) == 0
    assert matched_percent([feature(0)], []) == 0
