"""Tables of recall in Markdown: by transform, by content, and what was missed.

Rule: words only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from loadtest.recall_rows import OTHERS, VPDQ, Row, Share, grouped, median_of, share


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of all tables."""
    yield from _table("transform", rows, lambda row: row.transform)
    yield ""
    yield from _table("group", rows, lambda row: row.group + (" (apart)" if row.is_apart else ""))
    yield ""
    yield from _table("content", [r for r in rows if not r.is_apart], lambda row: row.content)


def misses(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each pair that was missed, and for each wrong name."""
    for row in rows:
        where = f"{row.mode:18} {row.transform:20} {row.content:20}"
        if not row.is_found and row.list not in (OTHERS, VPDQ):
            yield f"MISSED {where} {row.n_keyframes} keyframes; {row.nearest}"
        if row.wrong and row.list != VPDQ:
            yield f"WRONG  {where} {'; '.join(row.wrong)}"


def _table(title: str, rows: Sequence[Row], key: Callable[[Row], str]) -> Iterator[str]:
    """Give the shares by mode, then when the first flag came where it came, and wrong names."""
    modes = list(grouped(rows, lambda row: row.mode))
    ours = [mode for mode in modes if not mode.startswith(VPDQ)]
    yield f"| {title} | " + " | ".join([*modes, "median first flag", "wrong"]) + " |"
    yield "|---" * (len(modes) + 3) + "|"
    for name, part in grouped(rows, key).items():
        by_mode = grouped(part, lambda row: row.mode)
        cells = [_cell(share(by_mode.get(mode, []))) for mode in modes]
        n_wrong = sum(len(row.wrong) for row in part if row.list != VPDQ)
        cells += [_first_flags(by_mode.get(mode, []) for mode in ours), f"{n_wrong}"]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(found: Share) -> str:
    if not found.n_pairs:
        return ""
    return f"{found.told} ({found.n_found}/{found.n_pairs})"


def _first_flags(modes: Iterable[Sequence[Row]]) -> str:
    """Tell the median delay in seconds and keyframes, mode by mode."""
    told = []
    for rows in modes:
        seconds = median_of(row.first_s for row in rows)
        keyframe = median_of(row.first_keyframe for row in rows)
        told.append("-" if seconds is None else f"{seconds:.1f} s ({keyframe:.0f})")
    return ", ".join(told)
