"""What an event says of an appeal: that it was handed in, and what became of it.

Rule: as for `event_data`; what the person affected wrote is for reviewers alone, and bounded.
"""

from typing import Annotated, Literal

from pydantic import Field

from streamguard.core.decision_data import (
    Actor,
    DecidedStream,
    DecisionId,
    Note,
    ReasonCode,
    Reviewer,
)
from streamguard.core.event_data import FlagPolicy
from streamguard.core.event_values import Name, UtcTime, Uuid, Value


class AppealReceivedData(Value):
    """A platform handed in somebody's objection to a decision."""

    appeal_id: Uuid
    """Minted once."""
    decision_id: DecisionId
    """What is objected to."""
    case_id: Uuid
    """The case that was decided."""
    stream: DecidedStream
    policy: FlagPolicy
    received_at: UtcTime
    """Instant at which it was handed in here."""
    handed_in_by: Actor
    """The platform's account."""
    reference: Name | None = None
    """What the platform calls it."""
    statement: Note | None = None
    """What the person affected says."""


class AppealResolvedData(Value):
    """Another reviewer has looked again."""

    appeal_id: Uuid
    """The appeal."""
    decision_id: DecisionId
    """What was objected to."""
    case_id: Uuid
    """The case that was decided."""
    stream: DecidedStream
    policy: FlagPolicy
    result: Literal["upheld", "overturned"]
    """`upheld`: the decision stands; `overturned`: it was wrong."""
    reason_code: ReasonCode
    """Why."""
    new_decision_id: DecisionId | None = None
    """The decision that takes it back, with the action `restore`; present where overturned."""
    received_at: UtcTime
    """Instant at which the appeal was handed in."""
    resolved_at: UtcTime
    """Instant of this."""
    actor: Actor
    """Who looked again: never one who had decided before."""
    reviewer: Reviewer
    explanation_public: Note | None = None
    """For the person affected."""
    wrongful_ms: Annotated[int, Field(ge=0)] | None = None
    """How long an overturned decision had held, milliseconds."""
