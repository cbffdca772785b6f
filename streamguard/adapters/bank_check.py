"""Looks into a bank: what it holds, and whether every byte of it is what was written.

Rule: it writes nothing. Damage is all that no writer leaves behind; what a killed one does is told
apart.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from streamguard.adapters.bank_base import (
    FORMAT_VERSION,
    HASHER,
    base_damage,
    read_base,
    read_header,
)
from streamguard.adapters.bank_columns import number_faults
from streamguard.adapters.bank_commit import read_commit
from streamguard.adapters.bank_delta import HEAD_BYTES, read_delta_header, read_frames
from streamguard.adapters.bank_dir import (
    CURRENT_FILE,
    Current,
    is_leftover,
    map_file,
    read_current,
    read_from,
    unusable,
)
from streamguard.adapters.bank_layout import Damaged
from streamguard.adapters.bank_lock import LOCK_FILE, marked
from streamguard.adapters.bank_reader import BankReader
from streamguard.core.bank import Bank, Base
from streamguard.core.bank_counts import count_terms, count_variants
from streamguard.core.bank_editor import BankEditor
from streamguard.core.bank_values import Terms
from streamguard.core.index import SlotIndex
from streamguard.core.slots import build_slots
from streamguard.core.types import Limits
from streamguard.core.variants import group_of


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at every byte found.

    problems: what is damaged.
    notes:    what is as it may be, and worth knowing.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify_bank(directory: Path) -> Verified:
    """Check every byte of the bank in a directory; more than open_bank looks for.

    Raises:
        BankError: there is none, or it cannot be read.
    """
    noted, problems, notes = _noted(directory)  # first: it is never ahead of the files
    current, base, delta = _bytes_of(directory)
    in_base = [f"{current.base_file}: {problem}" for problem in _base_problems(base)]
    problems += in_base
    if not in_base:
        end = _check_delta(directory.name, base, delta, noted)
        problems += [f"{current.delta_file}: {problem}" for problem in end.problems]
        notes += [f"{current.delta_file}: {note}" for note in end.notes]
    n_left = sum(is_leftover(path.name, current) for path in directory.iterdir())
    if n_left:
        notes.append(f"{n_left} files that are not in force; the next compaction removes them")
    return Verified(tuple(problems), tuple(notes))


def stat_bank(directory: Path) -> dict[str, Any]:
    """Tell how much the bank in a directory holds, and of which policies (entries of each).

    Raises:
        BankError: there is none, it cannot be read, or it is damaged.
    """
    opened, _ = BankReader(directory).newest()
    bank, table = opened.editor.snapshot(), opened.base.table
    by_terms = count_terms(bank)
    size_bytes = sum(
        (directory / name).stat().st_size
        for name in (opened.current.base_file, opened.current.delta_file)
    )
    made_at_us = read_header(map_file(directory / opened.current.base_file)).made_at_us
    return {
        "bank": bank.name,
        "format_version": FORMAT_VERSION,
        "hasher": HASHER,
        "made_at": datetime.fromtimestamp(made_at_us / 1e6, UTC).isoformat(),
        "revision": bank.revision,
        "generation": opened.current.base,
        "role": bank.settings.role,
        "limits": shown_limits(bank.settings.limits),
        "variants": list(bank.settings.variants),
        "entries": bank.n_entries,
        "videos": sum(n for terms, n in by_terms.items() if terms.kind == "video"),
        "images": sum(n for terms, n in by_terms.items() if terms.kind == "image"),
        "quarantined": sum(n for terms, n in by_terms.items() if terms.quarantine is not None),
        "hashes": bank.n_hashes,
        "hashes_of": _by_group(bank, size_bytes),
        "base_hashes": table.n_hashes,
        "tail_hashes": bank.tail.n_hashes,
        "dead_entries": len(bank.dead),
        "size_bytes": size_bytes,
        "index": "slots" if isinstance(opened.base.index, SlotIndex) else "scan",
        "policies": _by_policy(by_terms),
    }


def shown_limits(limits: Limits) -> dict[str, Any]:
    """Give limits by name, as JSON shows them."""
    return asdict(limits)


def _by_group(bank: Bank, size_bytes: int) -> dict[str, dict[str, float]]:
    """Tell what each group of variants costs: hashes, their share, and that share of the bytes."""
    counts: Counter[str] = Counter()
    for number, n_hashes in sorted(count_variants(bank).items()):
        counts[group_of(number)] += n_hashes
    shares = {group: n_hashes / bank.n_hashes for group, n_hashes in counts.items()}
    return {
        group: {
            "hashes": counts[group],
            "share": round(share, 4),
            "size_bytes": round(share * size_bytes),
        }
        for group, share in shares.items()
    }


def _by_policy(by_terms: Mapping[Terms, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for terms, n_entries in by_terms.items():
        counts[terms.policy] += n_entries
    return dict(sorted(counts.items()))


def _bytes_of(directory: Path) -> tuple[Current, memoryview, memoryview]:
    """Give the bytes of the base and the delta that are in force together."""
    while True:
        current = read_current(directory)
        with suppress(FileNotFoundError):
            base = map_file(directory / current.base_file)
            return current, base, memoryview(read_from(directory / current.delta_file, 0))
        if read_current(directory) == current:
            raise unusable(directory / CURRENT_FILE, "a file that it names is missing")


def _base_problems(raw: memoryview) -> Iterator[str]:
    try:
        found = [problem for problem in base_damage(raw) if problem]
        yield from found or _deep_problems(read_base(raw))
    except Damaged as damaged:
        yield str(damaged)


def _deep_problems(base: Base) -> Iterator[str]:
    """Check what is only wrong where a writer was."""
    faults = list(number_faults(base.table))
    yield from faults
    if faults:
        return
    if any(one >= other for one, other in pairwise(base.table.raw_names())):
        yield "its entries are not sorted by name"
    index = base.index
    if isinstance(index, SlotIndex):
        offsets, ids = build_slots(base.table.hashes)
        if not (np.array_equal(offsets, index.offsets) and np.array_equal(ids, index.ids)):
            yield "its slots do not list its hashes"


def _noted(directory: Path) -> tuple[int, list[str], list[str]]:
    """Read how far the bank was edited, by its last writer's word."""
    try:
        revision = marked(directory)
    except Damaged as damaged:
        return 0, [f"{LOCK_FILE}: {damaged}"], []
    except FileNotFoundError:
        revision = 0
    silent = f"{LOCK_FILE}: it does not say how far the bank was edited; the next edit will"
    return revision, [], [] if revision else [silent]


def _check_delta(name: str, base: memoryview, raw: memoryview, noted: int) -> Verified:
    """Check every byte of a delta that follows a sound base."""
    problems: list[str] = []
    try:
        revision, seed = read_delta_header(raw[:HEAD_BYTES].tobytes())
        editor = BankEditor(name, read_base(base))
        if revision != editor.revision:
            raise Damaged("it belongs to another base")  # noqa: TRY301  # told as all others
        frames = read_frames(raw[HEAD_BYTES:], revision, seed)
        for number, payload in enumerate(frames.payloads, revision + 1):
            commit = read_commit(payload, number)
            problems += [f"in its edit {number}, {fault}" for fault in number_faults(commit.add)]
            editor.apply(commit)
    except Damaged as damaged:
        return Verified((str(damaged),), ())
    rest = f"its last {len(raw) - HEAD_BYTES - frames.n_bytes} bytes are "
    if frames.rest == "spoilt":
        problems.append(f"{rest}no edit: one is lost, or was not committed when the power failed")
    if editor.revision < noted:
        problems.append(f"it ends at revision {editor.revision}, and there was a revision {noted}")
    torn = frames.rest == "torn"
    return Verified(tuple(problems), (f"{rest}a part of an edit not committed",) if torn else ())
