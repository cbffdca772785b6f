"""What the `bank` verbs do that change or list what is in a bank already.

Rule: each is one commit, in force for every process when the command returns; results go to stdout,
as a table or as JSON.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from streamguard.adapters.bank_check import stat_bank
from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_file import amend_entry, apply_edit, remove_entry
from streamguard.adapters.bank_generation import compact_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Amendment, Edit
from streamguard.core.bank_values import BankSettings, EntryFacts
from streamguard.core.errors import BankError, ConfigError
from streamguard.core.types import NO_LIMITS
from streamguard.core.variants import check_recipes
from streamguard.exchange.by_hand import keep_limits, keep_out
from streamguard.verbs.compaction_notice import tell_compaction


def remove(arguments: argparse.Namespace) -> int:
    """Take an entry out of a bank; one that was imported stays out."""
    keep_out(arguments.directory, arguments.entry)
    remove_entry(arguments.directory, arguments.entry, tell=tell_compaction)
    return _show(stat_bank(arguments.directory), as_json=arguments.json)


def configure(arguments: argparse.Namespace) -> int:
    """Change what holds for a bank, or for one entry of it; without changes, show it."""
    directory: Path = arguments.directory
    if arguments.entry is not None:
        return _configure_entry(directory, arguments)
    changes = _changes(arguments)
    if any(changes.values()):  # held against the newest state: of two who change it, both count
        bank = apply_edit(directory, lambda bank: _setting(bank, **changes), compacts="never")
        settings = bank.settings
    else:
        settings = open_bank(directory).settings if has_bank(directory) else BankSettings()
    limits = asdict(settings.limits)
    shown = {"role": settings.role, **limits, "variants": list(settings.variants)}
    return _show(shown, as_json=arguments.json)


def _configure_entry(directory: Path, arguments: argparse.Namespace) -> int:
    name: str = arguments.entry
    if arguments.role is not None or arguments.variants is not None:
        raise ConfigError("role and variants are those of a bank: leave out --entry to set them")
    facts, given = _facts_of(directory, name), _given(arguments)
    if given:
        keep_limits(directory, name, given)
        bank = apply_edit(directory, lambda bank: _amending(bank, name, given), compacts="never")
        facts = bank.entry_of(name) or facts
    return _show({"entry": name, **asdict(facts.limits)}, as_json=arguments.json)


def _amending(bank: Bank, name: str, given: Mapping[str, Any]) -> Edit:
    facts = bank.entry_of(name)
    limits = replace(facts.limits if facts else NO_LIMITS, **given)
    return Edit(amend={name: Amendment(limits=limits)})


def _changes(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Give what the command line names of a bank's settings, and of its limits."""
    of_bank: dict[str, Any] = {}
    if arguments.role is not None:
        of_bank["role"] = arguments.role
    if arguments.variants is not None:
        of_bank["variants"] = check_recipes(arguments.variants.split(","))
    return {"of_bank": of_bank, "limits": _given(arguments)}


def _setting(bank: Bank, of_bank: Mapping[str, Any], limits: Mapping[str, Any]) -> Edit:
    settings = bank.settings
    return Edit(settings=replace(settings, limits=replace(settings.limits, **limits), **of_bank))


def quarantine(arguments: argparse.Namespace) -> int:
    """Set an entry aside: it stays in the bank, and matches nothing."""
    amend_entry(arguments.directory, arguments.entry, quarantined=True, reason=arguments.reason)
    return _show_entry(arguments)


def release(arguments: argparse.Namespace) -> int:
    """Let an entry in again that was set aside."""
    amend_entry(arguments.directory, arguments.entry, quarantined=False)
    return _show_entry(arguments)


def list_entries(arguments: argparse.Namespace) -> int:
    """Print what is in a bank, one line an entry."""
    for name, facts in open_bank(arguments.directory).facts():
        row = _row(name, facts)
        print(json.dumps(row, ensure_ascii=False) if arguments.json else _line(row))
    return 0


def compact(arguments: argparse.Namespace) -> int:
    """Put a bank in order; edits and matching go on meanwhile."""
    if not compact_bank(arguments.directory):
        raise BankError(f"{arguments.directory} is being compacted by another process already")
    return _show(stat_bank(arguments.directory), as_json=arguments.json)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give the limits that the command line names."""
    limits = {
        "max_distance_bits": arguments.max_distance,
        "min_votes": arguments.min_votes,
        "min_quality": arguments.min_quality,
        "is_shadow": arguments.shadow,
    }
    return {name: value for name, value in limits.items() if value is not None}


def _facts_of(directory: Path, name: str) -> EntryFacts:
    facts = open_bank(directory).entry_of(name)
    if facts is None:
        raise BankError(f"{directory} has no entry named {name!r}; see streamguard bank list")
    return facts


def _show_entry(arguments: argparse.Namespace) -> int:
    row = _row(arguments.entry, _facts_of(arguments.directory, arguments.entry))
    return _show(row, as_json=arguments.json)


def _row(name: str, facts: EntryFacts) -> dict[str, Any]:
    """Tell of an entry; of its limits and its quarantine only where it has any."""
    row: dict[str, Any] = {
        "entry": name,
        "policy": facts.policy,
        "kind": facts.kind,
        "hashes": facts.n_hashes,
        "duration_ms": facts.duration_us // 1000,
    }
    own = asdict(facts.limits).items()
    row |= {key: value for key, value in own if value != getattr(NO_LIMITS, key)}
    return row | ({"quarantine": facts.quarantine} if facts.is_quarantined else {})


def _show(values: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
        return 0
    width = max(len(name) for name in values)
    for name, value in values.items():
        print(f"{name:<{width}}  {value}")
    return 0


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in row.items())
