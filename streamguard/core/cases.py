"""Cases: what people decide on. All flags of one session and policy make one case.

Rule: values only; `case_changes` says how the log's events change them.
"""

from typing import Literal

import msgspec

from streamguard.core.action_data import FailureReason
from streamguard.core.decision_data import (
    ActionKind,
    Actor,
    BankOrder,
    Outcome,
    Role,
    Scope,
    is_a_rules,
)
from streamguard.core.signal_data import Signal
from streamguard.core.types import Severity

Stage = Literal["open", "second", "escalated", "check", "decided"]
"""What a case waits for: `open` a first decision, `second` another reviewer's before something that
cannot be taken back, `escalated` a senior's, `check` a second look drawn by lot, `decided`
nothing."""

MAX_TOLD = 256
"""Flags and signals that a case names one by one: the last ones."""

LEFT_ON_AIR: frozenset[FailureReason] = frozenset(
    (
        *("session_unknown", "no_control", "not_supported", "server_unavailable", "refused"),
        *("not_allowed", "still_live", "expired", "over_limit", "breaker_open"),
    )
)
"""Failures after which what was decided on goes on; after the others it has ended, somebody else
publishes there, or a later decision came first."""


MISSED: frozenset[FailureReason] = frozenset(("session_replaced", "session_ended"))
"""Failures after which nothing was done since the publish that was decided on was gone."""

OFF_AIR: frozenset[str] = frozenset(("hold", "cut", "cut_and_suspend"))
"""Actions after which viewers see nothing of a live stream."""

NotDone = FailureReason | Literal["not_begun"]
"""Why what was decided is not done; `not_begun`: nobody has taken it up, and no event says so."""


class Ruling(msgspec.Struct, frozen=True):
    """A decision about the case, as far as later ones depend on it.

    decided_s, undo_until_s: seconds since 1970 UTC; undo_until_s is 0 where it cannot be undone.
    banked_in:               the bank that the evidence went into by it.
    is_unbanking:            it takes out again what had gone into a bank.
    until_s:                 when what it does ends by itself; 0 where it does not.
    """

    decision_id: str
    actor: Actor
    outcome: Outcome
    action: ActionKind
    proposed: ActionKind | None
    scopes: tuple[Scope, ...]
    role: Role | None
    is_second: bool
    decided_s: float
    undo_until_s: float
    reason_code: str
    supersedes: str | None
    banked_in: str | None = None
    is_unbanking: bool = False
    until_s: float = 0.0

    @property
    def is_a_rules(self) -> bool:
        """Say whether a rule made it: people judge what it held as if nobody had before."""
        return is_a_rules(self.actor)

    @property
    def action_upon_it(self) -> ActionKind:
        """Give what it did to the stream; to take something back is to do nothing to it."""
        return "none" if self.action == "restore" else self.action

    def is_contradicted(self, outcome: Outcome, action: ActionKind) -> bool:
        """Say whether who judges second says something else; what a rule held, nobody seconds."""
        return not self.is_a_rules and (outcome, action) != ("confirmed", self.proposed)


class Case(msgspec.Struct, frozen=True):
    """All flags of one session and policy that are looked at together.

    severity:   the most urgent of its flags.
    opened_s:   ingest instant of the first flag, seconds since 1970 UTC, and later than that of the
                case before it; waiting_s counts from `stage_s`, since when it waits as it does.
    n_flags:    flags that it has; n_repeats: those that came when it was decided, without news.
    flag_ids:   of them the last 256, oldest first.
    signals:    what found them, as `bank/entry` or `model/category`, each once.
    is_live:    the stream goes on, as far as is known.
    n_viewers:  who watched when that was last said; None where nobody says.
    not_done:   why what a person decided last could not be done to the stream; None where it was,
        or nothing is known yet.
    into:       the case that it was taken into: this one waits for nobody any more.
    also:       cases whose flags are looked at with its own, since it took them in or follows them.
    is_ending:  what holds ends soon, and nobody has said what comes then; by the clock, never kept.
    missed_s:   when what a person decided last found the publish gone; seconds since 1970 UTC.
    follows:    the case of the publish before, whose action missed; is_after_confirmed: that had
        confirmed something. followed_by: of that one, the case that follows it now.
    """

    case_id: str
    stream_id: str
    session_id: str
    policy: str
    severity: Severity
    opened_s: float
    flagged_s: float
    stage: Stage
    stage_s: float
    n_flags: int
    n_repeats: int
    flag_ids: tuple[str, ...]
    signals: tuple[str, ...]
    is_live: bool = True
    n_viewers: int | None = None
    most_viewers: int = 0
    rulings: tuple[Ruling, ...] = ()
    not_done: NotDone | None = None
    into: str | None = None
    also: tuple[str, ...] = ()
    is_ending: bool = False
    missed_s: float | None = None
    follows: str | None = None
    followed_by: str | None = None
    is_after_confirmed: bool = False

    @property
    def is_settled(self) -> bool:
        """Say whether it was judged; a second look by lot may still come."""
        return self.stage in {"decided", "check"}

    @property
    def is_left_on_air(self) -> bool:
        """Say whether a person wanted the stream off the air, and it is not."""
        return self.is_live and self.not_done is not None

    @property
    def acting(self) -> Ruling | None:
        """Give the latest decision that did something to the stream, or took that back."""
        return next((one for one in reversed(self.rulings) if one.action != "none"), None)

    @property
    def held_until_s(self) -> float | None:
        """Give when what holds ends by itself, seconds since 1970 UTC; None where it does not."""
        acting = self.acting
        if acting is None or acting.action == "restore" or self.not_done is not None:
            return None
        return acting.until_s or None

    @property
    def banked(self) -> BankOrder | None:
        """Give which entry of which bank was made of the evidence; None where there is none."""
        bank = None
        for one in self.rulings:
            bank = None if one.is_unbanking else one.banked_in or bank
        return BankOrder(bank=bank, entry=entry_of_case(self.case_id)) if bank else None

    @property
    def ruling(self) -> Ruling | None:
        """Give the latest decision."""
        return self.rulings[-1] if self.rulings else None

    @property
    def deciders(self) -> frozenset[str]:
        """Give who has judged this case since it was opened, or opened again."""
        undone = {one.supersedes for one in self.rulings if one.outcome == "undone"}
        return frozenset(
            one.actor
            for one in self.rulings
            if one.outcome != "undone" and one.decision_id not in undone
        )


def entry_of_case(case_id: str) -> str:
    """Name the bank entry that is made of a case: nobody chooses it, and no other entry has it."""
    return f"reviewed-{case_id}"


def signal_name(signal: Signal) -> str:
    """Name what found something: a bank's entry, or a model's category."""
    if signal.match is not None:
        return f"{signal.match.bank}/{signal.match.entry}"
    assert signal.score is not None  # noqa: S101  # a signal has one of the two
    return f"{signal.score.model}/{signal.score.category}"
