"""Imminent threats that were referred: who outside was told, how, when, and whose record it is.

Rule: whoever has told somebody says so before, after or without a decision, and it stays on record
whatever becomes of the case. Whoever is to judge without knowing what others chose is not told.
"""

import json
from uuid import uuid5

import apsw

from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.decision_data import DecidedStream, Referral
from streamguard.core.errors import CaseTaken, DecisionRefused
from streamguard.core.event_data import FlagPolicy, utc_seconds, utc_text
from streamguard.core.events import ID_NAMESPACE
from streamguard.core.people import Person
from streamguard.core.referral_data import ReferralData, Told
from streamguard.core.review_events import referral_event
from streamguard.review.cards import is_blind
from streamguard.review.desk import Desk
from streamguard.review.leases import require
from streamguard.review.referral_table import Referred, referrals_of

AHEAD_S = 300.0
"""So far the clock of a browser may be ahead of ours (our choice)."""


class Referrals:
    """Who was told."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def refer(self, person: Person, case_id: str, token: int | None, told: Told) -> ReferralData:
        """Put on record that somebody was told; the same said again is the same record.

        token: of the lease; None where the case is not in these hands.

        Raises:
            NoSuchCase: there is none for this person.
            CaseTaken: it is not in these hands, and never was theirs to decide.
            DecisionRefused: the time lies ahead.
        """
        desk = self._desk
        with desk.on_record(person, "case.referred", case_id), desk.turn() as connection:
            case = desk.case(person, case_id)
            self._require_may(connection, person, case, token)
            now_s = desk.wall()
            if utc_seconds(told.told_at) > now_s + AHEAD_S:
                raise DecisionRefused("nobody has been told yet: the time lies ahead")
            made = _made(person, case, told, now_s)
            event = referral_event(desk.source, made, recorded_s=now_s)
            desk.trail.append([referral_deed(made.actor, case_id, told)], [event])
            desk.projection.catch_up()
        return made

    def of_case(self, person: Person, case: Case) -> list[Referred]:
        """Give the referrals of a case in the order of their telling, as this person may know."""
        found = referrals_of(self._desk.file, case.case_id)
        if is_blind(case, person):
            return [one for one in found if one.actor == person.account_id]
        return found

    def _require_may(
        self, connection: apsw.Connection, person: Person, case: Case, token: int | None
    ) -> None:
        """Take it from whoever has the case in hand, has judged it, or is a senior."""
        if may_refer(person, case):
            return
        if token is None:
            raise CaseTaken("the case is not in your hands, or no longer")
        require(connection, case.case_id, person.account_id, token, self._desk.wall())


def may_refer(person: Person, case: Case) -> bool:
    """Say whether somebody may put a referral on record without a lease."""
    has_judged = any(one.actor == person.account_id for one in case.rulings)
    return person.may("refer_any") or (person.may("judge") and has_judged)


def referral_deed(actor: str, case_id: str, told: Referral) -> Deed:
    """Say for the audit who was told, whether by itself or with a decision."""
    details: dict[str, str | int] = told.model_dump(exclude_none=True, exclude={"note"})
    return Deed(actor, "case.referred", case_id, details=details)


def _made(person: Person, case: Case, told: Told, now_s: float) -> ReferralData:
    words = [case.case_id, person.account_id, told.model_dump(exclude_none=True)]
    latest = case.ruling
    return ReferralData(
        referral_id=str(uuid5(ID_NAMESPACE, json.dumps(["referral", *words]))),
        case_id=case.case_id,
        stream=DecidedStream(stream_id=case.stream_id, session_id=case.session_id),
        policy=FlagPolicy(code=case.policy, severity=case.severity),
        told=told,
        made_at=utc_text(now_s),
        actor=person.account_id,
        role=person.role,
        follows=latest.decision_id if latest else None,
    )
