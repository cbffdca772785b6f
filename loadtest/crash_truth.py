"""What a kill did to one stream: the truth by the servers' records, beside what was published.

**Unseen** is the stretch of a broadcast that no process could have screened. It begins with the
last instant of which somebody could: the kill, or 2.5 s after the last keyframe that had gone to
the connection by then, whichever is earlier, for a verdict reaches so far. It ends with the first
instant of which somebody could again: that of the first frame which the server sent to the new
connection, or 2.5 s before its first keyframe, whichever is later. What had been sent before the
kill and was not committed is not counted as unseen, so the published stretch begins earlier than
this truth; that it begins early enough is told by known clips, each of which must be flagged or lie
in a published gap. Where nginx was killed, a publisher whose stream is found there begins another
publish, and we another session: of that, unseen is what lies more than 2.5 s before the first
keyframe that we got.

Rule: pure. Instants are CLOCK_MONOTONIC; those of the truth come from servers alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.crash_gaps import against
from loadtest.crash_log import StreamLog
from loadtest.live_figures import Sent

REACH_S = 2.5
"""How far a verdict reaches. Source: the definition of what is screened, in the README."""

KEYFRAMES = {"keyframe", "clip"}

Case = Literal["worker", "server", "supervisor"]
Kind = Literal["http", "static", "found"]
"""MPEG-TS from the origin; RTMP from nginx, configured; RTMP from nginx, found there."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A SIGKILL; back_s: since when its effect could be mended, which is at once for a worker."""

    case: Case
    at_s: float
    back_s: float


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One stream.

    is_known: the bank has its every keyframe.
    lines:    what its server told, in order.
    """

    kind: Kind
    is_known: bool
    lines: Sequence[Sent]
    log: StreamLog


@dataclass(frozen=True, slots=True)
class Hit:
    """What one kill did to one stream, seconds; None where it never came.

    reconnect_s: from when it could be mended to the new connection, by the server.
    sample_s:    from there, or from the publisher's return, to the first sample's verdict; known
        only of streams that are known throughout.
    unseen_s:    the truth.
    missing_s:   how much of that lies in no published gap.
    longer_s:    how much longer than the truth the published gap is.
    is_session_right: it was kept, or ended and another begun, as its publish was.
    n_misplaced: flags of a publish that were told of the session of the one before.
    """

    kind: Kind
    is_known: bool
    reconnect_s: float | None
    sample_s: float | None = None
    unseen_s: float = 0.0
    missing_s: float = 0.0
    longer_s: float = 0.0
    is_session_right: bool = False
    n_misplaced: int = 0


def is_hit(kill: Kill, lines: Iterable[Sent], within_s: float = 1.0) -> bool:
    """Say whether a server lost our connection by a kill."""
    return any(x.kind == "gone" and kill.at_s <= x.sent_s < kill.at_s + within_s for x in lines)


def hit_of(kill: Kill, stream: Broadcast, until_s: float) -> Hit:
    """Say what a kill did to a stream; until_s: when the next kill came."""
    kind, lines, log = stream.kind, stream.lines, stream.log
    after = [line for line in lines if kill.at_s <= line.sent_s < until_s]
    published_s = _first(after, "publish", kill.at_s) or kill.at_s
    is_another = _is_another(kill, kind)
    could_s = max(kill.back_s, published_s) if is_another else kill.back_s
    connected_s = _first(after, "connect", published_s if is_another else kill.at_s)
    joined_s = None if connected_s is None else _first(after, "join", connected_s)
    if connected_s is None or joined_s is None:
        return Hit(kind, stream.is_known, None)
    unseen, gaps, n_misplaced = _unseen(kill.at_s, joined_s, lines), log.gaps, 0
    if is_another:
        unseen = published_s, max(published_s, _keyframe_s(joined_s, lines) - REACH_S)
        old = {one.session for one in log.timelines if one.at_s <= kill.at_s}
        gaps = [gap for gap in gaps if gap.session not in old]
        late = (x for x in log.flags if published_s <= x.made_s < until_s)
        n_misplaced = sum(flag.session in old for flag in late)
    first_s = _first_flag_s(log, connected_s, until_s) if stream.is_known else None
    return Hit(
        kind,
        stream.is_known,
        connected_s - could_s,
        None if first_s is None else first_s - max(connected_s, published_s),
        unseen[1] - unseen[0],
        *against(unseen, gaps),
        _is_session_right(kill, kind, log, until_s),
        n_misplaced,
    )


def _first(lines: Iterable[Sent], kind: str, since_s: float) -> float | None:
    return next((x.sent_s for x in lines if x.kind == kind and x.sent_s >= since_s), None)


def _is_another(kill: Kill, kind: Kind) -> bool:
    """Say whether what comes after a kill is another publish, by what its server tells."""
    return kill.case == "server" and kind == "found"


def _unseen(killed_s: float, joined_s: float, lines: Sequence[Sent]) -> tuple[float, float]:
    """Give the unseen stretch of a publish that went on."""
    earlier_s = (x.sent_s for x in lines if x.kind in KEYFRAMES and x.sent_s <= killed_s)
    last_s = max(earlier_s, default=killed_s)
    return min(killed_s, last_s + REACH_S), max(joined_s, _keyframe_s(joined_s, lines) - REACH_S)


def _keyframe_s(since_s: float, lines: Iterable[Sent]) -> float:
    """Give when the next keyframe was sent; nginx begins with one, and tells of no others."""
    later_s = (x.sent_s for x in lines if x.kind in KEYFRAMES and x.sent_s >= since_s)
    return min(later_s, default=since_s)


def _first_flag_s(log: StreamLog, since_s: float, until_s: float) -> float | None:
    return next((flag.made_s for flag in log.flags if since_s <= flag.made_s < until_s), None)


def _is_session_right(kill: Kill, kind: Kind, log: StreamLog, until_s: float) -> bool:
    """Say whether a publish that went on has kept its session, and another one has its own."""
    before = [one for one in log.timelines if one.at_s <= kill.at_s]
    after = [one for one in log.timelines if kill.at_s < one.at_s < until_s]
    if not before or not after:
        return False
    old, new = before[-1], after[-1]
    if _is_another(kill, kind):
        return new.session != old.session and old.session in log.ends
    return new.session == old.session and new.epoch > old.epoch
