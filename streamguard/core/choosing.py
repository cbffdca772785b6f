"""What a reviewer chooses, by which rules of the operator, and who the reviewer is: values alone.

Rule: what is chosen is checked where a decision is made of it; here is how each part is bounded.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from streamguard.core.decision_data import (
    ActionKind,
    Context,
    Exposure,
    Note,
    ReasonCode,
    Referral,
    Reviewer,
    Role,
    Scope,
    SignalVote,
)
from streamguard.core.event_data import utc_text
from streamguard.core.event_values import Count, Name, PtsMs, Value, Word
from streamguard.core.reasons import REASONS_VERSION
from streamguard.core.untaken import UNTAKEN_AFTER_S

ALL_SCOPES: tuple[Scope, ...] = ("live", "recording", "clips")
"""Most harm is the replay: what is said to be cut is cut everywhere."""

DAY_S = 86_400.0

Decided = Literal[
    "confirmed", "rejected", "not_tvec_other_policy", "escalated", "no_decision_stream_ended"
]


class Choice(Value):
    """What a reviewer chooses."""

    outcome: Decided
    reason_code: ReasonCode
    context: tuple[Context, ...] = ()
    action: ActionKind = "none"
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = ALL_SCOPES
    """Passed over where nothing is done."""
    hold_s: Annotated[int, Field(gt=0, le=30 * 86_400)] | None = None
    """How long a hold or limit lasts, seconds; without it as long as the operator's rules say."""
    notice_delay_s: Annotated[int, Field(gt=0, le=90 * 86_400)] | None = None
    """How long nobody tells whoever is affected, seconds; passed over where nothing is done."""
    notice_delay_reason: Word | None = None
    """Why not at once: both are said, or neither."""
    onset_epoch: Count | None = None
    onset_pts_ms: PtsMs | None = None
    end_pts_ms: PtsMs | None = None
    ground: Literal["illegal", "terms"] | None = None
    legal_ref: Name | None = None
    explanation_public: Note | None = None
    note: Note | None = None
    referral: Referral | None = None
    preserve: Literal[True] | None = None
    bank: Name | None = None
    """Put the evidence into the bank of this name; what its entry is called nobody chooses."""
    votes: Annotated[tuple[SignalVote, ...], Field(max_length=8)] = ()
    exposure: Exposure | None = None


MADE_ANEW = {
    *("outcome", "action", "scopes", "hold_s", "context", "bank"),
    *("notice_delay_s", "notice_delay_reason"),
}
"""Fields of a choice that a decision says in its own words."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator set.

    two_person:  what two people must agree on.
    check_share: share of decisions that get a second look by lot, 0 to 1.
    undo_s:      how long what is reversible can be undone, seconds.
    appeal_days: how long an appeal may be handed in, days.
    hold_s:      how long a hold or a limit lasts where nobody says for how long, seconds: it is
                 about a publish, and would else be upon all later ones for ever.
    hold_notice_s: how long before its end, seconds, a hold comes up for somebody to look, at most
                 a quarter of it; 0 for never.
    untaken_after_s: how long a stream that is to be off the air may wait for somebody to begin,
                 seconds, before its case comes back; 0 for ever.
    automation:  how a person's decision on a machine's flag is declared under the DSA.
    policy_version: which text of the policy people decide by.
    """

    two_person: frozenset[ActionKind] = frozenset({"cut_and_suspend"})
    check_share: float = 0.0
    undo_s: float = 10.0
    appeal_days: float = 184.0
    hold_s: float = DAY_S
    hold_notice_s: float = 3_600.0
    untaken_after_s: float = UNTAKEN_AFTER_S
    automation: Literal["NOT_AUTOMATED", "PARTIALLY"] = "PARTIALLY"
    policy_version: str = REASONS_VERSION


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides, and under which lease; times in seconds since 1970 UTC.

    clearance:   what let them see the case; None where that is not known any more.
    incident_id: the incident that goes on.
    """

    account_id: str
    role: Role
    token: int
    claimed_s: float
    first_view_s: float | None = None
    clearance: str | None = None
    incident_id: str | None = None

    def reviewer(self, *, is_second: bool) -> Reviewer:
        """Give what goes on record."""
        seen = self.first_view_s
        return Reviewer(
            role=self.role,
            is_second=is_second,
            claimed_at=utc_text(self.claimed_s),
            first_view_at=None if seen is None else utc_text(seen),
            lease_token=self.token,
            clearance=self.clearance,
        )
