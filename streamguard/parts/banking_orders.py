"""Knows which decisions have evidence in banks: they are carried out once more when a flag closes.

Rule: what it knows follows from the log alone, whichever process carried the decisions out.
"""

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.told import event_of
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData
from streamguard.core.events import Topic

SAYS = ('"banking":', '"unbanking":', '"undone"')
"""What a decision that matters here has in its body: most have none, and are not read."""


class BankOrders:
    """The latest order of each case that stands; one thread at a time."""

    def __init__(self) -> None:
        self._next_offset = 1
        self._by_session: dict[str, dict[str, DecisionData]] = {}

    def follow(self, event_log: SqliteLog, end: int) -> None:
        """Take the decisions of a log that come before an offset: at first all of them."""
        while records := event_log.read(self._next_offset, Topic.DECISIONS):
            for record in records:
                if record.offset >= end:
                    return
                self._next_offset = record.offset + 1
                event = event_of(record) if any(one in record.body for one in SAYS) else None
                if event is not None and isinstance(event.data, DecisionData):
                    self._take(event.data)

    def standing(self, flag: FlagData) -> DecisionData | None:
        """Give the decision that banked the evidence of a flag, unless that was taken back."""
        cases = self._by_session.get(flag.stream.session_id, {})
        return next((one for one in cases.values() if flag.flag_id in one.flag_ids), None)

    def _take(self, decision: DecisionData) -> None:
        cases = self._by_session.setdefault(decision.stream.session_id, {})
        if decision.banking is not None:
            cases[decision.case_id] = decision
        elif decision.unbanking is not None or decision.outcome == "undone":
            cases.pop(decision.case_id, None)
        if not cases:
            del self._by_session[decision.stream.session_id]
