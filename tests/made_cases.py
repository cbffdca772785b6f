"""What may happen around cases, in any order that a log allows, for tests."""

from typing import Any

from hypothesis import strategies as st

from streamguard.core.action_events import action_event
from streamguard.core.cases import Case, entry_of_case
from streamguard.core.event_data import utc_text
from streamguard.core.events import Event, flag_event
from streamguard.core.holding import Cases
from streamguard.core.review_events import decision_event
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, failed
from tests.made_reviews import decision, flag, stream_ended, stream_started

Step = tuple[str, int, int, int]
"""What happens, and three numbers that say to what."""

Story = list[Step]

SESSIONS = ("s-1", "s-2")
POLICIES = ("tvec", "other")
SEVERITIES = ("P1", "P0")
REASONS = ("still_live", "refused", "session_replaced", "superseded")
HOLD = {"action": "hold", "scopes": ["live"]}
CHOICES: tuple[dict[str, Any], ...] = (
    {"outcome": "rejected", "reason_code": "NOTHING.FOUND", "action": "none", "scopes": []},
    {"outcome": "confirmed"},
    {"outcome": "confirmed", "drawn_for_check": True},
    {"outcome": "needs_second", "proposed": "cut_and_suspend", **HOLD},
    {"outcome": "escalated", "action": "none", "scopes": []},
    {"outcome": "undone", "action": "restore"},
    {"outcome": "needs_second", "proposed": "hold", **HOLD, "actor": "rule:r", "reviewer": None},
)
KINDS = ("flag", "update", "decide", "decide", "fail", "start", "end")


def stories() -> st.SearchStrategy[Story]:
    """Draw what happens."""
    number = st.integers(0, 11)
    return st.lists(st.tuples(st.sampled_from(KINDS), number, number, number), max_size=24)


class Told:
    """The events of a story, each once, and the cases that rules see by them."""

    def __init__(self) -> None:
        self.cases = Cases()
        self.events: list[Event] = []
        self._ids: set[str] = set()
        self._flags: list[dict[str, Any]] = []

    def take(self, step: Step) -> None:
        """Have the next step happen; a log takes an event of the same id once."""
        what, which, how, at = step
        made = getattr(self, f"_{what}")(which, how, float(at + 1))
        if made is not None and made.id not in self._ids:
            self._ids.add(made.id)
            self.events.append(made)
            self.cases.add(made)

    def _known(self) -> list[Case]:
        return list(self.cases.by_id.values())

    def _flag(self, which: int, how: int, at_s: float) -> Event:
        entries = ["clip", "new", *(entry_of_case(one.case_id) for one in self._known())]
        fields = {
            "session": SESSIONS[which % 2],
            "stream_id": "lobby",
            "code": POLICIES[which // 2 % 2],
            "entry": entries[how % len(entries)],
            "severity": SEVERITIES[how // 3 % 2],
        }
        self._flags.append(fields)
        data = flag(len(self._flags), **fields)
        return flag_event(SOURCE, "opened", data, time_s=at_s, recorded_s=at_s)

    def _update(self, which: int, how: int, at_s: float) -> Event | None:
        if not self._flags:
            return None
        number = which % len(self._flags)
        fields = self._flags[number] | {"entry": ("clip", "new", "third")[how % 3]}
        data = flag(number + 1, **fields, state="updated", revision=how // 3)
        return flag_event(SOURCE, "updated", data, time_s=at_s, recorded_s=at_s)

    def _decide(self, which: int, how: int, _: float) -> Event | None:
        cases = self._known()
        if not cases:
            return None
        case = cases[which % len(cases)]
        choice = CHOICES[how % len(CHOICES)]
        if case.ruling is None and choice["outcome"] == "undone":
            return None
        made = decision(
            decision_id=f"d-{len(self.events)}",
            case_id=case.case_id,
            supersedes=case.ruling.decision_id if case.ruling else None,
            stream={"stream_id": case.stream_id, "session_id": case.session_id},
            **choice,
        )
        return decision_event(SOURCE, made, recorded_s=2.0)

    def _fail(self, which: int, how: int, _: float) -> Event | None:
        rulings = [(case, one) for case in self._known() for one in case.rulings]
        if not rulings:
            return None
        case, ruling = rulings[which % len(rulings)]
        action = {**ACTION, "decision_id": ruling.decision_id, "action_id": case.case_id}
        where = {"stream_id": case.stream_id, "session_id": case.session_id}
        changes = {"action": action, "stream": where, "failed_time": utc_text(10.0 * which)}
        data = failed(reason=REASONS[how % len(REASONS)], **changes)
        return action_event(SOURCE, data, recorded_s=3.0)

    def _start(self, which: int, _: int, at_s: float) -> Event:
        return stream_started(SESSIONS[which % 2], 10.0 * at_s)

    def _end(self, which: int, _: int, at_s: float) -> Event:
        return stream_ended(SESSIONS[which % 2], at_s)
