"""Which key chooses which reason.

Rule: each reason has one key, and no key has two; none is a key that does something while a
reason is chosen (space, b, h, j, k, l, x, z). A new reason without a letter fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streamguard.core.reasons import REASONS

LETTERS: Mapping[str, str] = {
    "TVEC.ATTACK_LIVE": "a",
    "TVEC.KNOWN_PERP": "p",
    "TVEC.EXECUTION": "v",
    "TVEC.GLORIFY": "g",
    "TVEC.RECRUIT": "r",
    "TVEC.BRANDING": "t",
    "VIOLENCE.GRAPHIC_OTHER": "c",
    "POLICY.OTHER": "o",
    "CONTEXT.NEWS": "n",
    "CONTEXT.EDUCATION": "e",
    "CONTEXT.DOCUMENTATION": "d",
    "CONTEXT.GAMEPLAY": "m",
    "CONTEXT.SATIRE": "s",
    "ERROR.WRONG_MATCH": "w",
    "ERROR.BAD_ENTRY": "y",
    "ERROR.WRONG_SCORE": "i",
    "NOTHING.FOUND": "f",
    "PROCESS.UNSURE": "u",
    "PROCESS.NOT_SEEN": "5",
}


@dataclass(frozen=True, slots=True)
class Choosable:
    """A reason as it stands on its control."""

    code: str
    text: str
    key: str
    outcomes: str
    is_context: bool


@dataclass(frozen=True, slots=True)
class Weighed:
    """A context as it stands on its control, for whatever outcome."""

    name: str
    text: str
    key: str


def weighed() -> list[Weighed]:
    """Give all contexts: each has the key of the reason that it is, with Shift."""
    return [
        Weighed(one.context, one.text, LETTERS[code].upper())
        for code, one in REASONS.items()
        if one.context is not None
    ]


def choosable() -> list[Choosable]:
    """Give all reasons, with their keys."""
    return [
        Choosable(
            code, one.text, LETTERS[code], " ".join(sorted(one.outcomes)), one.context is not None
        )
        for code, one in REASONS.items()
    ]
