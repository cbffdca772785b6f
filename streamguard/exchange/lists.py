"""The formats of hash lists, by the names that the command line gives them.

Rule: each format has a module of its own with `read` and `write`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from streamguard.exchange import csv_list, jsonl_list, plain_list, te_list, vpdq_list
from streamguard.exchange.record import Record
from streamguard.exchange.text_file import TextFile


@dataclass(frozen=True, slots=True)
class Format:
    """How a list is read and written.

    read:  yields the records of a file, given fields that it may leave out.
    write: yields the lines, with their ends.
    """

    read: Callable[[TextFile, dict[str, str]], Iterator[Record]]
    write: Callable[[Iterable[Record]], Iterator[str]]


FORMATS = {
    "jsonl": Format(jsonl_list.read, jsonl_list.write),
    "csv": Format(csv_list.read, csv_list.write),
    "plain": Format(plain_list.read, plain_list.write),
    "vpdq": Format(vpdq_list.read, vpdq_list.write),
    "te": Format(te_list.read, te_list.write),
}
