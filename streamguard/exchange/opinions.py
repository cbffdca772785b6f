"""Tells others what became of their hashes here: confirmed, disagreed with, or seen.

Rule: what is written is for a person to send; nothing is sent from here, and no credential is in
it. ThreatExchange takes reactions to descriptors, and new descriptors; Tech Against Terrorism has
no way in, so it gets a list.
Source: https://developers.facebook.com/docs/threat-exchange/reference/reacting and .../submitting,
and facebook/ThreatExchange, python-threatexchange/threatexchange/exchanges/clients/
fb_threatexchange/api.py (1.2.16).
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from streamguard.exchange.record import Instant, Record, field_problem
from streamguard.exchange.text_file import TextFile

REACTIONS = {
    "confirmed": "HELPFUL,SAW_THIS_TOO",
    "disagreed": "DISAGREE_WITH_TAGS",
    "seen": "SAW_THIS_TOO",
}
"""What each decision says of a descriptor."""

COLUMNS = ("source", "record_id", "hash", "policy", "opinion", "decided_at")
"""Of a list of opinions."""


class Decision(BaseModel):
    """What a person decided about a match with an entry."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    entry: Annotated[StrictStr, Field(min_length=1)]
    opinion: Literal["confirmed", "disagreed", "seen"]
    decided_at: Instant | None = None


Decided = Iterable[tuple[Decision, Record]]
"""Decisions with the records behind their entries."""


def read_decisions(file: TextFile) -> dict[str, Decision]:
    """Read a decision a line, as JSON; of several about one entry the last counts.

    Raises:
        ListInvalid: a line is no decision.
    """
    decisions: dict[str, Decision] = {}
    for line in file.lines():
        if not line.strip():
            continue
        try:
            decision = Decision.model_validate(json.loads(line))
        except ValidationError as error:
            problem = field_problem(error)
            raise file.problem(problem.what, problem.field) from None
        except (ValueError, RecursionError):
            raise file.problem("it is not JSON") from None
        decisions[decision.entry] = decision
    return decisions


def as_list(decided: Decided, name: Literal["jsonl", "csv"]) -> Iterator[str]:
    """Write a line for each record of which something was decided; CSV begins with its columns."""
    rows = (_row(decision, record) for decision, record in decided)
    if name == "jsonl":
        for row in rows:
            yield f"{json.dumps({key: text for key, text in row.items() if text})}\n"
        return
    yield _csv(COLUMNS)
    for row in rows:
        yield _csv(row[column] or "" for column in COLUMNS)


def as_requests(
    decided: Decided, privacy_group: str | None, passed_over: Counter[str]
) -> Iterator[str]:
    """Write the requests that tell ThreatExchange, a line of JSON each: method, path and body.

    Args:
        decided: what was decided.
        privacy_group: to whom confirmed hashes that the service does not know are given; they are
            passed over without one. Of a video one hash a second is given.
        passed_over: counts what there is nothing to say about.
    """
    told: set[tuple[str, int]] = set()
    for decision, record in decided:
        ids = [one.descriptor_id for one in record.opinions if one.descriptor_id]
        for descriptor_id in ids:
            yield _request(f"/{descriptor_id}", {"reactions": REACTIONS[decision.opinion]})
        if ids:
            continue
        if decision.opinion != "confirmed":
            passed_over["without a descriptor to react to"] += 1
        elif privacy_group is None:
            passed_over["new to ThreatExchange, and no privacy group is given"] += 1
        elif record.variant == 0:
            second = (decision.entry, (record.t_offset_ms or 0) // 1000)
            if second not in told:
                told.add(second)
                yield _request("/threat_descriptors", _descriptor(record, privacy_group))


def _descriptor(record: Record, privacy_group: str) -> dict[str, Any]:
    """Make the body with which a descriptor is uploaded."""
    tags = [tag for tag in record.tags if "," not in tag]
    body = {
        "indicator": record.hash,
        "type": "HASH_PDQ",
        "status": "MALICIOUS",
        "description": f"confirmed by review: {record.policy}",
        "share_level": "AMBER",  # what HAS_PRIVACY_GROUP asks for
        "privacy_type": "HAS_PRIVACY_GROUP",
        "privacy_members": privacy_group,
    }
    return {**body, "tags": ",".join(tags)} if tags else body


def _request(path: str, body: Mapping[str, Any]) -> str:
    return f"{json.dumps({'method': 'POST', 'path': path, 'body': body})}\n"


def _row(decision: Decision, record: Record) -> dict[str, str | None]:
    decided_at = decision.decided_at
    return {
        "source": record.source,
        "record_id": record.record_id,
        "hash": record.hash,
        "policy": record.policy,
        "opinion": decision.opinion,
        "decided_at": decided_at.isoformat().replace("+00:00", "Z") if decided_at else None,
    }


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
