"""Which copies of a picture a bank holds beside the picture itself: mirrored, cut, or both.

Rule: a variant's number lies in bank files, so none ever changes its meaning; new crops go to the
end of PATTERNS.

PDQ forgives 1.3 % cut off a side (31 bits); what re-uploaders cut, up to 10 %, the bank has to hold
ready, for a bank may be large at no cost to the stream. Measured on seven real contents, ten
seconds of each, cut in 40 ways each (zoomed to the centre or to anywhere, one side, two adjoining
or opposite sides, all four at random; 1 to 10 % a side) and encoded anew by x264 veryfast at crf
32: how far a frame lies from the nearest hash of the bank within half a second; which copies show
in two keyframes 2 s apart (one within 31 bits, or both within 61); hashes kept a minute of video,
unmirrored, mean over the contents and for handheld footage. "Pruned" is the bound for crops.

    grid (percent)               crops  pruned  <= 31  <= 61  copies  hashes a minute
    none                             0      10   11 %   34 %    28 %    1,041  1,710
    0 5 10 on each side             80      10   74 %  100 %            87,930  140,040
    0 5 10, what is usual           38      10   69 %   99 %    99 %   41,971   67,380
    0 4 8, what is usual            38      10   81 %   99 %    99 %   41,668   67,164
    0 3 6 9, what is usual          85      10   92 %  100 %   100 %   92,221  148,410
    the first 20 of PATTERNS        20      28   54 %   99 %    99 %   14,842   27,480
    PATTERNS                        40      10   87 %  100 %   100 %   43,948   70,692
    PATTERNS ("crops-fine")         40      24   83 %  100 %   100 %   30,337   55,116
    PATTERNS ("crops")              40      40   63 %   99 %    99 %   15,691   26,904
    PATTERNS                        40      48   47 %   99 %    99 %   10,505   17,586

A fine grid thinned by a wide bound beats a coarse one at the same price: of a copy's keyframes 79 %
(two of them) and 93 % (eight) have one within 31 bits, where the coarse grid has 65 and 82 %.
Unrelated contents come 10 bits nearer by all these variants: at least 78 bits off, not 88.
"""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass

from streamguard.core.errors import ConfigError

WHOLE = 0
"""The picture as it is."""

CONTENT = 1
"""What lies between its bars."""

FIRST_CROP = 2
"""The variants from here on are crops of the content, or of the whole where there are no bars."""

MIRRORED = 0x80
"""Added to a variant's number: left and right are swapped."""

MIRROR = "mirror"
CROPS = "crops"
CROPS_FINE = "crops-fine"

RECIPES = (MIRROR, CROPS, CROPS_FINE)
"""What a bank may ask for. The two recipes for crops make the same ones; `crops-fine` keeps more of
them. With `mirror`, all that is made is made mirrored, too."""

DEFAULT_RECIPES = (MIRROR, CROPS)
"""What a new bank asks for: re-uploaders mirror and cut because it works. Thirty times the hashes
of the whole pictures is a price for the tens of hours that most banks hold, not for thousands."""

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


def _alike(left: int, right: int, top: int, bottom: int) -> Iterable[Crop]:
    """Give a pattern's crops, in a fixed order."""
    across, down = {(left, right), (right, left)}, {(top, bottom), (bottom, top)}
    crops = {Crop(*one, *other) for one in across for other in down}
    return sorted(crops | {Crop(*other, *one) for one in across for other in down})


_CROPS = tuple(crop for pattern in PATTERNS for crop in _alike(*pattern))

_NAMES = ("whole", "content", *("crop-{}-{}-{}-{}".format(*astuple(crop)) for crop in _CROPS))
_MIRRORED_NAMES = ("mirror", *(f"{name}-mirror" for name in _NAMES[1:]))
_NUMBERS = {name: number for number, name in enumerate(_NAMES)} | {
    name: MIRRORED | number for number, name in enumerate(_MIRRORED_NAMES)
}

CROP_NUMBERS = range(FIRST_CROP, FIRST_CROP + len(_CROPS))
"""The numbers of the crops, unmirrored."""


def variant_name(number: int) -> str:
    """Name a variant: whole, content, mirror, content-mirror, crop-4-0-8-0, crop-4-0-8-0-mirror.

    The four numbers are percent cut off left, right, top and bottom, before mirroring. A number
    that has no meaning yet, out of a newer bank, is named by itself.
    """
    names = _MIRRORED_NAMES if number & MIRRORED else _NAMES
    place = number & ~MIRRORED
    return names[place] if place < len(names) else f"variant-{number}"


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
    place = (number & ~MIRRORED) - FIRST_CROP
    return _CROPS[place] if place >= 0 else NO_CROP


def group_of(number: int) -> str:
    """Tell what a variant costs by: whole, content, mirror, crops or crops-mirror."""
    place = number & ~MIRRORED
    if place >= FIRST_CROP:
        return "crops-mirror" if number & MIRRORED else "crops"
    return "mirror" if number & MIRRORED else _NAMES[place]


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
