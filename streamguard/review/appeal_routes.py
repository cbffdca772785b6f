"""Appeals over the API: the platform hands them in, reviewers answer them.

Rule: as for `routes`; the platform has its own token, and learns the answer from the log.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from streamguard.core.decision_data import DecisionId, Note
from streamguard.core.event_data import Name
from streamguard.review.appeals import Answer as AppealAnswer
from streamguard.review.cards import card, lease_row
from streamguard.review.guard import Answer, Call, Door, Refused

PLATFORM = "platform:api"
"""Who is on record for what the platform hands in."""

_ID: TypeAdapter[str] = TypeAdapter(DecisionId)
_NOTE: TypeAdapter[str] = TypeAdapter(Note)
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _receive(call: Call) -> Answer:
    said = call.said
    decision_id = _ID.validate_python(call.text("decision_id"))
    statement = _NOTE.validate_python(call.text("statement")) if "statement" in said else None
    reference = _NAME.validate_python(call.text("reference")) if "reference" in said else None
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
    lease = call.review.desk.renew(call.person, call.path["appeal_id"], call.number("token"))
    return lease_row(lease) | {"token": lease.token}


def _resolve(call: Call) -> Answer:
    result = call.text("result")
    if result not in {"upheld", "overturned"}:
        raise Refused(400, "give result: upheld or overturned")
    said = call.said.get("explanation_public")
    explanation = None if said is None else _NOTE.validate_python(said, strict=True)
    answer = AppealAnswer(result == "overturned", call.text("reason_code"), explanation)
    appeal_id, token = call.path["appeal_id"], call.number("token")
    resolved = call.review.appeals.resolve(call.person, appeal_id, token, answer)
    return resolved.model_dump(mode="json", exclude_none=True)


APPEAL_DOORS: Sequence[Door] = (
    Door("POST", "/api/v1/appeals", "platform", _receive),
    Door("GET", "/api/v1/appeals", "see_case", _waiting),
    Door("POST", "/api/v1/appeals/claim", "judge_appeal", _claim),
    Door("POST", "/api/v1/appeals/{appeal_id}/renew", "judge_appeal", _renew),
    Door("POST", "/api/v1/appeals/{appeal_id}/resolution", "judge_appeal", _resolve),
)
