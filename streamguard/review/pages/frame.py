"""What stands around every page of somebody who has signed in.

Rule: what everybody has to know stands on all of them.
"""

from typing import Any

from starlette.responses import Response

from streamguard.review.guard import Call
from streamguard.review.pages.paper import fragment, page
from streamguard.review.service import Review
from streamguard.review.team_routes import incident_row


def framed(call: Call, template: str, **said: Any) -> Response:
    """Make a page for whoever asks."""
    assert call.session is not None  # noqa: S101  # such pages ask for one
    return page(
        template,
        person=call.person,
        name=call.session.account.name,
        incidents=incidents(call.review),
        **said,
    )


def incidents(review: Review) -> str:
    """Make the banner of what goes on; nothing where nothing does."""
    return fragment("incidents.html", active=map(incident_row, review.incidents.active()))
