"""Looks whether the evidence that the settings name can be kept and read: keys, chain, store.

Rule: nothing of the evidence is changed, and no part of it is read. What is put into the store to
see whether it takes anything is taken out again.
"""

from collections.abc import Iterator
from pathlib import Path

from streamguard.core.check import Check, fail, fail_by, ok, warn
from streamguard.core.custody import Ledger
from streamguard.core.errors import (
    ConfigError,
    EvidenceDamaged,
    EvidenceUnavailable,
    StreamguardError,
)
from streamguard.parts.evidence_parts import key_files, open_vault
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.vault.collecting import Authority
from streamguard.vault.custody_file import CUSTODY, Head
from streamguard.vault.folder import Store
from streamguard.vault.spool import waiting
from streamguard.vault.vault import Vault

PROBE = ("doctor", "probe")
"""What is put into the store: no evidence has such an id."""

PROBED = b"streamguard doctor"


def checked_evidence(section: EvidenceSection, deployment: str) -> Iterator[Check]:
    """Look at all that evidence needs beside its disk, the store's answers included."""
    if section.directory is None:
        return
    try:
        vault, found = proven(section, deployment)
    except StreamguardError as error:
        yield fail_by(
            "keys", error, "`run` does not start, or keeps no evidence, until it is right"
        )
        return
    yield ok("keys", found)
    files = key_files(section, section.directory)
    if open_to_others := [str(each) for each in files.all if _is_open(each)]:
        what = f"{', '.join(open_to_others)}: others of this machine can read it"
        yield warn("keys", what, "make it readable for its owner alone (chmod 600)")
    if vault.folder.store is not None:
        yield _asked(vault, vault.folder.store)
    if vault.authority is not None:
        yield _stamped(vault.authority)


def proven(section: EvidenceSection, deployment: str) -> tuple[Vault, str]:
    """Open the evidence, and look whether the keys are those that it was kept by; tell of them.

    The store elsewhere is named, and asked for nothing.

    Raises:
        ConfigError: the settings, the keys or the store's options are wrong.
        EvidenceDamaged: the chain of custody is not what was written.
        EvidenceUnavailable: the directory or the chain cannot be read.
    """
    vault = open_vault(section, deployment)
    assert section.directory is not None  # noqa: S101  # it was opened
    files = key_files(section, section.directory)
    ledger, head = _chain_of(vault)
    kept = [each for each in ledger.evidence.values() if each.state == "kept"]
    missing = [str(each) for each in files.all if not each.exists()]
    if missing and ledger.n_entries:
        raise ConfigError(f"{missing[0]}: this key is not there, and evidence was kept by it")
    if missing:
        return vault, f"{missing[0]}: made with the first evidence"
    if head and not vault.keys.is_signed(head.key_id, head.signature, head.signed):
        raise ConfigError(f"{files.signing}: the custody was signed by another key")
    for standing in kept[-1:]:
        try:
            vault.data_key(standing.evidence_id)
        except EvidenceUnavailable as error:
            raise EvidenceUnavailable(f"key of evidence {standing.evidence_id} {error}") from None
        except StreamguardError as error:
            raise ConfigError(
                f"{files.master}: does not open evidence {standing.evidence_id}, whose key {error}"
            ) from None
    return vault, f"those of {len(kept)} evidence in {vault.folder.root}"


def _chain_of(vault: Vault) -> tuple[Ledger, Head | None]:
    try:
        return vault.ledger(), vault.custody.head()
    except EvidenceDamaged as error:
        where = vault.folder.root / CUSTODY
        raise EvidenceDamaged(
            f"{where}: {error}: see `evidence verify` and `evidence mend`"
        ) from None


def _is_open(file: Path) -> bool:
    return file.exists() and bool(file.stat().st_mode & 0o077)


def _stamped(authority: Authority) -> Check:
    """Have something stamped that is no evidence."""
    try:
        authority.stamp(PROBED)
    except EvidenceUnavailable as error:
        remedy = "look at [evidence] timestamp_url and timestamp_roots_file; stamps come later"
        return fail_by("time stamps", error, remedy)
    return ok("time stamps", "the authority gives them, and is trusted")


def _asked(vault: Vault, store: Store) -> Check:
    """Put something into the store, read it and take it out."""
    waits = waiting(vault)
    spooled = f"{waits.n_parts} parts, {waits.n_bytes} bytes wait"
    try:
        store.put(*PROBE, PROBED)
        is_same = store.get(*PROBE) == PROBED
        store.delete(*PROBE)
    except EvidenceUnavailable as error:
        remedy = "look at [evidence] store, its options and rights; parts wait here meanwhile"
        return fail_by("store", EvidenceUnavailable(f"{error}; {spooled}"), remedy)
    if not is_same:
        return fail("store", f"gives something else than it took; {spooled}", "look at the store")
    return ok("store", f"{store.url} takes, gives and removes; {spooled}")
