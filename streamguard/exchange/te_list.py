"""`.te` files, in which python-threatexchange keeps what it fetched: CSV without a header.

Rule: a row is `indicator,first_descriptor_id,added_on,labels`, or with the indicator's own id after
the indicator; labels are divided by spaces. The file is named simple.TYPE.te. Its own three labels
say what is thought of the hash.
Source: facebook/ThreatExchange, python-threatexchange/threatexchange/cli/dataset/
simple_serialization.py and exchanges/clients/fb_threatexchange/descriptor.py (1.2.16).
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from streamguard.exchange.record import FieldProblem, Record, Standing, make_record
from streamguard.exchange.text_file import TextFile

STANDINGS: dict[str, Standing] = {
    "false_positive": "neg",
    "disputed": "seed",
    "true_positive": "pos",
}
"""What the labels that python-threatexchange adds mean, in the order in which they decide."""

NO_ID = "0"
"""Stands for the descriptor of a hash that has none; python-threatexchange reads a number there."""

_NAME = re.compile(r"simple\.(?:HASH_)?([A-Z0-9_]+)\.te")
_PLAIN, _WITH_ID = 4, 5  # cells of a row


def read(file: TextFile, defaults: dict[str, str]) -> Iterator[Record]:
    """Yield the records of a file; its name says what kind of hash they are, else they are PDQ.

    Raises:
        ListInvalid: a row is no record; nothing after it was read.
    """
    named = _NAME.fullmatch(file.path.name)
    kind = named[1].lower().replace("_", "-") if named else "pdq"
    for row in file.rows():
        try:
            yield make_record({**defaults, "hash_type": kind, **_fields(row)})
        except FieldProblem as problem:
            raise file.problem(problem.what, problem.field) from None


def write(records: Iterable[Record]) -> Iterator[str]:
    """Yield a row for each PDQ record, as simple.HASH_PDQ.te has them."""
    for record in records:
        if not record.is_matched or record.hash is None:
            continue
        added = record.added_at.strftime("%Y-%m-%dT%H:%M:%S%z") if record.added_at else ""
        wanted = next(label for label, standing in STANDINGS.items() if standing == record.opinion)
        labels = [tag for tag in record.tags if tag not in STANDINGS and " " not in tag]
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(
            (record.hash, _descriptor(record), added, " ".join([*labels, wanted]))
        )
        yield line.getvalue()


def _fields(row: list[str]) -> dict[str, Any]:
    if len(row) not in (_PLAIN, _WITH_ID):
        raise FieldProblem("row", f"it has {len(row)} cells, not {_PLAIN} or {_WITH_ID}")
    descriptor_id, added_on, labels = row[-3:]
    tags = tuple(labels.split())
    standing = next((STANDINGS[label] for label in STANDINGS if label in tags), "pos")
    fields: dict[str, Any] = {
        "hash": row[0],
        "opinion": standing,
        "opinions": ({"standing": standing, "descriptor_id": descriptor_id},),
        "tags": tuple(tag for tag in tags if tag not in STANDINGS),
    }
    if row[1] != NO_ID:
        fields["record_id"] = row[1]
    try:
        added = datetime.fromisoformat(added_on)
    except ValueError:
        return fields  # "mine", where the opinion is one's own
    return {**fields, "added_at": added} if added.tzinfo else fields


def _descriptor(record: Record) -> str:
    ids = [*(opinion.descriptor_id for opinion in record.opinions), record.record_id]
    return next((name for name in ids if name and name.isascii() and name.isdecimal()), NO_ID)
