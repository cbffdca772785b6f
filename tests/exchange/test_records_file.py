"""The file behind a bank: who may open it, and what is said of one that cannot be used."""

from pathlib import Path

import apsw
import pytest

from streamguard.core.errors import RecordsUnavailable
from streamguard.exchange.records_file import RECORDS_FILE, SCHEMA_VERSION, RecordsFile


def opened(directory: Path) -> None:
    RecordsFile.open(directory).close()


def test_the_file_and_its_directory_are_private(tmp_path: Path) -> None:
    opened(tmp_path / "a" / "bank")

    path = tmp_path / "a" / "bank" / RECORDS_FILE
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_is_no_database_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / RECORDS_FILE
    path.write_bytes(b"something else" * 100)

    with pytest.raises(RecordsUnavailable, match="this is no file of records: move it away"):
        opened(tmp_path)

    assert path.read_bytes() == b"something else" * 100


def test_another_database_is_refused(tmp_path: Path) -> None:
    other = apsw.Connection(str(tmp_path / RECORDS_FILE))
    other.execute("CREATE TABLE mine (a)").fetchall()
    other.close()

    with pytest.raises(RecordsUnavailable, match="this is no file of records: move it away"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("step", "remedy"), [(1, "upgrade streamguard"), (-1, "move it away, and import the lists")]
)
def test_another_version_is_refused(step: int, remedy: str, tmp_path: Path) -> None:
    opened(tmp_path)
    other = apsw.Connection(str(tmp_path / RECORDS_FILE))
    other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + step}").fetchall()
    other.close()

    with pytest.raises(RecordsUnavailable, match=remedy):
        opened(tmp_path)


def test_a_place_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / RECORDS_FILE).mkdir()

    with pytest.raises(RecordsUnavailable, match="Is a directory: this user may not write it"):
        opened(tmp_path)


def test_looking_makes_no_file_and_writes_nothing(tmp_path: Path) -> None:
    nobody = RecordsFile.look_at(tmp_path / "none")
    opened(tmp_path)
    before = (tmp_path / RECORDS_FILE).read_bytes()
    reader = RecordsFile.look_at(tmp_path)

    assert nobody.rows("SELECT * FROM records") == reader.rows("SELECT * FROM records") == []
    with pytest.raises(RecordsUnavailable, match="may not write"), reader.transaction() as change:
        change.execute("DELETE FROM records").fetchall()
    nobody.close()
    reader.close()
    assert not (tmp_path / "none").exists()
    assert (tmp_path / RECORDS_FILE).read_bytes() == before


def test_a_file_whose_making_broke_off_is_made_good(tmp_path: Path) -> None:
    (tmp_path / RECORDS_FILE).touch()

    opened(tmp_path)
    opened(tmp_path)
