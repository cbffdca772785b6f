"""What stands on the page of a case.

Rule: facts alone; pictures are fetched by the browser, one by one, each look on record.
"""

from dataclasses import dataclass
from typing import Any

from streamguard.core.cases import Case
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.people import Person
from streamguard.core.ruling import in_force
from streamguard.core.signal_data import Signal
from streamguard.review.actions import actions_of
from streamguard.review.bankings import banking_of
from streamguard.review.cards import (
    action_rows,
    card,
    decision_rows,
    is_blind,
    is_untaken,
    referral_row,
)
from streamguard.review.history import audience_of, gaps_of
from streamguard.review.leases import Lease
from streamguard.review.pages.besides import against, began, elsewhere
from streamguard.review.pages.board import AGES_S, name_of, named
from streamguard.review.pages.paper import fragment
from streamguard.review.pages.strengths import clock
from streamguard.review.pages.timeline import (
    HEIGHT,
    TRACK_HEIGHT,
    TRACK_TOP,
    WIDTH,
    timeline,
)
from streamguard.review.referrals import may_refer
from streamguard.review.service import Review

MAX_SIGNALS = 12
"""Signals that are told one by one, the latest: more than that nobody compares."""

_STATE = """
SELECT body,
    (SELECT total(revision) + count(*) FROM case_flags WHERE case_id = cases.case_id),
    (SELECT max(number) FROM gaps WHERE session_id = cases.session_id),
    (SELECT count(*) FROM referrals WHERE case_id = cases.case_id),
    (SELECT decision_id || act || at FROM bankings WHERE case_id = cases.case_id)
FROM cases WHERE case_id = ?
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One signal in words."""

    name: str
    text: str


def facts(review: Review, person: Person, case: Case) -> str:
    """Make the part of the page that changes while the case is looked at.

    Raises:
        NoSuchCase: there is no such case for this person.
    """
    desk = review.desk
    lease = desk.held().get(case.case_id)
    flags = flags_of(review, case)
    session = case.session_id
    own = [one for one in flags if one.stream.session_id == session]
    line = timeline(own, gaps_of(desk.file, session), audience_of(desk.file, session))
    made = review.rulings.of_case(person, case.case_id)
    decisions = decision_rows(case, person, made)
    actions = actions_of(desk.file, case.case_id)
    return fragment(
        "facts.html",
        case=named(card(case, person, desk.wall(), lease), review),
        found=[_told(one, flag) for flag in flags for one in flag.signals][-MAX_SIGNALS:],
        n_samples=sum(flag.window.n_samples for flag in own),
        elsewhere=elsewhere(desk.file, case, person),
        against=against(flags),
        began=began(own or flags, [] if is_blind(case, person) else made),
        line=line,
        width=WIDTH,
        height=HEIGHT,
        track_bottom=TRACK_TOP + TRACK_HEIGHT,
        clock=clock,
        referrals=[
            referral_row(one) | {"by": _by(review, one.actor)}
            for one in review.referrals.of_case(person, case)
        ],
        actions=action_rows(case, person, actions),
        is_untaken=is_untaken(case, person, actions),
        banking=banking_of(desk.file, case, person, desk.wall()),
        decisions=[
            row | {"by": _by(review, row["actor"]), "held_s": held_s(decisions[:at], row)}
            for at, row in enumerate(decisions)
        ],
    )


def case_state(review: Review, case_id: str) -> object:
    """Tell by some rows whether what the page of a case shows may have changed.

    Waiting times grow: they are told anew every few seconds.
    """
    desk = review.desk
    lease = desk.held().get(case_id)
    told = desk.file.rows(_STATE, (case_id,))
    told_of = (lease, actions_of(desk.file, case_id), review.incidents.active())
    return told, told_of, desk.wall() // AGES_S


def context(review: Review, person: Person, case: Case) -> dict[str, Any]:
    """Give what the page needs besides the facts."""
    lease = review.desk.held().get(case.case_id)
    return {
        "case_id": case.case_id,
        "token": _token(person, lease),
        "lease_s": review.desk.lease_s,
        "now_s": review.desk.wall(),
        "may_restore": _may_restore(person, case),
        "may_refer": _token(person, lease) is not None or may_refer(person, case),
        "matched": _matched(review, case),
        "is_spent": review.budgets.standing(person).is_spent,
    }


def _may_restore(person: Person, case: Case) -> bool:
    """Say whether to offer it: that something holds is nothing for who judges blindly to know."""
    return person.may("restore") and in_force(case) is not None and not is_blind(case, person)


def flags_of(review: Review, case: Case) -> list[FlagData]:
    """Give the flags of a case in the order of its media."""
    found = review.desk.flags(case.case_id)
    return sorted(found, key=lambda one: (one.stream.epoch, one.window.start_pts_ms, one.flag_id))


def _token(person: Person, lease: Lease | None) -> int | None:
    return lease.token if lease and lease.holder == person.account_id else None


def _told(signal: Signal, flag: FlagData) -> Found:
    at = clock(flag.window.start_pts_ms)
    match, score = signal.match, signal.score
    if match is not None:
        sure = "certain" if match.is_certain else "not certain yet"
        return Found(
            f"{match.bank}/{match.entry}",
            f"{match.distance_bits} bits off, alone a match up to {match.max_distance_bits};"
            f" {match.votes} samples agree, {sure}; from {at}",
        )
    assert score is not None  # noqa: S101  # a signal has one of the two
    return Found(
        f"{score.model}/{score.category}",
        f"score {score.score:.2f}, threshold {score.threshold:.2f};"
        f" {score.votes} of the last 3 samples; from {at}",
    )


def _matched(review: Review, case: Case) -> list[str]:
    """Name the entries of banks that matched, each once: a decision says what it thinks of them."""
    found = (
        f"{one.match.bank}/{one.match.entry}"
        for flag in flags_of(review, case)
        for one in flag.signals
        if one.match is not None
    )
    return list(dict.fromkeys(found))[:8]


def held_s(before: list[dict[str, Any]], row: dict[str, Any]) -> float | None:
    """Say how long what a decision takes back had held, seconds; None where it takes back nothing.

    before: the decisions of the case that came before it, in their order.
    """
    if row["action"] != "restore":
        return None
    since = None
    for one in before:
        if one["action"] == "restore":
            since = None
        elif one["action"] != "none" and since is None:
            since = one
    return utc_seconds(row["decided_at"]) - utc_seconds(since["decided_at"]) if since else None


def _by(review: Review, actor: str) -> str:
    return actor if ":" in actor else name_of(review, actor)
