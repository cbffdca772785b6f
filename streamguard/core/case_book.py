"""Keeps the cases of one stream in memory.

Rule: it keeps and finds; what becomes of cases is `case_fold`'s.
"""

from collections.abc import Mapping

from streamguard.core.cases import Case
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData


class MemoryBook:
    """A `CaseBook` of dictionaries."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}
        self._of_flag: dict[str, tuple[int, str]] = {}
        self._case_of_decision: dict[str, str] = {}
        self._decisions: dict[str, list[DecisionData]] = {}
        self._ended: set[str] = set()

    @property
    def by_id(self) -> Mapping[str, Case]:
        """Give all, in the order in which they were opened."""
        return self._cases

    def case(self, case_id: str) -> Case | None:
        """Give a case by its id."""
        return self._cases.get(case_id)

    def of_flag(self, flag_id: str) -> Case | None:
        """Give the case under which a flag is kept."""
        _, case_id = self._of_flag.get(flag_id, (0, ""))
        return self._cases.get(case_id)

    def of_decision(self, decision_id: str) -> Case | None:
        """Give the case that a decision is about."""
        return self._cases.get(self._case_of_decision.get(decision_id, ""))

    def of_session(self, session_id: str) -> list[Case]:
        """Give all cases of a session."""
        return [one for one in self._cases.values() if one.session_id == session_id]

    def decisions(self, case_id: str) -> list[DecisionData]:
        """Give the decisions about a case, also where they came before it."""
        return self._decisions.get(case_id, [])

    def has_ended(self, session_id: str) -> bool:
        """Say whether a session is known to be over."""
        return session_id in self._ended

    def put(self, case: Case) -> None:
        """Keep a case, over what was there."""
        self._cases[case.case_id] = case

    def put_flag(self, flag: FlagData, case_id: str) -> None:
        """Keep under which case the latest that is told of a flag is."""
        revision, _ = self._of_flag.get(flag.flag_id, (0, ""))
        if flag.revision >= revision:
            self._of_flag[flag.flag_id] = flag.revision, case_id

    def put_decision(self, decision: DecisionData) -> None:
        """Keep a decision; the same one may come again."""
        if decision.decision_id not in self._case_of_decision:
            self._case_of_decision[decision.decision_id] = decision.case_id
            self._decisions.setdefault(decision.case_id, []).append(decision)

    def put_session(self, session_id: str, *, is_live: bool) -> None:
        """Keep whether a session goes on."""
        (self._ended.discard if is_live else self._ended.add)(session_id)

    def drop_lease(self, case_id: str) -> None:
        """Do nothing: who has a case in hand is the console's to know."""
