"""What the verb `backup` does: copies all that a deployment must not lose.

Rule: it may be called while `run` runs, and copies each part in one state. Keys go to a directory
of their own, or nowhere: beside what they open they protect nothing.
"""

import argparse
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from streamguard.adapters.bank_lock import locked
from streamguard.adapters.sqlite_copy import copy_database
from streamguard.core.custody import Ledger, read_entry
from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.discovery import ADDED_SUFFIX, SECRET_SUFFIX
from streamguard.sections.enforce_section import enforce_file
from streamguard.sections.review_section import review_file
from streamguard.settings import Settings, load_settings
from streamguard.vault.custody_file import CUSTODY, DAMAGED_CHAINS, HEAD
from streamguard.vault.durable import make_directory, write_whole

if TYPE_CHECKING:
    from streamguard.vault.vault import Vault

_NOT_COPIED = ("*.db", "*.db-wal", "*.db-shm", "*.part", ".*")
"""Databases are copied as such; what is half written is nobody's."""


def backup(arguments: argparse.Namespace) -> int:
    """Copy log, banks and evidence to a directory, and the keys to another one."""
    settings = load_settings(arguments.config)
    target: Path = arguments.directory
    for directory in filter(None, (target, arguments.keys)):
        if directory.exists():
            raise ConfigError(f"{directory} is there already: name a new directory")
    if arguments.keys and arguments.keys.absolute().is_relative_to(target.absolute()):
        raise ConfigError("keep the keys out of the backup: name another directory")
    make_directory(target)
    try:
        _copy_log(settings, target / "log")
        for bank in settings.bank.paths:
            _copy_bank(bank.resolve(), target / "banks")
        if settings.evidence.directory and settings.evidence.directory.is_dir():
            _copy_evidence(settings, target / "evidence")
        keys = [file for file in _key_files(settings) if file.exists()]
        if arguments.keys:
            for file in keys:
                write_whole(arguments.keys / file.name, file.read_bytes())
    except OSError as error:
        raise EvidenceUnavailable(f"{target}: no backup: {error.strerror}") from None
    for file in () if arguments.keys else keys:
        print(f"not in the backup: {file}: keep a copy elsewhere, as --keys DIR makes it")
    print(f"backup in {target}")
    return 0


def _copy_log(settings: Settings, target: Path) -> None:
    """Copy the log, and before it what may lag behind and never be ahead.

    That is what reviewers work with, and what the enforcer denies, holds and has not done yet.
    """
    make_directory(target)
    file = settings.log.file
    reviewers, enforcer = review_file(settings.review, file), enforce_file(settings.enforce, file)
    for database in (reviewers, enforcer, file):
        if database.exists():
            copy_database(database, target / database.name)
    added = file.with_name(file.name + ADDED_SUFFIX)
    if added.exists():
        write_whole(target / added.name, added.read_bytes())


def _copy_bank(bank: Path, target: Path) -> None:
    """Copy a bank while nobody edits it."""
    make_directory(target)
    with locked(bank):
        copied = target / bank.name
        shutil.copytree(bank, copied, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        for database in bank.glob("*.db"):
            copy_database(database, copied / database.name)


def _copy_evidence(settings: Settings, target: Path) -> None:
    """Copy custody and manifests in one state, then the parts that they name.

    What is erased meanwhile is missing in that state: then all is copied again.
    """
    from streamguard.parts.evidence_parts import open_vault  # noqa: PLC0415  # only who keeps evidence

    vault = open_vault(settings.evidence, settings.deployment.name)
    make_directory(target)
    kept: set[str] | None = None
    while kept is None or kept - _kept(_custody_of(vault)):
        lines = _copy_state(vault, target)
        for evidence_id in (kept or set()) - _kept(lines):
            shutil.rmtree(target / "objects" / evidence_id, ignore_errors=True)
        kept = _kept(lines)
        for path in vault.folder.here():
            if not path.name.startswith("."):
                _copy_object(path, target / "objects" / path.parent.name / path.name)


def _copy_state(vault: "Vault", target: Path) -> bytes:
    """Copy what says what there is; give the lines of the custody."""
    with vault.custody.reading() as (lines, head):
        manifests = vault.folder.manifests()
    write_whole(target / CUSTODY, lines)
    if head:
        write_whole(target / HEAD, head)
    for path in vault.folder.root.glob(DAMAGED_CHAINS):
        write_whole(target / path.name, path.read_bytes())
    for path in manifests:
        write_whole(target / "manifests" / path.name, path.read_bytes())
    return lines


def _custody_of(vault: "Vault") -> bytes:
    with vault.custody.reading() as (lines, _):
        return lines


def _kept(lines: bytes) -> set[str]:
    """Give whose parts are there by the custody, as far as it can be followed."""
    ledger = Ledger()
    with suppress(EvidenceDamaged):  # is copied as it is: `evidence verify` tells
        for line in lines.split(b"\n")[:-1]:
            ledger.take(read_entry(line))
    return {each.evidence_id for each in ledger.evidence.values() if each.state == "kept"}


def _copy_object(path: Path, target: Path) -> None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return  # erased, or brought to the store, meanwhile
    write_whole(target, content)


def _key_files(settings: Settings) -> Iterable[Path]:
    """Name what opens and signs evidence, and what names streams."""
    log_file, deployment = settings.log.file, settings.deployment
    yield deployment.secret_file or log_file.with_name(log_file.name + SECRET_SUFFIX)
    if settings.evidence.directory:
        from streamguard.parts.evidence_parts import key_files  # noqa: PLC0415  # as above

        files = key_files(settings.evidence, settings.evidence.directory)
        yield from (files.master, files.signing)
