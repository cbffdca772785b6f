"""Looks every hour for evidence whose time is over, while `run` lasts; erases it if that is asked.

Rule: what is erased was told an hour before, is on no hold, and is on record; what cannot be erased
is tried again, and stays counted. Whatever goes wrong, the next round comes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from streamguard.core.errors import StreamguardError
from streamguard.core.ports import Exporter
from streamguard.parts.evidence_parts import retention_of
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.vault.purge import Purger
from streamguard.vault.vault import Vault

ROUND_EVERY_S = 3600.0
"""How often it is looked, seconds: retention counts days, and who sees it has an hour."""

log = structlog.get_logger()


@contextmanager
def purging(
    vault: Vault | None,
    section: EvidenceSection,
    meter: Exporter,
    every_s: float = ROUND_EVERY_S,
) -> Iterator[None]:
    """Look for what is due as long as this lasts; nothing where no evidence is kept."""
    if vault is None:
        yield
        return
    keeper = _Keeper(vault, section, every_s)
    meter.watch(
        "evidence_overdue",
        "Evidence that is past its time and on no hold, and still there.",
        lambda: keeper.n_due,
    )
    threading.Thread(target=keeper.run, name="purge", daemon=True).start()
    try:
        yield
    finally:
        keeper.stop.set()


class _Keeper:
    """The thread's: a store that hangs keeps it from nothing else, and a stop does not wait."""

    def __init__(self, vault: Vault, section: EvidenceSection, every_s: float) -> None:
        most = section.purge_most if section.purge == "erase" else 0
        self._purger = Purger(vault, retention_of(section), f"{vault.actor} by itself", most)
        self._every_s = every_s
        self.n_due = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """Look until the stop."""
        while True:
            try:
                done = self._purger.round()
            except StreamguardError as error:
                log.warning("evidence_purge_failed", problem=str(error))
            except Exception:  # a thread that ends is never seen again: nothing would be erased
                log.exception("evidence_purge_failed")
            else:
                if done.n_erased or done.n_due > self.n_due:
                    log.info("evidence_purged", n_erased=done.n_erased, n_due=done.n_due)
                self.n_due = done.n_due
            if self.stop.wait(self._every_s):
                return
