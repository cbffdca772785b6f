import numpy as np

from streamguard.adapters.pillow_slates import HEIGHT, WIDTH, slates
from streamguard.core.bank_values import check_name
from streamguard.core.pdq import hash_luma
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY

DRAWN = dict(slates())


def test_each_drawing_has_a_name_that_an_entry_may_have() -> None:
    for name in DRAWN:
        check_name(name)

    assert len(DRAWN) == len(list(slates()))


def test_drawings_are_luma_of_limited_range() -> None:
    for luma in DRAWN.values():
        assert luma.shape == (HEIGHT, WIDTH)
        assert luma.dtype == np.uint8
        assert (luma.min(), luma.max()) >= (10, 16)
        assert luma.max() <= 235


def test_slates_pass_for_good_pictures_and_are_no_copies_of_each_other() -> None:
    """Otherwise they would need no veto, or fewer of them would do."""
    hashes = {name: hash_luma(luma, full_range=False) for name, luma in DRAWN.items()}
    good = {n: h for n, h in hashes.items() if h.is_stable and h.quality >= MIN_QUALITY}

    assert {"SMPTE colour bars", "starting soon, 128 px, dark"} <= good.keys()
    bits = np.unpackbits(np.stack([pdq.bits for pdq in good.values()]), axis=1)
    distances = (bits[:, None] != bits[None]).sum(axis=2)
    np.fill_diagonal(distances, 256)
    assert distances.min() > MATCH_DISTANCE_BITS
