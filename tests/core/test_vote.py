import numpy as np
import pytest

from streamguard.core.bank_values import Stretch
from streamguard.core.types import View
from streamguard.core.variants import FIRST_CROP, MIRRORED
from streamguard.core.vote import Expected, Vote, bits_between, nearest
from tests.core_fakes import Pdq, flipped, picture, view

SECOND = 1_000_000
ANYWHERE = Expected(0, 0, 60 * SECOND)


def stretch(*rows: tuple[int, Pdq, int] | tuple[int, Pdq]) -> Stretch:
    """Give an entry of (microseconds, hash, variant)."""
    return Stretch(
        np.array([row[1] for row in rows], np.uint8).reshape(-1, 32),
        np.array([row[0] for row in rows], np.int64),
        np.array([row[2] if len(row) > 2 else 0 for row in rows], np.uint8),
    )


def look(
    held: Stretch, expected: Expected, *views: View | Pdq, is_mirrored: bool = False
) -> Vote | None:
    seen = [each if isinstance(each, View) else view(each) for each in views]
    return nearest(seen, 7 * SECOND, held, expected, is_mirrored=is_mirrored)


@pytest.mark.parametrize("n_bits", [0, 1, 31, 256])
def test_bits_are_counted(n_bits: int) -> None:
    assert bits_between(picture(1), flipped(picture(1), n_bits)) == n_bits


def test_the_hash_that_is_most_alike_has_the_vote() -> None:
    held = stretch((0, picture(1)), (SECOND, flipped(picture(2), 9)), (2 * SECOND, picture(3)))

    vote = look(held, ANYWHERE, view(picture(4)), view(picture(2), region="content"))

    assert vote is not None
    assert (vote.pts_us, vote.offset_us, vote.distance_bits) == (7 * SECOND, SECOND, 9)
    assert (vote.region, vote.variant) == ("content", 0)
    assert vote.seen.tolist() == picture(2).tolist()
    assert vote.known.tolist() == flipped(picture(2), 9).tolist()


@pytest.mark.parametrize("at_us", [400_000, 8_400_000])
def test_of_equal_hashes_the_one_nearest_to_the_expected_time_counts(at_us: int) -> None:
    held = stretch(*[(n * SECOND, picture(n % 8)) for n in (0, 1, 8, 9)])

    vote = look(held, Expected(0, at_us, 10 * SECOND), picture(0))

    assert vote is not None
    assert vote.offset_us == at_us


def test_nothing_votes_where_nothing_is_held_or_seen() -> None:
    assert look(stretch(), ANYWHERE, picture(1)) is None
    assert look(stretch((0, picture(1))), ANYWHERE) is None


@pytest.mark.parametrize(
    ("next_us", "distance_bits"), [(5 * SECOND, 0), (5 * SECOND - 1, 0), (4 * SECOND, 12)]
)
def test_a_hash_stands_for_what_follows_it_until_the_next_one(
    next_us: int, distance_bits: int
) -> None:
    """What is expected from 4 s on may still show what was hashed at 3 s."""
    held = stretch((3 * SECOND, picture(1)), (next_us, flipped(picture(1), 12)))

    vote = look(held, Expected(4 * SECOND, 4_500_000, 5 * SECOND), picture(1))

    assert vote is not None
    assert vote.distance_bits == distance_bits


def test_a_hash_of_another_variant_ends_no_hold() -> None:
    held = stretch((3 * SECOND, picture(1)), (3_500_000, picture(2), 5))

    vote = look(held, Expected(4 * SECOND, 4_500_000, 5 * SECOND), picture(1))

    assert vote is not None
    assert vote.distance_bits == 0


@pytest.mark.parametrize("first_us", [3 * SECOND, 4 * SECOND])
@pytest.mark.parametrize(
    ("variant", "distance_bits"), [(FIRST_CROP, 0), (127, 0), (0, 12), (1, 12)]
)
def test_a_crop_of_the_content_ends_no_hold_of_the_same_crop_of_the_whole(
    variant: int, distance_bits: int, first_us: int
) -> None:
    nearly = flipped(picture(1), 12)
    held = stretch((first_us, picture(1), variant), (4 * SECOND, nearly, variant))

    vote = look(held, Expected(4 * SECOND, 4_500_000, 5 * SECOND), picture(1))

    assert vote is not None
    assert vote.distance_bits == distance_bits


def test_of_three_hashes_of_a_crop_the_last_two_stand() -> None:
    held = stretch(*((n * SECOND, picture(n), 2) for n in (1, 2, 3)))
    later = Expected(4 * SECOND, 4 * SECOND, 4 * SECOND)

    votes = [look(held, later, picture(n)) for n in (1, 2, 3)]

    assert [vote is not None and vote.distance_bits == 0 for vote in votes] == [False, True, True]


def test_all_halves_of_crops_that_begin_at_the_expected_time_stand() -> None:
    held = stretch(*((4 * SECOND, picture(n), 121) for n in range(5)))
    then = Expected(4 * SECOND, 4 * SECOND, 4 * SECOND)

    votes = [look(held, then, picture(n)) for n in range(5)]

    assert [vote is not None and vote.distance_bits for vote in votes] == [0] * 5


@pytest.mark.parametrize(
    ("at_us", "offset_us"),
    [
        (2 * SECOND, 3 * SECOND),
        (3 * SECOND, 3 * SECOND),
        (4_200_000, 4_200_000),
        (5 * SECOND, 5 * SECOND),
        (6 * SECOND, 5 * SECOND),
    ],
)
def test_the_time_of_a_vote_is_the_one_in_the_hold_that_is_nearest_to_the_expected(
    at_us: int, offset_us: int
) -> None:
    held = stretch((3 * SECOND, picture(1)), (4 * SECOND, picture(9), 5), (5 * SECOND, picture(2)))

    vote = look(held, Expected(0, at_us, 9 * SECOND), picture(1))

    assert vote is not None
    assert vote.offset_us == offset_us


def test_the_last_hash_stands_for_what_is_expected_at_most() -> None:
    vote = look(stretch((3 * SECOND, picture(1))), Expected(0, 20, 30), picture(1))

    assert vote is not None
    assert vote.offset_us == 30


@pytest.mark.parametrize(("is_mirrored", "variant"), [(False, 0x7F), (True, MIRRORED)])
def test_mirrored_hashes_and_others_are_told_apart(variant: int, *, is_mirrored: bool) -> None:
    held = stretch((0, picture(1), variant))

    vote = look(held, ANYWHERE, picture(1), is_mirrored=is_mirrored)

    assert vote is not None
    assert (vote.variant, vote.is_mirrored) == (variant, is_mirrored)
    assert look(held, ANYWHERE, picture(1), is_mirrored=not is_mirrored) is None
