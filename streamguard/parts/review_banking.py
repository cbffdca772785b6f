"""Puts evidence into banks where a person decided so, and takes it out where that was wrong.

Rule: what is done follows from the log alone, and doing it again changes nothing; what could not be
done is on record with its reason, and holds nothing else up. No picture reaches the disk.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from streamguard.adapters.bank_file import add_entries, remove_entry, revision_of
from streamguard.adapters.bank_lock import BankBusy, locked
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.told import event_of
from streamguard.bank_build import EntryPlan
from streamguard.core.audit import Deed
from streamguard.core.cases import entry_of_case
from streamguard.core.decision_data import BankOrder, DecisionData
from streamguard.core.errors import BankError, LogUnavailable, StreamguardError
from streamguard.core.events import Topic
from streamguard.core.manifest import Item
from streamguard.core.ports import Clock
from streamguard.exchange.by_hand import keep_out
from streamguard.parts.evidence_hash import entry_of
from streamguard.review.trail import Trail
from streamguard.sections.review_section import review_file
from streamguard.settings import Settings
from streamguard.vault.vault import Vault

GROUP = "banking"
"""The consumer group whose place in the log it is."""

LOOK_EVERY_S = 0.2
"""How often the log is looked at: little of the five seconds within which workers know an entry."""

LOCK_SUFFIX = ".banking"
"""Ends the name of what whoever carries decisions out holds; it begins as that of the desk."""

NOTE_EVERY_S = 3600.0
"""How often the place in the log is noted where nothing came."""

log = structlog.get_logger()


class Banker:
    """The banks of one deployment, by name, and what is to go into them."""

    def __init__(self, vault: Vault | None, banks: Mapping[str, Path], trail: Trail) -> None:
        """vault: None where no evidence is kept, and nothing can be banked."""
        self._vault = vault
        self._banks = banks
        self._trail = trail

    def carry_out(self, decision: DecisionData) -> None:
        """Do what a decision says of banks, and have on record what came of it.

        Raises:
            LogUnavailable: that could not be put on record.
        """
        if decision.banking is not None:
            self._tried("bank.added", decision, decision.banking)
        if decision.unbanking is not None:
            self._tried("bank.removed", decision, decision.unbanking)

    def _tried(self, action: str, decision: DecisionData, order: BankOrder) -> None:
        details: dict[str, str | int] = {"bank": order.bank, "entry": order.entry}
        problem: str | None = None
        try:
            if action == "bank.added":
                self._add(decision, order)
            else:
                self._remove(decision, order)
        except LogUnavailable:
            raise
        except StreamguardError as error:
            problem = str(error)
            details["why"] = problem
        except Exception as error:  # a clip of strangers, libraries, a full disk: no other waits
            log.exception("banking_broke", decision_id=decision.decision_id)
            problem = f"it broke: {type(error).__name__}"
            details["why"] = problem
        if problem is not None:
            log.error("banking_failed", decision_id=decision.decision_id, problem=problem)
        deed = Deed(
            decision.actor,
            action,
            decision.case_id,
            about=decision.decision_id,
            details=details,
            is_refused=problem is not None,
        )
        self._trail.note(deed)

    def _add(self, decision: DecisionData, order: BankOrder) -> None:
        """Put evidence into a bank: its keyframes at once, then all frames in their place.

        To hash all of a long clip takes many seconds, and what it shows goes on meanwhile.
        """
        directory = self._directory(decision, order)
        since = revision_of(directory)  # what is taken out while we look stays out
        flag_id, item = self._found(decision)
        assert self._vault is not None  # noqa: S101  # something was found in it
        purpose = f"bank {order.bank}, decision {decision.decision_id}"
        content = self._vault.read(
            flag_id, item.number, "copy", actor=decision.actor, purpose=purpose
        )
        whole = EntryPlan(order.entry, decision.policy.code)
        if item.role == "clip":
            with suppress(BankError):  # what is wrong with the clip is told of the whole of it
                keyframes = entry_of(content, replace(whole, every_frame=False))
                add_entries(directory, [keyframes], replace=True, since=since)
        add_entries(directory, [entry_of(content, whole)], replace=True, since=since)

    def _remove(self, decision: DecisionData, order: BankOrder) -> None:
        directory = self._directory(decision, order)
        keep_out(directory, order.entry)
        remove_entry(directory, order.entry)

    def _directory(self, decision: DecisionData, order: BankOrder) -> Path:
        """Give the bank of an entry that is the case's own: no decision touches any other."""
        if order.entry != entry_of_case(decision.case_id):
            raise BankError("a decision names no entry but that of its own case")
        if order.bank not in self._banks:
            raise BankError(f"there is no bank named {order.bank!r} here")
        return self._banks[order.bank]

    def _found(self, decision: DecisionData) -> tuple[str, Item]:
        """Give the evidence that says most: the clip of the last flag that has one, or a still."""
        known = self._vault.standings_now(decision.flag_ids) if self._vault else {}
        for role in ("clip", "still"):
            for flag_id in reversed(decision.flag_ids):
                standing = known.get(flag_id)
                if self._vault and standing and standing.state == "kept":
                    for item in reversed(self._vault.manifest_of(standing).items):
                        if item.role == role:
                            return flag_id, item
        raise BankError("nothing is kept of the flags that could be put into a bank")


async def keep_banked(settings: Settings, vault: Vault | None, trail: Trail) -> None:
    """Carry decisions out as they come, from where the last process stopped."""
    banks = {path.resolve().name: path for path in settings.bank.paths}
    banker, clock = Banker(vault, banks, trail), SystemClock()
    file = review_file(settings.review, settings.log.file).absolute()
    noted_s = clock.monotonic() - NOTE_EVERY_S
    with SqliteLog(settings.log.file) as event_log:
        while True:
            is_due = clock.monotonic() - noted_s >= NOTE_EVERY_S
            try:
                if await asyncio.to_thread(turn, event_log, banker, file, clock, is_due=is_due):
                    noted_s = clock.monotonic()
            except LogUnavailable as error:
                log.warning("banking_waits", problem=str(error))
                await asyncio.sleep(1.0)
            await asyncio.sleep(LOOK_EVERY_S)


def turn(
    event_log: SqliteLog, banker: Banker, file: Path, clock: Clock, *, is_due: bool = False
) -> bool:
    """Carry out what is new, unless another console of the same file is at it.

    file:   that of the reviewers; the lock is beside it.
    is_due: note the place in the log also where nothing came.

    Returns:
        Whether the place was noted.
    """
    try:
        with locked(file.parent, file.name + LOCK_SUFFIX, wait_s=0):
            begun = event_log.position(GROUP) or 1
            offset = step(event_log, banker, begun)
            if offset == begun and not is_due:
                return False
            event_log.commit(GROUP, offset, clock.wall())
            return True
    except BankBusy:
        return False


def step(event_log: SqliteLog, banker: Banker, offset: int) -> int:
    """Carry out what is new; give the offset to go on at."""
    records = event_log.read(offset, Topic.DECISIONS)
    for record in records:
        event = event_of(record)
        if event is not None and isinstance(event.data, DecisionData):
            banker.carry_out(event.data)
    return records[-1].offset + 1 if records else offset
