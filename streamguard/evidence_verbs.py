"""What the `evidence` verbs of the command line do.

Rule: whatever gives a picture to anybody is in the custody first.
"""

import argparse
import json
from dataclasses import asdict
from typing import Any

import msgspec

from streamguard.core.custody import Standing, read_entry
from streamguard.core.errors import ConfigError
from streamguard.evidence_parts import open_vault
from streamguard.settings import load_settings
from streamguard.vault.checking import Checked, check
from streamguard.vault.durable import write_whole
from streamguard.vault.vault import Vault

DAMAGED = 2
"""Exit code where evidence is not what was written."""

SUFFIXES = {"video/mp4": ".mp4", "image/jpeg": ".jpg"}


def vault_of(arguments: argparse.Namespace) -> Vault:
    """Open the store that the arguments or the settings name."""
    settings = load_settings(arguments.config)
    return open_vault(settings.evidence, settings.deployment.name, arguments.evidence)


def list_evidence(arguments: argparse.Namespace) -> int:
    """Tell what is kept."""
    vault = vault_of(arguments)
    for standing in vault.ledger().evidence.values():
        row = _row(vault, standing)
        if arguments.json:
            print(json.dumps(row))
        else:
            print(*(row[name] for name in ("evidence_id", "state", "class", "stream_id")))
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print the manifest and the custody of an evidence; write its parts where that is asked."""
    vault, evidence_id = vault_of(arguments), arguments.evidence_id
    manifest = vault.manifest_of(vault.standing(evidence_id))
    if arguments.copy_to and not arguments.purpose:
        raise ConfigError("say what the copy is for: --purpose TEXT")
    for item in manifest.items if arguments.copy_to else ():
        content = vault.read(
            evidence_id, item.number, "copy", actor=arguments.by, purpose=arguments.purpose
        )
        name = f"{item.number:04d}-{item.role}{SUFFIXES.get(item.media_type, '')}"
        write_whole(arguments.copy_to / name, content)
    with vault.custody.reading() as (lines, _):
        entries = [read_entry(line) for line in lines.split(b"\n")[:-1]]
    own = [msgspec.to_builtins(each) for each in entries if each.evidence_id == evidence_id]
    shown = {"manifest": msgspec.to_builtins(manifest), "custody": own}
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Check every byte of the evidence, its manifests and its custody."""
    checked = Checked()
    problems = list(check(vault_of(arguments), checked, arguments.head))
    if arguments.json:
        found = [asdict(problem) for problem in problems]
        print(json.dumps({"problems": found, **asdict(checked)}))
    else:
        for problem in problems:
            print(f"{problem.where}: {problem.what}")
        for where in checked.leftovers:
            print(f"note: {where} belongs to nothing: a crash left it, or somebody else")
        print(
            f"{checked.n_evidence} evidence, {checked.n_parts} parts, {checked.n_bytes} bytes, "
            f"{checked.n_erased} erased, {checked.n_entries} custody entries: "
            f"{'DAMAGED' if problems else 'ok'}"
        )
        print(f"head {checked.head}")
    return DAMAGED if problems else 0


def _row(vault: Vault, standing: Standing) -> dict[str, Any]:
    """Give what a list says of an evidence."""
    manifest = vault.manifest_of(standing)
    return {
        "evidence_id": standing.evidence_id,
        "state": standing.state,
        "class": standing.evidence_class,
        "stream_id": manifest.stream_id,
        "session_id": manifest.session_id,
        "collected_at": manifest.created_at,
        "n_parts": len(manifest.items),
        "size_bytes": sum(item.size_bytes for item in manifest.items),
        "holds": [hold.ref for hold in standing.holds],
        "n_custody_entries": standing.n_entries,
    }
