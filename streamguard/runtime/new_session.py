"""Begins the account of one session: its ids, its banks, its policy.

Rule: what is decided here holds for the whole session; which snapshot of a bank it is held against
is asked anew for each sample.
"""

from collections.abc import Callable
from functools import partial

from streamguard.core.coverage import LossLedger
from streamguard.core.flags import SessionContext
from streamguard.core.match import Matcher
from streamguard.core.scores import ScoreJudge
from streamguard.core.session import Session
from streamguard.runtime.asker import Asker
from streamguard.runtime.notes import Note
from streamguard.runtime.parts import Parts, Stream


def new_session(stream: Stream, parts: Parts, losses: LossLedger) -> Session:
    """Make the judging side of one publish of a stream."""
    # taken once: a clock that is set must not turn the order of a session's instants
    ahead_s = parts.clock.wall() - parts.clock.monotonic()
    policy, batcher, before = stream.policy or parts.policy, parts.batcher, stream.before
    context = SessionContext(
        source=parts.source,
        stream_id=stream.stream_id,
        session_id=before.session_id if before else str(parts.mint()),
        protocol=stream.location.protocol,
        wall_of=lambda at_s: at_s + ahead_s,
        banks=stream.held_against(parts.banks()).names,
        session_key=stream.session_key,
        found_s=stream.found_s,
    )
    return Session(
        context,
        Matcher(lambda: stream.held_against(parts.banks()), policy),
        policy,
        losses,
        parts.mint,
        has_evidence=parts.store is not None,
        make_judge=partial(ScoreJudge, batcher.spec, policy) if batcher else None,
        before=before,
    )


def make_asker(
    parts: Parts, stream: Stream, tell: Callable[[Note], None], *, waits: bool
) -> Asker | None:
    """Make a stream's way to the model; None where no model runs. `tell` hears the answers."""
    if parts.batcher is None:
        return None
    return Asker(parts.batcher, stream.stream_id, tell, parts.clock, parts.meter, waits=waits)
