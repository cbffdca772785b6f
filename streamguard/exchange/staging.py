"""What has come of a list whose rest is still to come: it waits, and changes nothing yet.

Rule: one item an id, the latest; what waits is taken as a whole, or not at all.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta

import apsw

from streamguard.exchange.record import Record, make_record
from streamguard.exchange.row import EPOCH, Item, Unusable, us_of

_PUT = """INSERT INTO staged VALUES (?, ?, ?, ?, ?) ON CONFLICT (source, record_id) DO UPDATE
    SET updated_us = excluded.updated_us, item = excluded.item, is_usable = excluded.is_usable"""
_UNLESS_OLDER = " WHERE coalesce(excluded.updated_us >= updated_us, 1)"
_EACH = "SELECT record_id, updated_us, item, is_usable FROM staged WHERE source = ?"
_COUNT = "SELECT count(*) FROM staged WHERE source = ?"
_CLEAR = "DELETE FROM staged WHERE source = ?"


def put(connection: apsw.Connection, items: Iterable[Item], *, is_whole: bool) -> None:
    """Let items wait, each in place of an earlier one of its id.

    is_whole: of a whole list; else an item that is older than the one that waits is dropped.
    """
    statement = _PUT if is_whole else _PUT + _UNLESS_OLDER
    connection.executemany(statement, (_columns(item) for item in items))


def waiting(connection: apsw.Connection, source: str) -> Iterator[Item]:
    """Yield what waits of a source; what waits must not change meanwhile."""
    for record_id, updated_us, item, is_usable in connection.execute(_EACH, (source,)):
        if is_usable:
            yield make_record(json.loads(item))
        else:
            at = None if updated_us is None else EPOCH + timedelta(microseconds=updated_us)
            yield Unusable(source, record_id, item, at)


def count(connection: apsw.Connection, source: str) -> int:
    """Count what waits of a source."""
    n_items: int
    ((n_items,),) = connection.execute(_COUNT, (source,))
    return n_items


def clear(connection: apsw.Connection, source: str) -> None:
    """Drop what waits of a source."""
    connection.execute(_CLEAR, (source,))


def _columns(item: Item) -> tuple[str, str, int | None, str, int]:
    is_usable = isinstance(item, Record)
    text = item.to_json() if isinstance(item, Record) else item.reason
    return item.source, item.record_id, us_of(item.updated_at), text, int(is_usable)
