"""Says which cases come back because nobody has begun to carry out what was decided.

Rule: pure, and a matter of the clock: it is said anew whenever somebody asks, and no case is kept
so. It is over as soon as somebody begins, the stream ends, or the decision is taken back.
"""

from streamguard.core.case_changes import came_back
from streamguard.core.cases import OFF_AIR, Case

UNTAKEN_AFTER_S = 10.0
"""An enforcer takes a decision up within a second; this is a long time for one (our choice)."""

UNTAKEN_FOR_S = 86_400.0
"""How long somebody is told of it: a decision that is a day old, nobody takes up any more."""


def is_to_end(case: Case, now_s: float, after_s: float = UNTAKEN_AFTER_S) -> bool:
    """Say whether a live stream is to be off the air, and has been for long enough by now.

    now_s:   seconds since 1970 UTC.
    after_s: how long somebody has to begin, seconds; 0 for as long as they like.
    """
    acting = case.acting
    if acting is None or acting.action not in OFF_AIR or "live" not in acting.scopes:
        return False
    if case.into is not None:
        return False  # whoever judges the case that took it in sees to it
    return case.is_live and 0 < after_s <= now_s - acting.decided_s < UNTAKEN_FOR_S


def untaken(case: Case, after_s: float = UNTAKEN_AFTER_S) -> Case:
    """Give a case that `is_to_end`, and whose action nobody has begun, as it waits for people."""
    assert case.acting is not None  # noqa: S101  # see above
    return came_back(case, "not_begun", case.acting.decided_s + after_s)
