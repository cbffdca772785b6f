"""Makes pages of templates, and says what browsers may do with them.

Rule: whatever comes from a stream is text: templates escape all that they are given, and a page may
run only the scripts that the console itself serves.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

_ALLOWED = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",  # evidence is shown from memory, and is gone when it is let go
    "media-src": "blob:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
PAGE_POLICY = "; ".join(f"{what} {where}" for what, where in _ALLOWED.items())
"""What a page may load, and from where. Source: OWASP ASVS 5.0, 3.4.3."""

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

_templates = Environment(
    loader=PackageLoader("streamguard.review.pages"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def local(at: str) -> Markup:
    """Write an instant as `utc_text` gives it, so that browsers tell it as the clock there does."""
    return Markup('<time class="local" datetime="{}">{} UTC</time>').format(at, at[11:16])


_templates.globals["local"] = local


def fragment(template: str, **said: Any) -> str:
    """Make a part of a page."""
    return _templates.get_template(template).render(**said)


def page(template: str, status: int = 200, **said: Any) -> Response:
    """Make a page."""
    headers = {"content-security-policy": PAGE_POLICY}
    return Response(fragment(template, **said), status, headers, media_type="text/html")


def instead_of(answer: Response) -> Response:
    """Give the page for what the API would answer to a request that is refused."""
    if answer.status_code == 401:  # noqa: PLR2004  # nobody is signed in
        return RedirectResponse("/sign-in", 303)
    problem = json.loads(bytes(answer.body))["problem"]
    return page("problem.html", answer.status_code, problem=problem)


@cache
def static_files() -> dict[str, Response]:
    """Give the scripts and styles by name; whatever else is asked for is not there."""
    found = {}
    for file in resources.files("streamguard.review.pages").joinpath("static").iterdir():
        kind = TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            headers = {"content-security-policy": PAGE_POLICY}
            found[file.name] = Response(file.read_bytes(), headers=headers, media_type=kind)
    return found
