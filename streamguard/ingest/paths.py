"""Says which of the paths that a server lists are screened.

Rule: what is not screened is on record with its reason, whoever decided it.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

NOT_INCLUDED = "not among the included paths"
"""Why a path is left out that no pattern of `include` names."""


@dataclass(frozen=True, slots=True)
class PathFilter:
    """Shell patterns over application/name, in which `*` also stands for slashes.

    include: a path is screened where one of them names it...
    exclude: ...and none of these does.
    reason:  why those are excluded, in the operator's words.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    reason: str = "excluded by configuration"

    def why_not(self, path: str) -> str | None:
        """Say why a path is not screened; None where it is."""
        if any(fnmatchcase(path, pattern) for pattern in self.exclude):
            return self.reason
        if not any(fnmatchcase(path, pattern) for pattern in self.include):
            return NOT_INCLUDED
        return None
