"""What a decision orders to be done, one action for each of its scopes.

Rule: a machine may hold, only a person cuts; what was decided long ago is not carried out, for
nobody knows whether it still holds.
"""

from dataclasses import dataclass

from streamguard.core.action_data import Act, ActionRef
from streamguard.core.action_events import action_id_of
from streamguard.core.decision_data import DecidedStream, DecisionData, Scope, is_a_rules
from streamguard.core.event_data import utc_seconds

REVERSIBLE: frozenset[Act] = frozenset(("limit_reach", "hold", "restore"))
"""What a rule may do by itself."""

ENDS: frozenset[Act] = frozenset(("cut", "cut_and_suspend"))
"""What leaves nothing of a stream to be held or limited."""


@dataclass(frozen=True, slots=True)
class Order:
    """One action to be carried out; instants are seconds since 1970 UTC.

    decided_s: when it was decided.
    taken_s:   when we took it up.
    expires_s: after which it is no longer tried.
    until_s:   when what is done ends by itself; None where it stands until it is restored.
    publish:   what ingest calls the publish that was decided on; None where nothing says so.
    flagged_s: when the first flag of the decision was put on record; None where that is not known.
    """

    action_id: str
    decision_id: str
    case_id: str
    stream_id: str
    session_id: str
    act: Act
    scope: Scope
    actor: str
    decided_s: float
    taken_s: float
    expires_s: float
    until_s: float | None = None
    publish: str | None = None
    flagged_s: float | None = None

    @property
    def is_automatic(self) -> bool:
        """Say whether a rule decided, and no person."""
        return is_a_rules(self.actor)

    @property
    def is_allowed(self) -> bool:
        """Say whether whoever decided may order this."""
        return not self.is_automatic or self.act in REVERSIBLE

    @property
    def is_late(self) -> bool:
        """Say whether it came too late to be done, but for a restore: it may be from long ago."""
        return self.taken_s >= self.expires_s

    @property
    def ref(self) -> ActionRef:
        """Name it as events do."""
        return ActionRef(
            action_id=self.action_id,
            decision_id=self.decision_id,
            act=self.act,
            scope=self.scope,
            actor=self.actor,
        )

    @property
    def stream(self) -> DecidedStream:
        """Name what it is done to."""
        return DecidedStream(stream_id=self.stream_id, session_id=self.session_id)


def supersedes(later: Order, earlier: Order) -> bool:
    """Say whether there is no sense in an order any more, since one came after it.

    Both are for the same scope of the same stream. In another case only a person's cut does so, and
    of what is milder. What comes late, such as an old one that somebody has sent again, takes the
    place of none that was decided after it.
    """
    if not later.is_allowed or (later.is_late and later.decided_s < earlier.decided_s):
        return False
    if later.case_id == earlier.case_id:
        return True
    return later.act in ENDS and earlier.act not in ENDS


def is_outdated(late: Order, known: Order) -> bool:
    """Say whether an order came late, and a later one of its case was there before it.

    Both are for the same scope of the same stream; `known` was taken up first.
    """
    is_known_later = known.is_allowed and known.decided_s > late.decided_s
    return late.is_late and is_known_later and known.case_id == late.case_id


def orders_of(decision: DecisionData, taken_s: float, max_age_s: float) -> list[Order]:
    """Give what a decision orders; nothing where nothing is to be done.

    max_age_s: how long after the decision it may be carried out.
    """
    act = decision.action
    if act == "none":
        return []
    decided_s = utc_seconds(decision.decided_at)
    return [
        Order(
            action_id=action_id_of(decision.decision_id, scope),
            decision_id=decision.decision_id,
            case_id=decision.case_id,
            stream_id=decision.stream.stream_id,
            session_id=decision.stream.session_id,
            act=act,
            scope=scope,
            actor=decision.actor,
            decided_s=decided_s,
            taken_s=taken_s,
            expires_s=decided_s + max_age_s,
            until_s=utc_seconds(decision.expires_at) if decision.expires_at else None,
        )
        for scope in dict.fromkeys(decision.scopes)
    ]
