"""What became of evidence that was to go into a bank, as whoever carries that out has on record.

Rule: it follows from the audit in the log; of each case the last word is kept, and what is in a
bank stays said where only the rest of it could not be put in.
"""

from dataclasses import dataclass
from typing import Literal

from streamguard.core.cases import Case, Ruling
from streamguard.core.people import Person
from streamguard.review.cards import is_blind
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case

State = Literal["under_way", "banked", "not_banked", "taken_out", "not_taken_out", "unknown"]

MAX_SHOWN = 20
"""Of one list: what failed comes first, then the latest."""

WAITED_FOR_S = 86_400.0
"""What nobody has carried out for so long, nobody will: it takes seconds, and is tried once."""

_OF_CASE = "SELECT decision_id, act, bank, n_hashes, why, at FROM bankings WHERE case_id = ?"
_LATEST = """
SELECT cases.body FROM bankings CROSS JOIN cases USING (case_id)
ORDER BY bankings.why IS NULL, bankings.at DESC LIMIT ?
"""
_WAITING = """
SELECT DISTINCT cases.body FROM decisions CROSS JOIN cases USING (case_id) WHERE decided_s > ?
AND coalesce(
    json_extract(decisions.body, '$.banking.bank'),
    json_extract(decisions.body, '$.unbanking.bank')
) IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM bankings WHERE bankings.decision_id = decisions.decision_id)
"""


@dataclass(frozen=True, slots=True)
class Banking:
    """How it is with what a case put into a bank, or takes out again.

    n_hashes: in the bank; None where none are, or nobody said how many.
    why:      what could not be done; "" where all was.
    at:       the instant of the last word, as `utc_text` writes it; "" before.
    """

    state: State
    bank: str
    n_hashes: int | None = None
    why: str = ""
    at: str = ""

    @property
    def is_wrong(self) -> bool:
        """Say whether something was not done."""
        return self.why != ""

    @property
    def text(self) -> str:
        """Say it in words."""
        said = {
            "under_way": f"Under way: bank {self.bank}",
            "banked": self._banked(),
            "not_banked": f"NOT banked in {self.bank}: {self.why}",
            "taken_out": f"Taken out of bank {self.bank}",
            "not_taken_out": f"NOT taken out of bank {self.bank}: {self.why}",
            "unknown": f"Nobody says what came of it: bank {self.bank}",
        }
        return said[self.state]

    def _banked(self) -> str:
        if self.n_hashes is None:
            return f"Banked in {self.bank}"
        n_hashes = f"{self.n_hashes} hash{'' if self.n_hashes == 1 else 'es'}"
        rest = f". NOT banked is the rest of its clip: {self.why}" if self.why else ""
        return f"Banked in {self.bank}: {n_hashes}{rest}"


def banking_of(file: DeskFile, case: Case, person: Person, now_s: float) -> Banking | None:
    """Say what became of what a case's decisions say of banks, as far as a person may know it.

    now_s: seconds since 1970 UTC.
    """
    ordered = next((one for one in reversed(case.rulings) if _says(one)), None)
    if ordered is None or is_blind(case, person):
        return None
    rows = file.rows(_OF_CASE, (case.case_id,))
    if not rows or rows[0][0] != ordered.decision_id:
        is_late = now_s - ordered.decided_s > WAITED_FOR_S
        return Banking("unknown" if is_late else "under_way", _bank_of(case))
    _, act, bank, n_hashes, why, at = rows[0]
    if act == "removed":
        return Banking("not_taken_out" if why else "taken_out", bank, None, why or "", at)
    is_in = not why or n_hashes is not None
    return Banking("banked" if is_in else "not_banked", bank, n_hashes, why or "", at)


def latest_bankings(file: DeskFile, person: Person, now_s: float) -> list[tuple[Case, Banking]]:
    """Give what became of the latest, first of those that failed or wait, to whom they concern."""
    waiting = file.rows(_WAITING, (now_s - WAITED_FOR_S,))
    cases = [read_case(body) for (body,) in (*waiting, *file.rows(_LATEST, (MAX_SHOWN,)))]
    found = {}
    for case in cases:
        is_cleared = person.is_cleared(case.policy)
        banking = banking_of(file, case, person, now_s) if is_cleared else None
        if banking is not None:
            found[case.case_id] = (case, banking)
    return list(found.values())[:MAX_SHOWN]


def _says(ruling: Ruling) -> bool:
    return ruling.banked_in is not None or ruling.is_unbanking


def _bank_of(case: Case) -> str:
    return next((one.banked_in for one in reversed(case.rulings) if one.banked_in), "")
