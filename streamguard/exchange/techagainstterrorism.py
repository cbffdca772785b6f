"""Tech Against Terrorism's hash list, version 2.

Rule: the key of a record is the service's id, never its hash, and pages follow by checkpoint: the
`next` of a page says that there is more, but its address is not asked.
Source: https://terrorismanalytics.org/docs/hash-list-v2 (v2.0.0) and facebook/ThreatExchange,
python-threatexchange/threatexchange/exchanges/clients/techagainstterrorism/api.py (1.2.16).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from streamguard.core.errors import ExchangeDenied
from streamguard.exchange.page import (
    Page,
    Policies,
    Progress,
    id_text,
    instant_of,
    item_of,
    texts_of,
)
from streamguard.exchange.row import Item
from streamguard.exchange.web import Web

BASE = "https://app.terrorismanalytics.org"
TOKEN_PATH, LIST_PATH = "/token-auth/tcap/", "/api/hash-list/v2/all"


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """Who we are to the service."""

    username: str
    password: str


class TechAgainstTerrorism:
    """A client of the list; one thread."""

    stale_after_s = None
    """Nothing says that the service ever forgets a withdrawal."""

    def __init__(self, web: Web, login: Login, policies: Policies) -> None:
        self.source = web.name
        self._web, self._login, self._policies = web, login, policies
        self._token: str | None = None

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield what has happened since a cursor; see page.Exchange."""
        while True:
            answer = self._ask(cursor or "")
            page = self._page(answer, cursor)
            yield page
            if page.is_last:
                return
            cursor = page.cursor

    def progress(self, cursor: str) -> Progress:
        """Say how far a checkpoint is: its time, and the id of the last record at that time."""
        time, _, last_id = cursor.partition(",")
        try:
            instant = Decimal(time)
        except InvalidOperation:
            instant = Decimal("NaN")
        if not (instant.is_finite() and last_id.isascii() and last_id.isdecimal()):
            raise self._web.problem("its checkpoint is not TIME,ID")
        return instant, int(last_id)

    def _ask(self, after: str) -> dict[str, Any]:
        """Ask for the page after a checkpoint; log in first, and once more when that is over."""
        if self._token is None:
            self._token = self._logged_in()
        try:
            return self._list(after)
        except ExchangeDenied:
            self._token = self._logged_in()
            return self._list(after)

    def _list(self, after: str) -> dict[str, Any]:
        return self._web.get(
            LIST_PATH,
            {"order": "asc", "after": after},
            {"Authorization": f"Bearer {self._token}"},
        )

    def _logged_in(self) -> str:
        form = {
            "username": self._login.username,
            "password": self._login.password,
            "resend": "False",
        }
        token = self._web.post(TOKEN_PATH, form).get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self._web.problem("it gives no token when logging in")
        return token

    def _page(self, answer: dict[str, Any], cursor: str | None) -> Page:
        results, checkpoint = answer.get("results"), answer.get("checkpoint")
        if not isinstance(results, list) or not {"next", "checkpoint"} <= answer.keys():
            raise self._web.problem("a page has no results, next and checkpoint")
        is_last = not answer["next"]
        if not isinstance(checkpoint, str) or not checkpoint:
            if results or not is_last:
                raise self._web.problem("a page has no checkpoint")
            checkpoint = cursor or ""
        else:
            self.progress(checkpoint)
        if not is_last and checkpoint == cursor:
            raise self._web.problem("it gives the same page again and again")
        found = [self._item(result) for result in results]
        items = [item for item in found if item is not None]
        return Page(items, checkpoint, is_last, len(found) - len(items))

    def _item(self, result: Any) -> Item | None:
        """Make what can be made of one result; None where it has no id."""
        record_id = id_text(result.get("id")) if isinstance(result, dict) else None
        if record_id is None:
            return None
        fields: dict[str, Any] = {
            "source": self.source,
            "record_id": record_id,
            "updated_at": instant_of(result.get("updated_on")),
        }
        if result.get("deleted") is not False:
            return item_of({**fields, "deleted": result.get("deleted")})
        words = texts_of([result.get("ideology"), result.get("file_type")])
        labels = {"ideology": result.get("ideology"), "content_type": result.get("file_type")}
        return item_of(
            {
                **fields,
                "hash_type": str(result.get("algorithm")).lower(),
                "hash": result.get("hash_digest"),
                "policy": self._policies.of(words),
                "labels": {axis: text for axis, text in labels.items() if text in words},
                "added_at": _created(result.get("created_on")),
            }
        )


def _created(value: Any) -> datetime | None:
    """Read when a record was made, in UTC where no zone is named; None where that is not clear."""
    try:
        created = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)
