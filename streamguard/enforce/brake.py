"""Keeps rules from holding too many streams: a bad entry must not take the platform down.

Rule: so many automatic holds a minute and no more; where many more are asked for within a minute,
or people take back what rules did, no rule holds anything for an hour.
"""

from collections import deque
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
        self._asked_s: deque[float] = deque(maxlen=rule.per_minute * TRIP_FACTOR)
        self._overturned_s: deque[float] = deque(maxlen=TRIP_OVERTURNED)
        self._open_until_s = 0.0

    def is_open(self, now_s: float) -> bool:
        """Say whether no rule may hold anything."""
        return now_s < self._open_until_s

    def refusal(self, order: Order, now_s: float) -> FailureReason | None:
        """Say why an automatic hold is not done, if so."""
        self._asked_s.append(now_s)
        if len(self._asked_s) == self._asked_s.maxlen and now_s - self._asked_s[0] < MINUTE_S:
            self._open_until_s = now_s + OPEN_S
        if self.is_open(now_s):
            return "breaker_open"
        before = self._store.n_automatic(now_s - MINUTE_S, before=order)
        return "over_limit" if before >= self._rule.per_minute else None

    def overturned(self, now_s: float) -> None:
        """Take note that a person took back what a rule had done."""
        self._overturned_s.append(now_s)
        is_full = len(self._overturned_s) == TRIP_OVERTURNED
        if is_full and now_s - self._overturned_s[0] < OPEN_S:
            self._open_until_s = now_s + OPEN_S
