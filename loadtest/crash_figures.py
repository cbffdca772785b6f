"""Judges what kills did, and tells it in a table.

Rule: pure. A stream that never came back misses every bar.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from loadtest.crash_truth import Case, Hit, Kind
from loadtest.live import quantile

MAX_RECONNECT_S = 2.0
MAX_LONGER_S = 1.0
"""The bars; besides, the first sample one GOP later (p95), and no gap shorter than the truth."""

PROMISED: tuple[Case, ...] = ("worker", "server")
"""Where times are promised. Of a supervisor it is that every stream is back, every gap published
and every orphan closed: how long its start takes is shown."""

MAX_UNACCOUNTED_S = 0.5
"""Of one timeline, whose ends are reckoned from media times: these come in bursts of 0.1 s, and
what comes of a connection while it is opened, 0.2 s, is in its gap and screened all the same."""

SHARES = {"p50": 0.5, "p95": 0.95, "max": 1.0}

Figures = dict[str, Any]
Marks = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to.

    hits:          by kill and stream, with what was killed.
    unaccounted_s: of each session, with how it was read, seconds a timeline.
    n_lost_clips:  known clips that are neither flagged nor in a gap.
    n_open:        flags without a close, and sessions without an end, after an orderly stop.
    n_left_over:   workers that outlived their supervisor.
    """

    hits: Sequence[tuple[Case, Hit]]
    unaccounted_s: Sequence[tuple[Kind, float]]
    n_lost_clips: int
    n_open: tuple[int, int]
    n_left_over: int


def judged(found: Found, gop_s: float) -> Figures:
    """Hold what was found against the bars."""
    rows = [*_rows(found.hits)]
    holes_s = [s for _, s in found.unaccounted_s]
    claimed_s = [-s for kind, s in found.unaccounted_s if kind == "http"]
    rest = {
        "sessions": len(holes_s),
        "unaccounted_s_max": round(max(holes_s, default=0.0), 3),
        "claimed_too_much_s_max": round(max(claimed_s, default=0.0), 3),
        "lost_clips": found.n_lost_clips,
        "open_flags": found.n_open[0],
        "open_sessions": found.n_open[1],
        "workers_left_over": found.n_left_over,
    }
    n_wrong = found.n_lost_clips + sum(found.n_open) + found.n_left_over
    is_whole = max(rest["unaccounted_s_max"], rest["claimed_too_much_s_max"]) <= MAX_UNACCOUNTED_S
    samples_s = {case: _marks(_samples(found.hits, case)) for case in PROMISED}
    is_good = bool(rows) and all(row["pass"] for row in rows)
    for case in PROMISED:
        is_good &= not [*_samples(found.hits, case)] or _is_within(samples_s[case], "p95", gop_s)
    return {
        "cases": rows,
        "first_samples_s": samples_s,
        **rest,
        "pass": is_good and is_whole and not n_wrong,
    }


def _samples(hits: Iterable[tuple[Case, Hit]], case: Case) -> Iterator[float | None]:
    """Give the first samples of all kinds of streams: a bar is one of what was killed."""
    return (hit.sample_s for of, hit in hits if of == case and hit.is_known)


def _rows(hits: Sequence[tuple[Case, Hit]]) -> Iterator[Figures]:
    def by(one: tuple[Case, Hit]) -> tuple[Case, Kind]:
        return one[0], one[1].kind

    for (case, kind), group in groupby(sorted(hits, key=by), by):
        yield _row(case, kind, [hit for _, hit in group])


def _row(case: Case, kind: Kind, hits: Sequence[Hit]) -> Figures:
    back = [hit for hit in hits if hit.reconnect_s is not None]
    samples_s = [hit.sample_s for hit in back if hit.is_known]
    row: Figures = {
        "case": case,
        "kind": kind,
        "hits": len(hits),
        "back": len(back),
        "reconnect_s": _marks(hit.reconnect_s for hit in back),
        "sample_s": _marks(samples_s),
        "unseen_s": _marks(hit.unseen_s for hit in back),
        "longer_s": _marks(hit.longer_s for hit in back),
        "missing_s_max": round(max((hit.missing_s for hit in back), default=0.0), 3),
        "sessions_wrong": sum(not hit.is_session_right for hit in hits),
        "flags_misplaced": sum(hit.n_misplaced for hit in hits),
    }
    n_wrong = row["sessions_wrong"] + row["flags_misplaced"]
    is_good = len(back) == len(hits) and not n_wrong and not row["missing_s_max"]
    if case in PROMISED:
        is_good &= _is_within(row["reconnect_s"], "max", MAX_RECONNECT_S)
        is_good &= _is_within(row["longer_s"], "max", MAX_LONGER_S)
    return row | {"pass": is_good}


def _marks(values_s: Iterable[float | None]) -> Marks:
    """Give the usual ones, seconds; None for what never came."""
    known_s = [math.inf if value is None else value for value in values_s] or [math.inf]
    found_s = ((name, quantile(known_s, share)) for name, share in SHARES.items())
    return {name: round(s, 3) if s < math.inf else None for name, s in found_s}


def _is_within(marks: Marks, name: str, bar_s: float) -> bool:
    value_s = marks[name]
    return value_s is not None and value_s <= bar_s


def table(report: Figures) -> Iterator[str]:
    """Write a report for people: p50, p95, max in seconds."""
    names = ("reconnect_s", "sample_s", "unseen_s", "longer_s")
    heads = ("reconnect", "first sample", "unseen", "gap longer")
    yield f"{'killed':10} {'streams':8} {'hit':>4} " + " ".join(f"{head:>20}" for head in heads)
    for row in report["cases"]:
        marks = " ".join(
            f"{'  '.join(f'{s:.2f}' for s in row[name].values()):>20}" for name in names
        )
        verdict = "" if row["pass"] else "  MISSED"
        yield f"{row['case']:10} {row['kind']:8} {row['hits']:4} {marks}{verdict}"
    for case, of_all in report["first_samples_s"].items():
        yield f"first sample, {case}, all streams: {'  '.join(map(_text, of_all.values()))}"
    for name in ("unaccounted_s_max", "claimed_too_much_s_max", "lost_clips", "open_flags"):
        yield f"{name.replace('_', ' ')}: {report[name]}"


def _text(seconds: float | None) -> str:
    return "   -" if seconds is None else f"{seconds:.2f}"
