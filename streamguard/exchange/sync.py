"""Follows an exchange: page by page, each kept with the place from which to go on.

Rule: a run counts as a whole. Its pages wait, and what was before stays in force, until the last
one has come and all is found in order; whatever ends a run before that, the next one goes on. The
first run, and one of a copy that has grown stale or was made by other settings, fetches the whole
list; what that does not name is withdrawn.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

import apsw

from streamguard.core.errors import ExchangeUnavailable, ListShrinks
from streamguard.exchange import staging
from streamguard.exchange.account import Account
from streamguard.exchange.edit import NEW_SOURCE, taking
from streamguard.exchange.page import REWOUND, Exchange, Page
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Terms, us_of

NAMELESS = "without an id"
"""How answers that have no id are counted."""

_STATE = """SELECT cursor, is_open, is_refetching, started_us, completed_us, settings
    FROM sources WHERE source = ?"""
_SAVE = """UPDATE sources SET cursor = ?, is_open = ?, is_refetching = ?, started_us = ?,
    completed_us = ?, settings = ? WHERE source = ?"""


@dataclass(frozen=True, slots=True)
class State:
    """How far a source has been followed.

    cursor:        where to go on; None at the beginning of a whole list.
    is_open:       a run has begun that has not come to its end.
    is_refetching: a whole list is coming; what it does not name is withdrawn at its end.
    started_us:    when the run began that is open, or was last; microseconds since 1970 UTC.
    completed_us:  when the run began that last came to its end.
    settings:      see Terms; those by which its records were made.
    """

    cursor: str | None = None
    is_open: bool = False
    is_refetching: bool = False
    started_us: int = 0
    completed_us: int | None = None
    settings: str = ""


def state_of(records: RecordsFile, source: str) -> State:
    """Give how far a source has been followed."""
    found = records.rows(_STATE, (source,))
    if not found:
        return State()
    ((cursor, is_open, is_refetching, *more),) = found
    return State(cursor, bool(is_open), bool(is_refetching), *more)


def is_made_otherwise(state: State, terms: Terms) -> bool:
    """Say whether a source was followed by other settings than it is to be now."""
    return state.cursor is not None and state.settings != terms.settings


def sync(
    records: RecordsFile,
    exchange: Exchange,
    terms: Terms,
    *,
    refetch: bool = False,
    on_page: Callable[[Account], bool] = lambda _: True,
) -> Account:
    """Bring the records up to an exchange; give what that changed.

    Args:
        records: where they are kept.
        exchange: what is followed.
        terms: how items are taken in; whether a list is whole is decided here.
        refetch: fetch the whole list anew, whatever is known.
        on_page: is told after each page how much waits; says whether to go on.

    Raises:
        ExchangeUnavailable: it cannot be asked, its answer cannot be used, or it goes back in time.
        ListShrinks: it takes away too much. Nothing of the run is taken.
    """
    account = Account()
    state, account.n_waiting = _begun(records, exchange, terms, refetch=refetch)
    for page in exchange.pages(state.cursor):
        _refuse_rewind(exchange, state.cursor, page)
        if page.n_nameless:
            account.passed_over[NAMELESS] += page.n_nameless
        account.n_waiting += len(page.items)
        state = _stage(records, exchange.source, page, state)
        is_stopped = not on_page(account)
        if page.is_last:
            _take(records, exchange.source, state, (terms, account))
            account.n_waiting = 0
        elif is_stopped:
            break
    return account


def _begun(
    records: RecordsFile, exchange: Exchange, terms: Terms, *, refetch: bool
) -> tuple[State, int]:
    """Give the state in which this run goes on, or begins, and how many items wait."""
    source, state = exchange.source, state_of(records, exchange.source)
    now_us = us_of(terms.now) or 0
    known_us = state.started_us if state.is_refetching else state.completed_us
    is_stale = exchange.stale_after_s is not None and (
        known_us is None or now_us - known_us > exchange.stale_after_s * 1e6
    )
    is_anew = refetch or is_stale or state.cursor is None or is_made_otherwise(state, terms)
    with records.transaction() as connection:
        if is_anew:
            connection.execute(NEW_SOURCE, (source,))
            staging.clear(connection, source)
            done_us = state.completed_us
            state = State(None, True, True, now_us, done_us, terms.settings)  # noqa: FBT003  # in order
            _save(connection, source, state)
        elif not state.is_open:
            state = replace(state, is_open=True, started_us=now_us)
        return state, staging.count(connection, source)


def _refuse_rewind(exchange: Exchange, cursor: str | None, page: Page) -> None:
    if cursor and exchange.progress(page.cursor) < exchange.progress(cursor):
        raise ExchangeUnavailable(f"exchange {exchange.source}: {REWOUND}")


def _stage(records: RecordsFile, source: str, page: Page, state: State) -> State:
    """Let a page wait, with its cursor; give the state after it."""
    after = replace(state, cursor=page.cursor)
    with records.transaction() as connection:
        staging.put(connection, page.items, is_whole=state.is_refetching)
        _save(connection, source, after)
    return after


def _take(records: RecordsFile, source: str, state: State, given: tuple[Terms, Account]) -> None:
    """Take all that waits, and end the run."""
    terms, account = given
    try:
        with taking(records, replace(terms, is_whole=state.is_refetching), account) as edit:
            if state.is_refetching:
                edit.begin_whole(source)
            for item in staging.waiting(edit.connection, source):
                edit.take(item)
            if state.is_refetching:
                edit.end_whole(source)
            staging.clear(edit.connection, source)
            done = replace(state, is_open=False, is_refetching=False, completed_us=state.started_us)
            _save(edit.connection, source, done)
    except ListShrinks:
        if state.is_refetching:  # the list may be wrong: the next run begins it anew
            with records.transaction() as connection:
                _save(connection, source, replace(state, cursor=None))
        raise


def _save(connection: apsw.Connection, source: str, state: State) -> None:
    connection.execute(_SAVE, (*astuple(state), source))
