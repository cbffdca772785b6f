"""Who is asking, and whether they may: one gate before all that the API does.

Rule: what a route asks for stands in the table of routes, and is looked at here, before anything
else is done. What is refused to somebody who has signed in is on record.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from streamguard.core.audit import Deed
from streamguard.core.errors import (
    AccountRefused,
    BankError,
    BudgetSpent,
    CaseTaken,
    DecisionRefused,
    DeskUnavailable,
    EvidenceDamaged,
    EvidenceUnavailable,
    LogUnavailable,
    NoSuchCase,
    SignInRefused,
    StreamguardError,
    TooManyTries,
)
from streamguard.core.people import Person, Right
from streamguard.review.rates import Rates
from streamguard.review.service import Review
from streamguard.review.web_sessions import WebSession, is_same

MAX_BODY_BYTES = 64 * 1024

WHOLE_NUMBER = re.compile("[0-9]{1,16}")
"""As numbers come in addresses: no more digits than those of the numbers that we give."""

CSRF_HEADER = "x-csrf-token"

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",  # browsers pass it over where there is no TLS
    "x-content-type-options": "nosniff",
}
"""Of every answer; pages set their own policy. Source: OWASP ASVS 5.0, 3.4 and 14.3.2."""

STATUS: dict[type[StreamguardError], int] = {
    NoSuchCase: 404,
    CaseTaken: 409,
    BudgetSpent: 423,
    DecisionRefused: 422,
    AccountRefused: 422,
    BankError: 422,
    SignInRefused: 503,
    TooManyTries: 429,
    EvidenceDamaged: 410,
    EvidenceUnavailable: 503,
    LogUnavailable: 503,
    DeskUnavailable: 503,
}


T = TypeVar("T")


class Refused(Exception):
    """A request is not answered as it asked; `status` and the text are the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who may make it.

    session: None on routes that ask for nobody.
    token:   of the session, as the browser keeps it.
    path:    the values in the path.
    said:    the JSON object of the body; empty where there is none.
    asked:   the values of the query.
    """

    review: Review
    session: WebSession | None
    token: str
    address: str
    path: dict[str, str]
    said: dict[str, Any]
    asked: dict[str, str]
    cookies: dict[str, str]

    @property
    def person(self) -> Person:
        """Give who is asking."""
        assert self.session is not None  # noqa: S101  # such routes ask for a session
        return self.session.account.person

    def text(self, name: str) -> str:
        """Give a text of the body.

        Raises:
            Refused: there is none.
        """
        value = self.said.get(name)
        if not isinstance(value, str):
            raise Refused(400, f"give {name}, a text")
        return value

    def number(self, name: str) -> int:
        """Give a whole number of the body.

        Raises:
            Refused: there is none.
        """
        value = self.said.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(400, f"give {name}, a whole number")
        return value


def read_said(read: Callable[[], T]) -> T:
    """Read what was said into a value.

    Raises:
        Refused: it is not as it has to be.
    """
    try:
        return read()
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise Refused(400, f"{where or 'the body'}: not as it has to be") from None


Answer = dict[str, Any] | Response
Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Door:
    """What a route asks for.

    right: of the role; "anyone" asks for a session alone, "nobody" for none, "platform" for the
        platform's token.
    """

    method: str
    path: str
    right: Right | Literal["anyone", "nobody", "platform"]
    handler: Handler


class Guard:
    """The gate of one console."""

    def __init__(
        self, review: Review, cookie: str, rates: Rates, is_platform: Callable[[str | None], bool]
    ) -> None:
        """Make it.

        cookie:      the name under which browsers keep the session's token.
        is_platform: says whether an Authorization header is the platform's.
        """
        self._review = review
        self._cookie = cookie
        self._rates = rates
        self._is_platform = is_platform

    async def answer(self, request: Request, door: Door) -> Response:
        """Answer a request, whatever becomes of it."""
        try:
            body = await _body(request)
            response = await run_in_threadpool(self._answered, request, door, body)
        except Refused as refused:
            response = problem(refused.status, str(refused))
        except StreamguardError as error:
            response = problem(_status_of(error), str(error))
        except ClientDisconnect:
            response = Response(status_code=400)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _answered(self, request: Request, door: Door, body: bytes) -> Response:
        address = request.client.host if request.client else "-"
        token = request.cookies.get(self._cookie, "")
        known = self._review.sessions.find(token) if token else None
        if not self._rates.take(known.account.account_id if known else address):
            raise Refused(429, "too many requests: wait a little")
        session = self._admitted(request, door, known)
        call = Call(
            self._review,
            session,
            token,
            address,
            dict(request.path_params),
            _object(body, request) if request.method != "GET" else {},
            dict(request.query_params),
            dict(request.cookies),
        )
        answer = door.handler(call)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    def _admitted(
        self, request: Request, door: Door, session: WebSession | None
    ) -> WebSession | None:
        """Give the session where the route asks for one; refuse whom it is not for."""
        if door.right == "platform":
            if not self._is_platform(request.headers.get("authorization")):
                raise Refused(401, "give the platform's token: Authorization: Bearer …")
            return None
        if request.method != "GET":
            _require_same_site(request)
        if door.right == "nobody":
            return None
        if session is None:
            raise Refused(401, "sign in")
        if request.method != "GET" and not is_same(
            request.headers.get(CSRF_HEADER, ""), session.csrf
        ):
            raise Refused(403, "the request does not come from the console's own page")
        if door.right != "anyone":
            route = f"{door.method} {door.path}"
            require(self._review, session.account.person, door.right, route)
        return session


def require(review: Review, person: Person, right: Right, route: str) -> None:
    """Refuse whoever has not the right that a route asks for; that is on record."""
    if not person.may(right):
        deed = Deed(person.account_id, "access.refused", details={"route": route}, is_refused=True)
        review.desk.trail.note(deed)
        raise Refused(403, "this account may not do that")


def problem(status: int, text: str) -> JSONResponse:
    """Say what is wrong."""
    return JSONResponse({"problem": text}, status)


def _status_of(error: StreamguardError) -> int:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)


def _require_same_site(request: Request) -> None:
    """Refuse what another site's page makes a browser send."""
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Refused(403, "the request comes from another site")


def _object(body: bytes, request: Request) -> dict[str, Any]:
    if not body:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Refused(415, "send application/json")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Refused(400, "send a JSON object")
    return said


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, f"the body has more than {MAX_BODY_BYTES} bytes")
    return body
