"""Puts evidence into banks where a person decided so, and takes it out where that was wrong.

Rule: what is done follows from the log alone, and doing it again changes nothing; what could not be
done is on record with its reason, and holds nothing else up. No picture reaches the disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import add_entries, apply_edit, remove_entry, revision_of
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import BankBusy, locked
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.told import event_of
from streamguard.bank_build import EntryPlan
from streamguard.core.audit import Deed
from streamguard.core.cases import entry_of_case
from streamguard.core.decision_data import BankOrder, DecisionData
from streamguard.core.errors import BankError, LogUnavailable, StreamguardError
from streamguard.core.event_data import FlagData
from streamguard.core.events import Event, EventType, Topic
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.exchange.by_hand import keep_out
from streamguard.parts.banking_edits import NothingToMatch, completing, put_clip
from streamguard.parts.banking_evidence import newest_clip, read_clip, read_still
from streamguard.parts.banking_meter import BankingMeter
from streamguard.parts.banking_orders import BankOrders
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

BATCH = 1_000
"""Records of a topic that are looked at before the place is noted."""

log = structlog.get_logger()

Work = Callable[[DecisionData, BankOrder], int | None]
"""Gives how many hashes are in the bank after it; None where it took them out."""


class Banker:
    """The banks of one deployment, by name, and what is to go into them."""

    def __init__(
        self,
        vault: Vault | None,
        banks: Mapping[str, Path],
        trail: Trail,
        told: Callable[[str, bool], None] = lambda _action, _is_done: None,
    ) -> None:
        """Make it.

        vault: None where no evidence is kept, and nothing can be banked.
        told:  hears of each try: what was tried, and whether it was done.
        """
        self._vault = vault
        self._banks = banks
        self._trail = trail
        self._told = told
        self.orders = BankOrders()
        """What stands of what was decided."""

    def carry_out(self, decision: DecisionData) -> None:
        """Do what a decision says of banks, and have on record what came of it.

        Raises:
            LogUnavailable: that could not be put on record.
        """
        if (order := decision.banking) is not None:
            self._tried("bank.added", decision, order, self._add)
        if (order := decision.unbanking) is not None:
            self._tried("bank.removed", decision, order, self._remove)

    def complete(self, flag: FlagData) -> None:
        """Bank the clip of a flag that is closed once more: it grew on after the decision, maybe.

        What was taken out meanwhile stays out.

        Raises:
            LogUnavailable: that could not be put on record.
        """
        decision = self.orders.standing(flag)
        if decision is None or decision.banking is None:
            return
        try:
            is_due = self._is_due(flag, decision, decision.banking)
        except Exception:  # noqa: BLE001  # whatever is wrong is put on record by the banking
            is_due = True
        if is_due:
            self._tried("bank.added", decision, decision.banking, self._add_again)

    def _tried(self, action: str, decision: DecisionData, order: BankOrder, work: Work) -> None:
        details: dict[str, str | int] = {"bank": order.bank, "entry": order.entry}
        problem: str | None = None
        try:
            n_hashes = work(decision, order)
            if n_hashes is not None:
                details["n_hashes"] = n_hashes
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
        self._told(action, problem is None)

    def _add(self, decision: DecisionData, order: BankOrder) -> int:
        """Put evidence into a bank: the newest clip, as far as it has come, or else a still."""
        directory = self._directory(decision, order)
        since = revision_of(directory)  # what is taken out while we look stays out
        plan = EntryPlan(order.entry, decision.policy.code)
        purpose = _purpose(decision, order)
        vault = self._vault
        problem = BankError("nothing is kept of the flags that could be put into a bank")
        if vault is None:
            raise problem
        flag_id = newest_clip(vault, decision)
        if flag_id and (clip := read_clip(vault, decision, flag_id, purpose)):
            try:
                put_clip(directory, clip, plan, since)
            except NothingToMatch as error:
                problem = error  # of a clip that has just begun there may be a still
            else:
                return _n_hashes(directory, order)
        still = read_still(vault, decision, purpose)
        if still is None:
            raise problem
        add_entries(directory, [entry_of(still, plan)], replace=True, since=since)
        return _n_hashes(directory, order)

    def _add_again(self, decision: DecisionData, order: BankOrder) -> int:
        """Put all of the newest clip in the place of what there was of it at the decision."""
        directory = self._directory(decision, order)
        flag_id = newest_clip(self._vault, decision) if self._vault else None
        if self._vault is None or flag_id is None:
            raise BankError("its clip is gone")
        clip = read_clip(self._vault, decision, flag_id, _purpose(decision, order))
        entry = entry_of(clip, EntryPlan(order.entry, decision.policy.code))
        apply_edit(directory, partial(completing, entry))
        return _n_hashes(directory, order)

    def _is_due(self, flag: FlagData, decision: DecisionData, order: BankOrder) -> bool:
        """Say whether a flag has the clip that was banked, and nobody took that out since."""
        directory = self._directory(decision, order)
        if self._vault is None or newest_clip(self._vault, decision) != flag.flag_id:
            return False
        if not has_bank(directory):
            return True
        bank = open_bank(directory)
        return bank.entry_of(order.entry) is not None or order.entry not in bank.memory.removed

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


def _n_hashes(directory: Path, order: BankOrder) -> int:
    facts = open_bank(directory).entry_of(order.entry)
    return facts.n_hashes if facts else 0  # somebody took it out since


def _purpose(decision: DecisionData, order: BankOrder) -> str:
    return f"bank {order.bank}, decision {decision.decision_id}"


async def keep_banked(
    settings: Settings, vault: Vault | None, trail: Trail, meter: BankingMeter
) -> None:
    """Carry decisions out as they come, from where the last process stopped."""
    banks = {path.resolve().name: path for path in settings.bank.paths}
    banker, clock = Banker(vault, banks, trail, meter.tried), SystemClock()
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
    """Carry out what is new, decisions first; give the offset to go on at."""
    end = event_log.end_offset()  # what is committed meanwhile may stand before what was read
    decisions, flags = (
        event_log.read(offset, topic, BATCH) for topic in (Topic.DECISIONS, Topic.FLAGS)
    )
    for records in (decisions, flags):
        if len(records) == BATCH:
            end = min(end, records[-1].offset + 1)
    for event in _events(decisions, end):
        if isinstance(event.data, DecisionData):
            banker.carry_out(event.data)
    banker.orders.follow(event_log, end)
    for event in _events([one for one in flags if one.type == EventType.FLAG_CLOSED], end):
        if isinstance(event.data, FlagData):
            banker.complete(event.data)
    read = [one.offset for one in (*decisions, *flags) if one.offset < end]
    return max(read, default=offset - 1) + 1


def _events(records: Iterable[Record], end: int) -> Iterator[Event]:
    """Read the events before an offset; those that cannot be read are passed over."""
    found = (event_of(record) for record in records if record.offset < end)
    return (event for event in found if event is not None)
