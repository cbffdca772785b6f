"""Signing in and out, accounts, and the audit, over the API.

Rule: as for `routes`; neither names nor passwords go on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from streamguard.core.audit import Deed
from streamguard.core.audit_data import AuditData
from streamguard.core.decision_data import Role
from streamguard.core.errors import AccountRefused
from streamguard.review.accounts import Account
from streamguard.review.guard import WHOLE_NUMBER, Answer, Call, Door, Refused
from streamguard.review.tries import KNOWN_S
from streamguard.review.web_sessions import SHIFT_S

MAX_FOUND = 500
"""Audit records of one answer; whoever wants more goes on before the last one, or exports."""

SEARCHED_BY = ("actor", "action", "case_id", "about")

NOBODY = "-"


@dataclass(frozen=True, slots=True)
class Cookie:
    """How browsers keep the session's token.

    is_secure: over TLS alone, and then for this host alone (`__Host-`).
    """

    is_secure: bool

    @property
    def name(self) -> str:
        """Give its name."""
        return "__Host-streamguard" if self.is_secure else "streamguard"

    @property
    def known(self) -> str:
        """Give the name of what a browser is known by, once somebody has signed in there."""
        return f"{self.name}-known"

    def know(self, response: Response, token: str) -> None:
        """Have a browser keep what it is known by; it signs nobody in."""
        response.set_cookie(
            self.known,
            token,
            max_age=int(KNOWN_S),
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="strict",
        )

    def put(self, response: Response, token: str) -> None:
        """Have a browser keep a token; an empty one ends it."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(SHIFT_S) if token else 0,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="strict",
        )


def account_doors(cookie: Cookie) -> Sequence[Door]:
    """Give the routes of accounts."""

    def sign_in(call: Call) -> Answer:
        name, password = call.text("name"), call.text("password")
        accounts, trail = call.review.accounts, call.review.desk.trail
        browser = call.cookies.get(cookie.known, "")
        account = accounts.sign_in(name, password, call.address, browser)
        if account is None:
            trail.note(Deed(NOBODY, "account.signed_in", is_refused=True))
            raise Refused(401, "name or password is wrong")
        if call.token:
            call.review.sessions.end(call.token)
        token, csrf = call.review.sessions.begin(account)
        trail.note(Deed(account.account_id, "account.signed_in"))
        response = JSONResponse(_row(account) | {"csrf": csrf})
        cookie.put(response, token)
        if not accounts.tries.is_known(account.account_id, browser):
            cookie.know(response, accounts.tries.know(account.account_id))
        return response

    def sign_out(call: Call) -> Answer:
        call.review.sessions.end(call.token)
        call.review.desk.trail.note(Deed(call.person.account_id, "account.signed_out"))
        response = JSONResponse({})
        cookie.put(response, "")
        return response

    def own_password(call: Call) -> Answer:
        assert call.session is not None  # noqa: S101  # the route asks for one
        account, accounts = call.session.account, call.review.accounts
        me, browser = account.account_id, call.cookies.get(cookie.known, "")
        try:
            current, new = call.text("current"), call.text("new")
            accounts.change_own(account, current, new, call.address, browser)
        except AccountRefused:
            deed = Deed(me, "account.password_changed", about=me, is_refused=True)
            call.review.desk.trail.note(deed)
            raise
        call.review.desk.trail.note(Deed(me, "account.password_changed", about=me))
        response = JSONResponse({})
        cookie.put(response, "")
        return response

    return (
        Door("POST", "/api/v1/password", "anyone", own_password),
        Door("POST", "/api/v1/sign-in", "nobody", sign_in),
        Door("POST", "/api/v1/sign-out", "anyone", sign_out),
        Door("GET", "/api/v1/accounts", "see_accounts", _accounts),
        Door("POST", "/api/v1/accounts", "edit_accounts", _add),
        Door("POST", "/api/v1/accounts/{account_id}", "edit_accounts", _change),
        Door("GET", "/api/v1/audit", "search_audit", _audit),
    )


def _accounts(call: Call) -> Answer:
    return {"accounts": [_row(one) for one in call.review.accounts.all()]}


def _add(call: Call) -> Answer:
    clearance = _clearance(call.said.get("clearance", []))
    role = call.text("role")
    made = call.review.accounts.add(call.text("name"), role, clearance, call.text("password"))
    _note(call, "account.made", made)
    return JSONResponse(_row(made), 201)


def _change(call: Call) -> Answer:
    said = call.said
    is_active = said.get("is_active")
    if is_active is not None and not isinstance(is_active, bool):
        raise Refused(400, "give is_active as true or false")
    if call.path["account_id"] == call.person.account_id:
        raise Refused(422, "somebody else has to change your account: of yours only the password")
    changed = call.review.accounts.change(
        call.path["account_id"],
        role=call.text("role") if "role" in said else None,
        clearance=_clearance(said["clearance"]) if "clearance" in said else None,
        is_active=is_active,
        password=call.text("password") if "password" in said else None,
    )
    _note(call, "account.changed", changed)
    return _row(changed)


def _audit(call: Call) -> Answer:
    found, before = audit_records(call)
    records = [one.model_dump(mode="json", exclude_none=True) for one in found]
    return {"records": records, "before": before}


def audit_records(call: Call) -> tuple[list[AuditData], int | None]:
    """Search the audit as the query says, the newest first; what was searched for is on record.

    Returns:
        The records, and what to give as `before` to go on; None where there is nothing further.
    """
    before = call.asked.get("before")
    if before is not None and not WHOLE_NUMBER.fullmatch(before):
        raise Refused(400, "give before, as the last answer said it")
    said = {name: call.asked[name] for name in SEARCHED_BY if call.asked.get(name)}
    deed = Deed(call.person.account_id, "audit.searched", details=said)
    trail = call.review.desk.trail
    found = trail.search(said, None if before is None else int(before), MAX_FOUND)
    trail.note(deed)
    return found


def _note(call: Call, action: str, account: Account) -> None:
    details: dict[str, str | int] = {
        "role": account.role,
        "clearance": " ".join(sorted(account.clearance)),
        "is_active": "yes" if account.is_active else "no",
    }
    deed = Deed(call.person.account_id, action, about=account.account_id, details=details)
    call.review.desk.trail.note(deed)


def _clearance(said: Any) -> frozenset[str]:
    if not isinstance(said, list) or not all(isinstance(one, str) and one for one in said):
        raise Refused(400, "give clearance, a list of policy codes")
    return frozenset(said)


def _row(account: Account) -> dict[str, Any]:
    role: Role = account.role
    return {
        "account_id": account.account_id,
        "name": account.name,
        "role": role,
        "clearance": sorted(account.clearance),
        "is_active": account.is_active,
    }
