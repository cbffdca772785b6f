"""Runs the copies through streamguard and through vPDQ's method, each in every mode.

Rule: one task is one copy; a worker process keeps the banks mapped from task to task.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from loadtest.contents import Content
from loadtest.copies import Copy
from loadtest.encoding import keyframes_ms
from loadtest.recall_banks import HashList, entry_of
from loadtest.recall_nearest import nearest_looks
from loadtest.recall_rows import OTHERS, VPDQ, Row
from loadtest.screening import Named, screen_file
from loadtest.vpdq_method import is_found
from streamguard.core.banks import Banks
from streamguard.core.sampling import Sampling
from streamguard.live_banks import LiveBanks

SLACK_S = 3.0
"""A flag may come so much after the clip's end: segments stay open so long."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A list and a sampling."""

    hash_list: HashList
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Banked:
    """The banks to hold copies against.

    contents: all that are in the banks.
    together: the bank of each list, with all contents in it.
    alone:    of every frame, a bank of each content, by its name; empty: not held against others.
    """

    contents: Sequence[Content]
    together: Mapping[HashList, Path]
    alone: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Task:
    """One copy, and the banks to hold it against.

    explains: say of what was missed how near it came.
    with_vpdq: hold it against its original by vPDQ's method, too.
    """

    copy: Copy
    banked: Banked
    modes: Sequence[Mode]
    explains: bool
    with_vpdq: bool


def run_task(task: Task) -> list[Row]:
    """Screen one copy in every mode."""
    rows = [_row(task, mode) for mode in task.modes]
    if task.banked.alone:
        rows.append(_others_row(task))
    if task.with_vpdq:
        rows.append(_vpdq_row(task))
    return rows


@lru_cache(maxsize=8)
def _opened(*banks: Path) -> Callable[[], Banks]:
    return LiveBanks(banks)


def _row(task: Task, mode: Mode) -> Row:
    copy = task.copy
    named = screen_file(copy.path, _opened(task.banked.together[mode.hash_list]), mode.sampling)
    right = [name for name in named if name.entry == copy.content.name and _is_in_time(copy, name)]
    wrong = tuple(_told(n) for n in named if n not in right)
    row = partial(_make_row, copy, str(mode.hash_list), str(mode.sampling), wrong=wrong)
    if right:
        first = right[0]
        return row(
            first_s=round(first.at_s - copy.stretch.enters_s, 3),
            first_keyframe=_keyframe(copy, first.at_s),
            distance_bits=first.distance_bits,
            region=first.region,
            variant=first.variant,
        )
    if not task.explains:
        return row()
    entry = entry_of(copy.content, mode.hash_list)
    span_s = (copy.stretch.enters_s, copy.ends_s)
    is_dense = mode.sampling != Sampling.KEYFRAMES
    return row(nearest=nearest_looks(copy.path, entry, span_s, is_dense=is_dense))


def _others_row(task: Task) -> Row:
    """Hold a copy against all contents but its own: whatever is named is wrong."""
    copy = task.copy
    others = [bank for name, bank in task.banked.alone.items() if name != copy.content.name]
    named = screen_file(copy.path, _opened(*others), Sampling.AUTO)
    wrong = tuple(_told(n) for n in named)
    return _make_row(copy, OTHERS, str(Sampling.AUTO), wrong=wrong)


def _vpdq_row(task: Task) -> Row:
    """Hold the whole file against the whole originals, as vPDQ does, after its end."""
    copy = task.copy
    found = {c.name for c in task.banked.contents if is_found(copy.path, c.original)}
    wrong = tuple(sorted(found - {copy.content.name}))
    row = partial(_make_row, copy, VPDQ, "whole", wrong=wrong)
    if copy.content.name not in found:
        return row()
    return row(first_s=round(copy.ends_s - copy.stretch.enters_s, 3))


def _make_row(copy: Copy, hash_list: str, sampling: str, **found: object) -> Row:
    transform = copy.transform
    return Row(
        content=copy.content.name,
        is_real=copy.content.is_real,
        transform=transform.name,
        group=transform.group,
        is_apart=transform.is_apart,
        list=hash_list,
        sampling=sampling,
        n_keyframes=len(_clip_keyframes_s(copy)),
        **found,  # type: ignore[arg-type]  # fields of Row, passed on
    )


def _told(named: Named) -> str:
    where = f"{named.region} to {named.variant}"
    return f"{named.entry} at {named.at_s:.2f} s, {named.distance_bits} bits, {where}"


def _is_in_time(copy: Copy, named: Named) -> bool:
    return copy.stretch.enters_s - 0.1 <= named.at_s <= copy.ends_s + SLACK_S


def _keyframe(copy: Copy, at_s: float) -> int:
    """Count the clip's keyframes up to a time, 1 at least; times on the wire are milliseconds."""
    return max(1, sum(time_s < at_s + 0.001 for time_s in _clip_keyframes_s(copy)))


def _clip_keyframes_s(copy: Copy) -> list[float]:
    times_s = (at_ms / 1000 for at_ms in keyframes_ms(copy.path))
    return [at_s for at_s in times_s if copy.stretch.enters_s <= at_s <= copy.ends_s]
