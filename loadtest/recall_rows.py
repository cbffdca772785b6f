"""What screening the copies gave, counted: shares found, delays, false flags, and the bars.

Rule: values and arithmetic only.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

MIN_AUTO = 0.99
MIN_KEYFRAMES = 0.92
MIN_APART = 0.90
MIN_SPARSE = 0.95
MAX_MEDIAN_KEYFRAMES = 2.0
"""The bars: shares of all pairs found with a bank of every frame, by `auto` and by keyframes alone;
of those that are reported apart, by `auto`; with a list of one hash a second, by dense sampling;
and the keyframe at which the median first flag comes, `auto`."""

VPDQ = "vpdq"
OTHERS = "others"
"""Beside the names of lists: vPDQ's method; a bank of all contents but the copy's own."""

Goal = tuple[str, str, bool]
"""A list, a sampling, and whether it is about what is reported apart."""

BARS: dict[Goal, float] = {
    ("frames", "auto", False): MIN_AUTO,
    ("frames", "keyframes", False): MIN_KEYFRAMES,
    ("frames", "auto", True): MIN_APART,
    ("seconds", "dense", False): MIN_SPARSE,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What screening one copy in one way gave.

    list, sampling: the mode; `vpdq` and `all frames` for vPDQ's method.
    n_keyframes:    of the clip within the copy.
    first_s:        from the clip's entry to its first flag; None without one.
    first_keyframe: keyframes of the clip up to the first flag, from 1; None without one.
    distance_bits, region, variant: of the first flag.
    wrong:          other contents that any flag named, or the right one outside of its time.
    nearest:        where nothing was found: how near any look came, in words.
    """

    content: str
    is_real: bool
    transform: str
    group: str
    is_apart: bool
    list: str
    sampling: str
    n_keyframes: int
    first_s: float | None = None
    first_keyframe: int | None = None
    distance_bits: int | None = None
    region: str = ""
    variant: str = ""
    wrong: tuple[str, ...] = ()
    nearest: str = ""

    @property
    def is_found(self) -> bool:
        """Say whether the right content was named."""
        return self.first_s is not None

    @property
    def mode(self) -> str:
        """Name the way of screening."""
        return f"{self.list}/{self.sampling}"


@dataclass(frozen=True, slots=True)
class Share:
    """Pairs found, of all."""

    n_found: int
    n_pairs: int

    @property
    def part(self) -> float:
        """Give the share, 0..1; 1 of none."""
        return self.n_found / self.n_pairs if self.n_pairs else 1.0

    @property
    def told(self) -> str:
        """Tell it in percent, and 100 only where all were found."""
        tenths = 1000 * self.n_found // self.n_pairs if self.n_pairs else 1000
        return f"{tenths / 10:g} %"


def share(rows: Iterable[Row]) -> Share:
    """Count the pairs found."""
    found = [row.is_found for row in rows]
    return Share(sum(found), len(found))


def grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Sort rows into groups, in the order in which these first appear."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def summary(rows: Sequence[Row], unrelated_flags: int | None) -> dict[str, Any]:
    """Sum up for the JSON object; `pass` is None where no bar could be judged.

    unrelated_flags: of the unrelated footage; None where that was not screened.
    """
    pairs = [row for row in rows if row.list != OTHERS]
    verdicts = [bar["pass"] for bar in judged(rows)]
    n_wrong = sum(len(row.wrong) for row in rows if row.list != VPDQ)
    verdicts.append(n_wrong + (unrelated_flags or 0) == 0)
    return {
        "pass": all(verdicts) if rows else None,
        "bars": judged(rows),
        "false_flags": n_wrong,
        "others_screened": len(rows) - len(pairs),
        "unrelated_flags": unrelated_flags,
        "modes": _modes(pairs),
        "transforms": {name: _modes(of) for name, of in grouped(pairs, _transform).items()},
        "contents": {name: _modes(of) for name, of in grouped(pairs, _content).items()},
    }


def judged(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Hold what was measured against the bars; what was not measured is left out."""
    bars: list[dict[str, Any]] = []
    for (hash_list, sampling, is_apart), least in BARS.items():
        about = [
            r for r in rows if (r.list, r.sampling, r.is_apart) == (hash_list, sampling, is_apart)
        ]
        if about:
            found = share(about)
            what = f"{hash_list}/{sampling}" + (", reported apart" if is_apart else "")
            is_kept = found.part >= least
            bars.append(
                {"what": what, "found": round(found.part, 4), "least": least, "pass": is_kept}
            )
    firsts = [
        r.first_keyframe
        for r in rows
        if r.mode == "frames/auto" and not r.is_apart and r.first_keyframe is not None
    ]
    if firsts:
        middle = float(median(firsts))
        is_kept = middle <= MAX_MEDIAN_KEYFRAMES
        what = "median keyframe of the first flag, frames/auto"
        bars.append({"what": what, "found": middle, "most": MAX_MEDIAN_KEYFRAMES, "pass": is_kept})
    return bars


def _transform(row: Row) -> str:
    return row.transform


def _content(row: Row) -> str:
    return row.content


def _modes(rows: Sequence[Row]) -> dict[str, Any]:
    return {mode: _mode(part) for mode, part in grouped(rows, lambda row: row.mode).items()}


def _mode(rows: Sequence[Row]) -> dict[str, Any]:
    main = [row for row in rows if not row.is_apart]
    return {
        "found": round(share(main).part, 4),
        "pairs": len(main),
        "found_apart": round(share(row for row in rows if row.is_apart).part, 4),
        "pairs_apart": len(rows) - len(main),
        "median_first_s": median_of(row.first_s for row in main),
        "median_first_keyframe": median_of(row.first_keyframe for row in main),
        "false_flags": sum(len(row.wrong) for row in rows),
    }


def median_of(values: Iterable[float | None]) -> float | None:
    """Give the median of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return round(float(median(known)), 3) if known else None
