"""How long evidence is kept, and what keeps it longer.

Rule: pure; the caller passes the time. What is on hold is never due.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from streamguard.core.canonical import canonical
from streamguard.core.custody import EvidenceClass, Hold, Standing, wall_s

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each class is kept: from its decision, or from the first collection.

    Defaults: EU rules on terrorist content ask for six months of what was removed (Regulation
    2021/784, article 6), which are up to 184 days, and an appeal may come on the last of them: six
    days more let it be heard. What nobody decided on is kept for a month, what was found harmless
    for as long as an appeal usually takes.
    """

    rejected_d: float = 7.0
    unreviewed_d: float = 30.0
    confirmed_d: float = 190.0

    def days(self, evidence_class: EvidenceClass) -> float:
        """Give the days of one class."""
        match evidence_class:
            case "rejected":
                return self.rejected_d
            case "unreviewed":
                return self.unreviewed_d
            case "confirmed":
                return self.confirmed_d

    def delete_after_s(self, standing: Standing) -> float:
        """Give when an evidence may be erased unless it is on hold, seconds since 1970 UTC."""
        return wall_s(standing.since) + self.days(standing.evidence_class) * DAY_S


def holds_in_force(standing: Standing, now_s: float) -> tuple[Hold, ...]:
    """Give the orders that keep an evidence now."""
    return tuple(hold for hold in standing.holds if not hold.until or wall_s(hold.until) > now_s)


def is_due(standing: Standing, rules: Retention, now_s: float) -> bool:
    """Say whether an evidence is to be erased now; an erasure that was begun is to be finished."""
    if standing.state == "erased":
        return False
    if standing.state == "deleting":
        return True
    if holds_in_force(standing, now_s):
        return False
    return now_s >= rules.delete_after_s(standing)


def plan_id(due: Iterable[Standing]) -> str:
    """Name what is to be erased: whoever orders it says what he has seen.

    It changes with every evidence, and with every entry of one.
    """
    named = sorted((each.evidence_id, each.last_hash) for each in due)
    return hashlib.sha256(canonical(named)).hexdigest()[:16]
