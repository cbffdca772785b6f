"""Which incident a flag belongs to, by what the list told of the entry that matched."""

from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streamguard.exchange.account import Account
from streamguard.exchange.edit import taking
from streamguard.exchange.incident import incident_of
from streamguard.exchange.projection import follow
from streamguard.exchange.records_file import RECORDS_FILE, RecordsFile
from streamguard.exchange.row import Terms
from tests.exchange.made_records import frame, record
from tests.exchange.memory_bank import MemoryBank
from tests.exchange.test_intake import NOW
from tests.made_reviews import flag


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Take in a video whose second frame bears an incident, and pictures with and without one."""
    directory = tmp_path / "shared"
    found = [
        frame("clip", 0, 1),
        frame("clip", 1_000, 2, labels={"incident_id": "Ω-2019"}),
        record("plain", 3),
        record("long", 4, labels={"incident_id": "x" * 256}),
    ]
    with closing(RecordsFile.open(directory)) as records:
        with taking(records, Terms(NOW), Account()) as edit:
            for each in found:
                edit.take(each)
        follow(records, MemoryBank())
    return directory


@pytest.mark.parametrize(
    ("entry", "incident"),
    [
        ("list/clip", "Ω-2019"),
        ("list:plain", ""),
        ("list:long", "x" * 256),
        ("list:unknown", ""),
    ],
)
def test_it_is_what_the_records_behind_the_entry_bear(
    bank: Path, entry: str, incident: str
) -> None:
    assert incident_of([bank], flag(1, entry=entry)) == incident


def test_of_another_bank_or_one_without_records_nothing_is_known(
    bank: Path, tmp_path: Path
) -> None:
    matched = flag(1, entry="list/clip")
    other = bank.rename(tmp_path / "other")
    (tmp_path / "shared").mkdir()

    assert incident_of([other], matched) == ""
    assert incident_of([other, tmp_path / "shared"], matched) == ""
    assert not (tmp_path / "shared" / RECORDS_FILE).exists()


def test_records_that_cannot_be_read_keep_nothing_waiting(bank: Path) -> None:
    (bank / RECORDS_FILE).write_bytes(b"no database" * 1_000)

    with capture_logs() as lines:
        assert incident_of([bank], flag(1, entry="list/clip")) == ""

    assert [line["event"] for line in lines] == ["incident_not_known"]
