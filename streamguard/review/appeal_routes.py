"""Appeals over the API: the platform hands them in, reviewers answer them.

Rule: as for `routes`; the platform has its own token, and learns the answer from the log.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from streamguard.core.decision_data import DecisionId, Note
from streamguard.core.event_values import Name
from streamguard.review.appeals import Answer as AppealAnswer
from streamguard.review.cards import card, lease_row
from streamguard.review.guard import Answer, Call, Door, Refused, read_said

PLATFORM = "platform:api"
"""Who is on record for what the platform hands in."""

_ID: TypeAdapter[str] = TypeAdapter(DecisionId)
_NOTE: TypeAdapter[str] = TypeAdapter(Note)
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _receive(call: Call) -> Answer:
    decision_id = read_said(lambda: _ID.validate_python(call.text("decision_id")))
    statement = _text(call, "statement", _NOTE)
    reference = _text(call, "reference", _NAME)
    appeal = call.review.appeals.receive(PLATFORM, decision_id, statement, reference)
    return JSONResponse({"appeal_id": appeal.appeal_id, "received_at": appeal.received_at}, 201)


def _waiting(call: Call) -> Answer:
    appeals = call.review.appeals.waiting(call.person)
    return {"appeals": [one.model_dump(mode="json", exclude_none=True) for one in appeals]}


def _claim(call: Call) -> Answer:
    call.review.budgets.require(call.person, goes_on=call.said.get("go_on") is True)
    heard = call.review.appeals.claim(call.person)
    if heard is None:
        return {"appeal": None}
    desk = call.review.desk
    decisions = call.review.rulings.of_case(call.person, heard.case.case_id)
    return {
        "appeal": heard.appeal.model_dump(mode="json", exclude_none=True),
        "case": card(heard.case, call.person, desk.wall(), None),
        "decisions": [one.model_dump(mode="json", exclude_none=True) for one in decisions],
        "lease": lease_row(heard.lease),
        "token": heard.lease.token,
    }


def _renew(call: Call) -> Answer:
    token, is_active = call.number("token"), call.said.get("is_active", True) is not False
    lease = call.review.desk.renew(call.person, call.path["appeal_id"], token, is_active=is_active)
    return lease_row(lease) | {"token": lease.token}


def _skip(call: Call) -> Answer:
    appeal_id, token = call.path["appeal_id"], call.number("token")
    call.review.appeals.skip(call.person, appeal_id, token, call.text("reason"))
    return {"appeal_id": appeal_id}


def _resolve(call: Call) -> Answer:
    result = call.text("result")
    if result not in {"upheld", "overturned"}:
        raise Refused(400, "give result: upheld or overturned")
    explanation = None
    if call.said.get("explanation_public") is not None:
        explanation = _text(call, "explanation_public", _NOTE)
    answer = AppealAnswer(result == "overturned", call.text("reason_code"), explanation)
    appeal_id, token = call.path["appeal_id"], call.number("token")
    resolved = call.review.appeals.resolve(call.person, appeal_id, token, answer)
    return resolved.model_dump(mode="json", exclude_none=True)


def _text(call: Call, name: str, kind: TypeAdapter[str]) -> str | None:
    """Give a text of the body; None where there is none."""
    return read_said(lambda: kind.validate_python(call.text(name))) if name in call.said else None


APPEAL_DOORS: Sequence[Door] = (
    Door("POST", "/api/v1/appeals", "platform", _receive),
    Door("GET", "/api/v1/appeals", "see_case", _waiting),
    Door("POST", "/api/v1/appeals/claim", "judge_appeal", _claim),
    Door("POST", "/api/v1/appeals/{appeal_id}/renew", "judge_appeal", _renew),
    Door("POST", "/api/v1/appeals/{appeal_id}/skip", "judge_appeal", _skip),
    Door("POST", "/api/v1/appeals/{appeal_id}/resolution", "judge_appeal", _resolve),
)
