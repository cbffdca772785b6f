"""What is told of a case: the facts, never a picture.

Rule: whoever is to judge without knowing what others chose is not told.
"""

from dataclasses import asdict
from typing import Any

from msgspec.structs import replace

from streamguard.core.cases import Case, Stage
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.people import Person
from streamguard.core.priority import priority
from streamguard.review.actions import Action
from streamguard.review.leases import Lease
from streamguard.review.referral_table import Referred

AGAIN: frozenset[Stage] = frozenset({"second", "check"})
"""A case waits for somebody who judges it again, and is not to know what was chosen."""


def card(case: Case, person: Person, now_s: float, lease: Lease | None) -> dict[str, Any]:
    """Say how it is with a case, and why it comes where it comes."""
    if is_blind(case, person):
        case = without_outcome(case)
    urgency, held_until = priority(case, now_s), _held_until(case)
    return {
        "case_id": case.case_id,
        "stream_id": case.stream_id,
        "session_id": case.session_id,
        "policy": case.policy,
        "severity": case.severity,
        "stage": case.stage,
        "opened_at": utc_text(case.opened_s),
        "flagged_at": utc_text(case.flagged_s),
        "n_flags": case.n_flags,
        "n_repeats": case.n_repeats,
        "signals": list(case.signals),
        "is_live": case.is_live,
        "not_done": case.not_done,
        "into": case.into,
        "held_until": held_until,
        "is_limited": held_until is not None and _is_limited(case),
        "is_ending": case.is_ending,
        "follows": case.follows,
        "n_viewers": case.n_viewers,
        "most_viewers": case.most_viewers,
        "priority": urgency.points,
        "why": [
            {"name": term.name, "points": round(term.points, 3), "text": term.text}
            for term in urgency.terms
        ],
        "lease": lease_row(lease) if lease else None,
        "is_blind": is_blind(case, person),
    }


def _held_until(case: Case) -> str | None:
    """Say when what holds ends; of what only waits for a lot to be judged by, nobody is told.

    That a stream is held is plain of all that waits for a second person: nothing else waits so.
    """
    until_s = case.held_until_s
    return None if until_s is None or case.stage == "check" else utc_text(until_s)


def _is_limited(case: Case) -> bool:
    return case.acting is not None and case.acting.action == "limit_reach"


def lease_row(lease: Lease) -> dict[str, Any]:
    """Say who has a case in hand."""
    return {
        "holder": lease.holder,
        "claimed_at": utc_text(lease.claimed_s),
        "expires_at": utc_text(lease.expires_s),
    }


def is_blind(case: Case, person: Person) -> bool:
    """Say whether somebody is not to know what was chosen: they may be the next to judge."""
    return case.stage in AGAIN and person.may("judge") and person.account_id not in case.deciders


def without_outcome(case: Case) -> Case:
    """Leave out what came of the first decision where another person judges next."""
    return replace(case, not_done=None) if case.stage in AGAIN else case


def decision_rows(
    case: Case, person: Person, decisions: list[DecisionData]
) -> list[dict[str, Any]]:
    """Give what was decided, as far as this person may know it."""
    if is_blind(case, person):
        return []
    return [one.model_dump(mode="json", exclude_none=True) for one in decisions]


def action_rows(case: Case, person: Person, actions: list[Action]) -> list[dict[str, Any]]:
    """Give what became of what was decided, as far as this person may know it."""
    return [] if is_blind(case, person) else [asdict(one) for one in actions]


def referral_row(one: Referred) -> dict[str, Any]:
    """Say who outside was told of a threat, and whose record that is."""
    said: dict[str, Any] = one.told.model_dump(mode="json", exclude_none=True, exclude={"note"})
    return said | {"actor": one.actor} | ({"note": one.note} if one.note else {})


def came_of(case: Case, person: Person, actions: list[Action]) -> str:
    """Say what became of the latest action upon the live stream; "" while that is not known."""
    acting = case.acting
    if acting is None or is_blind(case, person):
        return ""
    if case.not_done == "not_begun":
        return f"NOT DONE: {acting.action} (nobody has begun to carry it out)"
    for one in actions:
        if (one.decision_id, one.scope) == (acting.decision_id, "live"):
            if one.state == "failed":
                return f"NOT DONE: {one.act} ({one.how})"
            return f"Verified: {one.act}" if one.state == "verified" else ""
    return ""


def is_untaken(case: Case, person: Person, actions: list[Action]) -> bool:
    """Say whether something is to be done to the stream that nobody has begun to do."""
    acting = case.acting
    if acting is None or is_blind(case, person):
        return False
    return acting.decision_id not in {one.decision_id for one in actions}


def flag_row(flag: FlagData) -> dict[str, Any]:
    """Say what a flag says, but for where its evidence lies: that is shown by the lease alone."""
    said = flag.model_dump(mode="json", exclude_none=True, exclude={"evidence"})
    evidence = flag.evidence
    return said | {
        "evidence": {
            "state": evidence.state,
            "has_clip": evidence.clip is not None,
            "has_still": evidence.still is not None,
            "blurhash": evidence.blurhash,
        }
    }
