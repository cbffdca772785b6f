"""Says which cases come up because a hold or a limit that people stand behind ends soon.

Rule: pure, and a matter of the clock: it is said anew whenever somebody asks, and no case is kept
so. It is over once somebody has judged the case since, or the hold has ended.
"""

import msgspec

from streamguard.core.cases import Case

SHARE = 0.25
"""Of how long it holds at all: a short hold comes up in its last quarter (our choice)."""


def comes_up_s(case: Case, notice_s: float) -> float | None:
    """Give from when on it is asked what comes after a hold, seconds since 1970 UTC.

    notice_s: how long before the end, seconds; 0 where nobody is to be asked.

    Returns:
        None where nothing holds that ends, or nobody but a rule has judged the case.
    """
    until_s, acting, latest = case.held_until_s, case.acting, case.ruling
    if until_s is None or acting is None or latest is None or latest.is_a_rules:
        return None
    return until_s - min(notice_s, SHARE * (until_s - acting.decided_s))


def is_ending(case: Case, now_s: float, notice_s: float) -> bool:
    """Say whether a hold ends soon, and nobody has judged the case since that is so."""
    from_s, until_s, latest = comes_up_s(case, notice_s), case.held_until_s, case.ruling
    if from_s is None or until_s is None or latest is None:
        return False
    return from_s <= now_s < until_s and latest.decided_s < from_s


def ending(case: Case, notice_s: float) -> Case:
    """Give a case that `is_ending` as it waits: for a senior, or on for a second person."""
    from_s = comes_up_s(case, notice_s)
    return msgspec.structs.replace(
        case,
        stage="escalated" if case.is_settled else case.stage,
        stage_s=from_s if case.is_settled and from_s is not None else case.stage_s,
        is_ending=True,
    )
