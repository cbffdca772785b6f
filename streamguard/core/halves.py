"""Hashes the halves of pictures that mirror themselves: a kaleidoscope, a lake at rest.

Rule: a half is a picture of its own and answers to all the bounds of one; nothing is asked about
halves where a picture does not come near to mirroring itself.

All terms of odd frequencies are next to nothing in such a picture: half of PDQ's bits are noise,
and a plain copy lies 50 to 70 bits off, or all bits are near ties and it cannot be matched at all.
Folded where it mirrors itself the picture has the even frequencies alone, 2 to 32 in place of 1 to
16: 256 bits again. Measured on a clip that mirrors itself and 51 disguised copies of it: by folded
hashes a plain copy lies 4 to 12 bits off, one under a facecam 10 to 22. Of 38 contents, each folded
in every way whether it mirrors itself or not, the nearest pair of frames of two lies 88 bits apart,
unfolded 90 (1.3 million pairs). Clearing the bits of the odd terms instead leaves 128, or 64 where
a picture mirrors itself both ways: a plain copy 0 to 4 off, at 144p 14 to 20, and unrelated frames
38 or more, so that the bounds would have to be others.
"""

import numpy as np
from numpy.typing import NDArray

from streamguard.core.pdq import hash_terms
from streamguard.core.pdq_reference import N_FREQUENCIES, SIDE, Float32, dct_matrix
from streamguard.core.variants import MIRRORED, SIDE_NUMBERS, Half, crop_of

KEPT_ODD_SHARE = 0.04
"""Most energy in odd terms of a picture whose half goes into a bank. All frames of the clip above
lie within 0.026; of the frames of others 5 % of water and 2 % of a pattern lie within this."""

ASKED_ODD_SHARE = 0.2
"""Most energy in odd terms of a picture whose halves are held against a bank.

What is laid over such a picture brings it to 0.09 (a facecam) or 0.15 (a banner). Of the frames of
37 other contents 9 % lie within this, nearly all of water, a cup seen from above and patterns.
Asking costs 0.05 ms and three needles, 0.1 ms and eleven where it is so both ways.
"""

MAX_HALVES = 11
"""Most halves of one picture: three each way, and five quarters."""

_DCT: Float32 = dct_matrix().astype(np.float32)
_EVEN: Float32 = dct_matrix(step=2).astype(np.float32)


def halves_kept(odd: tuple[float, float]) -> tuple[Half, ...]:
    """Say which halves of a picture go into a bank; see Pdq.odd.

    What mirrors itself both ways does so one way where a side is cut off.
    """
    down, across = (share <= KEPT_ODD_SHARE for share in odd)
    if down and across:
        return Half.QUARTER, Half.UPPER, Half.LEFT
    return (*([Half.UPPER] if down else []), *([Half.LEFT] if across else []))


def keeps_mirror(number: int, half: Half) -> bool:
    """Say whether a variant mirrors itself where the picture does, and is not another one turned.

    Folded across, a picture and its mirrored copy are the same.
    """
    if number & ~MIRRORED in SIDE_NUMBERS:
        return False
    crop = crop_of(number)
    if half is Half.UPPER:
        return crop.top == crop.bottom
    is_even = crop.left == crop.right and not number & MIRRORED
    return is_even and (half is Half.LEFT or crop.top == crop.bottom)


def hash_halves(
    thumb: Float32, odd: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Hash the halves of a picture that may be one that mirrors itself, with something laid over.

    Of each way in which it may, both halves by themselves, for one of them is often left alone, and
    the two averaged, which has less noise; of both ways the quarters likewise.

    Args:
        thumb: (64, 64) float32, as streamguard.core.pdq makes it.
        odd: see Pdq.odd.

    Returns:
        (n, 32) uint8, packed hashes, turned as the half that is kept; and (n,) bool, whether each
        is stable.
    """
    is_down, is_across = (share <= ASKED_ODD_SHARE for share in odd)
    terms: list[Float32] = []
    folded: Float32 = _FOLDS @ thumb
    if is_down:
        terms.append(_product(folded, _DCT.T))
    if is_across:
        terms.append(_product(_DCT @ thumb, _FOLDED_ACROSS))
    if is_down and is_across:
        down, across = _QUARTERS
        terms.append(_product(folded[down], _FOLDED_ACROSS[across]))
    return hash_terms(np.concatenate(terms).reshape(-1, N_FREQUENCIES**2))


def _product(left: Float32, right: Float32) -> Float32:
    product: Float32 = left @ right
    return product


def may_mirror(odd: tuple[float, float]) -> bool:
    """Say whether a picture comes near to mirroring itself; see Pdq.odd."""
    return min(odd) <= ASKED_ODD_SHARE


def _folds() -> Float32:
    """Build what hashes one half, the other and their average: (3, 16, 64)."""
    halves = np.stack([2 * _EVEN, 2 * _EVEN, _EVEN])
    halves[0, :, SIDE // 2 :] = 0
    halves[1, :, : SIDE // 2] = 0
    return halves


_FOLDS = _folds()
_FOLDED_ACROSS: Float32 = np.ascontiguousarray(_FOLDS.transpose(0, 2, 1))
_QUARTERS = np.array([[0, 0, 1, 1, 2], [0, 1, 0, 1, 2]])
"""Which folds down and across: each quarter, and the average of all."""
