"""Which pages there are, and who may open them.

Rule: a page goes through the same gate as the API, and changes nothing: what changes something is
the API, which scripts of pages call.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import get_args

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from streamguard.core.decision_data import Role
from streamguard.core.errors import CaseTaken
from streamguard.review.account_routes import audit_records
from streamguard.review.budgets import FEWEST
from streamguard.review.guard import HEADERS, Answer, Call, Door, Guard
from streamguard.review.pages.board import Board
from streamguard.review.pages.case_page import context, facts
from streamguard.review.pages.frame import framed
from streamguard.review.pages.keys import choosable, weighed
from streamguard.review.pages.live import events
from streamguard.review.pages.paper import instead_of, page, static_files
from streamguard.review.queue import SKIP_REASONS
from streamguard.review.shelf import MAX_SHOWN
from streamguard.review.team_routes import incident_row
from streamguard.review.web_sessions import IDLE_S

SKIPS = {
    "enough": "it is enough for now",
    "conflict_of_interest": "I know somebody in it",
    "language": "I do not speak the language",
    "not_sure": "I am not sure",
    "too_much": "this one is too much for me",
}


def page_doors(board: Board, provider: str | None = None) -> Sequence[Door]:
    """Give every page, with what it asks for.

    provider: the path at which people sign in elsewhere; None where they cannot.
    """
    return (
        Door("GET", "/sign-in", "nobody", partial(_sign_in, provider)),
        Door("GET", "/", "see_queue", partial(_queue, board)),
        Door("GET", "/cases/{case_id}", "see_case", _case),
        Door("GET", "/exposure", "judge", _exposure),
        Door("GET", "/team", "see_team", _team),
        Door("GET", "/incidents", "declare_incident", _declare),
        Door("GET", "/accounts", "see_accounts", _accounts),
        Door("GET", "/banks", "see_banks", _banks),
        Door("GET", "/password", "anyone", _password),
        Door("GET", "/appeals", "judge_appeal", _appeals),
        Door("GET", "/appeals/{appeal_id}", "judge_appeal", _appeal),
        Door("GET", "/audit", "search_audit", _audit),
        Door("GET", "/events", "see_queue", partial(events, board)),
    )


def page_routes(guard: Guard, board: Board, provider: str | None) -> list[Route]:
    """Give the routes of pages, and of the files that they need."""
    routes = [Route(door.path, _endpoint(guard, door)) for door in page_doors(board, provider)]
    return [*routes, Route("/static/{name}", _static), Route("/favicon.ico", _icon)]


def _endpoint(guard: Guard, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        answer = await guard.answer(request, door)
        if answer.status_code < 400 or door.path == "/events":  # noqa: PLR2004  # HTTP
            return answer
        shown = instead_of(answer)
        for name, value in HEADERS.items():
            shown.headers.setdefault(name, value)
        return shown

    return endpoint


async def _static(request: Request) -> Response:
    file = static_files().get(request.path_params["name"])
    if file is None:
        return Response(status_code=404, headers=HEADERS)
    return Response(file.body, 200, HEADERS | dict(file.headers))


async def _icon(_: Request) -> Response:
    return RedirectResponse("/static/icon.svg", 308, HEADERS)


def _sign_in(provider: str | None, _: Call) -> Answer:
    return page("sign_in.html", provider=provider)


def _queue(board: Board, call: Call) -> Answer:
    rows = board.rows(call.person)
    return framed(call, "queue.html", rows=rows, idle_s=IDLE_S)


def _case(call: Call) -> Answer:
    review, person = call.review, call.person
    review.desk.projection.catch_up()
    case = review.desk.case(person, call.path["case_id"])
    return framed(
        call,
        "case.html",
        facts=facts(review, person, case),
        policy=case.policy,
        severity=case.severity.value,
        reasons=choosable(),
        contexts=weighed(),
        banks=review.shelf.names,
        skips=[(str(at), code, SKIPS[code]) for at, code in enumerate(SKIP_REASONS, 1)],
        **context(review, person, case),
    )


def _exposure(call: Call) -> Answer:
    review, person = call.review, call.person
    today, standing = review.looks.exposure_today(person), review.budgets.standing(person)
    return framed(call, "exposure.html", today=today, standing=standing)


def _team(call: Call) -> Answer:
    team = call.review.budgets.team()
    return framed(call, "team.html", team=team, fewest=FEWEST)


def _declare(call: Call) -> Answer:
    active = [incident_row(one) for one in call.review.incidents.active()]
    return framed(call, "declare.html", active=active)


def _accounts(call: Call) -> Answer:
    return framed(call, "accounts.html", accounts=call.review.accounts.all(), roles=get_args(Role))


def _banks(call: Call) -> Answer:
    """Show one bank: the first, unless another is asked for; and what became of bankings."""
    call.review.desk.projection.catch_up()
    shelf = call.review.shelf
    bank, part = call.asked.get("bank") or next(iter(shelf.names), ""), call.asked.get("part", "")
    entries = shelf.entries(call.person, bank, part) if bank else []
    said = {"bank": bank, "part": part, "banks": shelf.names, "most": MAX_SHOWN}
    bankings = shelf.bankings(call.person)
    return framed(call, "banks.html", entries=entries, bankings=bankings, **said)


def _password(call: Call) -> Answer:
    return framed(call, "password.html")


def _appeals(call: Call) -> Answer:
    appeals = call.review.appeals.waiting(call.person)
    return framed(call, "appeals.html", appeals=appeals)


def _appeal(call: Call) -> Answer:
    """Show the appeal that is in hand; whoever has another one, or none, is told so."""
    review, person = call.review, call.person
    heard = review.appeals.in_hand(person)
    if heard is None or heard.appeal.appeal_id != call.path["appeal_id"]:
        raise CaseTaken("the appeal is not in your hands, or no longer")
    return framed(
        call,
        "appeal.html",
        appeal=heard.appeal,
        token=heard.lease.token,
        lease_s=review.desk.lease_s,
        facts=facts(review, person, heard.case),
        is_spent=review.budgets.standing(person).is_spent,
        reasons=choosable(),
    )


def _audit(call: Call) -> Answer:
    asked = {name: call.asked.get(name, "") for name in ("actor", "action", "case_id", "about")}
    found, more = audit_records(call)
    return framed(call, "audit.html", asked=asked, found=found, more=more)
