"""What is pushed to open pages: server-sent events.

Rule: nothing is sent that the page does not show already or would show when it is loaded anew; the
stream ends with the session of whoever opened it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from streamguard.core.errors import StreamguardError
from streamguard.review.actions import actions_of
from streamguard.review.bankings import banking_of
from streamguard.review.cards import came_of
from streamguard.review.guard import Call, Refused, require
from streamguard.review.pages.board import Board
from streamguard.review.pages.case_page import case_state, facts
from streamguard.review.pages.frame import incidents

LOOK_EVERY_S = 0.2
"""How often it is looked whether something has changed: of the second that a new case may take to
be seen, a fifth."""

CHECK_EVERY_S = 2.0
"""How often it is looked whether the account is still signed in, and noted that it is there."""

MOST_FOLLOWED = 16
"""Pages that one account follows at once: each asks for a thread five times a second, of 40."""

KEPT_ALIVE_S = 15.0
"""Without anything to say, so often a comment is sent, or else what lies between hangs up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one page shows: it is sent anew only when it differs."""

    version: int
    state: object
    message: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page follows.

    state: tells cheaply whether what it shows may have changed; make: makes it.
    """

    state: Callable[[], object]
    make: Callable[[], str]


def events(board: Board, call: Call) -> StreamingResponse:
    """Send the queue, or one case, whenever it changes."""
    if board.followers[call.person.account_id] >= MOST_FOLLOWED:
        raise Refused(429, "too many pages are open: close some")
    case_id = call.asked.get("case", "")
    if case_id:
        require(call.review, call.person, "see_case", "GET /events?case=")
    shown = (
        Shown(lambda: case_state(call.review, case_id), lambda: _case(call, case_id))
        if case_id
        else Shown(board.version, lambda: _queue(board, call))
    )
    return StreamingResponse(_sent(board, call, shown), media_type="text/event-stream")


async def _sent(board: Board, call: Call, shown: Shown) -> AsyncIterator[str]:
    who = call.person.account_id
    board.followers[who] += 1
    try:
        async with aclosing(_messages(board, call, shown)) as messages:
            async for message in messages:
                yield message
    finally:
        board.followers[who] -= 1


async def _messages(board: Board, call: Call, shown: Shown) -> AsyncGenerator[str, None]:
    seen = Seen(-1, None, "")
    since_checked_s = since_sent_s = 0.0
    yield "retry: 1000\n\n"
    while not board.is_closed:
        try:
            new = await run_in_threadpool(_changed, board, shown, seen)
            if since_checked_s >= CHECK_EVERY_S:
                since_checked_s = 0.0
                if not await run_in_threadpool(_is_there, call):
                    yield "event: over\ndata: {}\n\n"
                    return
        except StreamguardError:
            return  # the browser comes back, and is told what is wrong
        if new.message != seen.message:
            yield new.message
            since_sent_s = 0.0
        elif since_sent_s >= KEPT_ALIVE_S:
            yield ":\n\n"
            since_sent_s = 0.0
        seen = new
        await asyncio.sleep(LOOK_EVERY_S)
        since_checked_s += LOOK_EVERY_S
        since_sent_s += LOOK_EVERY_S


def _is_there(call: Call) -> bool:
    """Say whether the session goes on; whoever has a page open is there."""
    call.review.sessions.hear(call.token)
    return call.review.sessions.is_open(call.token)


def _changed(board: Board, shown: Shown, seen: Seen) -> Seen:
    version = board.version()
    if version == seen.version:
        return seen
    state = shown.state()
    message = seen.message if state == seen.state else shown.make()
    return Seen(version, state, message)


def _queue(board: Board, call: Call) -> str:
    rows = board.rows(call.person)
    said = {"html": rows.html, "n_cases": rows.n_cases, "severity": rows.severity}
    me = call.person.account_id
    is_yours = any(one.holder == me for one in call.review.desk.held().values())
    said |= {"present": rows.present, "is_yours": is_yours, "incidents": incidents(call.review)}
    return _message("queue", said)


def _case(call: Call, case_id: str) -> str:
    case = call.review.desk.case(call.person, case_id)
    html = facts(call.review, call.person, case)
    desk = call.review.desk
    banking = banking_of(desk.file, case, call.person, desk.wall())
    came = (
        came_of(case, call.person, actions_of(desk.file, case_id)),
        banking.text if banking else "",
    )
    said = {"html": html, "is_live": case.is_live, "n_flags": case.n_flags}
    said |= {"came_of": " ".join(filter(None, came)), "incidents": incidents(call.review)}
    return _message("case", said)


def _message(name: str, said: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(said)}\n\n"
