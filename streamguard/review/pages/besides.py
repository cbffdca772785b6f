"""What a card tells beside what was found: since when it goes on, and how other cases ended.

Rule: instants are those of the server; the page counts on from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streamguard.core.cases import Case
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_seconds, utc_text
from streamguard.core.people import Person
from streamguard.review.cards import is_blind
from streamguard.review.desk_file import DeskFile
from streamguard.review.folding import read_case

MAX_EPOCHS = 64
"""Unbroken timelines of a session that a mark may lie in: the latest ones."""

_ELSEWHERE = """
SELECT body FROM cases WHERE case_id <> ?2 AND case_id IN (
    SELECT case_id FROM decisions WHERE json_extract(body, '$.stream.stream_id') = ?1
)
"""


@dataclass(frozen=True, slots=True)
class Began:
    """Since when it goes on.

    at_s:   the instant, seconds since 1970 UTC.
    said:   what is known of it.
    epochs: of each unbroken timeline its number, the media time of its first hit in milliseconds,
            and the instant of that: what else is marked in it is reckoned from there.
    """

    at_s: float
    said: str
    epochs: tuple[tuple[int, int, float], ...]


def began(flags: Sequence[FlagData], decisions: Sequence[DecisionData]) -> Began | None:
    """Say since when it goes on: where a decision marks the onset since that, else the first hit.

    decisions: those that the person may know, in their order.
    """
    if not flags:
        return None
    firsts: dict[int, tuple[int, float]] = {}
    for one in sorted(flags, key=lambda one: one.window.start_pts_ms):
        at_s = utc_seconds(one.window.start_time)
        firsts.setdefault(one.stream.epoch, (one.window.start_pts_ms, at_s))
    epochs = tuple((epoch, *firsts[epoch]) for epoch in sorted(firsts))[-MAX_EPOCHS:]
    for made in reversed(decisions):
        if made.onset_pts_ms is not None and made.onset_epoch in firsts:
            first_ms, first_s = firsts[made.onset_epoch]
            at_s = first_s + (made.onset_pts_ms - first_ms) / 1000
            return Began(at_s, "since the start that was marked", epochs)
    return Began(min(at_s for _, at_s in firsts.values()), "since the first hit", epochs)


def against(flags: Sequence[FlagData]) -> str:
    """Say what models say of labels that the policy calls exonerating: of each the latest."""
    said = {
        f"{one.score.model}/{told.label}": f"{told.score:.2f}"
        for flag in flags
        for one in flag.signals
        if one.score is not None
        for told in one.score.against or ()
    }
    return ", ".join(f"{name} {score}" for name, score in said.items())


def elsewhere(file: DeskFile, case: Case, person: Person) -> str:
    """Say what was decided in other cases of the stream, of those that somebody may know of.

    By the latest decision of each: what was undone or overturned counts as it stands.
    """
    others = [read_case(body) for (body,) in file.rows(_ELSEWHERE, (case.stream_id, case.case_id))]
    known = [one for one in others if person.is_cleared(one.policy) and not is_blind(one, person)]
    made = [one.ruling for one in known if one.ruling is not None]
    confirmed = [one.decided_s for one in made if one.outcome == "confirmed"]
    n_rejected = sum(one.outcome == "rejected" for one in made)
    if not confirmed:
        said = "no other case of this stream was confirmed"
    else:
        were = "case of this stream was" if len(confirmed) == 1 else "cases of this stream were"
        last = utc_text(max(confirmed))[:10]
        said = f"{len(confirmed)} other {were} confirmed, the last on {last}"
    return f"{said}; {n_rejected} rejected" if n_rejected else said
