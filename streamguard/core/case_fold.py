"""Which case an event of the log is about, and what becomes of that case by it.

Rule: pure but for the book, and the same for all who keep one: whoever reads the same events in the
same order has the same cases. Of one session and policy one case waits at most. Where the publisher
came back before a stream was off the air, a case for the new publish follows.
"""

from typing import Protocol

import msgspec

from streamguard.core.action_data import ActionFailedData
from streamguard.core.case_changes import (
    first_case,
    following_case,
    is_news,
    taken_in,
    told_by_others,
    with_decision,
    with_failure,
    with_flag,
    with_follows,
    with_stream,
)
from streamguard.core.cases import OFF_AIR, Case, entry_of_case
from streamguard.core.coverage_data import StreamEndedData, StreamStartedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event

RETURN_S = 900.0
"""Who comes back within so long after an action missed, seconds, is taken for the same publisher
(our choice: as long as an action is tried, and a rule's hold lasts)."""


class CaseBook(Protocol):
    """Where cases are kept, and by what they are found again."""

    def case(self, case_id: str) -> Case | None:
        """Give a case by its id."""
        ...

    def of_flag(self, flag_id: str) -> Case | None:
        """Give the case under which a flag is kept."""
        ...

    def of_decision(self, decision_id: str) -> Case | None:
        """Give the case that a decision is about."""
        ...

    def of_session(self, session_id: str) -> list[Case]:
        """Give all cases of a session."""
        ...

    def decisions(self, case_id: str) -> list[DecisionData]:
        """Give the decisions about a case, also where they came before it."""
        ...

    def has_ended(self, session_id: str) -> bool:
        """Say whether a session is known to be over."""
        ...

    def put(self, case: Case) -> None:
        """Keep a case, over what was there."""
        ...

    def put_flag(self, flag: FlagData, case_id: str) -> None:
        """Keep a flag under a case."""
        ...

    def put_decision(self, decision: DecisionData) -> None:
        """Keep a decision; the same one may come again."""
        ...

    def put_session(self, session_id: str, *, is_live: bool) -> None:
        """Keep whether a session goes on."""
        ...

    def put_publish(self, stream_id: str, session_id: str, started_s: float) -> None:
        """Keep which session of a stream began last, and when, seconds since 1970 UTC."""
        ...

    def on_air(self, stream_id: str) -> str | None:
        """Give the session of a stream that began last, where it is not over."""
        ...

    def missed(self, stream_id: str) -> list[Case]:
        """Give the cases of a stream whose action found the publish gone."""
        ...

    def drop_lease(self, case_id: str) -> None:
        """Take a case out of the hands that it is in, where it is in any."""
        ...


def fold_case(book: CaseBook, event: Event) -> None:
    """Take what an event says of cases into the book; what says nothing of them is passed over."""
    match event.data:
        case FlagData():
            _fold_flag(book, event.data, utc_seconds(event.time))
        case StreamStartedData():
            _fold_start(book, event.data)
        case StreamEndedData():
            _fold_stream(book, event.data.stream.session_id, is_live=False)
        case DecisionData():
            _fold_decision(book, event.data)
        case ActionFailedData():
            _fold_failure(book, event.data)


def _fold_flag(book: CaseBook, flag: FlagData, at_s: float) -> None:
    """Put a flag into its own case, where that brings no news, else into the one that waits."""
    cases = book.of_session(flag.stream.session_id)
    own = frozenset(entry_of_case(one.case_id) for one in cases)
    under = book.of_flag(flag.flag_id)
    home = last_of(book, under) if under else None
    if home is None or (_is_judged(home, flag) and is_news(home, flag, own)):
        under, home = None, _home_of(cases, flag, own)
    case = with_flag(home, flag, at_s, own) if home else first_case(flag, at_s)
    if home is None or case.case_id != home.case_id:
        case = _begun(book, case)
    book.put(with_stream(case, is_live=not book.has_ended(case.session_id)))
    book.put_flag(flag, under.case_id if under else case.case_id)


def _is_judged(case: Case, flag: FlagData) -> bool:
    """Say whether a case has no place for what is new in a flag that was put into it."""
    return case.is_settled or case.policy != flag.policy.code


def _home_of(cases: list[Case], flag: FlagData, own: frozenset[str]) -> Case | None:
    """Give the case of a session that waits for what was flagged, or else the latest of its policy.

    What only entries made of this very session found was judged, under whatever policy it is told.
    """
    same = [one for one in cases if one.policy == flag.policy.code and one.into is None]
    waiting = [one for one in same if not one.is_settled]
    if waiting:
        return waiting[0]
    if same:
        return max(same, key=lambda one: one.opened_s)
    if told_by_others(flag, own):
        return None
    found_by = {one.match.entry for one in flag.signals if one.match}
    judged = [one for one in cases if entry_of_case(one.case_id) in found_by]
    return max(judged, key=lambda one: (one.opened_s, one.case_id), default=None)


def last_of(book: CaseBook, case: Case) -> Case:
    """Give the case that a case went into, in the end."""
    while case.into and (after := book.case(case.into)):
        case = after
    return case


def _begun(book: CaseBook, case: Case) -> Case:
    """Open a case; by another way than this log its decisions may have come before it."""
    told = list(book.decisions(case.case_id))
    while following := [one for one in told if with_decision(case, one) is not case]:
        case = with_decision(case, following[0])
    return case


def _fold_stream(book: CaseBook, session_id: str, *, is_live: bool) -> None:
    """Note it with all cases of the session: also who hears an appeal wants to know."""
    book.put_session(session_id, is_live=is_live)
    for case in book.of_session(session_id):
        book.put(with_stream(case, is_live=is_live))


def _fold_start(book: CaseBook, started: StreamStartedData) -> None:
    """Note it, and that a publisher is back who was to be off the air."""
    stream_id, session_id = started.stream.stream_id, started.stream.session_id
    started_s = utc_seconds(started.start_time)
    _fold_stream(book, session_id, is_live=True)
    book.put_publish(stream_id, session_id, started_s)
    for case in sorted(book.missed(stream_id), key=lambda one: (-one.opened_s, one.case_id)):
        missed_s = case.missed_s or 0.0
        if case.opened_s < started_s <= missed_s + RETURN_S:
            _follow(book, case, session_id, max(missed_s, started_s))


def _follow(book: CaseBook, before: Case, session_id: str, at_s: float) -> None:
    """Have a case for a later publish follow; the one that waits for it, where one does.

    One case follows at a time, however often a publisher comes back; none does once people have
    judged one that did.
    """
    opened = following_case(before, session_id, at_s)
    earlier = book.case(before.followed_by) if before.followed_by else None
    earlier = last_of(book, earlier) if earlier else None
    is_judged = earlier is not None and earlier.is_settled
    if session_id == before.session_id or book.case(opened.case_id) or is_judged:
        return
    cases = [one for one in book.of_session(session_id) if one.policy == before.policy]
    waiting = next((one for one in cases if not one.is_settled), None)
    if waiting is None and any(_is_off_air(case) for case in cases):
        return  # people saw to it already
    if waiting is None:
        later_s = max((one.opened_s for one in cases), default=0.0) + 1e-6  # floats tell it apart
        opened = msgspec.structs.replace(opened, opened_s=max(at_s, later_s))
        after = with_stream(_begun(book, opened), is_live=not book.has_ended(session_id))
    else:
        after = waiting if waiting.follows else with_follows(waiting, before)
    book.put(after)
    book.put(msgspec.structs.replace(before, followed_by=after.case_id))
    if earlier is not None and earlier.case_id != after.case_id:
        _put_behind(book, earlier, after)


def _put_behind(book: CaseBook, earlier: Case, after: Case) -> None:
    """Let a case that followed before, in which nothing was found, go into the one that does."""
    if not earlier.n_flags and not earlier.rulings:
        book.put(msgspec.structs.replace(earlier, stage="decided", into=after.case_id))
        book.drop_lease(earlier.case_id)


def _fold_decision(book: CaseBook, decision: DecisionData) -> None:
    book.put_decision(decision)
    case = book.case(decision.case_id)
    if case is not None:
        _put_alone(book, with_decision(case, decision))


def _fold_failure(book: CaseBook, failed: ActionFailedData) -> None:
    """Note it with the case that waits for what was decided on."""
    case = book.of_decision(failed.action.decision_id)
    if case is None:
        return
    left = with_failure(case, failed)
    if case.into is None:
        _put_alone(book, left)
        session_id = book.on_air(case.stream_id)
        if left.missed_s is not None and session_id is not None:
            _follow(book, left, session_id, left.missed_s)
        return
    last = last_of(book, case)
    if left.is_left_on_air and not last.is_settled:
        book.put(msgspec.structs.replace(last, not_done=left.not_done))


def _put_alone(book: CaseBook, case: Case) -> None:
    """Keep a case; where another of its session and policy waits as it does, the older is both."""
    others = () if case.is_settled else book.of_session(case.session_id)
    for other in others:
        if other.case_id != case.case_id and other.policy == case.policy and not other.is_settled:
            older, newer = sorted((case, other), key=lambda one: (one.opened_s, one.case_id))
            case, gone = taken_in(older, newer)
            book.put(gone)
            book.drop_lease(gone.case_id)
    book.put(case)


def _is_off_air(case: Case) -> bool:
    """Say whether a person decided that viewers are not to see the stream."""
    acting = case.acting
    return acting is not None and acting.action in OFF_AIR and not acting.is_a_rules
