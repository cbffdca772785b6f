"""What became of what was decided, as whoever carries it out tells.

Rule: an action is one decision for one scope; of each the last word is kept, and being asked for is
not one.
"""

from dataclasses import dataclass
from typing import Literal

import apsw

from streamguard.core.action_data import (
    Act,
    ActionFailedData,
    ActionRequestedData,
    ActionVerifiedData,
)
from streamguard.core.decision_data import Scope
from streamguard.review.desk_file import DeskFile

State = Literal["requested", "verified", "failed"]

_PUT = """
INSERT INTO actions (action_id, decision_id, act, scope, state, how, at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (action_id) DO UPDATE SET state = excluded.state, how = excluded.how, at = excluded.at
WHERE excluded.state <> 'requested'
"""
_OF_CASE = """
SELECT decision_id, act, scope, state, how, at
FROM decisions CROSS JOIN actions USING (decision_id) WHERE case_id = ? ORDER BY decided_s, scope
"""


@dataclass(frozen=True, slots=True)
class Action:
    """What became of a decision for one scope.

    how: the method by which it was verified, or the reason why it failed; "" before.
    at:  the instant of that, as `utc_text` writes it.
    """

    decision_id: str
    act: Act
    scope: Scope
    state: State
    how: str
    at: str


def keep_action(
    connection: apsw.Connection, data: ActionRequestedData | ActionVerifiedData | ActionFailedData
) -> None:
    """Keep what is told of an action."""
    match data:
        case ActionRequestedData():
            told = ("requested", "", data.requested_time)
        case ActionVerifiedData():
            told = ("verified", data.method, data.verified_time)
        case ActionFailedData():
            told = ("failed", data.reason, data.failed_time)
    action = data.action
    of = (action.action_id, action.decision_id, action.act, action.scope)
    connection.execute(_PUT, (*of, *told))


def actions_of(file: DeskFile, case_id: str) -> list[Action]:
    """Give what became of the decisions about a case, in their order."""
    return [Action(*row) for row in file.rows(_OF_CASE, (case_id,))]
