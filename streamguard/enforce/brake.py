"""Keeps rules from holding too many streams: a bad entry must not take the platform down.

Rule: so many automatic holds a minute and no more; where many more are asked for within a minute,
or people take back what rules did, no rule holds anything for an hour, whatever is started anew.
"""

from dataclasses import dataclass

from streamguard.adapters.sqlite_actions import ActionStore
from streamguard.core.action_data import FailureReason
from streamguard.core.orders import Order

MINUTE_S = 60.0

TRIP_FACTOR = 3
"""The breaker opens where so many times the cap are asked for within a minute (our choice)."""

TRIP_OVERTURNED = 2
"""It opens as well where people took back so many automatic holds within the last hour."""

OPEN_S = 3600.0
"""How long it stays open: time enough for a person to look at the rule and its bank."""


@dataclass(frozen=True, slots=True)
class BrakeRule:
    """per_minute: automatic holds of all rules within a minute."""

    per_minute: int = 3


class Brake:
    """The cap and the breaker; instants are seconds since 1970 UTC."""

    def __init__(self, rule: BrakeRule, store: ActionStore) -> None:
        self._rule = rule
        self._store = store

    def is_open(self, now_s: float) -> bool:
        """Say whether no rule may hold anything."""
        return now_s < self._store.breaker_until()

    def refusal(self, order: Order, now_s: float) -> FailureReason | None:
        """Say why an automatic hold that was taken up is not done, if so.

        Raises:
            LogUnavailable: that cannot be known.
        """
        n_asked, n_done = self._store.n_automatic(now_s - MINUTE_S, before=order)
        if n_asked + 1 >= self._rule.per_minute * TRIP_FACTOR:
            self._store.open_breaker(now_s + OPEN_S)
        if self.is_open(now_s):
            return "breaker_open"
        return "over_limit" if n_done >= self._rule.per_minute else None

    def look_back(self, now_s: float) -> None:
        """Look whether people take back what rules do; called whenever they take back anything.

        Raises:
            LogUnavailable: that cannot be known.
        """
        if self._store.n_overturned(now_s - OPEN_S) >= TRIP_OVERTURNED:
            self._store.open_breaker(now_s + OPEN_S)
