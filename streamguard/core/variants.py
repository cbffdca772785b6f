"""Which copies of a picture a bank holds beside the picture itself: mirrored, cut, or both.

Rule: a variant's number lies in bank files, so none ever changes its meaning; new crops go to the
end of PATTERNS.

PDQ forgives 1.3 % cut off every side (31 bits), and re-uploaders cut up to 10 %: the bank holds
crops ready, for a bank may be large at no cost to the stream. Measured on the first ten seconds of
six real clips (two of them with bars, one of these handheld), each cut in 40 ways at random (zoomed
to the centre or to anywhere, one side, two adjoining or opposite sides, all four; 1 to 10 % a side)
and encoded anew by x264 veryfast at crf 32. The columns: crops; bits within which crops are pruned;
frames with a hash within 31 and within 61 bits that lies within half a second; copies with enough
evidence, as streamguard.core.alignment weighs it, in two keyframes 2 s apart and in eight frames
over 4 s; hashes kept a minute of video, unmirrored, on average and of the handheld clip, whose thin
bars double them.

    grid (percent)            crops  bits  <= 31  <= 61  2 frames  8 frames   a minute  handheld
    none                          0     -   15 %   39 %      25 %      36 %      1,237     3,438
    0 5 10 on every side         80    10   73 %  100 %      97 %     100 %    101,776   278,208
    0 5 10 on every side         80    44   50 %   99 %      93 %     100 %     31,288    84,954
    0 4 8, usual cuts            38    10   81 %  100 %      97 %      99 %     48,984   134,346
    0 4 8, usual cuts            38    44   56 %   99 %      93 %      99 %     14,251    40,494
    0 3 6 9, usual cuts          85    10   93 %  100 %      99 %     100 %    107,576   292,056
    0 3 6 9, usual cuts          85    44   63 %  100 %      98 %     100 %     20,718    53,616
    the first 20 of PATTERNS     20    10   64 %  100 %      91 %      99 %     26,990    72,462
    these patterns               57    10   93 %  100 %      99 %     100 %     73,479   199,392
    these ("crops-fine")         57    31   86 %  100 %      99 %     100 %     36,337   107,238
    these ("crops")              57    44   62 %  100 %      98 %     100 %     17,765    47,874
    these patterns               57    48   52 %  100 %      96 %     100 %     14,193    37,650

The last two patterns, 8 crops, came after the table: of 69 keyframes of five clips that lack 10 %
at one side or at two adjoining ones 18 had a hash within 31 bits before, and 42 have one now, at
8 % more hashes.

A fine grid that is pruned widely beats a coarse one that is not, at the same price: what a frame
lacks its neighbours have. Unrelated contents come 10 bits nearer by crops and mirrored copies: of
8,826 pairs of a frame and another of seven clips none lay within 77 bits, of whole pictures none
within 87.
"""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import ConfigError

WHOLE = 0
"""The picture as it is."""

CONTENT = 1
"""What lies between its bars."""

FIRST_CROP = 2
"""The variants from here on are crops, of the whole and of the content."""

FIRST_SIDE = 124
"""The variants from here on, to 127, leave out a third at one side: see streamguard.core.sides."""

FIRST_MIDDLE = 113
"""This variant and the next one leave out the quarters at two opposite sides."""

FIRST_HALF = 115
"""The variants from here on, to 123, are halves: see streamguard.core.halves."""

MIRRORED = 0x80
"""Added to a variant's number: left and right are swapped."""

MIRROR = "mirror"
CROPS = "crops"
CROPS_FINE = "crops-fine"
OVERLAYS = "overlays"

RECIPES = (MIRROR, CROPS, CROPS_FINE, OVERLAYS)
"""What a bank may ask for. The two recipes for crops make the same ones; `crops-fine` keeps more of
them. `overlays` makes what a camera, a chat or a banner over the picture leaves free. With
`mirror`, all that is made is made mirrored, too."""

DEFAULT_RECIPES = (MIRROR, CROPS, OVERLAYS)
"""What a new bank asks for: re-uploaders mirror and cut because it gets them past exact matchers,
and show clips beside themselves.
It takes 36 times the hashes of the whole pictures, 45,000 a minute of video, of which `overlays`
are a seventh: ten million for four hours. A bank of hundreds of hours should ask for less."""

PATTERNS = (
    (4, 4, 4, 4),
    (9, 9, 9, 9),
    (8, 0, 0, 0),
    (8, 8, 0, 0),
    (8, 0, 8, 0),
    (2, 6, 2, 6),
    (6, 9, 6, 9),
    (2, 2, 2, 2),
    (6, 6, 6, 6),
    (4, 0, 0, 0),
    (4, 4, 0, 0),
    (4, 0, 4, 0),
    (4, 0, 8, 0),
    (2, 8, 6, 6),
    (2, 8, 2, 8),
    (8, 8, 8, 8),
    (2, 6, 4, 4),
    (3, 6, 9, 9),
    (10, 0, 0, 0),
    (10, 0, 10, 0),
)
"""The crops, percent cut off left, right, top and bottom; each stands for itself and for what comes
of it by swapping left and right, top and bottom, or the two pairs. Source: the module's table."""


@dataclass(frozen=True, slots=True, order=True)
class Crop:
    """How much is cut off each side of a picture, percent of its width or height."""

    left: int
    right: int
    top: int
    bottom: int


NO_CROP = Crop(0, 0, 0, 0)


class Half(IntEnum):
    """What of a picture is left when it is folded where it mirrors itself."""

    UPPER = 0
    LEFT = 1
    QUARTER = 2


def _alike(left: int, right: int, top: int, bottom: int) -> Iterable[Crop]:
    """Give a pattern's crops, in a fixed order."""
    across, down = {(left, right), (right, left)}, {(top, bottom), (bottom, top)}
    crops = {Crop(*one, *other) for one in across for other in down}
    return sorted(crops | {Crop(*other, *one) for one in across for other in down})


_CROPS = tuple(crop for pattern in PATTERNS for crop in _alike(*pattern))
_SIDES = (
    *(Crop(25, 25, 0, 0), Crop(0, 0, 25, 25)),
    *(Crop(34, 0, 0, 0), Crop(0, 34, 0, 0), Crop(0, 0, 34, 0), Crop(0, 0, 0, 34)),
)

CROP_NUMBERS = range(FIRST_CROP, FIRST_CROP + len(_CROPS))
"""The numbers of the crops, unmirrored."""

SIDE_NUMBERS: tuple[int, ...] = (
    *range(FIRST_MIDDLE, FIRST_MIDDLE + 2),
    *range(FIRST_SIDE, FIRST_SIDE + 4),
)
"""What overlays leave free, unmirrored, in the order of streamguard.core.sides."""

_CROP_NAMES = ("crop-{}-{}-{}-{}".format(*astuple(crop)) for crop in _CROPS)
_SIDE_NAMES = (
    *("without-left-right", "without-top-bottom"),
    *("without-left", "without-right", "without-top", "without-bottom"),
)
_HALF_NAMES = tuple(
    f"{of}{half}"
    for of in ("", "content-", "crop-")
    for half in ("upper-half", "left-half", "quarter")
)
_PLAIN_NAMES: dict[int, str] = {
    WHOLE: "whole",
    CONTENT: "content",
    **dict(zip(CROP_NUMBERS, _CROP_NAMES, strict=True)),
    **dict(enumerate(_HALF_NAMES, FIRST_HALF)),
    **dict(zip(SIDE_NUMBERS, _SIDE_NAMES, strict=True)),
}
_NAMES = _PLAIN_NAMES | {
    MIRRORED | number: f"{name}-mirror" if number else "mirror"
    for number, name in _PLAIN_NAMES.items()
}
_NUMBERS = {name: number for number, name in _NAMES.items()}


def variant_name(number: int) -> str:
    """Name a variant: whole, content, mirror, content-mirror, crop-4-0-8-0, without-left-mirror.

    The four numbers are percent cut off left, right, top and bottom, before mirroring. A half is
    that of the whole, of the content or of any crop: upper-half, content-left-half, crop-quarter.
    A number that has no meaning yet, out of a newer bank, is named by itself.
    """
    return _NAMES.get(number, f"variant-{number}")


def variant_number(name: str) -> int:
    """Give the number of a variant that variant_name names.

    Raises:
        ConfigError: there is no such variant.
    """
    number = _NUMBERS.get(name)
    if number is None:
        raise ConfigError(f"there is no variant named {name!r}; try whole, mirror or crop-4-4-4-4")
    return number


def crop_of(number: int) -> Crop:
    """Tell what is cut off in a variant: nothing, of the whole picture and of the content."""
    plain = number & ~MIRRORED
    if plain in CROP_NUMBERS:
        return _CROPS[plain - FIRST_CROP]
    return _SIDES[SIDE_NUMBERS.index(plain)] if plain in SIDE_NUMBERS else NO_CROP


def half_of(number: int, half: Half) -> int:
    """Give the number that a half of this variant has; all crops share theirs."""
    return (number & MIRRORED) | (
        FIRST_HALF + len(Half) * min(number & ~MIRRORED, FIRST_CROP) + half
    )


def are_crops(numbers: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Say of each variant whether it is a crop, or a half of one, or leaves out a side."""
    plain = numbers & ~np.uint8(MIRRORED)
    is_half = (plain >= FIRST_HALF) & (plain < half_of(FIRST_CROP, Half.UPPER))
    return (plain >= FIRST_CROP) & ~is_half


def group_of(number: int) -> str:
    """Tell what a variant costs by: whole, content, mirror, crops, halves, overlays-mirror…."""
    plain = number & ~MIRRORED
    if plain < FIRST_CROP:
        return "mirror" if number & MIRRORED else _NAMES[plain]
    group = "halves" if FIRST_HALF <= plain < FIRST_SIDE else CROPS
    if plain in SIDE_NUMBERS:
        group = OVERLAYS
    return f"{group}-mirror" if number & MIRRORED else group


def check_recipes(names: Collection[str]) -> tuple[str, ...]:
    """Put recipes into their order; "none" alone is no recipe.

    Raises:
        ConfigError: one of them is unknown.
    """
    if list(names) == ["none"]:
        return ()
    unknown = [name for name in names if name not in RECIPES]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} is no variant to make: choose of {', '.join(RECIPES)}")
    return tuple(recipe for recipe in RECIPES if recipe in names)
