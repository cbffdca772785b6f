"""Says which incident a flag belongs to: what the list that its entry came from called it.

Rule: it reads only, and never raises: what a list does not tell is not known.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import structlog

from streamguard.core.errors import RecordsUnavailable
from streamguard.core.event_data import FlagData
from streamguard.exchange.outgoing import live_records
from streamguard.exchange.records_file import RECORDS_FILE, RecordsFile

log = structlog.get_logger()


def incident_of(banks: Sequence[Path], flag: FlagData) -> str:
    """Give the id that the records behind the flag's strongest match bear; "" where there is none.

    banks: their directories, each named as the bank is.
    """
    directories = {each.resolve().name: each for each in banks}
    for signal in flag.signals:
        if signal.match and signal.match.bank in directories:
            found = _incident_in(directories[signal.match.bank], signal.match.entry)
            if found:
                return found
    return ""


def _incident_in(bank: Path, entry: str) -> str:
    if not (bank / RECORDS_FILE).exists():
        return ""
    try:
        with closing(RecordsFile.look_at(bank)) as records:
            named = (record.labels.incident_id for record in live_records(records, entry))
            return next(filter(None, named), "")
    except RecordsUnavailable as problem:
        log.warning("incident_not_known", bank=bank.name, problem=str(problem))
        return ""
