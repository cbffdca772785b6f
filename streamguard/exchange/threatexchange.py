"""Meta's ThreatExchange: the updates of one privacy group.

Rule: the key of a record is the indicator's id. The service forgets withdrawals after 90 days, so
a copy older than 85 is fetched anew. The access token travels in the query, as the service wants
it, and is never kept in a cursor.
Source: https://developers.facebook.com/docs/threat-exchange/reference/apis/threat-updates and
facebook/ThreatExchange, python-threatexchange/threatexchange/exchanges/impl/
fb_threatexchange_api.py and clients/fb_threatexchange/threat_updates.py (1.2.16).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from streamguard.exchange.page import (
    REWOUND,
    Page,
    Policies,
    Progress,
    id_text,
    instant_of,
    item_of,
    texts_of,
)
from streamguard.exchange.record import MAX_TAGS, Standing
from streamguard.exchange.row import Item, us_of
from streamguard.exchange.web import Params, Web

BASE = "https://graph.facebook.com/v9.0"

STALE_AFTER_S = 85 * 24 * 3600.0
"""The service keeps withdrawals for 90 days; the published client refetches after 85."""

PAGE_SIZE = 500
"""Source: the published client."""

OVERLAP_S = 60
"""How far before the last known update the next sync begins. Times are whole seconds, and a page
may end in the middle of one; what comes twice is unchanged (our choice)."""

FIELDS = (
    "id,indicator,type,last_updated,should_delete,descriptors{id,reactions,owner{id},tags,status}"
)

_STATUS: Mapping[str, Standing] = {"MALICIOUS": "pos", "NON_MALICIOUS": "neg"}
_REACTION: Mapping[str, Standing] = {
    "HELPFUL": "pos",
    "DISAGREE_WITH_TAGS": "neg",
    "NON_MALICIOUS": "neg",
}


@dataclass(frozen=True, slots=True)
class Member:
    """Who we are to the service, and whose updates we want."""

    privacy_group: str
    token: str = field(repr=False)

    @property
    def app_id(self) -> str:
        """Give our id, by which opinions name their owners; it is the token's first part."""
        return self.token.partition("|")[0]


class ThreatExchange:
    """A client of one privacy group; one thread."""

    stale_after_s = STALE_AFTER_S

    def __init__(self, web: Web, member: Member, policies: Policies) -> None:
        self.source = web.name
        self._web, self._member, self._policies = web, member, policies
        self._path = f"/{member.privacy_group}/threat_updates/"

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield what has happened since a cursor; see page.Exchange."""
        since = int(cursor) if cursor else 0
        params: Params = {"fields": FIELDS, "limit": PAGE_SIZE}
        if cursor:
            params = {**params, "start_time": max(0, since - OVERLAP_S)}
        while True:
            answer = self._web.get(self._path, {**params, "access_token": self._member.token})
            page = self._page(answer, since)
            yield page
            if page.is_last:
                return
            further = self._params_of(answer["paging"]["next"])
            if further == params:
                raise self._web.problem("it gives the same page again and again")
            since, params = int(page.cursor), further

    def progress(self, cursor: str) -> Progress:
        """Say how far a cursor is: the time of the last update, seconds."""
        if not (cursor.isascii() and cursor.isdecimal()):
            raise self._web.problem("its cursor is no time")
        return (int(cursor),)

    def _page(self, answer: dict[str, Any], since: int) -> Page:
        data = answer.get("data")
        paging = answer.get("paging", {})
        if not isinstance(data, list) or not isinstance(paging, dict):
            raise self._web.problem("a page has no data")
        found = [self._item(update) for update in data]
        items = [item for item in found if item is not None]
        times = [us for item in items if (us := us_of(item.updated_at)) is not None]
        if times and min(times) // 1_000_000 < since - OVERLAP_S:
            raise self._web.problem(REWOUND)
        last = max([since, *(us // 1_000_000 for us in times)])
        return Page(items, str(last), not paging.get("next"), len(found) - len(items))

    def _params_of(self, address: Any) -> Params:
        """Take the query of the next page's address, which must be that of this list."""
        try:
            url = httpx.URL(address)
        except (TypeError, httpx.InvalidURL):
            url = httpx.URL("")
        here = httpx.URL(f"{self._web.base}{self._path}")
        place = (url.scheme, url.host, url.port, url.path.rstrip("/"))
        if place != (here.scheme, here.host, here.port, here.path.rstrip("/")):
            raise self._web.problem("its next page lies at another place, which is refused")
        return {name: text for name, text in url.params.items() if name != "access_token"}

    def _item(self, update: Any) -> Item | None:
        """Make what can be made of one update; None where it has no id."""
        record_id = id_text(update.get("id")) if isinstance(update, dict) else None
        if record_id is None:
            return None
        fields: dict[str, Any] = {
            "source": self.source,
            "record_id": record_id,
            "updated_at": instant_of(update.get("last_updated")),
        }
        descriptors = _list(update.get("descriptors"))
        if update.get("should_delete") or not descriptors:  # the second by a fault of the service
            return item_of({**fields, "deleted": True})
        opinions = [opinion for one in descriptors for opinion in _opinions(one)]
        tags = texts_of(tag for one in descriptors for tag in _tags(one))
        return item_of(
            {
                **fields,
                "hash_type": _hash_type(update.get("type")),
                "hash": update.get("indicator"),
                "policy": self._policies.of(tags),
                "tags": tags,
                "opinion": standing_of(opinions, self._member.app_id),
                "opinions": tuple(opinions[:MAX_TAGS]),
            }
        )


def standing_of(opinions: list[dict[str, Any]], mine: str) -> Standing:
    """Join what the members of a group think; one's own opinion outweighs all others.

    Where some confirm and some disagree it is a seed again.
    """
    own = [opinion for opinion in opinions if opinion.get("owner") == mine]
    held = {opinion["standing"] for opinion in own or opinions}
    if held == {"neg"}:
        return "neg"
    return "pos" if "pos" in held and "neg" not in held else "seed"


def _opinions(descriptor: Any) -> Iterator[dict[str, Any]]:
    """Yield the opinion of a descriptor's owner, and those of who reacted to it."""
    if not isinstance(descriptor, dict):
        return
    owner = descriptor.get("owner")
    owner_id = id_text(owner.get("id")) if isinstance(owner, dict) else None
    own = {
        "standing": _STATUS.get(str(descriptor.get("status")), "seed"),
        "owner": owner_id,
        "descriptor_id": id_text(descriptor.get("id")),
        "tags": texts_of(_tags(descriptor)),
    }
    yield {name: value for name, value in own.items() if value}
    for reaction in _list(descriptor.get("reactions")):
        if not isinstance(reaction, dict) or reaction.get("key") not in _REACTION:
            continue
        for who in str(reaction.get("value", "")).split(","):
            if id_text(who) and who != owner_id:
                yield {"standing": _REACTION[reaction["key"]], "owner": who}


def _tags(descriptor: Any) -> list[Any]:
    """Give the tags of a descriptor, which come as texts or as objects with a text."""
    tags = _list(descriptor.get("tags")) if isinstance(descriptor, dict) else []
    return [tag.get("text") if isinstance(tag, dict) else tag for tag in tags]


def _list(value: Any) -> list[Any]:
    """Take a list as it is, or as the service's objects have it under `data`."""
    if isinstance(value, dict):
        value = value.get("data")
    return value if isinstance(value, list) else []


def _hash_type(kind: Any) -> str:
    return str(kind).lower().replace("_", "-").removeprefix("hash-")
