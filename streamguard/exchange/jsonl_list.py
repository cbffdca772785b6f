"""Our own lists as JSON Lines: a record a line, everything kept both ways.

Rule: a line is an object with the fields of Record and no others.
"""

import json
from collections.abc import Iterable, Iterator

from streamguard.exchange.record import FieldProblem, Record, make_record
from streamguard.exchange.text_file import TextFile


def read(file: TextFile, defaults: dict[str, str]) -> Iterator[Record]:
    """Yield the records of a file; `defaults` are fields that a line may leave out.

    Raises:
        ListInvalid: a line is no record; nothing after it was read.
    """
    for line in file.lines():
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise file.problem("it is not JSON") from None
        if not isinstance(fields, dict):
            raise file.problem("a line is one JSON object")
        try:
            yield make_record({**defaults, **fields})
        except FieldProblem as problem:
            raise file.problem(problem.what, problem.field) from None


def write(records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each record, with its end."""
    for record in records:
        yield f"{record.to_json()}\n"
