"""What a rule may hold before anybody has looked, and how that is lifted when nobody looks.

Rule: an exact match with a bank that the rule names, in a case that nobody has decided yet, and
nothing else. The case stays with people: a rule's hold is a proposal that another has to confirm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from streamguard.core.case_book import MemoryBook
from streamguard.core.case_fold import fold_case, last_of
from streamguard.core.cases import Case
from streamguard.core.choosing import DAY_S
from streamguard.core.decision_data import (
    AppealRight,
    Automation,
    DecidedStream,
    DecisionData,
    Notice,
    Outcome,
)
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.events import ID_NAMESPACE, Event
from streamguard.core.reasons import REASONS_VERSION
from streamguard.core.ruling import in_force

EXACT, OVER = "RULE.EXACT_MATCH", "RULE.HOLD_OVER"
"""Reason codes: why a rule holds, and why a hold ends by itself."""

LIFTED_BY = "rule:hold-over"

DECIDED: frozenset[Outcome] = frozenset(
    ("confirmed", "rejected", "not_tvec_other_policy", "no_decision_stream_ended")
)
"""Outcomes after which a case waits for nobody; to end a hold does not open it again."""


@dataclass(frozen=True, slots=True)
class HoldRule:
    """A rule that an operator wrote.

    banks: names of the banks whose matches count.
    max_distance_bits: inclusive bound of a match that is exact.
    """

    name: str
    banks: frozenset[str]
    max_distance_bits: int

    def fits(self, flag: FlagData) -> bool:
        """Say whether a flag is an exact match of one of its banks, beyond chance."""
        return any(
            match.bank in self.banks
            and match.is_certain
            and match.distance_bits <= self.max_distance_bits
            for match in (signal.match for signal in flag.signals)
            if match is not None
        )


def rule_for(flag: FlagData, rules: Iterable[HoldRule]) -> HoldRule | None:
    """Give the first rule that a flag fits, if it is open."""
    if flag.state == "closed" or flag.is_rescreened:
        return None
    return next((rule for rule in rules if rule.fits(flag)), None)


class Cases:
    """The cases of one stream, folded from what is told of it, in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._book = MemoryBook()
        for event in events:
            self.add(event)

    @property
    def by_id(self) -> Mapping[str, Case]:
        """Give all, the latest last."""
        return self._book.by_id

    def add(self, event: Event) -> None:
        """Take the next event; what tells nothing of a case is passed over."""
        fold_case(self._book, event)

    def of_flag(self, flag_id: str) -> Case | None:
        """Give the case in which a flag is judged."""
        case = self._book.of_flag(flag_id)
        return last_of(self._book, case) if case else None


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """How a rule holds.

    hold_s:      after which the hold is lifted if nobody has reviewed it, seconds.
    appeal_days: how long whoever is affected may object, days.
    policy_version: which text of the policy is in force.
    """

    hold_s: float = 900.0
    appeal_days: float = 184.0
    policy_version: str = REASONS_VERSION


def hold_decision(
    case: Case, flag: FlagData, rule: HoldRule, now_s: float, terms: HoldTerms
) -> DecisionData | None:
    """Decide to hold on these terms; None where somebody has decided already.

    now_s: seconds since 1970 UTC.
    """
    if case.rulings or case.stage != "open":
        return None
    return DecisionData(
        decision_id=str(uuid5(UUID(case.case_id), f"rule:{rule.name}")),
        case_id=case.case_id,
        flag_ids=(flag.flag_id,),
        stream=DecidedStream(stream_id=case.stream_id, session_id=case.session_id),
        policy=flag.policy,
        outcome="needs_second",
        proposed="hold",
        reason_code=EXACT,
        action="hold",
        scopes=("live",),
        expires_at=utc_text(now_s + terms.hold_s),
        decided_at=utc_text(now_s),
        actor=f"rule:{rule.name}",
        automation=_by(rule.name),
        policy_version=terms.policy_version,
        notify_user=Notice(required=True),
        appeal=AppealRight(
            eligible=True, window_ends_at=utc_text(now_s + terms.appeal_days * DAY_S)
        ),
    )


def is_overruled(held_id: str, case: Case) -> bool:
    """Say whether people decided the case of a rule's hold, which is in force, not knowing of it.

    They decided in another log at the same time; what they said counts.
    """
    holds, latest = in_force(case), case.ruling
    if holds is None or latest is None or holds.decision_id != held_id or not holds.is_a_rules:
        return False
    knows = any(one.supersedes == held_id and not one.is_a_rules for one in case.rulings)
    return not knows and not latest.is_a_rules and latest.outcome in DECIDED


def lift_decision(held: DecisionData, case: Case | None, now_s: float) -> DecisionData | None:
    """End a hold or a limit whose time is over, in all its scopes; None where that was decided.

    held: the decision that holds. case: as it now is; None where the log has it no more.
    """
    decision_id = str(uuid5(ID_NAMESPACE, f"lift {held.decision_id}"))
    latest = case.ruling if case else None
    holds = in_force(case) if case else None
    if case is not None and (holds is None or holds.decision_id != held.decision_id):
        return None  # it was lifted, or a person decided something else
    outcome: Outcome = latest.outcome if latest and latest.outcome in DECIDED else "undone"
    return DecisionData(
        decision_id=decision_id,
        case_id=held.case_id,
        stream=held.stream,
        policy=held.policy,
        outcome=outcome,
        reason_code=OVER,
        action="restore",
        scopes=held.scopes,
        decided_at=utc_text(now_s),
        actor=LIFTED_BY,
        supersedes=latest.decision_id if latest else held.decision_id,
        automation=_by(LIFTED_BY.removeprefix("rule:")),
        policy_version=held.policy_version,
        notify_user=Notice(required=False),
    )


def _by(rule: str) -> Automation:
    return Automation(detection_automated=True, decision="FULLY", rule_id=rule)
