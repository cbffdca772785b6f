"""Appeals: somebody else looks again at what was decided.

Rule: never whoever had a part in the decision. What is overturned is taken back in the same breath:
the decision that restores and the answer to the appeal are in the log together or not at all.
"""

from dataclasses import dataclass
from uuid import uuid4, uuid5

from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit import Deed
from streamguard.core.cases import Case
from streamguard.core.choosing import Decider
from streamguard.core.decision_data import AppealRight, DecisionData, SignalVote
from streamguard.core.errors import CaseTaken, DecisionRefused, NoSuchCase
from streamguard.core.event_data import utc_seconds, utc_text
from streamguard.core.events import ID_NAMESPACE
from streamguard.core.people import Person
from streamguard.core.reasons import REASONS, reasons_for
from streamguard.core.review_events import appeal_event, decision_event
from streamguard.core.taking_back import overturn
from streamguard.review.deciders import decider_of
from streamguard.review.desk import Desk, cases_where
from streamguard.review.leases import Lease, drop, held, put, require
from streamguard.review.others import decided_with
from streamguard.review.queue import SKIP_REASONS, skips

MAX_VOTES = 8
"""As many entries as a decision names."""

_WAITING = "SELECT body FROM appeals WHERE resolved IS NULL ORDER BY received_s, appeal_id"
_APPEAL = "SELECT body, resolved FROM appeals WHERE appeal_id = ?"


@dataclass(frozen=True, slots=True)
class Heard:
    """An appeal in somebody's hands."""

    appeal: AppealReceivedData
    case: Case
    lease: Lease


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says to an appeal.

    explanation: for the person affected; None where the code says it all.
    """

    is_overturned: bool
    reason_code: str
    explanation: str | None = None


class Appeals:
    """The appeals of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def receive(
        self, platform: str, decision_id: str, statement: str | None, reference: str | None
    ) -> AppealReceivedData:
        """Take an appeal; the same one handed in again is the same appeal.

        Raises:
            NoSuchCase: there is no such decision.
            DecisionRefused: there is nothing to object to, or it is too late.
        """
        desk = self._desk
        appeal_id = str(uuid5(ID_NAMESPACE, f"appeal {decision_id}"))
        with desk.turn():
            known = desk.file.rows(_APPEAL, (appeal_id,))
            if known:
                return AppealReceivedData.model_validate_json(known[0][0])
            decision = self._decision(decision_id)
            right = decision.appeal
            now_s = desk.wall()
            if right is None or not right.eligible:
                raise DecisionRefused("this decision did nothing that could be objected to")
            if right.window_ends_at and now_s > utc_seconds(right.window_ends_at):
                raise DecisionRefused("the time in which it could be objected to is over")
            appeal = AppealReceivedData(
                appeal_id=appeal_id,
                decision_id=decision_id,
                case_id=decision.case_id,
                stream=decision.stream,
                policy=decision.policy,
                received_at=utc_text(now_s),
                handed_in_by=platform,
                reference=reference,
                statement=statement,
            )
            deed = Deed(platform, "appeal.received", decision.case_id, about=appeal_id)
            event = appeal_event(desk.source, appeal, recorded_s=now_s)
            if not desk.trail.append([deed], [event]):
                raise CaseTaken("it is being handed in by somebody else right now")
            desk.projection.catch_up()
        return appeal

    def waiting(self, person: Person) -> list[AppealReceivedData]:
        """Give the appeals that wait and that this person may know of, the oldest first."""
        self._desk.projection.catch_up()
        rows = self._desk.file.rows(_WAITING)
        appeals = (AppealReceivedData.model_validate_json(body) for (body,) in rows)
        return [one for one in appeals if person.is_cleared(one.policy.code)]

    def claim(self, person: Person) -> Heard | None:
        """Put the oldest appeal into somebody's hands that they may judge.

        Returns:
            The one that they hold, where they hold one; None where nothing waits for them.
        """
        desk = self._desk
        with desk.turn() as connection:
            now_s = desk.wall()
            leases, passed_on = held(desk.file, now_s), skips(desk.file, now_s)
            for appeal in self.waiting(person):
                case = self._case_of(appeal)
                if case is None:
                    continue  # nobody can judge it; others can be judged
                lease = leases.get(appeal.appeal_id)
                if lease and lease.holder == person.account_id:
                    return Heard(appeal, case, lease)
                is_passed = (appeal.appeal_id, person.account_id) in passed_on
                if lease or is_passed or not may_hear(person, case):
                    continue
                deed = Deed(
                    person.account_id, "appeal.claimed", appeal.case_id, about=appeal.appeal_id
                )
                token = desk.trail.note(deed)
                ends_s = now_s + desk.lease_s
                lease = Lease(appeal.appeal_id, person.account_id, token, now_s, ends_s)
                put(connection, lease)
                return Heard(appeal, case, lease)
        return None

    def skip(self, person: Person, appeal_id: str, token: int, reason: str) -> None:
        """Pass an appeal on to somebody else, for a reason; who does has it no more this shift.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer.
            DecisionRefused: that is no reason.
        """
        if reason not in SKIP_REASONS:
            raise DecisionRefused(f"say why: one of {', '.join(SKIP_REASONS)}")
        desk = self._desk
        with desk.turn() as connection:
            require(connection, appeal_id, person.account_id, token, desk.wall())
            case_id, why = self._open(appeal_id).case_id, {"reason": reason}
            deed = Deed(person.account_id, "appeal.skipped", case_id, about=appeal_id, details=why)
            desk.trail.note(deed)
            drop(connection, appeal_id)
            desk.projection.catch_up()

    def in_hand(self, person: Person) -> Heard | None:
        """Give the appeal that somebody holds; None where they hold none."""
        leases = held(self._desk.file, self._desk.wall())
        for appeal in self.waiting(person):
            lease = leases.get(appeal.appeal_id)
            if lease and lease.holder == person.account_id:
                return Heard(appeal, self._case(appeal), lease)
        return None

    def resolve(
        self, person: Person, appeal_id: str, token: int, answer: Answer
    ) -> AppealResolvedData:
        """Answer an appeal that is in hand; what is overturned is restored.

        Raises:
            CaseTaken: it is not in this person's hands, or no longer.
            DecisionRefused: the reason does not fit, or the person had a part in the decision.
        """
        desk = self._desk
        with desk.turn() as connection:
            now_s = desk.wall()
            lease = require(connection, appeal_id, person.account_id, token, now_s)
            appeal = self._open(appeal_id)
            case = self._case(appeal)
            _require_fit(person, case, answer)
            decider = decider_of(desk, person, case, (token, lease.claimed_s), lease.first_view_s)
            made = self._taken_back(case, decider, answer, appeal) if answer.is_overturned else None
            resolved = self._resolved(appeal, decider, answer, made)
            self._publish(resolved, made)
            drop(connection, appeal_id)
            desk.projection.catch_up()
        return resolved

    def _taken_back(
        self, case: Case, decider: Decider, answer: Answer, appeal: AppealReceivedData
    ) -> DecisionData:
        """Make the decision that restores what holds, and takes back all else that came of it."""
        at = str(uuid4()), self._desk.wall()
        made = overturn(case, decider, self._desk.rules, at, answer.reason_code)
        changes = {
            "appeal_id": appeal.appeal_id,
            "votes": self._votes_against(case),
            "explanation_public": answer.explanation,
            "appeal": AppealRight(eligible=False, supersedes=appeal.decision_id, overturned=True),
        }
        return made.model_copy(update=changes)

    def _resolved(
        self,
        appeal: AppealReceivedData,
        decider: Decider,
        answer: Answer,
        made: DecisionData | None,
    ) -> AppealResolvedData:
        now_s = self._desk.wall()
        restores = made is not None and made.action == "restore"
        since_s = utc_seconds(self._decision(appeal.decision_id).decided_at)
        return AppealResolvedData(
            appeal_id=appeal.appeal_id,
            decision_id=appeal.decision_id,
            case_id=appeal.case_id,
            stream=appeal.stream,
            policy=appeal.policy,
            result="overturned" if answer.is_overturned else "upheld",
            reason_code=answer.reason_code,
            new_decision_id=made.decision_id if made else None,
            received_at=appeal.received_at,
            resolved_at=utc_text(now_s),
            actor=decider.account_id,
            reviewer=decider.reviewer(is_second=True),
            explanation_public=answer.explanation,
            wrongful_ms=max(0, round((now_s - since_s) * 1000)) if restores else None,
        )

    def _publish(self, resolved: AppealResolvedData, made: DecisionData | None) -> None:
        desk = self._desk
        now_s = desk.wall()
        events = [appeal_event(desk.source, resolved, recorded_s=now_s)]
        deeds: list[Deed] = []
        if made is not None:
            deeds, others = decided_with(desk, made)
            events += [decision_event(desk.source, made, recorded_s=now_s), *others]
        deed = Deed(
            resolved.actor,
            "appeal.resolved",
            resolved.case_id,
            about=resolved.appeal_id,
            details={"result": resolved.result},
        )
        if not desk.trail.append([deed, *deeds], events):
            raise CaseTaken("somebody else has answered it, or decided the case, meanwhile")

    def _votes_against(self, case: Case) -> tuple[SignalVote, ...]:
        """Say of each entry that found the case that it was wrong."""
        flags = self._desk.flags(case.case_id)
        matches = [one.match for flag in flags for one in flag.signals if one.match is not None]
        names = dict.fromkeys((match.bank, match.entry) for match in matches)
        votes = [SignalVote(bank=bank, entry=entry, agrees=False) for bank, entry in names]
        return tuple(votes[:MAX_VOTES])

    def _decision(self, decision_id: str) -> DecisionData:
        decision = self._desk.decision(decision_id)
        if decision is None:
            raise NoSuchCase("there is no such decision")
        return decision

    def _open(self, appeal_id: str) -> AppealReceivedData:
        rows = self._desk.file.rows(_APPEAL, (appeal_id,))
        if not rows or rows[0][1] is not None:
            raise CaseTaken("the appeal is answered")
        return AppealReceivedData.model_validate_json(rows[0][0])

    def _case(self, appeal: AppealReceivedData) -> Case:
        case = self._case_of(appeal)
        if case is None:
            raise NoSuchCase("the case of this appeal is no longer there")
        return case

    def _case_of(self, appeal: AppealReceivedData) -> Case | None:
        found = cases_where(self._desk.file, "case_id = ?", (appeal.case_id,))
        return found[0] if found else None


def may_hear(person: Person, case: Case) -> bool:
    """Say whether somebody may judge an appeal: by role, clearance, and no part in the case."""
    had_part = any(one.actor == person.account_id for one in case.rulings)
    return person.may("judge_appeal") and person.is_cleared(case.policy) and not had_part


def _require_fit(person: Person, case: Case, answer: Answer) -> None:
    if not may_hear(person, case):
        raise DecisionRefused("somebody else must judge this appeal")
    fitting = reasons_for("rejected" if answer.is_overturned else "confirmed")
    if not answer.is_overturned:
        fitting = {**fitting, **reasons_for("not_tvec_other_policy")}
    if answer.reason_code not in REASONS or answer.reason_code not in fitting:
        what = "overturned" if answer.is_overturned else "upheld"
        raise DecisionRefused(f"{answer.reason_code} is no reason for {what}")
