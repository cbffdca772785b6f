import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.hygiene import Fault, fault_of, is_near_slate, parse_hash
from tests.core_fakes import banks, entry, flipped, picture

HEX = "e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c"


def with_ones(n_ones: int) -> np.ndarray:
    bits = np.zeros(256, np.uint8)
    bits[:n_ones] = 1
    return np.packbits(np.random.default_rng(1).permutation(bits))


@pytest.mark.parametrize(
    ("n_ones", "fault"),
    [
        (0, Fault.UNEVEN),
        (95, Fault.UNEVEN),
        (96, None),
        (128, None),
        (160, None),
        (161, Fault.UNEVEN),
        (256, Fault.UNEVEN),
    ],
)
def test_ones_far_from_half_are_a_fault(n_ones: int, fault: Fault | None) -> None:
    assert fault_of(with_ones(n_ones)) is fault


@pytest.mark.parametrize(("quality", "fault"), [(49, Fault.LOW_QUALITY), (50, None), (None, None)])
def test_quality_below_the_reference_bound_is_a_fault(
    quality: int | None, fault: Fault | None
) -> None:
    assert fault_of(with_ones(128), quality) is fault


def test_near_ties_are_a_fault() -> None:
    assert fault_of(with_ones(128), 100, is_stable=False) is Fault.NEAR_TIES


@pytest.mark.parametrize("text", [HEX, HEX.upper(), f"  {HEX}\r\n", f"\t{HEX}"])
def test_a_hash_is_read_in_either_case_with_blanks_around_it(text: str) -> None:
    pdq = parse_hash(text)

    assert pdq is not None
    assert pdq.tobytes().hex() == HEX


@pytest.mark.parametrize(
    "text",
    ["", HEX[:-1], HEX[:32], HEX + "0", "g" + HEX[1:], " ".join([HEX[:31], HEX[31:-1]]), "é" * 64],
)
def test_what_is_no_hash_is_refused(text: str) -> None:
    assert parse_hash(text) is None


@given(st.binary(min_size=32, max_size=32))
def test_every_hash_survives_its_text(raw: bytes) -> None:
    pdq = parse_hash(raw.hex())

    assert pdq is not None
    assert pdq.tobytes() == raw


@pytest.mark.parametrize(("n_flips", "is_near"), [(0, True), (31, True), (32, False)])
def test_a_neighbour_of_a_slate_is_known_up_to_the_match_distance(
    n_flips: int, *, is_near: bool
) -> None:
    negatives = banks(entry("starting soon", {0: picture(1)}, kind="image")).banks

    assert is_near_slate(flipped(picture(1), n_flips), negatives) is is_near


def test_without_negative_banks_nothing_is_near_a_slate() -> None:
    assert not is_near_slate(picture(1), ())
