"""What a client of an exchange gives: pages of items, and the place after each.

Rule: a page stands alone; once it is committed with its cursor, the next one may come much later.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from streamguard.exchange.record import MAX_TAGS, FieldProblem, is_text, make_record
from streamguard.exchange.row import EPOCH, Item, Unusable

REWOUND = (
    "it goes back in time; nothing of this page was taken. Ask the exchange, and if its list was"
    " made anew, repeat with --refetch"
)
"""What is said of a service whose updates come before those that it gave already."""

Progress = tuple[Decimal | int, ...]
"""How far a cursor is; never less than before."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of what a service has.

    items:      in the order in which they happened.
    cursor:     where to go on; holds no credential.
    is_last:    nothing more has happened by now.
    n_nameless: answers without an id, of which nothing can be kept.
    """

    items: Sequence[Item]
    cursor: str
    is_last: bool
    n_nameless: int = 0


class Exchange(Protocol):
    """Somebody's hash list behind an API.

    source: what its records are called here.
    """

    source: str

    @property
    def stale_after_s(self) -> float | None:
        """Give the age at which a copy has missed withdrawals; None where none ever expires."""
        ...

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield what has happened since a cursor; without one, all that the service has.

        Raises:
            ExchangeUnavailable: the service cannot be asked, or its answer cannot be used.
        """
        ...

    def progress(self, cursor: str) -> Progress:
        """Say how far a cursor is.

        Raises:
            ExchangeUnavailable: it is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Policies:
    """Which policy code a record gets: by the first of its words that has one, else the default."""

    default: str
    by_word: Mapping[str, str]

    def of(self, words: Iterable[str]) -> str:
        """Choose the code for a record with these labels and tags."""
        held = set(words)
        return next((code for word, code in self.by_word.items() if word in held), self.default)


def item_of(fields: dict[str, Any]) -> Item:
    """Make a record of what a service sent, or keep its id and why it cannot be one."""
    try:
        return make_record(fields)
    except FieldProblem as problem:
        source, record_id = str(fields["source"]), str(fields["record_id"])
        return Unusable(source, record_id, str(problem), fields.get("updated_at"))


def texts_of(values: Iterable[Any]) -> tuple[str, ...]:
    """Keep what can be a tag: a strange one must not cost us the hash."""
    return tuple(dict.fromkeys(value for value in values if is_text(value)))[:MAX_TAGS]


def id_text(value: Any) -> str | None:
    """Read an id, a number or text; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if is_text(value) else None


def instant_of(value: Any) -> datetime | None:
    """Read seconds since 1970, a number or text, to the microsecond; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        us = int(Decimal(str(value)).scaleb(6).to_integral_value())
        return EPOCH + timedelta(microseconds=us)
    except (ArithmeticError, ValueError):
        return None
