"""Makes a model's input of a picture, as the training of most models did: with Pillow.

Rule: pixel for pixel what Pillow gives for the whole picture. Behind a JPEG encoder a single step
of grey becomes a score that differs by 0.02 (measured). The compiled kernel keeps to that, at a
seventh of the time; Pillow itself is the way without it.
"""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from streamguard.core.model import InputSpec, Picture
from streamguard.kernels.compiled import kernels

BILINEAR = Image.Resampling.BILINEAR

_MAJOR = int(PIL.__version__.partition(".")[0])
CHOOSES_ORDER = _MAJOR > 12  # noqa: PLR2004  # a version
"""Pillow 10 to 12 always scale along the lines first (measured on 10.3, 11.3, 12.0 and 13.0)."""


def prepared(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """Scale a (H, W, 3) uint8 RGB picture and cut out the centre, (height, width, 3) uint8."""
    cut = _cut(picture, spec) if kernels is None else _cut_by_kernel(picture, spec)
    if spec.jpeg_quality is None:
        return cut
    passed = BytesIO()
    Image.fromarray(cut).save(passed, format="JPEG", quality=spec.jpeg_quality)
    return np.asarray(Image.open(passed))


def as_input(pictures: Sequence[NDArray[np.uint8]], spec: InputSpec) -> NDArray[np.float32]:
    """Stack prepared pictures into the model's input, (N, ...) float32, C-contiguous."""
    is_last = spec.layout == "NHWC"
    shape = (spec.height, spec.width, 3) if is_last else (3, spec.height, spec.width)
    batch = np.empty((len(pictures), *shape), np.float32)
    pixels = batch if is_last else batch.transpose(0, 2, 3, 1)
    order = (0, 1, 2) if spec.colour == "RGB" else (2, 1, 0)
    for into, picture in zip(pixels, pictures, strict=True):
        for at, channel in enumerate(order):  # one by one: three times as fast as all at once
            np.subtract(picture[..., channel], np.float32(spec.mean[at]), out=into[..., at])
    if spec.scale != (1.0, 1.0, 1.0):
        pixels *= np.array(spec.scale, np.float32)
    return batch


def _cut_by_kernel(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """Scale a picture and cut out the centre; compute no more than that."""
    assert kernels is not None  # noqa: S101  # asked by whoever calls
    scaled = (spec.resize_width, spec.resize_height)
    left, top = _corner(spec)
    is_vertical_first = _is_vertical_first((picture.shape[1], picture.shape[0]), scaled)
    cut = np.empty((spec.height, spec.width, 3), np.uint8)
    kernels.scale_part(picture, *scaled, left, top, is_vertical_first, cut)
    return cut


def _cut(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """Scale a picture and cut out the centre; compute no more than that where it is the same."""
    whole = Image.fromarray(picture)
    scaled, kept = (spec.resize_width, spec.resize_height), (spec.width, spec.height)
    left, top = _corner(spec)
    if _rounds_alike(whole.size, scaled, kept):
        x, y = whole.width / scaled[0], whole.height / scaled[1]
        box = (left * x, top * y, (left + kept[0]) * x, (top + kept[1]) * y)
        return np.asarray(whole.resize(kept, BILINEAR, box=box))
    cut = whole.resize(scaled, BILINEAR).crop((left, top, left + kept[0], top + kept[1]))
    return np.asarray(cut)


def _corner(spec: InputSpec) -> tuple[int, int]:
    """Say where in the scaled picture the cut begins: from the left, and from the top."""
    return (spec.resize_width - spec.width) // 2, (spec.resize_height - spec.height) // 2


def _rounds_alike(size: tuple[int, int], scaled: tuple[int, int], kept: tuple[int, int]) -> bool:
    """Say whether scaling the part that is kept gives the very pixels of scaling the whole.

    Pillow takes the part's edges as 32-bit floats, which hold fractions of 2, 4, 8... exactly, and
    rounds to 8 bits between its two passes, whose order it chooses by how much each side shrinks.
    Source: Pillow 13, src/libImaging/Resample.c; a test compares both ways on many sizes.
    """
    is_exact = all(side.bit_count() == 1 for side in scaled)
    return is_exact and _is_vertical_first(size, scaled) == _is_vertical_first(size, kept)


def _is_vertical_first(size: tuple[int, int], target: tuple[int, int]) -> bool:
    less_width, less_height = size[0] - target[0], size[1] - target[1]
    return CHOOSES_ORDER and less_height > 0 and less_height > 2 * less_width
