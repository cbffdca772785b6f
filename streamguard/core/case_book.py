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
        self._publishes: dict[str, tuple[float, str]] = {}

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

    def put_publish(self, stream_id: str, session_id: str, started_s: float) -> None:
        """Keep which session of a stream began last, and when, seconds since 1970 UTC."""
        before_s, _ = self._publishes.get(stream_id, (started_s, ""))
        if started_s >= before_s:
            self._publishes[stream_id] = started_s, session_id

    def on_air(self, stream_id: str) -> str | None:
        """Give the session of a stream that began last, where it is not over."""
        _, session_id = self._publishes.get(stream_id, (0.0, ""))
        return None if not session_id or session_id in self._ended else session_id

    def missed(self, stream_id: str) -> list[Case]:
        """Give the cases of a stream whose action found the publish gone."""
        cases = self._cases.values()
        return [one for one in cases if one.stream_id == stream_id and one.missed_s is not None]

    def drop_lease(self, case_id: str) -> None:
        """Do nothing: who has a case in hand is the console's to know."""
