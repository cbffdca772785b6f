"""What the API of the console offers: the table of routes, and what each does.

Rule: a handler reads what was said, asks the service, and says what came of it; it decides nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from streamguard.core.choosing import Choice
from streamguard.core.decision_data import Exposure
from streamguard.core.event_data import utc_text
from streamguard.core.people import RIGHTS
from streamguard.core.reasons import REASONS
from streamguard.core.referral_data import Told
from streamguard.review.actions import actions_of
from streamguard.review.bankings import banking_of
from streamguard.review.cards import (
    action_rows,
    card,
    decision_rows,
    flag_row,
    lease_row,
    referral_row,
)
from streamguard.review.guard import WHOLE_NUMBER, Answer, Call, Door, Refused, read_said
from streamguard.review.looks import Held
from streamguard.review.queue import SKIP_REASONS, Claimed, may_judge


def _me(call: Call) -> Answer:
    assert call.session is not None  # noqa: S101  # the route asks for one
    person = call.person
    return {
        "account_id": person.account_id,
        "role": person.role,
        "clearance": sorted(person.clearance),
        "rights": sorted(RIGHTS[person.role]),
        "csrf": call.session.csrf,
        "exposure_today": call.review.looks.exposure_today(person).model_dump(),
    }


def _reasons(_: Call) -> Answer:
    return {
        "reasons": [
            {
                "code": code,
                "text": one.text,
                "outcomes": sorted(one.outcomes),
                "context": one.context,
            }
            for code, one in REASONS.items()
        ],
        "skip_reasons": list(SKIP_REASONS),
    }


def _queue(call: Call) -> Answer:
    desk, held = call.review.desk, call.review.desk.held()
    now_s = desk.wall()
    cases = call.review.queue.waiting(call.person)
    return {
        "now": utc_text(now_s),
        "cases": [card(one, call.person, now_s, held.get(one.case_id)) for one in cases],
    }


def _presence(call: Call) -> Answer:
    review = call.review
    at_work = {lease.holder: lease for lease in review.desk.held().values()}
    return {
        "people": [
            {"account_id": one, "lease": lease_row(at_work[one]) if one in at_work else None}
            for one in review.sessions.present()
        ]
    }


def _claim(call: Call) -> Answer:
    call.review.budgets.require(call.person, goes_on=call.said.get("go_on") is True)
    chosen = call.text("case_id") if "case_id" in call.said else None
    claimed = call.review.queue.claim(call.person, chosen)
    return {"case": _in_hand(call, claimed) if claimed else None}


def _case(call: Call) -> Answer:
    review = call.review
    review.desk.projection.catch_up()
    case = review.desk.case(call.person, call.path["case_id"])
    lease = review.desk.held().get(case.case_id)
    now_s = review.desk.wall()
    shown = card(case, call.person, now_s, lease)
    banking = banking_of(review.desk.file, case, call.person, now_s)
    decisions = review.rulings.of_case(call.person, case.case_id)
    return shown | {
        "flags": [flag_row(one) for one in review.desk.flags(case.case_id)],
        "decisions": decision_rows(case, call.person, decisions),
        "referrals": [referral_row(one) for one in review.referrals.of_case(call.person, case)],
        "actions": action_rows(case, call.person, actions_of(review.desk.file, case.case_id)),
        "banking": asdict(banking) if banking else None,
    }


def _renew(call: Call) -> Answer:
    token, is_active = call.number("token"), call.said.get("is_active", True) is not False
    lease = call.review.desk.renew(call.person, call.path["case_id"], token, is_active=is_active)
    return lease_row(lease) | {"token": lease.token}


def _skip(call: Call) -> Answer:
    case_id, token = call.path["case_id"], call.number("token")
    call.review.queue.skip(call.person, case_id, token, call.text("reason"))
    return {"case_id": case_id}


def _release(call: Call) -> Answer:
    case_id = call.path["case_id"]
    call.review.queue.release(call.person, case_id, call.number("token"))
    return {"case_id": case_id}


def _colleagues(call: Call) -> Answer:
    review, me = call.review, call.person.account_id
    case = review.desk.case(call.person, call.path["case_id"])
    busy = {lease.holder for lease in review.desk.held().values()} | {me}
    there = [review.accounts.get(one) for one in review.sessions.present() if one not in busy]
    return {
        "colleagues": [
            {"account_id": one.account_id, "name": one.name}
            for one in there
            if one is not None and may_judge(one.person, case)
        ]
    }


def _hand_off(call: Call) -> Answer:
    colleague = call.review.accounts.get(call.text("to"))
    if colleague is None or not colleague.is_active:
        raise Refused(422, "there is no such colleague")
    case_id, token = call.path["case_id"], call.number("token")
    lease = call.review.queue.hand_off(call.person, case_id, token, colleague.person)
    return lease_row(lease)


def _decide(call: Call) -> Answer:
    said = dict(call.said)
    token = call.number("token")
    del said["token"]
    choice = read_said(lambda: Choice.model_validate(said))
    made = call.review.rulings.decide(call.person, call.path["case_id"], token, choice)
    return made.model_dump(mode="json", exclude_none=True)


def _undo(call: Call) -> Answer:
    made = call.review.rulings.undo(call.person, call.path["case_id"])
    return made.model_dump(mode="json", exclude_none=True)


def _restore(call: Call) -> Answer:
    case_id, code = call.path["case_id"], call.text("reason_code")
    made = call.review.rulings.restore(call.person, case_id, code)
    return made.model_dump(mode="json", exclude_none=True)


def _refer(call: Call) -> Answer:
    said = dict(call.said)
    token = call.number("token") if "token" in said else None
    said.pop("token", None)
    told = read_said(lambda: Told.model_validate(said))
    made = call.review.referrals.refer(call.person, call.path["case_id"], token, told)
    return made.model_dump(mode="json", exclude_none=True)


def _evidence(call: Call) -> Answer:
    found = call.review.looks.items(_held(call, call.asked.get("token", "")))
    flags = call.review.desk.flags(call.path["case_id"])
    epochs = {one.flag_id: one.stream.epoch for one in flags}
    return {
        "items": [
            {
                "flag_id": flag_id,
                "epoch": epochs[flag_id],
                "number": item.number,
                "role": item.role,
                "media_type": item.media_type,
                "start_ms": item.start_ms,
                "end_ms": item.end_ms,
                "size_bytes": item.size_bytes,
            }
            for flag_id, item in found
        ]
    }


def _look(call: Call) -> Answer:
    held = _held(call, call.asked.get("token", ""))
    number = call.path["number"]
    if not WHOLE_NUMBER.fullmatch(number):
        raise Refused(404, "the case has no such evidence")
    media_type, content = call.review.looks.open(held, call.path["flag_id"], int(number))
    return Response(content, media_type=media_type)


def _clip(call: Call) -> Answer:
    held = _held(call, call.asked.get("token", ""))
    start_ms, content = call.review.looks.clip(held, call.path["flag_id"])
    return Response(content, media_type="video/mp4", headers={"x-start-ms": str(start_ms)})


def _expose(call: Call) -> Answer:
    said = {name: value for name, value in call.said.items() if name != "token"}
    exposure = read_said(lambda: Exposure.model_validate(said))
    call.review.looks.expose(_held(call, str(call.number("token"))), exposure)
    standing = call.review.budgets.standing(call.person)
    today = call.review.looks.exposure_today(call.person)
    return today.model_dump() | {"is_spent": standing.is_spent}


def _rebuild(call: Call) -> Answer:
    return {"n_cases": call.review.desk.projection.rebuild()}


def _held(call: Call, token: str) -> Held:
    if not WHOLE_NUMBER.fullmatch(token):
        raise Refused(400, "give token, a whole number")
    return Held(call.person, call.path["case_id"], int(token), call.asked.get("appeal_id"))


def _in_hand(call: Call, claimed: Claimed) -> dict[str, Any]:
    now_s = call.review.desk.wall()
    shown = card(claimed.case, call.person, now_s, claimed.lease)
    return shown | {"token": claimed.lease.token}


CASE = "/api/v1/cases/{case_id}"

CASE_DOORS: Sequence[Door] = (
    Door("GET", "/api/v1/me", "anyone", _me),
    Door("GET", "/api/v1/reasons", "anyone", _reasons),
    Door("GET", "/api/v1/queue", "see_queue", _queue),
    Door("GET", "/api/v1/presence", "see_queue", _presence),
    Door("POST", "/api/v1/claim", "judge", _claim),
    Door("GET", CASE, "see_case", _case),
    Door("POST", f"{CASE}/renew", "judge", _renew),
    Door("POST", f"{CASE}/skip", "judge", _skip),
    Door("POST", f"{CASE}/release", "judge", _release),
    Door("GET", f"{CASE}/colleagues", "judge", _colleagues),
    Door("POST", f"{CASE}/hand-off", "judge", _hand_off),
    Door("POST", f"{CASE}/decision", "judge", _decide),
    Door("POST", f"{CASE}/undo", "judge", _undo),
    Door("POST", f"{CASE}/restore", "restore", _restore),
    Door("POST", f"{CASE}/referral", "judge", _refer),
    Door("GET", f"{CASE}/evidence", "judge", _evidence),
    Door("GET", f"{CASE}/evidence/{{flag_id}}/{{number}}", "judge", _look),
    Door("GET", f"{CASE}/clip/{{flag_id}}", "judge", _clip),
    Door("POST", f"{CASE}/exposure", "judge", _expose),
    Door("POST", "/api/v1/rebuild", "rebuild", _rebuild),
)
