"""What each `bank` verb does.

Rule: an edit is checked as a whole before the bank in force is touched; results go to stdout, as a
table or as JSON.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamguard.adapters.bank_bench import bench as measure
from streamguard.adapters.bank_check import stat_bank
from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import apply_edit, revision_of
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bench_hashes import read_hashes
from streamguard.adapters.pyav_hasher import hash_source
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Edit
from streamguard.core.bank_values import BankSettings, Entry, check_policy
from streamguard.core.errors import ConfigError
from streamguard.core.location import parse_location
from streamguard.core.types import MATCH_DISTANCE_BITS, Match, View
from streamguard.core.variants import check_recipes, group_of, variant_name
from streamguard.verbs.compaction_notice import tell_compaction


def build(arguments: argparse.Namespace) -> int:
    """Add videos and images to a bank, which is made where there is none."""
    check_policy(arguments.policy)
    sources: list[str] = arguments.sources
    if arguments.entry and len(sources) > 1:
        raise ConfigError("--entry names one source; without it each file's name is its entry's")
    directory, variants = arguments.directory, arguments.variants
    since = revision_of(directory)
    settings = open_bank(directory).settings if has_bank(directory) else BankSettings()
    recipes = settings.variants if variants is None else check_recipes(variants.split(","))
    entries = [
        _entry_of(source, arguments.entry or Path(source).name, arguments.policy, recipes)
        for source in sources
    ]
    edit = Edit(add=entries, replace=arguments.replace, since=since)
    if variants is None:
        apply_edit(directory, edit, tell=tell_compaction)
    else:  # of the settings as they are by then
        apply_edit(
            directory,
            lambda bank: replace(edit, settings=replace(bank.settings, variants=recipes)),
            tell=tell_compaction,
        )
    _show(stat_bank(directory), as_json=arguments.json)
    return 0


def _entry_of(source: str, name: str, policy: str, recipes: tuple[str, ...]) -> Entry:
    def progress(n_frames: int, n_kept: int) -> None:
        print(f"{name}: {n_frames} frames hashed, {n_kept} hashes kept", file=sys.stderr)

    entry = make_entry(source, EntryPlan(name, policy, recipes), SystemClock(), progress)
    groups = Counter(map(group_of, entry.variants.tolist()))
    shown = ", ".join(f"{n_hashes} {group}" for group, n_hashes in groups.items())
    print(f"{name}: {len(entry.hashes)} hashes kept: {shown}", file=sys.stderr)
    return entry


def stat(arguments: argparse.Namespace) -> int:
    """Tell what a bank holds."""
    _show(stat_bank(arguments.directory), as_json=arguments.json)
    return 0


def query(arguments: argparse.Namespace) -> int:
    """Hold the frames of a file against a bank; one line for each that is near an entry.

    What matches by nothing else is looked at without one side, too: an overlay may lie there.
    """
    bank = open_bank(arguments.directory)
    location = parse_location(arguments.source)
    n_frames = n_near = 0
    for hashed in hash_source(location, SystemClock(), every_frame=arguments.every_frame):
        n_frames += 1
        matches = _near(bank, hashed.views)
        n_near += bool(matches)
        for match in sorted(matches, key=lambda match: match.distance_bits)[: arguments.limit]:
            row = {
                "pts_ms": hashed.offset_us // 1000,
                "entry": match.entry,
                "policy": match.policy,
                "distance_bits": match.distance_bits,
                "region": match.region,
                "variant": variant_name(match.variant),
                "bank_offset_ms": match.offset_us // 1000,
            }
            print(json.dumps(row, ensure_ascii=False) if arguments.json else _line(row))
    print(f"{n_near} of {n_frames} frames are near an entry", file=sys.stderr)
    return 0


def _near(bank: Bank, views: Sequence[View]) -> list[Match]:
    """Find what is near a frame, by its views, or else by the parts that an overlay leaves free."""
    found: list[Match] = []
    for looked in (views, [side for view in views for side in view.sides()]):
        for view in looked:
            found += bank.query(view.pdq, view.region) if view.is_matchable else ()
        if any(match.distance_bits <= MATCH_DISTANCE_BITS for match in found):
            break
    return found


def bench(arguments: argparse.Namespace) -> int:
    """Measure banks of so many entries on this machine."""
    grown_from = read_hashes(arguments.grown_from) if arguments.grown_from else None
    _show(measure(arguments.entries, grown_from), as_json=arguments.json)
    return 0


def _show(values: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
        return
    lines = [line for name, value in values.items() for line in _lines(name, value)]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        print(f"{name:<{width}}  {text}")


def _lines(name: str, value: object) -> list[tuple[str, object]]:
    """Name a value, or each part of a value that consists of several with names of their own."""
    if isinstance(value, dict) and value and all(isinstance(part, dict) for part in value.values()):
        return [(f"{name} {of}", _line(part)) for of, part in value.items()]
    return [(name, value)]


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in row.items())
