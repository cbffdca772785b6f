"""What an event says of carrying a decision out: that it was begun, proved, or could not be done.

Rule: as for `event_data`. One action is one decision for one scope, so that each is proved or fails
by itself; `verified_time` is the only instant at which something may be called gone.
"""

from typing import Annotated, Literal

from pydantic import Field

from streamguard.core.decision_data import Actor, DecidedStream, DecisionId, Scope
from streamguard.core.event_values import Count, UtcTime, Uuid, Value, Word

Act = Literal["limit_reach", "hold", "cut", "cut_and_suspend", "restore"]
"""What may be done to a stream, from the mildest to the harshest, and how it is taken back."""

Method = Literal[
    "no_media", "not_listed", "media", "not_published", "other_case", "deny_list", "answer"
]
"""How it was proved. `no_media`: our own reader got none for `window_ms`; `not_listed`: the
server lists it no more, and our reader could not watch; `media`: it got some again, after a
restore; `not_published`: nothing is listed any more, and nothing was to be taken back;
`other_case`: of a restore: its case keeps the stream from nobody any more, another one still does;
`deny_list`: new viewers are refused; `answer`: the platform says so, and nobody looked."""

FailureReason = Literal[
    "session_replaced",
    "session_ended",
    "session_unknown",
    "no_control",
    "not_supported",
    "server_unavailable",
    "refused",
    "not_allowed",
    "still_live",
    "not_seen",
    "superseded",
    "expired",
    "over_limit",
    "breaker_open",
]
"""Why an action was not done. `session_replaced`: somebody else publishes there now, and was left
alone; `session_unknown`: nothing says which publish it was; `no_control`: nobody told us how to act
there; `not_supported`: what is there, or we, cannot do that; `refused`: the platform would not;
`not_allowed`: a rule decided what only a person may; `still_live`: media came after all that was
tried; `not_seen`: a restored stream goes on where it was, but our reader saw nothing of it;
`superseded`: a later decision came first; `expired`: the decision was too old to be carried
out; `over_limit`, `breaker_open`: too many automatic actions."""


class ActionRef(Value):
    """Which action of which decision."""

    action_id: Uuid
    """Follows from decision and scope: the same action has the same id after any restart."""
    decision_id: DecisionId
    """The decision that is carried out."""
    act: Act
    """What is done."""
    scope: Scope
    """What of the stream it is done to."""
    actor: Actor
    """Who decided: an account, or `rule:NAME`."""


class ActionRequestedData(Value):
    """A decision was taken up, and is being carried out."""

    stream: DecidedStream
    action: ActionRef
    decided_time: UtcTime
    """Instant of the decision."""
    requested_time: UtcTime
    """Instant at which it was taken up."""
    expires_time: UtcTime
    """Instant after which it is no longer tried; to restore a stream is tried on."""
    until_time: UtcTime | None = None
    """Instant at which what is done is to end by itself; absent where it does not. It is restored
    by an action of its own then."""
    flagged_time: UtcTime | None = None
    """Instant at which the first of the flags that the decision names was put on record; absent
    where it names none, or the log has it no more."""


class ActionVerifiedData(Value):
    """An action was done, and seen to be done."""

    stream: DecidedStream
    action: ActionRef
    method: Method
    """How that was seen."""
    window_ms: Count
    """How long our reader looked on end, milliseconds; 0 where the method is not by looking."""
    decided_time: UtcTime
    """Instant of the decision."""
    requested_time: UtcTime
    """Instant at which it was taken up."""
    accepted_time: UtcTime
    """Instant at which the server, or the platform, had taken the last order."""
    effective_time: UtcTime
    """Instant from which on it was so, as far as was seen: of the last media, or of the order."""
    verified_time: UtcTime
    """Instant of the proof."""
    n_attempts: Annotated[int, Field(ge=1)]
    """How often it was tried."""
    denied_until: UtcTime | None = None
    """Instant until which it stands: nobody may publish or watch, or the stream is held; absent
    where it stands until somebody restores it, and where nobody is kept out."""
    flagged_time: UtcTime | None = None
    """As for the request: from flag to proof is from here to `verified_time`."""
    n_returned: Count | None = None
    """How often the publisher was back after the order was given, and had to be ended or moved
    again, since the enforcer was started; who is refused at the door, or comes later, is not
    counted. Absent of a restore, and where the platform acts."""


class ActionFailedData(Value):
    """An action was not done, or not seen to be done."""

    stream: DecidedStream
    action: ActionRef
    reason: FailureReason
    """Why."""
    server: Word | None = None
    """The configured name of the ingest server, where it is known."""
    decided_time: UtcTime
    """Instant of the decision."""
    requested_time: UtcTime
    """Instant at which it was taken up."""
    failed_time: UtcTime
    """Instant at which it was given up."""
    n_attempts: Count
    """How often it was tried."""
    flagged_time: UtcTime | None = None
    """As for the request."""
    n_returned: Count | None = None
    """As for the proof."""
    is_broken: bool = False
    """An error that nobody foresaw stood in the way, each time; the reason is `not_supported`."""


ActionData = ActionRequestedData | ActionVerifiedData | ActionFailedData
"""What is told of an action."""
