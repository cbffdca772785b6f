"""Our own lists as CSV: a row a record, everything kept both ways; only `hash` is required.

Rule: the header names the columns, which are the fields of Record; labels have a column an axis.
`tags` and `opinions` hold JSON. An empty cell is a field that is not given.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from streamguard.exchange.record import AXES, FieldProblem, Record, make_record
from streamguard.exchange.text_file import TextFile

COLUMNS = (
    *("record_id", "source", "hash_type", "hash", "policy", "quality", "video_id", "t_offset_ms"),
    *("variant", *AXES, "tags", "opinion", "opinions", "added_at", "updated_at", "expires_at"),
    *("deleted", "max_distance"),
)


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal()):
        raise ValueError("a whole number is needed")
    return int(cell)


def _truth(cell: str) -> bool:
    if cell not in ("true", "false"):
        raise ValueError("true or false is needed")
    return cell == "true"


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise ValueError("JSON is needed") from None


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("quality", "t_offset_ms", "variant", "max_distance"), _number),
    **dict.fromkeys(("tags", "opinions"), _json),
    "deleted": _truth,
}


def read(file: TextFile, defaults: dict[str, str]) -> Iterator[Record]:
    """Yield the records of a file; `defaults` are fields that a row may leave out.

    Raises:
        ListInvalid: a row is no record; nothing after it was read.
    """
    rows = file.rows()
    header = next(rows, [])
    _check_header(file, header)
    for row in rows:
        try:
            yield make_record({**defaults, **_fields(header, row)})
        except FieldProblem as problem:
            raise file.problem(problem.what, problem.field) from None


def write(records: Iterable[Record]) -> Iterator[str]:
    """Yield the header and a row for each record, with their ends."""
    yield _row(COLUMNS)
    for record in records:
        values = record.model_dump(mode="json", exclude_defaults=True)
        values |= values.pop("labels", {})
        yield _row(tuple(_cell(values.get(column)) for column in COLUMNS))


def _check_header(file: TextFile, header: list[str]) -> None:
    if not header:
        raise file.problem("it has no header")
    for number, column in enumerate(header, start=1):
        if column not in COLUMNS:  # which may be a hash, where the header is missing
            raise file.problem("there is no column so named; is it misspelt?", f"column {number}")
    if len(set(header)) < len(header):
        raise file.problem("a column stands twice in the header")
    if "hash" not in header:
        raise file.problem("the header names no column hash")


def _fields(header: list[str], row: list[str]) -> dict[str, Any]:
    if len(row) > len(header):
        raise FieldProblem("row", f"it has {len(row)} cells, the header {len(header)}")
    fields: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for column, cell in zip(header, row, strict=False):
        if not cell:
            continue
        try:
            (labels if column in AXES else fields)[column] = _READERS.get(column, str)(cell)
        except ValueError as error:
            raise FieldProblem(column, str(error)) from None
    return {**fields, "labels": labels} if labels else fields


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _row(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
