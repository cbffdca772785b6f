"""Settles what a process that died left behind: flags that never closed, seconds nobody saw.

Rule: what is settled twice is the same events with the same ids, or begins where the first settling
ended; no gap is shorter than the truth.
"""

from dataclasses import dataclass, replace

from streamguard.core.account import Account
from streamguard.core.announcing import Announcer
from streamguard.core.coverage import Gap
from streamguard.core.event_data import Evidence, FlagData, utc_seconds
from streamguard.core.events import Event, flag_event
from streamguard.core.flags import SessionContext
from streamguard.core.types import GapReason


@dataclass(frozen=True, slots=True)
class OpenFlag:
    """A flag that has not closed, by its last event.

    body: that event, one line of JSON.
    """

    body: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An account that was kept.

    is_same_boot: the machine has not been started anew since: its monotonic instants still count.
    """

    account: Account
    is_same_boot: bool = True


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What has no end in the log."""

    flags: tuple[OpenFlag, ...]
    sessions: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """One instant by both clocks, seconds."""

    monotonic_s: float
    wall_s: float

    def wall_of(self, at_s: float) -> float:
        """Turn Clock.monotonic() seconds into seconds since 1970 UTC."""
        return self.wall_s + at_s - self.monotonic_s


def closing(flag: OpenFlag, now: Now) -> Event:
    """Close a flag whose keeper is gone."""
    last = Event.model_validate_json(flag.body)
    data = last.data
    assert isinstance(data, FlagData)  # noqa: S101  # the log keeps nothing else as a flag
    evidence = data.evidence.model_copy(update={"is_growing": None})
    if evidence.state == "pending":
        evidence = Evidence(state="unavailable")
    closed = data.model_copy(
        update={
            "revision": data.revision + 1,
            "state": "closed",
            "close_reason": "interrupted",
            "evidence": evidence,
        }
    )
    return flag_event(
        last.source,
        "closed",
        closed,
        time_s=utc_seconds(data.window.end_time),
        recorded_s=now.wall_s,
    )


def gap_until(
    kept: Kept, source: str, now: Now, reason: GapReason = GapReason.INTERRUPTED
) -> tuple[list[Event], Account]:
    """Publish what nobody saw of a session until now; give the account with that in it."""
    account, announcer = _known(kept, source, now)
    since_s, until_s = account.accounted_s, max(account.accounted_s, now.monotonic_s)
    gap = Gap(account.epoch, account.newest_us, account.newest_us, reason)
    told = [
        announcer.gap(who, gap, (since_s, until_s), now.monotonic_s) for who in account.detectors
    ]
    told_account = replace(account, accounted_s=until_s, accounted_wall_s=now.wall_of(until_s))
    return told, told_account


def ending(account: Account, source: str, reason: str, now: Now) -> Event:
    """End a session that nobody goes on with."""
    announcer = Announcer(_context(account, source, now), "")
    return announcer.ended(account, reason, now.monotonic_s)


def _known(kept: Kept, source: str, now: Now) -> tuple[Account, Announcer]:
    """Read an account's instants by this boot's clock."""
    account = kept.account
    if not kept.is_same_boot:
        at_s = now.monotonic_s + account.accounted_wall_s - now.wall_s
        account = replace(account, accounted_s=min(at_s, now.monotonic_s))
    return account, Announcer(_context(account, source, now), "")


def _context(account: Account, source: str, now: Now) -> SessionContext:
    return SessionContext(
        source, account.stream_id, account.session_id, account.protocol, now.wall_of
    )
