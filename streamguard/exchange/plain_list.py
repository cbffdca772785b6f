"""Plain lists: a hash a line, alone or after its type, as python-threatexchange keeps them.

Rule: a line without a type is known by its length; 64 digits are PDQ, for SHA-256 says so.
Source: facebook/ThreatExchange, threatexchange/exchanges/impl/file_api.py (1.2.16).
"""

from collections.abc import Iterable, Iterator
from string import hexdigits

from streamguard.exchange.record import FieldProblem, Record, id_of, make_record
from streamguard.exchange.text_file import TextFile

TYPE_BY_DIGITS = {32: "md5", 40: "sha1", 64: "pdq", 128: "sha512"}
"""What a bare hash is, by its number of hex digits."""

COMMENT = "#"


def read(file: TextFile, defaults: dict[str, str]) -> Iterator[Record]:
    """Yield the records of a file; empty lines and comments are left out.

    Raises:
        ListInvalid: a line is no hash; nothing after it was read.
    """
    for line in file.lines():
        words = line.partition(COMMENT)[0].split()
        if not words:
            continue
        if len(words) > 2:  # noqa: PLR2004  # a type and a hash
            raise file.problem("a line is a hash, or a type and a hash")
        text = words[-1].lower()
        try:
            kind = words[0].lower().replace("_", "-") if len(words) > 1 else _kind(text)
            yield make_record(
                {**defaults, "record_id": id_of(kind, text), "hash_type": kind, "hash": text}
            )
        except FieldProblem as problem:
            raise file.problem(problem.what, problem.field) from None


def write(records: Iterable[Record]) -> Iterator[str]:
    """Yield each PDQ hash once, a line each, in the order in which they first come."""
    seen: set[str] = set()
    for record in records:
        if record.is_matched and record.hash is not None and record.hash not in seen:
            seen.add(record.hash)
            yield f"{record.hash}\n"


def _kind(text: str) -> str:
    if not set(text) <= set(hexdigits):
        raise FieldProblem("hash", "a hash is hex digits alone")
    if len(text) not in TYPE_BY_DIGITS:
        raise FieldProblem("hash", f"none of the known hashes has {len(text)} digits")
    return TYPE_BY_DIGITS[len(text)]
