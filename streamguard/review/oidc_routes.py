"""Signing in elsewhere, over the API.

Rule: as for `account_routes`; without a provider there are no such routes.
"""

from collections.abc import Sequence

from starlette.responses import HTMLResponse, RedirectResponse

from streamguard.core.audit import Deed
from streamguard.core.errors import SignInRefused
from streamguard.review.account_routes import NOBODY, Cookie
from streamguard.review.accounts import Account
from streamguard.review.guard import Answer, Call, Door, Refused
from streamguard.review.oidc import TRY_S, Oidc, Vouched

START, BACK = "/api/v1/oidc/start", "/api/v1/oidc/back"

_PAGE = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
"""Goes on by itself: a cookie that is for this site alone is not sent where another site's redirect
leads, but is from here."""


def oidc_doors(oidc: Oidc, cookie: Cookie) -> Sequence[Door]:
    """Give the routes of a provider."""
    kept_as = f"{cookie.name}-try"

    def start(_: Call) -> Answer:
        url, browser = oidc.begin()
        response = RedirectResponse(url, 303)
        response.set_cookie(
            kept_as,
            browser,
            max_age=int(TRY_S),
            path="/",
            secure=cookie.is_secure,
            httponly=True,
            samesite="lax",  # it has to come along when the provider sends the browser back
        )
        return response

    def back(call: Call) -> Answer:
        asked, browser = call.asked, call.cookies.get(kept_as, "")
        trail, sessions = call.review.desk.trail, call.review.sessions
        taken = oidc.take(asked.get("state", ""), browser)
        if taken is None:
            raise Refused(401, "begin to sign in anew")
        try:
            account = _account_of(call, oidc.finish(taken, asked.get("code", "")))
        except SignInRefused as error:
            trail.note(Deed(NOBODY, "account.signed_in", is_refused=True))
            raise Refused(401, str(error)) from None
        if call.token:
            sessions.end(call.token)
        token, _ = sessions.begin(account)
        trail.note(Deed(account.account_id, "account.signed_in", details={"by": "oidc"}))
        response = HTMLResponse(_PAGE)
        cookie.put(response, token)
        response.delete_cookie(kept_as, path="/", secure=cookie.is_secure, httponly=True)
        return response

    return (Door("GET", START, "nobody", start), Door("GET", BACK, "nobody", back))


def _account_of(call: Call, vouched: Vouched) -> Account:
    account = call.review.accounts.vouched(vouched.name, vouched.issuer, vouched.subject)
    if account is None:
        raise SignInRefused("there is no account for you here: ask an administrator")
    return account
