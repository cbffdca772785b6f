"""What an event says of who saw and did what: one record of a chain.

Rule: a record names the one before it by its hash, and neither holds content of a stream, an
address, a password or a token.
"""

from typing import Annotated

from pydantic import Field

from streamguard.core.decision_data import Actor
from streamguard.core.event_values import Count, Name, UtcTime, Uuid, Value

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

AuditAction = Annotated[str, Field(pattern="^[a-z]{1,32}[.][a-z_]{1,32}$")]
"""What was done, such as `case.claimed`."""

MAX_DETAILS = 16
"""Details of one record."""


class AuditDetail(Value):
    """One thing worth knowing."""

    name: Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")]
    """What it is."""
    value: Annotated[str, Field(max_length=256)]
    """As text; numbers are whole."""


class AuditData(Value):
    """Somebody saw or did something, or was kept from it."""

    seq: Count
    """Counts the records of this log, from 0, without a hole."""
    at: UtcTime
    """Instant at which it was done."""
    actor: Actor
    """Who: an account, a rule, a platform; `-` where nobody had signed in."""
    action: AuditAction
    """What was done."""
    is_refused: bool
    """It was asked for and not done."""
    case_id: Uuid | None = None
    """The case that it is about."""
    about: Name | None = None
    """What else it is about: a decision, an appeal, an account, an evidence."""
    details: Annotated[tuple[AuditDetail, ...], Field(max_length=MAX_DETAILS)] = ()
    """Names in order, each once."""
    previous_sha256: Sha256
    """`record_sha256` of the record before; 64 zeros at the first."""
    record_sha256: Sha256
    """SHA-256 of this record without this field, as RFC 8785 writes it."""
