"""Tables of recall in Markdown: by transform, by content, and what was missed.

Rule: words only.
"""

from collections.abc import Callable, Iterator, Sequence

from loadtest.recall_rows import OTHERS, Row, Share, grouped, share


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
        if not row.is_found and row.list != OTHERS:
            yield f"MISSED {where} {row.n_keyframes} keyframes; {row.nearest}"
        if row.wrong:
            yield f"WRONG  {where} {'; '.join(row.wrong)}"


def _table(title: str, rows: Sequence[Row], key: Callable[[Row], str]) -> Iterator[str]:
    modes = list(grouped(rows, lambda row: row.mode))
    yield f"| {title} | " + " | ".join(modes) + " |"
    yield "|---" * (len(modes) + 1) + "|"
    for name, part in grouped(rows, key).items():
        by_mode = grouped(part, lambda row: row.mode)
        cells = [_cell(share(by_mode.get(mode, []))) for mode in modes]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(found: Share) -> str:
    if not found.n_pairs:
        return ""
    return f"{100 * found.part:.0f} % ({found.n_found}/{found.n_pairs})"
