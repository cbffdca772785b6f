"""Cases as they wait at an instant, beyond what the log says: the clock alone brings them back.

Rule: it only reads, and what it gives is never written. Whoever asks about a case that waits asks
here.
"""

from streamguard.core.cases import Case
from streamguard.core.choosing import Rules
from streamguard.core.ending import ending, is_ending
from streamguard.core.event_data import utc_text
from streamguard.review import untaken
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case

_ENDING = """
SELECT cases.body FROM decisions CROSS JOIN cases USING (case_id)
WHERE json_extract(decisions.body, '$.expires_at') > ?
AND json_extract(decisions.body, '$.expires_at') <= ?
"""


def as_it_waits(file: DeskFile, case: Case, now_s: float, rules: Rules) -> Case:
    """Give a case as the log has it, or as one that came back.

    now_s: seconds since 1970 UTC.
    """
    now = untaken.as_it_waits(file, case, now_s, rules.untaken_after_s)
    if now.not_done is None and is_ending(now, now_s, rules.hold_notice_s):
        return ending(now, rules.hold_notice_s)
    return now


def ending_cases(file: DeskFile, now_s: float, rules: Rules) -> dict[str, Case]:
    """Give the cases whose hold ends soon by their ids, each as it waits for people."""
    window = (utc_text(now_s), utc_text(now_s + rules.hold_notice_s))
    cases = (read_case(body) for (body,) in file.rows(_ENDING, window))
    now = (as_it_waits(file, one, now_s, rules) for one in cases)
    return {one.case_id: one for one in now if one.is_ending}


def came_back(file: DeskFile, now_s: float, rules: Rules) -> dict[str, Case]:
    """Give all that came back by their ids, each as it waits for people."""
    late = untaken.untaken_cases(file, now_s, rules.untaken_after_s)
    return ending_cases(file, now_s, rules) | late
