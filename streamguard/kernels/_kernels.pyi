"""What the compiled kernels take and give.

Arrays are C-contiguous where nothing else is said; all arguments are positional. A wrong shape,
item type or number raises ValueError, a missing argument TypeError; nothing is written then.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Instructions: TypeAlias = Literal["plain", "avx2", "avx512"]

def instructions() -> Instructions:
    """Name the instructions in use: the best that this processor has, unless told otherwise."""

def use_instructions(name: Instructions, /) -> None:
    """Use other instructions from now on, in the whole process; for tests and measurements.

    Raises:
        ValueError: this processor has no such instructions.
    """

def hamming_any(
    queries: NDArray[np.uint8],
    hashes: NDArray[np.uint8],
    within_bits: int,
    is_near: NDArray[np.uint8],
    /,
) -> None:
    """Say of each of several hashes whether any of many lies within some bits.

    Args:
        queries: (M, 32) uint8.
        hashes: (N, 32) uint8.
        within_bits: 0..256, included.
        is_near: (M,) uint8, filled with 1 where one does, else 0.

    Raises:
        ValueError, TypeError: an argument is none of these.
    """

def hamming_scan(
    query: NDArray[np.uint8],
    hashes: NDArray[np.uint8],
    within_bits: int,
    rows: NDArray[np.intp],
    bits: NDArray[np.uint16],
    /,
) -> int:
    """Find the hashes within some bits of one.

    Args:
        query: (32,) uint8.
        hashes: (N, 32) uint8.
        within_bits: 0..256, included.
        rows: (M,) intp, filled with the rows that were found, ascending.
        bits: (M,) uint16, filled with the distance of each.

    Returns:
        How many were found. Where that is more than M, only the first M were written.
    """

def mark_edges(
    luma: NDArray[np.uint8],
    is_between_columns: bool,
    step: int,
    along: int,
    least: int,
    density: NDArray[np.float32],
    /,
) -> None:
    """Say how densely the lines across one axis of a picture are marked, as core/edges.py does.

    Args:
        luma: (H, W) uint8; its rows may be padded.
        is_between_columns: the lines lie between columns, else between rows.
        step: pixels from one line that is looked at to the next.
        along: pixels from one sample along a line to the next; 16 to 255 samples.
        least: the smallest change that is marked, luma steps, 1..255.
        density: (16, n) float32, filled; n is five fewer than the lines that are looked at.
    """

def join_edges(
    now: NDArray[np.float32],
    last: NDArray[np.float32],
    mean: NDArray[np.float32],
    shown: NDArray[np.float32],
    n_seen: int,
    takes_blank: bool,
    least_share: float,
    new_cost: float,
    /,
) -> bool:
    """Say how dense lines are taken to be after another picture, as core/edges.py does.

    Args:
        now: (M, n) float32, in this picture.
        last: (M, n) float32, in the one before; may be the same array.
        mean: (M, n) float32, on the whole; the difference is added, divided by `n_seen`.
        shown: (M, n) float32, filled.
        n_seen: how many pictures the mean is of, this one included; 1 or more.
        takes_blank: whether a blank picture changes the mean.
        least_share: a picture less dense than that on the whole is blank.
        new_cost: what counts less that is in this picture alone.

    Returns:
        Whether the picture is blank.
    """

def scale_part(
    picture: NDArray[np.uint8],
    width: int,
    height: int,
    left: int,
    top: int,
    is_vertical_first: bool,
    out: NDArray[np.uint8],
    /,
) -> None:
    """Scale a picture as Pillow does with BILINEAR, byte for byte, and keep a part of the result.

    Args:
        picture: (H, W, 3) uint8; its rows may be padded.
        width: of the whole result, pixels.
        height: of the whole result, pixels.
        left: first column of the result that is kept.
        top: first row of the result that is kept.
        is_vertical_first: which pass comes first; between the two all is rounded to 8 bits.
        out: (h, w, 3) uint8, filled with the part; it has to lie in the result.
    """

def shrink(
    luma: NDArray[np.uint8],
    row_firsts: NDArray[np.intp],
    row_weights: NDArray[np.float32],
    column_firsts: NDArray[np.intp],
    column_weights: NDArray[np.float32],
    out: NDArray[np.float32],
    /,
) -> None:
    """Shrink a luma plane to 64 x 64: weighted sums of rows, and of columns of these, in float32.

    The sums run in one order, so the result is the same whatever the instructions.

    Args:
        luma: (H, W) uint8; its rows may be padded.
        row_firsts: (64,) intp. First row of the picture that counts for each row of the result.
        row_weights: (64, n) float32, of the n rows from that one on, all within the picture.
        column_firsts: (64,) intp. First column that counts for each column of the result.
        column_weights: (64, m) float32, m a multiple of 8, of the m columns from that one on;
            those past the width are zero pixels.
        out: (64, 64) float32, filled with the result.
    """

def slot_build(
    hashes: NDArray[np.uint8], offsets: NDArray[np.uint32], ids: NDArray[np.uint8], /
) -> None:
    """List the rows of hashes by their values in slots, as core/slots.py says.

    Args:
        hashes: (N, 32) uint8; N below 2**32.
        offsets: (S, 2**W + 1) uint32, filled; S * W is 256 at most, W 1 to 24.
        ids: (S, N, 3 or 4) uint8, filled; 3 bytes hold a row below 2**24.
    """

def slot_query(
    query: NDArray[np.uint8],
    hashes: NDArray[np.uint8],
    offsets: NDArray[np.uint32],
    ids: NDArray[np.uint8],
    within_bits: int,
    needed: int,
    spending: int,
    most: int,
    rows: NDArray[np.intp],
    bits: NDArray[np.uint16],
    /,
) -> int:
    """Find hashes within some bits of one that look like it in a slot.

    Up to two flips are looked up in each slot. While there are more than `spending` candidates, the
    flips that cost most are given up, as long as flips + 1 sum up to `needed` over the slots.

    Args:
        query: (32,) uint8.
        hashes: (N, 32) uint8.
        offsets: as `slot_build` fills it; whatever is in it, nothing outside the arrays is touched.
        ids: likewise.
        within_bits: 0..256, included.
        needed: 0..768.
        spending: 0 or more.
        most: 0 or more, the candidates beyond which a scan is less work.
        rows: (M,) intp, filled with the rows that were found, ascending.
        bits: (M,) uint16, filled with the distance of each.

    Returns:
        How many were found. Where that is more than M, only the first M were written. -1 where
        there are more candidates than `most`; nothing is written then.
    """

def hash_thumbnail(
    thumb: NDArray[np.float32],
    dct: NDArray[np.float32],
    luma_span: int,
    tie_reach: float,
    bits: NDArray[np.uint8],
    /,
) -> tuple[int, int, float, float]:
    """Hash a thumbnail; the same result whatever the instructions.

    Args:
        thumb: (64, 64) float32 luma.
        dct: (16, 64) float32.
        luma_span: white minus black, 1..255.
        tie_reach: how far from the median a term still ties with it.
        bits: (32,) uint8, filled with the hash, packed.

    Returns:
        The quality, 0..100; how many terms tie with the median; and the share of the energy, 0..1,
        that lies in terms of odd frequencies down, and across.
    """

def find_insets(
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    row_numbers: NDArray[np.float64],
    column_numbers: NDArray[np.float64],
    rules: NDArray[np.float64],
    out: NDArray[np.int64],
    /,
) -> int:
    """Choose the best rectangles of a layout, as streamguard.core.insets does in numpy.

    Args:
        rows: (16, n) float32, how densely the lines between rows are marked.
        columns: (16, m) float32, the lines between columns likewise.
        row_numbers: (4,) float64. The place of the first line, the step to the next, the height of
            the picture, and the least share of it that an inset has.
        column_numbers: (4,) float64, likewise, with the width.
        rules: (11,) float64, the bounds of that module: MIN_BLOCKS_DENSITY, MIN_DENSITY,
            MIN_STRETCH, ENOUGH_DENSITY, OVERSHOOT_COST, OVERSHOOT_BLOCKS, BORDER_WORTH,
            AREA_WORTH, MIN_WORTH, MIN_AREA_SHARE, MIN_APART_SHARE.
        out: (k, 4) int64, filled with the best k: y0, y1, x0, x1.

    Returns:
        How many were found.
    """

def find_bars(
    luma: NDArray[np.uint8],
    n_samples: int,
    tolerance: int,
    flat_share: float,
    bar_share: float,
    /,
) -> tuple[int, int, int, int]:
    """Find what flat bars leave of a picture, as streamguard.core.regions does in numpy.

    Args:
        luma: (H, W) uint8; its rows may be padded.
        n_samples: pixels looked at along a line.
        tolerance: how far from a bar's level its pixels lie, luma steps.
        flat_share: share of a line that has to.
        bar_share: thinnest bar, share of the height or width.

    Returns:
        y0, y1, x0 and x1 of what lies between them; the ends left out, and y0 may be beyond y1.
    """
