"""How urgent a case is, and why, in words.

Rule: severity decides first, always: what all else adds is less than one step of it. A case that is
decided and only waits for a second look by lot comes after all that are not; who was to be cut and
is still on the air comes before all else.
"""

import math
from dataclasses import dataclass

from streamguard.core.cases import Case
from streamguard.core.types import Severity

CLASSES = 5
"""The four severities, and second looks by lot."""

STEP = 20.0
"""Points between two severities; the terms below add up to less."""

LIVE = 8.0
"""While it is live it goes on harming, and a cut still helps (our choice: above any audience)."""

MOST_AUDIENCE = 6.0
"""Reached at a thousand viewers, 2 points a factor of ten: harm grows with who watches, and no
crowd makes a small one unseen (our choice)."""

MOST_AGE = 4.0
"""Reached after FULL_AGE_S of waiting: of two equals the older one comes first."""

FULL_AGE_S = 3_600.0

_SAYS = {
    Severity.P0: "an attack in progress",
    Severity.P1: "a human must look now",
    Severity.P2: "a human must look soon",
    Severity.P3: "it can wait for a shift",
}
_STAGES = {
    "second": "another reviewer must look, who is not told of the first",
    "escalated": "it was escalated to a senior",
    "check": "decided; a second look drawn by lot",
}
_ON_AIR = "it was to be off the air, and is not"
_ENDING = "what holds ends soon: without a new decision the stream is restored"
_NOT_BEGUN = "it is to be off the air, and nobody has begun to carry that out"
_AFTER = {
    True: "it follows a confirmed case: the publisher came back before the cut",
    False: "it follows another case: the publisher came back before that was settled",
}


@dataclass(frozen=True, slots=True)
class Term:
    """One reason why a case comes where it comes.

    name: `severity`, `action`, `hold`, `follows`, `live`, `audience`, `age` or `stage`.
    """

    name: str
    points: float
    text: str


@dataclass(frozen=True, slots=True)
class Priority:
    """How urgent a case is: 0 to 100, the sum of its terms."""

    points: float
    terms: tuple[Term, ...]


def priority(case: Case, now_s: float) -> Priority:
    """Say how urgent a case is at an instant, seconds since 1970 UTC."""
    base = (CLASSES - 1 - urgency_class(case)) * STEP
    terms = [Term("severity", base, f"{case.severity}: {_SAYS[case.severity]}")]
    if case.is_left_on_air:
        terms.append(Term("action", 0.0, _NOT_BEGUN if case.not_done == "not_begun" else _ON_AIR))
    if case.is_ending:
        terms.append(Term("hold", 0.0, _ENDING))
    if case.follows is not None:
        terms.append(Term("follows", 0.0, _AFTER[case.is_after_confirmed]))
    if case.stage in _STAGES:
        terms.append(Term("stage", 0.0, _STAGES[case.stage]))
    terms += [_live(case), _audience(case), _age(case, now_s)]
    return Priority(round(sum(term.points for term in terms), 3), tuple(terms))


def urgency_class(case: Case) -> int:
    """Give 0 for the most urgent class of cases, 4 for second looks by lot: it decides first."""
    if case.is_left_on_air:
        return 0
    return CLASSES - 1 if case.stage == "check" else int(case.severity.value[1])


def _live(case: Case) -> Term:
    if case.is_live:
        return Term("live", LIVE, "the stream is live")
    return Term("live", 0.0, "the stream has ended")


def _audience(case: Case) -> Term:
    if case.n_viewers is None:
        return Term("audience", 0.0, "nobody says how many watch")
    points = min(MOST_AUDIENCE, 2.0 * math.log10(1 + case.n_viewers)) if case.is_live else 0.0
    watch = "1 person watches" if case.n_viewers == 1 else f"{case.n_viewers} people watch"
    return Term("audience", points, watch)


def _age(case: Case, now_s: float) -> Term:
    waited_s = max(0.0, now_s - case.stage_s)
    points = MOST_AGE * min(1.0, waited_s / FULL_AGE_S)
    return Term("age", points, f"waiting for {_said(waited_s)}")


def _said(seconds: float) -> str:
    if seconds < 120:  # noqa: PLR2004  # two minutes: below, seconds are read more easily
        return f"{int(seconds)} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004  # two hours
