"""Hands evidence to somebody: one archive that says how to check it.

Rule: it is on record before it is written, and its hash after. What is in it is plain, unless it is
encrypted for those whom it is meant for; then nothing plain of it reaches a disk.

    README.txt verify.py        how to check it, with Python's own library and openssl
    parts/                      the clips and stills, and the last event of the flag
    manifests/                  each state of the evidence
    custody.jsonl               who had it in hand, up to this export
    signed/                     what signatures and time stamps are of, these, and the public keys
"""

import base64
import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from streamguard.core.custody import Detail, Entry, manifest_number
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.manifest import Item, Manifest, read_struct
from streamguard.vault import verify_export
from streamguard.vault.durable import sync_directory
from streamguard.vault.encrypting import Recipients, encrypted
from streamguard.vault.folder import read_file
from streamguard.vault.vault import Vault

SUFFIXES = {"video/mp4": ".mp4", "image/jpeg": ".jpg", "application/json": ".json"}
"""Of what is handed out plainly, by its media type."""

README = """Evidence {evidence_id}

What it is: manifests/ (the last one names all parts). Who had it in hand: custody.jsonl.

1. Check that nothing was changed, with any Python from 3.9 on:

     python3 verify.py

   Whether the archive is the one that was handed out, its SHA-256 tells: it is on record there.

2. Check who wrote it. Every manifest and every custody entry is signed (Ed25519). In signed/ lie,
   of each, what was signed (.json), the signature (.sig), and the public key (.pem). With openssl
   3.0 or later, for each pair:

     openssl pkeyutl -verify -pubin -inkey signed/KEY.pem -rawin \\
       -in signed/NAME.json -sigfile signed/NAME.sig

   KEY is the key_id within NAME.json, and NAME.json is the manifest, or the line of the custody,
   without its signature (and, of the custody, its hash). Ask the platform for its public key by
   another way than this archive: SHA-256 of the PEM files here:

{keys}

3. Check since when it was there, by another's word. Of a manifest with a time stamp (RFC 3161),
   signed/ holds what was stamped (.stamped) and the token (.tst); ROOTS.pem is the root certificate
   of the authority, from that authority itself:

     openssl ts -verify -data signed/NAME.stamped -in signed/NAME.tst -token_in -CAfile ROOTS.pem
     openssl ts -reply -in signed/NAME.tst -token_in -token_out -text
"""


@dataclass(frozen=True, slots=True)
class Order:
    """Who has evidence exported.

    ticket:  reference of what it is handed out for: an order, a case, a request.
    purpose: what for, in words; may be empty.
    """

    actor: str
    ticket: str
    purpose: str = ""


def approve(vault: Vault, evidence_id: str, order: Order) -> Entry:
    """Put on record that one agrees to an export by somebody else, for the same ticket.

    Raises:
        ConfigError: there is no such evidence.
    """
    detail: Detail = {"ticket": order.ticket}
    return vault.note(evidence_id, "approve", detail, actor=order.actor, purpose=order.purpose)


def export(
    vault: Vault, evidence_id: str, file: Path, order: Order, recipients: Recipients = ()
) -> str:
    """Write an archive; give its SHA-256.

    recipients: whom it is encrypted for; nobody leaves it plain.

    Raises:
        ConfigError: there is no such evidence any more, nobody approved, or the file is there.
        EvidenceDamaged: it is not what was kept.
        EvidenceUnavailable: it cannot be read, or the archive cannot be written.
    """
    if file.exists():
        raise ConfigError(f"{file} is there already: name another file")
    manifest, named = _ordered(vault, evidence_id, order)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out, ExitStack() as undo:
            undo.callback(file.unlink)
            with encrypted(out, recipients) as into, ZipFile(into, "w", ZIP_STORED) as archive:
                _write(vault, manifest, archive)
            out.flush()
            os.fsync(out.fileno())
            sync_directory(file.absolute().parent)
            with file.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            named["archive_sha256"] = digest
            vault.note(evidence_id, "exported", named, actor=order.actor, purpose=order.purpose)
            undo.pop_all()
    except OSError as error:
        raise EvidenceUnavailable(f"{file} cannot be written: {error.strerror}") from None
    return digest


def _ordered(vault: Vault, evidence_id: str, order: Order) -> tuple[Manifest, Detail]:
    """Put the order on record, if it is a good one; give what is to be exported, and of whom."""
    with vault.changing() as chain:
        standing = chain.ledger.evidence.get(evidence_id)
        if standing is None:
            raise ConfigError(f"there is no evidence {evidence_id}: see `evidence list`")
        if standing.state != "kept":
            raise ConfigError(
                f"evidence {evidence_id} was erased: `evidence show` tells what it was"
            )
        manifest = vault.manifest_of(standing)
        policies = (vault.policy, manifest.access_policy)
        others = {each.actor for each in standing.approvals if each.ticket == order.ticket}
        others -= {order.actor}
        if any(each and each.two_person_export for each in policies) and not others:
            raise ConfigError(
                f"evidence {evidence_id} is exported by two: somebody else has to approve first, "
                "by `evidence approve` with the same ticket"
            )
        detail: Detail = {
            "ticket": order.ticket,
            "items": tuple(str(item.number) for item in manifest.items),
            "sha256": tuple(item.sha256 for item in manifest.items),
            "approved_by": tuple(sorted(others)),
        }
        chain.append(evidence_id, "export", detail, actor=order.actor, purpose=order.purpose)
    return manifest, {"ticket": order.ticket}


def _write(vault: Vault, manifest: Manifest, archive: ZipFile) -> None:
    """Write all that belongs to an evidence."""
    evidence_id, key_ids = manifest.evidence_id, set[str]()
    data_key = vault.data_key(evidence_id)
    for item in manifest.items:
        content = vault.content_of(evidence_id, item, data_key)
        archive.writestr(f"parts/{plain_name(item)}", content)
    own, number = list[Entry](), 0
    for entry in vault.entries():
        if entry.action == "collect":
            number = manifest_number(entry, number)
        if entry.evidence_id == evidence_id:
            own.append(entry)
            _write_signed(archive, f"custody-{entry.seq:08d}", entry.signed, entry.signature)
            key_ids.add(entry.key_id)
            if entry.action == "collect":
                key_ids.add(_write_manifest(vault, number, evidence_id, archive))
        number += entry.action == "collect"
    archive.writestr("custody.jsonl", b"".join(entry.content + b"\n" for entry in own))
    keys = {key_id: vault.keys.public_pem(key_id) for key_id in sorted(key_ids)}
    for key_id, pem in keys.items():
        archive.writestr(f"signed/{key_id}.pem", pem)
    lines = (f"     {key_id}  {hashlib.sha256(pem).hexdigest()}" for key_id, pem in keys.items())
    archive.writestr("README.txt", README.format(evidence_id=evidence_id, keys="\n".join(lines)))
    archive.writestr("verify.py", Path(verify_export.__file__).read_bytes())


def _write_manifest(vault: Vault, number: int, evidence_id: str, archive: ZipFile) -> str:
    """Write one state of an evidence; give the key by which it was signed."""
    content = read_file(vault.folder.manifest(number, evidence_id))
    manifest = read_struct(content, Manifest)
    name = f"manifest-{number:012d}"
    archive.writestr(f"manifests/{name}.json", content)
    _write_signed(archive, name, manifest.signed, manifest.signature)
    if manifest.timestamp_token:
        archive.writestr(f"signed/{name}.stamped", manifest.stamped)
        archive.writestr(f"signed/{name}.tst", base64.b64decode(manifest.timestamp_token))
    return manifest.key_id


def _write_signed(archive: ZipFile, name: str, content: bytes, signature: str) -> None:
    archive.writestr(f"signed/{name}.json", content)
    archive.writestr(f"signed/{name}.sig", bytes.fromhex(signature))


def plain_name(item: Item) -> str:
    """Name a part where it lies plainly."""
    return f"{item.number:04d}-{item.role}{SUFFIXES.get(item.media_type, '')}"
