"""Looks at every byte of a store of evidence: it is what was written, and all of it is there.

Rule: a check reads only, trusts nothing that it has not checked, and goes on after what it found;
`record` puts it into the custody.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from streamguard.core.custody import (
    STORE,
    Detail,
    Entry,
    Ledger,
    Standing,
    manifest_number,
    read_entry,
)
from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import NOTHING_BEFORE, Manifest, merkle_root, read_struct
from streamguard.vault.custody_file import CUSTODY, HEAD, Head
from streamguard.vault.folder import DAMAGED, GROWING, KEY, read_file
from streamguard.vault.growing import GrowingReader, is_growing
from streamguard.vault.keys import Keys
from streamguard.vault.stamping import stamp_problem
from streamguard.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written.

    where: a file of the store, by its name below the store.
    """

    where: str
    what: str


@dataclass(slots=True)
class Checked:
    """What was looked at.

    leftovers: files that belong to nothing, as a crash leaves them: no evidence is missing.
    unsealed: files of clips that nobody writes to, and that are no part yet.
    restarts: where the custody was damaged once and begun anew, in words.
    head: the hash of the last entry of the custody: whoever wrote it down can tell later whether
        anything was cut off since.
    """

    n_entries: int = 0
    n_evidence: int = 0
    n_parts: int = 0
    n_bytes: int = 0
    n_erased: int = 0
    leftovers: list[str] = field(default_factory=list)
    unsealed: list[str] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)
    head: str = NOTHING_BEFORE


def check(
    vault: Vault, checked: Checked, known_head: str | None = None, only: str | None = None
) -> Iterator[Problem]:
    """Check a store; what was looked at is in `checked` at the end.

    known_head: the hash of an entry that the chain must hold: of its last one, at some time.
    only: the one evidence whose parts are looked at; the chain and all manifests are in any case.
    """
    with vault.custody.reading() as (lines, head):  # a state between two writes
        manifests = set(vault.folder.manifests())
    there = [only] if only else vault.folder.evidence_ids()
    stored = {each: vault.folder.objects(each) for each in there}
    ledger = Ledger()
    entries: list[Entry] = []
    yield from _check_chain(lines, vault.keys, ledger, entries)
    yield from _check_head(head, vault.keys, entries)
    if known_head and known_head not in {each.hash for each in entries}:
        yield Problem(CUSTODY, f"does not hold the entry {known_head}: it was cut off, or replaced")
    yield from _check_restarts(vault.folder.root, entries, checked)
    named: dict[str, Manifest] = {}
    yield from _check_manifests(vault, entries, manifests, named)
    checked.leftovers += (f"manifests/{path.name}" for path in sorted(manifests))
    for standing in ledger.evidence.values():
        if only not in (None, standing.evidence_id):
            continue
        manifest = named.get(standing.evidence_id)
        checked.n_evidence += 1
        checked.n_erased += standing.state == "erased"
        names = stored.pop(standing.evidence_id, [])
        yield from _check_evidence(vault, standing, manifest, names, checked)
    if only is None:
        checked.leftovers += (f"objects/{evidence_id}" for evidence_id in stored)
    checked.n_entries, checked.head = ledger.n_entries, ledger.last_hash


def record(
    vault: Vault, checked: Checked, n_problems: int, *, actor: str, purpose: str, only: str | None
) -> None:
    """Put a check on record, of one evidence or of the whole store; its entry is the head then.

    Raises:
        EvidenceDamaged: nothing can be added to the custody as it is.
        EvidenceUnavailable: it cannot be written.
    """
    detail: Detail = {
        "result": "damaged" if n_problems else "ok",
        "n_problems": n_problems,
        "n_parts": checked.n_parts,
        "n_bytes": checked.n_bytes,
        "head": checked.head,
    }
    entry = vault.note(only or STORE, "verify", detail, actor=actor, purpose=purpose)
    checked.n_entries, checked.head = checked.n_entries + 1, entry.hash


def _check_chain(
    content: bytes, keys: Keys, ledger: Ledger, entries: list[Entry]
) -> Iterator[Problem]:
    """Check the chain to its end, or to where it breaks."""
    lines = content.split(b"\n")
    if lines.pop() != b"":
        yield Problem(CUSTODY, "breaks off within an entry")
    for number, line in enumerate(lines):
        try:
            entry = read_entry(line)
            ledger.take(entry)
        except EvidenceDamaged as error:
            yield Problem(CUSTODY, f"line {number + 1}: {error}")
            return
        if not keys.is_signed(entry.key_id, entry.signature, entry.signed):
            yield Problem(CUSTODY, f"line {number + 1}: is not signed by a key of ours")
        entries.append(entry)


def _check_head(content: bytes, keys: Keys, entries: list[Entry]) -> Iterator[Problem]:
    """Hold the end of the chain against what was signed of it."""
    if not content:
        if len(entries) > 1:  # the first may have been the last thing before a crash
            yield Problem(HEAD, "is missing")
        return
    try:
        head = read_struct(content, Head)
    except EvidenceDamaged as error:
        yield Problem(HEAD, str(error))
        return
    if not keys.is_signed(head.key_id, head.signature, head.signed):
        yield Problem(HEAD, "is not signed by a key of ours")
    elif head.n_entries > len(entries):
        yield Problem(CUSTODY, f"lacks {head.n_entries - len(entries)} entries at its end")
    elif head.n_entries == 0 or entries[head.n_entries - 1].hash != head.last_hash:
        yield Problem(HEAD, "names another end of the custody")


def _check_restarts(root: Path, entries: list[Entry], checked: Checked) -> Iterator[Problem]:
    """Tell where the custody was begun anew; the file that was damaged is still what it was."""
    for entry in entries:
        if entry.action != "restart":
            continue
        name, told = str(entry.detail.get("file")), entry.detail
        checked.restarts.append(
            f"entry {entry.seq}: begun anew at {entry.at} by {entry.actor}, for {told['problem']}; "
            f"{told['n_left_out']} lines are in {name} alone"
        )
        try:
            content = read_file(root / Path(name).name)
        except EvidenceUnavailable as error:
            yield Problem(name, str(error))
        else:
            if hashlib.sha256(content).hexdigest() != told.get("sha256"):
                yield Problem(name, "is not the damaged custody that was put aside")


def _check_manifests(
    vault: Vault, entries: list[Entry], present: set[Path], named: dict[str, Manifest]
) -> Iterator[Problem]:
    """Check each manifest that the custody names; leave the newest of each evidence in `named`."""
    before, number = NOTHING_BEFORE, 0
    for entry in entries:
        if entry.action != "collect":
            continue
        number = manifest_number(entry, number)
        path = vault.folder.manifest(number, entry.evidence_id)
        where = f"manifests/{path.name}"
        present.discard(path)
        try:
            content = read_file(path)
            manifest = read_struct(content, Manifest)
        except (EvidenceDamaged, EvidenceUnavailable) as error:
            yield Problem(where, str(error))
            named.pop(entry.evidence_id, None)
        else:
            if hashlib.sha256(content).hexdigest() != entry.detail.get("manifest_sha256"):
                yield Problem(where, "is not the one that the custody names")
            if not vault.keys.is_signed(manifest.key_id, manifest.signature, manifest.signed):
                yield Problem(where, "is not signed by a key of ours")
            if problem := stamp_problem(vault, manifest):
                yield Problem(where, f"its time stamp {problem}")
            yield from _check_place(where, manifest, number, before, entry)
            named[entry.evidence_id] = manifest
        before, number = str(entry.detail.get("manifest_sha256")), number + 1


def _check_place(
    where: str, manifest: Manifest, number: int, before: str, entry: Entry
) -> Iterator[Problem]:
    if (manifest.number, manifest.evidence_id) != (number, entry.evidence_id):
        yield Problem(where, "belongs elsewhere")
    if manifest.prev_manifest_sha256 != before:
        yield Problem(where, "names another manifest before it")
    if manifest.merkle_root != merkle_root([item.sha256 for item in manifest.items]):
        yield Problem(where, "has another root than its parts")


def _check_evidence(
    vault: Vault,
    standing: Standing,
    manifest: Manifest | None,
    names: list[str],
    checked: Checked,
) -> Iterator[Problem]:
    """Check that all parts of an evidence are what was kept, or that none of them is left."""
    where = f"objects/{standing.evidence_id}"
    if standing.state != "kept":
        if names and standing.state == "erased":
            yield Problem(where, "was erased, and is still there")
        return
    if manifest is None:
        return  # told already
    expected = {KEY, *(item.name for item in manifest.items)}
    grown = {name for name in names if name.endswith(GROWING)}
    aside = {name for name in names if name.endswith(DAMAGED)}
    others = set(names) - expected - grown - aside
    checked.leftovers += (f"{where}/{name}" for name in sorted(others))
    for name in sorted(aside):
        yield Problem(f"{where}/{name}", "was damaged before it became a part")
    try:
        data_key = vault.data_key(standing.evidence_id)
    except (EvidenceDamaged, EvidenceUnavailable) as error:
        yield Problem(f"{where}/{KEY}", str(error))
        return
    for name in sorted(grown):
        yield from _check_growing(vault, standing.evidence_id, name, data_key, checked)
    for item in manifest.items:
        try:
            content = vault.content_of(standing.evidence_id, item, data_key)
        except (EvidenceDamaged, EvidenceUnavailable) as error:
            yield Problem(f"{where}/{item.name}", str(error))
        else:
            checked.n_parts += 1
            checked.n_bytes += len(content)


def _check_growing(
    vault: Vault, evidence_id: str, name: str, data_key: bytes, checked: Checked
) -> Iterator[Problem]:
    """Check the pieces that a growing file holds so far; what a crash broke off is no piece."""
    number = name.removesuffix(GROWING).rpartition("-")[2]
    path = vault.folder.object(evidence_id, name)
    try:
        if not is_growing(path):
            checked.unsealed.append(f"objects/{evidence_id}/{name}")
        with path.open("rb", buffering=0) as file:
            reader = GrowingReader(file, data_key, evidence_id, int(number))
            while reader.next() is not None:
                pass
    except FileNotFoundError:
        return  # a part by now
    except (EvidenceDamaged, OSError, ValueError) as error:
        what = str(error) if isinstance(error, EvidenceDamaged) else "cannot be read"
        yield Problem(f"objects/{evidence_id}/{name}", what)
