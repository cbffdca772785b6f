"""Who may do what: roles, and clearance by policy.

Rule: what is not listed here is not allowed; a role says what, a clearance says of which content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamguard.core.decision_data import Role

Right = Literal[
    "judge",
    "judge_escalated",
    "choose_case",
    "restore",
    "refer_any",
    "judge_appeal",
    "see_queue",
    "see_case",
    "search_audit",
    "see_accounts",
    "edit_accounts",
    "rebuild",
    "see_team",
    "declare_incident",
    "see_banks",
    "edit_banks",
]
"""`see_team`: what all together were exposed to, never one of them;
`judge`: take the next case, look at it and decide it; `choose_case`: take a certain one;
`see_case`: read a case and its decisions, without its evidence;
`refer_any`: put on record that a threat was referred, whoever has the case in hand."""

RIGHTS: Mapping[Role, frozenset[Right]] = {
    "reviewer": frozenset({"judge", "judge_appeal", "see_queue", "see_case"}),
    "senior": frozenset(
        {
            "judge",
            "judge_escalated",
            "choose_case",
            "restore",
            "refer_any",
            "judge_appeal",
            "see_queue",
            "see_case",
            "see_team",
            "declare_incident",
            "see_banks",
            "edit_banks",
        }
    ),
    "auditor": frozenset({"see_queue", "see_case", "search_audit", "see_accounts", "see_banks"}),
    "operator": frozenset({"see_queue", "rebuild"}),
    "administrator": frozenset({"see_queue", "see_accounts", "edit_accounts", "see_team"}),
}
"""Who administers accounts judges nothing, and who judges administers nobody."""

ALL_POLICIES = "*"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account.

    account_id: random; on record instead of a name.
    clearance:  policy codes whose content may be looked at; "*" stands for all.
    """

    account_id: str
    role: Role
    clearance: frozenset[str]

    def may(self, right: Right) -> bool:
        """Say whether the role has a right."""
        return right in RIGHTS[self.role]

    def is_cleared(self, policy: str) -> bool:
        """Say whether content of a policy may be looked at."""
        return self.clearance_for(policy) is not None

    def clearance_for(self, policy: str) -> str | None:
        """Give what lets somebody look at content of a policy; None where nothing does."""
        return next((one for one in (ALL_POLICIES, policy) if one in self.clearance), None)
