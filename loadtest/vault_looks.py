"""What a look at evidence costs where much was looked at before: the custody is never cut short.

Rule: the chain is real, each entry signed; but it is written at once, not a sync an entry.
"""

import sys
import time
from typing import Any

import msgspec

from loadtest.live import quantiles
from streamguard.core.custody import instant
from streamguard.core.kept import Part, Subject
from streamguard.vault.custody_file import CUSTODY
from streamguard.vault.vault import Vault

N_ENTRIES = 100_000
"""A year of 270 looks a day."""

N_EVIDENCE = 20
N_LOOKS = 50
STILL = Part("still", "image/jpeg", 0, 0, is_original=False, content=bytes(120_000))


def looks(vault: Vault, again: Vault) -> dict[str, Any]:
    """Fill a vault's custody, and look at stills by another process's view of it.

    again: the same store, of which nothing was read yet.
    """
    subjects = [
        Subject(f"{number:08x}-0000-0000-0000-000000000000", "stream", "session")
        for number in range(N_EVIDENCE)
    ]
    for subject in subjects:
        vault.keep(subject, (STILL,))
    print(f"a custody of {N_ENTRIES} entries", file=sys.stderr)
    _fill(vault, subjects)
    first_s = _look_s(again, subjects[0])
    later = [_look_s(again, subjects[number % N_EVIDENCE]) for number in range(N_LOOKS)]
    since_s = time.perf_counter()
    n_entries = again.ledger().n_entries
    return {
        "entries": n_entries,
        "custody_mb": round((vault.folder.root / CUSTODY).stat().st_size / 1e6, 1),
        "first_look_of_a_process_s": round(first_s, 2),
        "look_ms": quantiles([1000 * each for each in later]),
        "whole_custody_s": round(time.perf_counter() - since_s, 2),
    }


def _look_s(vault: Vault, subject: Subject) -> float:
    since_s = time.perf_counter()
    vault.read(subject.evidence_id, 0, "view", actor="loadtest", purpose="to measure")
    return time.perf_counter() - since_s


def _fill(vault: Vault, subjects: list[Subject]) -> None:
    """Put looks on record as though somebody had looked all the time."""
    ledger, at = vault.ledger(), instant(time.time())
    with (vault.folder.root / CUSTODY).open("ab") as custody:
        while ledger.n_entries < N_ENTRIES:
            entry = ledger.next_entry(
                subjects[ledger.n_entries % N_EVIDENCE].evidence_id,
                "view",
                {"items": ("0",)},
                actor="loadtest",
                purpose="to measure",
                at=at,
                key_id=vault.keys.signing_id,
            )
            entry = msgspec.structs.replace(entry, signature=vault.keys.sign(entry.signed))
            ledger.take(entry)
            custody.write(entry.content + b"\n")
