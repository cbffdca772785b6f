"""Referrals in the file of the reviewers: those by themselves, and those that went with decisions.

Rule: what a decision says stands in its row alone; whoever reads a case's referrals gets both.
"""

from dataclasses import dataclass

import apsw

from streamguard.core.decision_data import DecisionData, Note, Referral
from streamguard.core.referral_data import ReferralData
from streamguard.review.desk_file import DeskFile

_PUT = "INSERT OR IGNORE INTO referrals (referral_id, case_id, body) VALUES (?, ?, ?)"
_OF_CASE = "SELECT body FROM referrals WHERE case_id = ?"
_WITH_DECISIONS = """
SELECT body FROM decisions
WHERE case_id = ? AND json_extract(body, '$.referral') IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Referred:
    """One referral, by itself or with a decision; `actor` is whose record it is."""

    told: Referral
    actor: str
    note: Note | None = None


def keep_referral(connection: apsw.Connection, data: ReferralData) -> None:
    """Keep what is told of a referral."""
    connection.execute(_PUT, (data.referral_id, data.case_id, data.model_dump_json()))


def referrals_of(file: DeskFile, case_id: str) -> list[Referred]:
    """Give all referrals of a case, with decisions or without, the first that was told first."""
    alone = [ReferralData.model_validate_json(body) for (body,) in file.rows(_OF_CASE, (case_id,))]
    decided = [
        DecisionData.model_validate_json(body) for (body,) in file.rows(_WITH_DECISIONS, (case_id,))
    ]
    found = [Referred(one.told, one.actor, one.told.note) for one in alone]
    found += [Referred(one.referral, one.actor) for one in decided if one.referral is not None]
    return sorted(found, key=lambda one: (one.told.told_at, one.actor))
