"""What the `evidence` verbs of the command line do.

Rule: whatever gives a picture to anybody is in the custody first.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from streamguard.adapters.disk_probe import are_on_one_disk, has_room
from streamguard.core.custody import Action, Detail, Entry, Standing, instant
from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import Manifest
from streamguard.core.retention import Retention, holds_in_force
from streamguard.parts.evidence_parts import open_vault, retention_of
from streamguard.settings import load_settings
from streamguard.vault.checking import Checked, check, record
from streamguard.vault.durable import write_whole
from streamguard.vault.encrypting import read_recipients
from streamguard.vault.export import Order, approve, export, plain_name
from streamguard.vault.purge import Due, erase, plan_purge
from streamguard.vault.spool import upload
from streamguard.vault.stamping import Stamper
from streamguard.vault.vault import Vault

SHOWN = ("evidence_id", "state", "class", "delete_after", "stream_id")
"""What a line of the list says."""

DAMAGED = 2
"""Exit code where evidence is not what was written."""


def vault_of(arguments: argparse.Namespace) -> Vault:
    """Open the store that the arguments or the settings name."""
    settings = load_settings(arguments.config)
    return open_vault(settings.evidence, settings.deployment.name, arguments.evidence)


def list_evidence(arguments: argparse.Namespace) -> int:
    """Tell what is kept."""
    vault, rules = vault_of(arguments), _rules(arguments)
    n_damaged = 0
    for standing in vault.ledger().evidence.values():
        row = _row(vault, standing, rules)
        n_damaged += "problem" in row
        if arguments.json:
            print(json.dumps(row))
        else:
            print(*(row[name] for name in (*SHOWN, "problem") if name in row))
    return DAMAGED if n_damaged else 0


def show(arguments: argparse.Namespace) -> int:
    """Print the manifest and the custody of an evidence; write its parts where that is asked."""
    vault, evidence_id = vault_of(arguments), arguments.evidence_id
    manifest = vault.manifest_of(vault.standing(evidence_id))
    if arguments.copy_to and not arguments.purpose:
        raise ConfigError("say what the copy is for: --purpose TEXT")
    if arguments.copy_to:
        _require_room(arguments, manifest, arguments.copy_to)
    for item in manifest.items if arguments.copy_to else ():
        content = vault.read(
            evidence_id, item.number, "copy", actor=arguments.by, purpose=arguments.purpose
        )
        write_whole(arguments.copy_to / plain_name(item), content)
    entries = [each for each in vault.entries() if each.evidence_id == evidence_id]
    own = [msgspec.to_builtins(each) for each in entries]
    retention = _retention(vault.standing(evidence_id), entries, _rules(arguments))
    shown = {"manifest": msgspec.to_builtins(manifest), "retention": retention, "custody": own}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Check every byte of the evidence, its manifests and its custody; put that on record."""
    vault, only, checked = vault_of(arguments), arguments.evidence_id, Checked()
    if only:
        vault.standing(only)
    problems = list(check(vault, checked, arguments.head, only))
    unrecorded = (
        "" if arguments.read_only else _unrecorded(vault, checked, len(problems), arguments)
    )
    if arguments.json:
        found = [asdict(problem) for problem in problems]
        said = {"problems": found, **asdict(checked), "unrecorded": unrecorded}
        print(json.dumps(said, ensure_ascii=False))
    else:
        for problem in problems:
            print(f"{problem.where}: {problem.what}")
        for where in checked.leftovers:
            print(f"note: {where} belongs to nothing: a crash left it, or somebody else")
        for restart in checked.restarts:
            print(f"note: custody.jsonl, {restart}")
        for where in checked.unsealed:
            print(
                f"note: {where} is no part yet: `run` makes it one when its flag closes, or starts"
            )
        if unrecorded:
            print(f"note: this check is not on record: {unrecorded}")
        print(
            f"{checked.n_evidence} evidence, {checked.n_parts} parts, {checked.n_bytes} bytes, "
            f"{checked.n_erased} erased, {checked.n_entries} custody entries: "
            f"{'DAMAGED' if problems else 'ok'}"
        )
        print(f"head {checked.head}")
    return DAMAGED if problems else 0


def _unrecorded(
    vault: Vault, checked: Checked, n_problems: int, arguments: argparse.Namespace
) -> str:
    """Put a check on record; say why that cannot be done, if it cannot."""
    if arguments.read_only or not checked.n_entries:
        return ""  # also where nothing was ever kept: nothing is written before something is
    who = {"actor": arguments.by, "purpose": arguments.purpose}
    try:
        record(vault, checked, n_problems, only=arguments.evidence_id, **who)
    except (EvidenceDamaged, EvidenceUnavailable) as error:
        return str(error)
    return ""


def approve_export(arguments: argparse.Namespace) -> int:
    """Put on record that somebody else may export an evidence."""
    entry = approve(vault_of(arguments), arguments.evidence_id, _order(arguments))
    return _told(entry)


def export_evidence(arguments: argparse.Namespace) -> int:
    """Write one archive with an evidence, and what checks it."""
    recipients = read_recipients(arguments.to or ())
    order, file, vault = _order(arguments), arguments.file, vault_of(arguments)
    manifest = vault.manifest_of(vault.standing(arguments.evidence_id))
    _require_room(arguments, manifest, file)
    digest = export(vault, arguments.evidence_id, file, order, recipients)
    print(f"{digest}  {file}")
    return 0


def _require_room(arguments: argparse.Namespace, manifest: Manifest, target: Path) -> None:
    """Leave the disk of the event log to that; other disks may be filled."""
    n_bytes = sum(item.size_bytes for item in manifest.items)
    of_log = load_settings(arguments.config).log.file
    if are_on_one_disk(target, of_log) and not has_room(of_log.absolute().parent, n_bytes):
        raise EvidenceUnavailable(
            f"{target}: this disk is nearly full, and left to the event log: name another disk"
        )


def _order(arguments: argparse.Namespace) -> Order:
    return Order(arguments.by, arguments.ticket, arguments.purpose)


def classify(arguments: argparse.Namespace) -> int:
    """Put on record what was decided."""
    return _noted(arguments, "classify", {"class": arguments.as_class})


def hold(arguments: argparse.Namespace) -> int:
    """Keep an evidence until the hold is released."""
    named = {"ref": arguments.ref, "authority": arguments.authority, "until": arguments.until}
    return _noted(arguments, "hold", dict(named))


def release(arguments: argparse.Namespace) -> int:
    """End a hold."""
    holds = vault_of(arguments).standing(arguments.evidence_id).holds
    if arguments.ref not in {hold.ref for hold in holds}:
        raise ConfigError(f"no hold of this evidence has the reference {arguments.ref}")
    return _noted(arguments, "release", {"ref": arguments.ref})


def purge(arguments: argparse.Namespace) -> int:
    """Tell what is to be erased, or erase it."""
    vault, rules = vault_of(arguments), _rules(arguments)
    plan = plan_purge(vault, rules)
    if arguments.delete is None:
        for due in plan.due:
            _tell_due(due, {}, as_json=arguments.json)
        last = {"plan": plan.id, "n_due": len(plan.due)}
        text = f"plan {plan.id}: {len(plan.due)} to erase; nothing was erased"
        print(json.dumps(last) if arguments.json else text)
        return 0
    for due, proof in erase(vault, rules, plan, arguments.delete, arguments.by):
        _tell_due(due, {"erased_at": proof.at, "entry": proof.hash}, as_json=arguments.json)
    return 0


def _rules(arguments: argparse.Namespace) -> Retention:
    return retention_of(load_settings(arguments.config).evidence)


def upload_waiting(arguments: argparse.Namespace) -> int:
    """Bring what waits to the store elsewhere."""
    vault = vault_of(arguments)
    if vault.folder.store is None:
        raise ConfigError("there is no other store: [evidence] store names one")
    print(f"{upload(vault)} parts are in the store now")
    return 0


def stamp_waiting(arguments: argparse.Namespace) -> int:
    """Have stamped what has no time stamp."""
    vault = vault_of(arguments)
    if vault.authority is None:
        raise ConfigError("nobody is asked for time stamps: [evidence] timestamp_url names who is")
    print(f"{Stamper(vault, settled_s=0.0).step()} time stamps were given")
    return 0


def _tell_due(due: Due, proof: dict[str, str], *, as_json: bool) -> None:
    row = {
        "evidence_id": due.standing.evidence_id,
        "class": due.standing.evidence_class,
        "delete_after": due.delete_after,
        "sha256": due.sha256,
        **proof,
    }
    named = (row[name] for name in row if name != "sha256")
    print(json.dumps(row) if as_json else " ".join(map(str, named)))


def _noted(arguments: argparse.Namespace, action: Action, detail: Detail) -> int:
    """Put an action on record; tell the entry."""
    entry = vault_of(arguments).note(
        arguments.evidence_id, action, detail, actor=arguments.by, purpose=arguments.purpose
    )
    return _told(entry)


def _told(entry: Entry) -> int:
    print(f"{entry.at}  {entry.action}  {entry.evidence_id}  entry {entry.hash}")
    return 0


def _retention(standing: Standing, entries: list[Entry], rules: Retention) -> dict[str, Any]:
    """Give how long an evidence is kept, and what keeps it longer."""
    since = {str(each.detail.get("ref")): each.at for each in entries if each.action == "hold"}
    return {
        "class": standing.evidence_class,
        "delete_after": instant(rules.delete_after_s(standing)),
        "legal_hold": [{**asdict(hold), "from": since[hold.ref]} for hold in standing.holds],
    }


def _row(vault: Vault, standing: Standing, rules: Retention) -> dict[str, Any]:
    """Give what a list says of an evidence; `problem` where its manifest is damaged."""
    row = {
        "evidence_id": standing.evidence_id,
        "state": standing.state,
        "class": standing.evidence_class,
        "delete_after": instant(rules.delete_after_s(standing)),
        "holds": [hold.ref for hold in holds_in_force(standing, vault.clock.wall())],
        "n_custody_entries": standing.n_entries,
    }
    try:
        manifest = vault.manifest_of(standing)
    except (EvidenceDamaged, EvidenceUnavailable) as error:
        return {**row, "problem": f"manifest: {error}"}
    return {
        **row,
        "stream_id": manifest.stream_id,
        "session_id": manifest.session_id,
        "collected_at": manifest.created_at,
        "n_parts": len(manifest.items),
        "size_bytes": sum(item.size_bytes for item in manifest.items),
    }
