"""The reason codes of decisions: the list that reviewers choose from.

Rule: a code is never renamed and never means something else; new ones are added. Each says for
which outcomes it may be given. Source of the codes of content: the cross-walk of behaviours that
platforms, GIFCT and the DSA name.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from streamguard.core.canonical import canonical
from streamguard.core.decision_data import Context, Outcome


@dataclass(frozen=True, slots=True)
class Reason:
    """One code.

    text:     what it means, for the reviewer and for the person affected.
    outcomes: those that it may be given for.
    context:  the exception that it stands for; None for others.
    """

    text: str
    outcomes: frozenset[Outcome]
    context: Context | None = None


_FOUND: frozenset[Outcome] = frozenset({"confirmed", "escalated"})
_NOT_FOUND: frozenset[Outcome] = frozenset({"rejected", "escalated"})
_OTHER: frozenset[Outcome] = frozenset({"not_tvec_other_policy", "escalated"})

REASONS: Mapping[str, Reason] = {
    "TVEC.ATTACK_LIVE": Reason("an attack in progress", _FOUND),
    "TVEC.KNOWN_PERP": Reason("known material of a perpetrator", _FOUND),
    "TVEC.EXECUTION": Reason("an execution, or violence against people who cannot resist", _FOUND),
    "TVEC.GLORIFY": Reason("glorification of terrorist acts", _FOUND),
    "TVEC.RECRUIT": Reason("recruitment or instruction", _FOUND),
    "TVEC.BRANDING": Reason("branded publications, manifestos, symbols of an organisation", _FOUND),
    "VIOLENCE.GRAPHIC_OTHER": Reason("graphic violence without a terrorist purpose", _OTHER),
    "POLICY.OTHER": Reason("against another rule of the platform", _OTHER),
    "CONTEXT.NEWS": Reason("news reporting", _NOT_FOUND, "newsworthy"),
    "CONTEXT.EDUCATION": Reason("education or research", _NOT_FOUND, "educational"),
    "CONTEXT.DOCUMENTATION": Reason(
        "documents abuse of human rights", _NOT_FOUND, "documentation_of_abuse"
    ),
    "CONTEXT.GAMEPLAY": Reason("a game or a film", _NOT_FOUND, "gameplay_or_fiction"),
    "CONTEXT.SATIRE": Reason("satire", _NOT_FOUND, "satire"),
    "ERROR.WRONG_MATCH": Reason("the entry matched something else", _NOT_FOUND),
    "ERROR.BAD_ENTRY": Reason("the entry does not hold what it claims", _NOT_FOUND),
    "ERROR.WRONG_SCORE": Reason("the model was wrong", _NOT_FOUND),
    "NOTHING.FOUND": Reason("nothing that breaks a rule", _NOT_FOUND),
    "PROCESS.UNSURE": Reason("somebody with more experience must look", frozenset({"escalated"})),
    "PROCESS.NOT_SEEN": Reason(
        "the stream ended and nothing is left to judge by", frozenset({"no_decision_stream_ended"})
    ),
}


def version_of(reasons: Mapping[str, Reason]) -> str:
    """Name a list of reasons: one that says anything else has another name."""
    told = [[code, one.text, sorted(one.outcomes), one.context] for code, one in reasons.items()]
    return f"reasons-{hashlib.sha256(canonical(told)).hexdigest()[:16]}"


REASONS_VERSION = version_of(REASONS)


def reasons_for(outcome: Outcome) -> Mapping[str, Reason]:
    """Give the codes that may be given for an outcome."""
    return {code: reason for code, reason in REASONS.items() if outcome in reason.outcomes}
