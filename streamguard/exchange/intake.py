"""Takes a whole file of records in.

Rule: all of a file, or nothing. A snapshot is all that its sources have, so that what is missing is
withdrawn; a delta says itself what is withdrawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streamguard.exchange.account import Account
from streamguard.exchange.edit import taking
from streamguard.exchange.lists import FORMATS
from streamguard.exchange.record import Record
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Terms
from streamguard.exchange.text_file import TextFile


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read.

    format:  one of FORMATS.
    source:  whose list it is, where the file does not say; it may then name no other.
    policy:  policy code of records that name none.
    """

    format: str
    source: str
    is_source_given: bool
    policy: str | None


def take_file(records: RecordsFile, file: TextFile, reading: Reading, terms: Terms) -> Account:
    """Take in a file of records; `terms.is_whole` says that it is a snapshot.

    Raises:
        ListInvalid: a line of it is no record.
        ListShrinks: a source would lose too much.
    """
    account = Account()
    with taking(records, terms, account) as edit:
        begun: set[str] = set()
        if terms.is_whole and reading.is_source_given:
            edit.begin_whole(reading.source)
            begun.add(reading.source)
        for record in _read(file, reading):
            if terms.is_whole and record.source not in begun:
                edit.begin_whole(record.source)
                begun.add(record.source)
            edit.take(record)
        for source in begun:
            edit.end_whole(source)
    return account


def _read(file: TextFile, reading: Reading) -> Iterator[Record]:
    """Yield the records of a file, each with a policy if it may go into a bank."""
    defaults = {"source": reading.source}
    if reading.policy is not None:
        defaults["policy"] = reading.policy
    for record in FORMATS[reading.format].read(file, defaults):
        if reading.is_source_given and record.source != reading.source:
            raise file.problem(f"it is not {reading.source}, which --source names", "source")
        if record.policy is None and record.is_matched and not record.deleted:
            raise file.problem("it is missing; give one for all with --policy", "policy")
        yield record
