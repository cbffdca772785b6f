"""A row of the records: what is kept of one item that a source sent, and what became of it.

Rule: values only. A record is live, that is in the bank, if it can be matched, was not withdrawn,
has not expired, is not disowned by its source, and nothing is wrong with its hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from streamguard.core.bank import Bank
from streamguard.core.errors import ListInvalid
from streamguard.core.hygiene import Fault, fault_of, is_near_slate
from streamguard.exchange.account import Step
from streamguard.exchange.projection import key_of
from streamguard.exchange.record import Record, make_record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unusable:
    """What an exchange sent under an id of its own, and of which no record can be made.

    reason: in few words; no hash.
    """

    source: str
    record_id: str
    reason: str
    updated_at: datetime | None = None

    @property
    def name(self) -> str:
        """Give what people call it."""
        return f"{self.source}:{self.record_id}"


Item = Record | Unusable


class Row(NamedTuple):
    """A row of the table `records`, column by column; records_file says what they mean."""

    source: str
    record_id: str
    body: str
    generation: int
    updated_us: int | None
    expires_us: int | None
    is_deleted: int
    problem: str | None
    is_let_in: int
    entry: str | None
    pdq: bytes | None
    offset_ms: int | None
    variant: int
    policy: str | None
    max_distance: int | None
    is_seed: int


@dataclass(frozen=True, slots=True)
class Terms:
    """How items are taken in.

    now:        instant by which records have expired, and at which they came.
    negatives:  banks of what is harmless: a hash near one of theirs is set aside.
    is_whole:   the items are all that their source has, so what is older than what is known is
                taken all the same.
    may_shrink: a source may take away as much as it likes.
    settings:   digest of whatever else decides what becomes of an exchange's answers; where it is
                another than last time, they are all asked for again.
    """

    now: datetime
    negatives: Sequence[Bank] = ()
    is_whole: bool = False
    may_shrink: bool = False
    settings: str = ""


def row_of(item: Item, old: Row | None, generation: int, terms: Terms) -> Row:
    """Give the row for an item that takes the place of an old one.

    Raises:
        ListInvalid: it is to be matched, and names no policy.
    """
    if isinstance(item, Unusable):
        updated_us = us_of(item.updated_at)
        place = (item.source, item.record_id, "", generation, updated_us, None)
        return Row(*place, 0, item.reason, 0, None, None, None, 0, None, None, 0)
    pdq = bytes.fromhex(item.hash) if item.hash and item.is_matched else None
    is_let_in = old is not None and bool(old.is_let_in) and old.pdq == pdq
    problem = None if item.deleted or is_let_in else _problem(item, pdq, terms.negatives)
    expires_us = us_of(item.expires_at)
    is_over = expires_us is not None and expires_us <= (us_of(terms.now) or 0)
    is_live = not (item.deleted or problem or is_over or item.opinion == "neg")
    if is_live and item.policy is None:
        raise ListInvalid(f"{item.name}: policy: it is missing; give one for all with --policy")
    return Row(
        source=item.source,
        record_id=item.record_id,
        body=item.to_json(),
        generation=generation,
        updated_us=us_of(item.updated_at),
        expires_us=expires_us,
        is_deleted=int(item.deleted),
        problem=problem,
        is_let_in=int(is_let_in),
        entry=key_of(item) if is_live else None,
        pdq=pdq,
        offset_ms=item.t_offset_ms,
        variant=item.variant,
        policy=item.policy,
        max_distance=item.max_distance,
        is_seed=int(item.opinion == "seed"),
    )


def step_of(new: Row, old: Row | None) -> Step:
    """Say what becomes of a record whose row was `old` and will be `new`."""
    if new.problem is not None:
        return "quarantined"
    if new.is_deleted:
        return "removed" if old and not old.is_deleted else "unchanged"
    if old is None or old.is_deleted:
        return "added"
    return "unchanged" if new == old._replace(generation=new.generation) else "changed"


def is_outdated(item: Item, old: Row) -> bool:
    """Say whether an item is older than what is known, by its source's own account."""
    updated_us = us_of(item.updated_at)
    return updated_us is not None and old.updated_us is not None and updated_us < old.updated_us


def tombstone(source: str, record_id: str) -> Record:
    """Make the record that says that another one is gone."""
    return make_record({"source": source, "record_id": record_id, "deleted": True})


def us_of(time: datetime | None) -> int | None:
    """Give microseconds since 1970 UTC, exactly."""
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


def _problem(record: Record, pdq: bytes | None, negatives: Sequence[Bank]) -> str | None:
    if pdq is None:
        return None
    packed = np.frombuffer(pdq, np.uint8)
    fault = fault_of(packed, record.quality)
    if fault is None and negatives and is_near_slate(packed, negatives):
        fault = Fault.NEAR_SLATE
    return fault.value if fault else None
