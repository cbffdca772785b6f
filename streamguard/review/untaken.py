"""Finds the cases that come back because nobody has begun to carry out what was decided.

Rule: it only reads, and what it gives is never written: the tables are what the log says, and the
log does not tell that nothing happened. Whoever asks about a case that waits asks here.
"""

from streamguard.core.cases import Case
from streamguard.core.untaken import UNTAKEN_FOR_S, is_to_end, untaken
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case

_UNTAKEN = """
SELECT cases.body FROM decisions CROSS JOIN cases USING (case_id)
WHERE decided_s > ? AND decided_s <= ?
AND json_extract(decisions.body, '$.action') IN ('hold', 'cut', 'cut_and_suspend')
AND NOT EXISTS (SELECT 1 FROM actions WHERE actions.decision_id = decisions.decision_id)
"""
_BEGUN = "SELECT 1 FROM actions WHERE decision_id = ? LIMIT 1"


def untaken_cases(file: DeskFile, now_s: float, after_s: float) -> dict[str, Case]:
    """Give them all by their ids, each as it waits for people; times as in `is_to_end`."""
    window = (now_s - UNTAKEN_FOR_S, now_s - after_s)
    cases = {one.case_id: one for one in map(_read, file.rows(_UNTAKEN, window))}
    now = (as_it_waits(file, one, now_s, after_s) for one in cases.values())
    return {one.case_id: one for one in now if one.not_done == "not_begun"}


def as_it_waits(file: DeskFile, case: Case, now_s: float, after_s: float) -> Case:
    """Give a case as the log has it, or as one that came back where nobody has begun."""
    if not is_to_end(case, now_s, after_s):
        return case
    assert case.acting is not None  # noqa: S101  # something is to be done
    has_begun = file.rows(_BEGUN, (case.acting.decision_id,))
    return case if has_begun else untaken(case, after_s)


def _read(row: tuple[bytes]) -> Case:
    return read_case(row[0])
