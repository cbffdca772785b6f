"""What an event says of an imminent threat that was referred by itself: who was told, how and when.

Rule: as for `decision_data`; a referral that goes with a decision stands in that decision, and
nowhere else.
"""

from streamguard.core.decision_data import Actor, DecidedStream, DecisionId, Note, Referral, Role
from streamguard.core.event_data import FlagPolicy
from streamguard.core.event_values import UtcTime, Uuid, Value


class Told(Referral):
    """What somebody says of whom they told."""

    note: Note | None = None
    """For colleagues."""


class ReferralData(Value):
    """Somebody outside was told of a threat that a case shows."""

    referral_id: Uuid
    """The same for the same words of the same person."""
    case_id: Uuid
    """The case that shows it."""
    stream: DecidedStream
    """Where it shows."""
    policy: FlagPolicy
    """The policy of the case, and how urgent it was."""
    told: Told
    """Who was told, how, and when."""
    made_at: UtcTime
    """Instant at which it came on record."""
    actor: Actor
    """Whose record it is."""
    role: Role
    """What the account was then."""
    follows: DecisionId | None = None
    """The latest decision of the case then; absent where there was none."""
