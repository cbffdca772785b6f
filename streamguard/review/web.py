"""The console's application: every route behind the gate.

Rule: there is no way in that is not in the table of routes.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streamguard.review.account_routes import Cookie, account_doors
from streamguard.review.appeal_routes import APPEAL_DOORS
from streamguard.review.guard import HEADERS, Door, Guard
from streamguard.review.oidc import Oidc
from streamguard.review.oidc_routes import START, oidc_doors
from streamguard.review.pages.board import Board
from streamguard.review.pages.doors import page_routes
from streamguard.review.rates import Rates
from streamguard.review.routes import CASE_DOORS
from streamguard.review.service import Review
from streamguard.review.team_routes import TEAM_DOORS

Endpoint = Callable[[Request], Awaitable[Response]]


def doors(cookie: Cookie, oidc: Oidc | None = None) -> Sequence[Door]:
    """Give every route of the API, with what it asks for."""
    elsewhere = oidc_doors(oidc, cookie) if oidc else ()
    return (*account_doors(cookie), *CASE_DOORS, *APPEAL_DOORS, *TEAM_DOORS, *elsewhere)


def _nobody(_: str | None) -> bool:
    return False


def make_app(
    review: Review,
    *,
    is_secure: bool,
    monotonic: Callable[[], float] = time.monotonic,
    is_platform: Callable[[str | None], bool] = _nobody,
    oidc: Oidc | None = None,
) -> Starlette:
    """Make the application.

    is_secure:   browsers reach it over TLS, and keep their session for that alone.
    is_platform: says whether an Authorization header is the platform's.
    oidc:        where people may sign in beside here.
    """
    cookie = Cookie(is_secure)
    guard = Guard(review, cookie.name, Rates(monotonic), is_platform)
    routes = [
        Route(door.path, _endpoint(guard, door), methods=[door.method])
        for door in doors(cookie, oidc)
    ]
    board = Board(review, monotonic)
    pages = page_routes(guard, board, START if oidc else None)
    app = Starlette(
        routes=[*routes, *pages, Route("/livez", _alive)],
        exception_handlers={
            404: _plain(404, "there is nothing here"),
            405: _plain(405, "not so"),
            500: _plain(500, "that is our fault, and in our log"),
        },
    )
    app.state.board = board  # whoever serves it closes it, or pages keep their connections
    return app


def _endpoint(guard: Guard, door: Door) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await guard.answer(request, door)

    return endpoint


async def _alive(_: Request) -> Response:
    return JSONResponse({}, headers=HEADERS)


def _plain(status: int, text: str) -> Callable[[Request, Exception], Response]:
    def answer(_: Request, __: Exception) -> Response:
        return JSONResponse({"problem": text}, status, HEADERS)

    return answer
