"""The banks that a process screens against: they follow their files, and say when they cannot.

Rule: what goes wrong with a bank's files never takes the bank away: it stays in force as it was
last read, one line in the log says so, and readiness and a metric go on saying it.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from streamguard.adapters.bank_live import LiveBank
from streamguard.adapters.bank_watch import BankWatch
from streamguard.core.bank import Bank
from streamguard.core.banks import Banks
from streamguard.core.errors import BankError
from streamguard.core.ports import Exporter

log = structlog.get_logger()


class LiveBanks:
    """Banks that are queried together; call it for their newest snapshots, in any thread."""

    def __init__(self, directories: Sequence[Path], *, is_second: bool = False) -> None:
        """Open the banks.

        is_second: another process has opened them, and logs what becomes of them.

        Raises:
            BankError: one of them cannot be read, or two have the same name.
        """
        _refuse_doubles(directories)
        self._directories = directories
        self._is_second = is_second
        self._live = [LiveBank(directory) for directory in directories]
        self._told: list[str | None] = [None for _ in directories]
        self._banks = Banks(self._newest())
        self._looking = threading.Lock()
        self._watch = BankWatch(directories, _tell_damage)

    def __call__(self) -> Banks:
        """Give the newest snapshots; cheap, for every sample."""
        if self._looking.acquire(blocking=False):  # who comes meanwhile gets the last ones
            try:
                self._look()
            finally:
                self._looking.release()
        return self._banks

    def _look(self) -> None:
        newest = self._newest()
        if newest != self._banks.banks:  # other snapshots: they compare by identity
            self._banks = Banks(newest)
        problems = [live.problem for live in self._live]
        if problems != self._told:
            for live, problem, told in zip(self._live, problems, self._told, strict=True):
                if problem != told and not self._is_second:
                    _tell_unreadable(live.name, problem)
            self._told = problems

    def _newest(self) -> tuple[Bank, ...]:
        return tuple([live.current() for live in self._live])  # faster than a generator

    @contextmanager
    def watched(self, meter: Exporter) -> Iterator[None]:
        """Check every byte of the banks beside, and show in metrics how they are."""
        meter.watch("bank_hashes", "Hashes in all banks.", self._n_hashes)
        meter.watch("bank_entries", "Entries in all banks.", self._n_entries)
        meter.watch("bank_damaged", "Banks that are damaged or cannot be read.", self.n_damaged)
        with self._watch:
            yield

    def _n_hashes(self) -> int:
        return sum(bank.n_hashes for bank in self().banks)

    def _n_entries(self) -> int:
        return sum(bank.n_entries for bank in self().banks)

    def n_damaged(self) -> int:
        """Count the banks that are damaged, or cannot be read any more."""
        self()  # where no stream asks, nobody else looks
        unreadable = {
            directory
            for directory, live in zip(self._directories, self._live, strict=True)
            if live.problem is not None
        }
        return len(unreadable | self._watch.damaged)

    def problem(self) -> str | None:
        """Say how many banks are damaged, for readiness; the log says which and how."""
        n_damaged = self.n_damaged()
        return f"{n_damaged} of the banks are damaged or cannot be read" if n_damaged else None


def _refuse_doubles(directories: Sequence[Path]) -> None:
    """Refuse two banks of one name: flags and limits could not tell them apart."""
    by_name: dict[str, Path] = {}
    for directory in directories:
        name = directory.resolve().name
        if name in by_name:
            raise BankError(
                f"{by_name[name]} and {directory} are both banks named {name!r}: rename one"
                " directory, or name it once"
            )
        by_name[name] = directory


def _tell_unreadable(name: str, problem: str | None) -> None:
    if problem is None:
        log.info("bank_readable", bank=name)
    else:
        log.error("bank_unreadable", bank=name, problem=problem)


def _tell_damage(directory: Path, problem: str) -> None:
    log.error("bank_damaged", bank=directory.name, problem=problem)
