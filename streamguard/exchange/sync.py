"""Follows an exchange: page by page, each committed with the place from which to go on.

Rule: whatever ends a sync, the next one goes on where it was committed. The first sync, and one of
a copy that has grown stale, fetches the whole list; what that does not name is withdrawn at its
end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from streamguard.core.errors import ExchangeUnavailable, ListShrinks
from streamguard.exchange.account import Account
from streamguard.exchange.edit import Edit, taking
from streamguard.exchange.page import REWOUND, Exchange, Page
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Terms, us_of

NAMELESS = "without an id"
"""How answers that have no id are counted."""

_N_LIVE = "SELECT count(*) FROM records WHERE source = ? AND entry IS NOT NULL"
_STATE = """SELECT cursor, is_open, is_refetching, started_us, completed_us, live_before, n_lost
    FROM sources WHERE source = ?"""
_SAVE = """UPDATE sources SET cursor = ?, is_open = ?, is_refetching = ?, started_us = ?,
    completed_us = ?, live_before = ?, n_lost = ? WHERE source = ?"""


@dataclass(frozen=True, slots=True)
class State:
    """How far a source has been followed.

    cursor:        where to go on; None at the beginning of a whole list.
    is_open:       a sync has begun that has not come to its end.
    is_refetching: a whole list is coming; what it does not name is withdrawn at its end.
    started_us:    when the sync began that runs, or ran last; microseconds since 1970 UTC.
    completed_us:  when the sync began that last came to its end.
    live_before:   live records of the source when it began.
    n_lost:        how many of those it has taken away.
    """

    cursor: str | None = None
    is_open: bool = False
    is_refetching: bool = False
    started_us: int = 0
    completed_us: int | None = None
    live_before: int = 0
    n_lost: int = 0


def state_of(records: RecordsFile, source: str) -> State:
    """Give how far a source has been followed."""
    found = records.rows(_STATE, (source,))
    if not found:
        return State()
    ((cursor, is_open, is_refetching, *counts),) = found
    return State(cursor, bool(is_open), bool(is_refetching), *counts)


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
        on_page: is told after each page; says whether to go on.

    Raises:
        ExchangeUnavailable: it cannot be asked, its answer cannot be used, or it goes back in time.
        ListShrinks: it takes away too much. Pages before that are kept.
    """
    account = Account()
    state = _begun(records, exchange, terms, refetch=refetch)
    for page in exchange.pages(state.cursor):
        _refuse_rewind(exchange, state.cursor, page)
        try:
            state = _take_page(records, exchange.source, page, (state, terms, account))
        except ListShrinks:
            if state.is_refetching:  # what was fetched so far may be wrong: begin anew next time
                _save(records, exchange.source, replace(state, cursor=None, completed_us=None))
            raise
        if not on_page(account):
            break
    return account


def _begun(records: RecordsFile, exchange: Exchange, terms: Terms, *, refetch: bool) -> State:
    """Give the state in which this sync goes on, or begins."""
    source, state = exchange.source, state_of(records, exchange.source)
    now_us = us_of(terms.now) or 0
    ((n_live,),) = records.rows(_N_LIVE, (source,))
    known_us = state.started_us if state.is_refetching else state.completed_us
    is_stale = exchange.stale_after_s is not None and (
        known_us is None or now_us - known_us > exchange.stale_after_s * 1e6
    )
    if refetch or is_stale or state.cursor is None:
        begun = State(
            is_open=True,
            is_refetching=True,
            started_us=now_us,
            completed_us=state.completed_us,
            live_before=n_live,
        )
        with taking(records, terms, Account()) as edit:
            edit.begin_whole(source)
            _write(edit, source, begun)
        return begun
    if state.is_open:
        return state
    return replace(state, is_open=True, started_us=now_us, live_before=n_live, n_lost=0)


def _refuse_rewind(exchange: Exchange, cursor: str | None, page: Page) -> None:
    if cursor and exchange.progress(page.cursor) < exchange.progress(cursor):
        raise ExchangeUnavailable(f"exchange {exchange.source}: {REWOUND}")


def _take_page(
    records: RecordsFile, source: str, page: Page, given: tuple[State, Terms, Account]
) -> State:
    """Commit a page with its cursor; give the state after it."""
    state, terms, account = given
    with taking(records, replace(terms, is_whole=state.is_refetching), account) as edit:
        edit.resume(source, state.live_before, state.n_lost)
        if page.n_nameless:
            account.passed_over[NAMELESS] += page.n_nameless
        for item in page.items:
            edit.take(item)
        if page.is_last and state.is_refetching:
            edit.end_whole(source)
        after = replace(
            state,
            cursor=page.cursor,
            is_open=not page.is_last,
            is_refetching=state.is_refetching and not page.is_last,
            completed_us=state.started_us if page.is_last else state.completed_us,
            n_lost=edit.n_lost[source],
        )
        _write(edit, source, after)
    return after


def _save(records: RecordsFile, source: str, state: State) -> None:
    with records.transaction() as connection:
        connection.execute(_SAVE, (*_columns(state), source))


def _write(edit: Edit, source: str, state: State) -> None:
    edit.connection.execute(_SAVE, (*_columns(state), source))


def _columns(state: State) -> tuple[str | int | None, ...]:
    return (
        state.cursor,
        int(state.is_open),
        int(state.is_refetching),
        state.started_us,
        state.completed_us,
        state.live_before,
        state.n_lost,
    )
