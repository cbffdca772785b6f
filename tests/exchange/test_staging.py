"""What waits for the rest of its list: the latest of each id, and nothing of it is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streamguard.exchange import staging
from streamguard.exchange.record import make_record
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Item, Unusable
from tests.exchange.made_records import gone, record

AT = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = AT.replace(microsecond=123457)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RecordsFile]:
    file = RecordsFile.open(tmp_path)
    yield file
    file.close()


def staged(records: RecordsFile, *items: Item, is_whole: bool = False) -> list[Item]:
    with records.transaction() as connection:
        staging.put(connection, items, is_whole=is_whole)
        return list(staging.waiting(connection, "list"))


def test_what_waits_comes_out_as_it_went_in(records: RecordsFile) -> None:
    items = [
        record("1", 1, updated_at=AT, tags=("a", "b")),
        gone("2"),
        Unusable("list", "3", "hash: too short", AT),
        Unusable("list", "4", "hash: too short"),
    ]

    assert staged(records, *items) == items


@pytest.mark.parametrize(
    ("first", "second", "is_whole", "expected"),
    [
        (AT, LATER, False, 2),
        (AT, AT, False, 2),
        (LATER, AT, False, 1),
        (LATER, AT, True, 2),
        (None, AT, False, 2),
        (AT, None, False, 2),
    ],
)
def test_one_item_an_id_waits(
    *,
    first: datetime | None,
    second: datetime | None,
    is_whole: bool,
    expected: int,
    records: RecordsFile,
) -> None:
    one, two = record("1", 1, updated_at=first), record("1", 2, updated_at=second)

    assert staged(records, one, two, is_whole=is_whole) == [(one, two)[expected - 1]]


def test_each_source_waits_for_itself(records: RecordsFile) -> None:
    other = make_record({**record("1", 1).model_dump(), "source": "other"})
    staged(records, record("1", 1), record("2", 2), other)

    with records.transaction() as connection:
        staging.clear(connection, "list")
        counts = [staging.count(connection, source) for source in ("list", "other")]

    assert counts == [0, 1]
