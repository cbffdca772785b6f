"""Begins a new chain of custody where the old one is damaged, and takes nothing any more.

Rule: nothing is lost and nothing is made good silently. What is sound stays as it is; an entry says
what was wrong and names the damaged file, which is kept; what is sound behind the damage is entered
again, and says so. Of a manifest whose entry is lost the manifest itself is the witness.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from streamguard.adapters.failpoint import reach
from streamguard.core.canonical import canonical
from streamguard.core.custody import (
    STORE,
    Action,
    Detail,
    Entry,
    Ledger,
    hash_of,
    instant,
    read_entry,
)
from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import Manifest, read_struct
from streamguard.vault.custody_file import CUSTODY, HEAD, Head
from streamguard.vault.durable import sync_directory, write_whole
from streamguard.vault.folder import read_file
from streamguard.vault.keys import Keys
from streamguard.vault.vault import Vault

ID_CHARS = 16
"""Of a plan's name, as of a purge's."""


@dataclass(frozen=True, slots=True)
class Again:
    """Something that is entered again: by its old entry, or by its manifest alone.

    actor: who did it; "" stands for who begins the chain anew.
    """

    actor: str
    evidence_id: str
    action: Action
    detail: Detail
    purpose: str


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be done about a damaged chain.

    id:       what whoever orders it has to name.
    n_sound:  entries before the damage, which stay as they are.
    again:    what follows it and is sound, in its order.
    left_out: what of the old file is not entered again, a line each, and why.
    sound:    the lines that stay.
    sha256:   of the damaged file.
    """

    id: str
    problem: str
    n_sound: int
    again: tuple[Again, ...]
    left_out: tuple[str, ...]
    sound: bytes
    sha256: str


def plan_mending(vault: Vault) -> Mending:
    """Look what is wrong with the custody, and what could be saved; nothing is changed.

    Raises:
        ConfigError: nothing is wrong with it.
        EvidenceUnavailable: it cannot be read.
    """
    with vault.custody.reading() as (lines, head):
        return _plan(vault, lines, head)


def mend(vault: Vault, seen: str, actor: str, purpose: str) -> Entry:
    """Begin the chain anew; give the entry that says so.

    seen: the id of the plan that was looked at.

    Raises:
        ConfigError: another plan was looked at, or nothing is wrong; nothing was changed.
        EvidenceUnavailable: it cannot be written; the damaged chain is where it was.
    """
    root = vault.folder.root
    try:
        with vault.custody.locked() as descriptor:
            lines = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            head = (root / HEAD).read_bytes() if (root / HEAD).exists() else b""
            plan = _plan(vault, lines, head)
            if seen != plan.id:
                raise ConfigError(
                    f"the plan is now {plan.id}, not {seen}: look at it, then name it"
                )
            number = next(n for n in range(1, 1 << 20) if not (root / _aside(n)).exists())
            content, entry, new_head = _made_anew(vault, plan, _aside(number), (actor, purpose))
            write_whole(root / _aside(number), lines)
            if head:
                (root / HEAD).rename(root / f"{_aside(number)}.head")
                sync_directory(root)
            reach("custody_put_aside")
            write_whole(root / CUSTODY, content)
            reach("custody_begun_anew")
            write_whole(root / HEAD, new_head)
    except OSError as error:
        raise EvidenceUnavailable(f"{CUSTODY} cannot be begun anew: {error.strerror}") from None
    return entry


def _aside(number: int) -> str:
    """Name the file in which a damaged chain is kept."""
    return f"custody-{number}.damaged"


def _plan(vault: Vault, content: bytes, head: bytes) -> Mending:
    whole, _, broken_off = content.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    ledger, sound = Ledger(), list[bytes]()
    problem = ""
    for line in lines:
        try:
            ledger.take(read_entry(line))
        except EvidenceDamaged as error:
            problem = f"line {len(sound) + 1}: {error}"
            break
        sound.append(line)
    problem = problem or _wrong_head(head, ledger)
    if not problem:
        raise ConfigError("nothing is wrong with the chain of custody: there is nothing to mend")
    left_out = ["its last line broke off"] if broken_off else []
    known = {read_entry(line).hash for line in sound}
    old = _sound_entries(lines, len(sound), known, vault.keys, left_out)
    again = tuple(_again(vault, ledger, old, left_out))
    digest = hashlib.sha256(content).hexdigest()
    named = hashlib.sha256(content + b"\n" + head).hexdigest()[:ID_CHARS]
    stays = b"".join(line + b"\n" for line in sound)
    return Mending(named, problem, len(sound), again, tuple(left_out), stays, digest)


def _wrong_head(content: bytes, ledger: Ledger) -> str:
    """Say what keeps anything from being added to a chain that is sound as far as it goes."""
    try:
        head = read_struct(content, Head) if content else None
    except EvidenceDamaged as error:
        return f"{HEAD} {error}"
    if head and head.n_entries > ledger.n_entries:
        return f"{head.n_entries - ledger.n_entries} entries are missing at its end"
    return ""


def _sound_entries(
    lines: list[bytes], n_sound: int, known: set[str], keys: Keys, left_out: list[str]
) -> list[Entry]:
    """Give the entries behind the damage that are ours, each once, in the order of their making."""
    found: dict[str, Entry] = {}
    for number, line in enumerate(lines[n_sound:], n_sound + 1):
        try:
            entry = read_entry(line)
        except EvidenceDamaged as error:
            left_out.append(f"line {number}: {error}")
            continue
        is_ours = keys.is_signed(entry.key_id, entry.signature, entry.signed)
        if entry.hash != hash_of(entry) or not is_ours:
            left_out.append(f"line {number}: is not what was written")
        elif entry.hash in known or entry.hash in found:
            left_out.append(f"line {number}: is there twice")
        else:
            found[entry.hash] = entry
    return sorted(found.values(), key=lambda entry: entry.seq)


def _again(vault: Vault, ledger: Ledger, old: list[Entry], left_out: list[str]) -> Iterator[Again]:
    """Give what is entered again: each manifest in its place, whether its entry is there or not."""
    manifests = _manifests(vault, ledger.n_manifests)
    named = {entry.detail.get("manifest_sha256") for entry in old if entry.action == "collect"}
    orphans = [each for each in manifests.values() if each.sha256 not in named]
    known = {*ledger.evidence, STORE}
    for entry in old:
        collected = manifests.get(str(entry.detail.get("manifest_sha256")))
        while orphans and (
            orphans[0].number < collected.number
            if collected
            else entry.evidence_id in {each.evidence_id for each in orphans} - known
        ):
            known.add(orphans[0].evidence_id)
            yield _witness(orphans.pop(0))
        if (entry.action == "collect") != (collected is not None):
            left_out.append(f"entry {entry.seq}: its manifest is missing, or not what was written")
        elif collected is None and entry.evidence_id not in known:
            left_out.append(f"entry {entry.seq}: nothing else is known of its evidence")
        else:
            known.add(entry.evidence_id)
            number: Detail = {"manifest_number": collected.number} if collected else {}
            detail = {**entry.detail, **number, "again": entry.hash, "at": entry.at}
            of = (entry.actor, entry.evidence_id, entry.action)
            yield Again(*of, detail, entry.purpose)
    yield from map(_witness, orphans)


def _manifests(vault: Vault, n_before: int) -> dict[str, Manifest]:
    """Read the manifests that follow, as far as they are ours, by their hash, in their order."""
    found: dict[str, Manifest] = {}
    for path in vault.folder.manifests():
        try:
            manifest = read_struct(read_file(path), Manifest)
        except (EvidenceDamaged, EvidenceUnavailable):
            continue
        is_ours = vault.keys.is_signed(manifest.key_id, manifest.signature, manifest.signed)
        is_there = vault.folder.manifest(manifest.number, manifest.evidence_id) == path
        if is_ours and is_there and manifest.number >= n_before:
            found[manifest.sha256] = manifest
    return found


def _witness(manifest: Manifest) -> Again:
    """Enter a manifest whose entry is lost."""
    detail: Detail = {
        "manifest_sha256": manifest.sha256,
        "manifest_number": manifest.number,
        "sha256": tuple(item.sha256 for item in manifest.items),
        "at": manifest.created_at,
    }
    return Again("", manifest.evidence_id, "collect", detail, "its manifest is the witness")


def _made_anew(
    vault: Vault, plan: Mending, aside: str, who: tuple[str, str]
) -> tuple[bytes, Entry, bytes]:
    """Give the lines of the new chain, the entry that begins it, and how far it reaches."""
    actor, purpose = who
    told: Detail = {
        "file": aside,
        "sha256": plan.sha256,
        "problem": plan.problem,
        "n_again": len(plan.again),
        "n_left_out": len(plan.left_out),
    }
    ledger, lines = Ledger(), [plan.sound]
    for line in plan.sound.split(b"\n")[:-1]:
        ledger.take(read_entry(line))
    made = [
        _entered(vault, ledger, each, actor)
        for each in (Again(actor, STORE, "restart", told, purpose), *plan.again)
    ]
    lines += [entry.content + b"\n" for entry in made]
    head = Head(ledger.n_entries, ledger.last_hash, vault.keys.signing_id)
    head = msgspec.structs.replace(head, signature=vault.keys.sign(head.signed))
    return b"".join(lines), made[0], canonical(msgspec.to_builtins(head))


def _entered(vault: Vault, ledger: Ledger, again: Again, actor: str) -> Entry:
    """Make the next entry, signed, and go on with it."""
    entry = ledger.next_entry(
        again.evidence_id,
        again.action,
        again.detail,
        actor=again.actor or actor,
        purpose=again.purpose,
        at=instant(vault.clock.wall()),
        key_id=vault.keys.signing_id,
    )
    entry = msgspec.structs.replace(entry, signature=vault.keys.sign(entry.signed))
    ledger.take(entry)
    return entry
