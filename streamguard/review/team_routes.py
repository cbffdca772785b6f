"""What concerns all at the console, over the API: incidents, banks, and what the team has seen.

Rule: as for `routes`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse

from streamguard.core.event_data import utc_text
from streamguard.review.budgets import FEWEST
from streamguard.review.guard import Answer, Call, Door, read_said
from streamguard.review.incidents import Declared, Incident

INCIDENT = "/api/v1/incidents/{incident_id}"


def _team(call: Call) -> Answer:
    team = call.review.budgets.team()
    return {"team": asdict(team) if team else None, "fewest": FEWEST}


def _incidents(call: Call) -> Answer:
    return {"incidents": [incident_row(one) for one in call.review.incidents.active()]}


def _declare(call: Call) -> Answer:
    said = read_said(lambda: Declared.model_validate(call.said))
    made = call.review.incidents.declare(call.person, said)
    return JSONResponse(incident_row(made), 201)


def _end(call: Call) -> Answer:
    call.review.incidents.end(call.person, call.path["incident_id"])
    return {"incident_id": call.path["incident_id"]}


def _set_aside(call: Call) -> Answer:
    shelf, bank = call.review.shelf, call.path["bank"]
    shelf.set_aside(call.person, bank, call.text("entry"), call.text("reason"))
    return {}


def _let_in(call: Call) -> Answer:
    call.review.shelf.let_in(call.person, call.path["bank"], call.text("entry"))
    return {}


def incident_row(one: Incident) -> dict[str, Any]:
    """Say of an incident what everybody may know."""
    return {
        "incident_id": one.incident_id,
        "name": one.name,
        "differs": one.differs,
        "declared_by": one.declared_by,
        "declared_at": utc_text(one.declared_s),
        "expires_at": utc_text(one.expires_s),
    }


TEAM_DOORS: Sequence[Door] = (
    Door("GET", "/api/v1/exposure", "see_team", _team),
    Door("GET", "/api/v1/incidents", "anyone", _incidents),
    Door("POST", "/api/v1/incidents", "declare_incident", _declare),
    Door("POST", f"{INCIDENT}/end", "declare_incident", _end),
    Door("POST", "/api/v1/banks/{bank}/set-aside", "edit_banks", _set_aside),
    Door("POST", "/api/v1/banks/{bank}/let-in", "edit_banks", _let_in),
)
