"""Opens the store of evidence that the settings name.

Rule: only processes that keep evidence or look at it import this: it needs the keys.
"""

import hashlib
import json
from functools import partial
from pathlib import Path

from pydantic import BaseModel

from streamguard import __version__
from streamguard.adapters.clock_error import clock_error_ms
from streamguard.adapters.disk_probe import has_room
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.core.manifest import AccessPolicy
from streamguard.core.retention import Retention
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.toml_file import read_toml
from streamguard.vault.collecting import Authority, Collector
from streamguard.vault.folder import Folder, Store
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.vault import Vault


def retention_of(section: EvidenceSection) -> Retention:
    """Give how long evidence is kept."""
    return Retention(section.rejected_days, section.unreviewed_days, section.confirmed_days)


def _store(section: EvidenceSection) -> Store | None:
    """Open the store elsewhere, if there is one; only who has one loads what it needs."""
    if section.store is None:
        return None
    from streamguard.vault.object_store import ObjectStore  # noqa: PLC0415  # 40 ms

    file = section.store_options_file
    options = read_toml(file) if file else {}
    if file and not all(isinstance(value, str) for value in options.values()):
        raise ConfigError(f"{file}: each option of the store is a text")
    return ObjectStore(section.store, options)


def _authority(section: EvidenceSection) -> Authority | None:
    """Name who is asked for time stamps, if anybody is; only then what that needs is loaded."""
    if section.timestamp_url is None and section.timestamp_roots_file is None:
        return None
    if section.timestamp_url is None or section.timestamp_roots_file is None:
        raise ConfigError("[evidence] timestamp_url and timestamp_roots_file go together")
    from streamguard.adapters.timestamp_authority import TimestampAuthority  # noqa: PLC0415  # 20 ms

    return TimestampAuthority(section.timestamp_url, section.timestamp_roots_file)


def key_files(section: EvidenceSection, root: Path) -> KeyFiles:
    """Name the key files of a directory of evidence."""
    beside = KeyFiles.beside(root)
    return KeyFiles(
        section.master_key_file or beside.master, section.signing_key_file or beside.signing
    )


def sha256_of(settings: BaseModel) -> str:
    """Name the settings in force by their hash; what is secret in them is masked before."""
    shown = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def open_vault(
    section: EvidenceSection,
    deployment: str,
    directory: Path | None = None,
    config_sha256: str = "",
) -> Vault:
    """Open a store; nothing is written before there is evidence.

    directory: where it is, instead of where the settings say.
    config_sha256: what `sha256_of` says of all settings, for who collects evidence.

    Raises:
        ConfigError: there is no directory, or the keys are wrong.
        EvidenceUnavailable: the directory cannot be used.
    """
    root = directory or section.directory
    if root is None:
        raise ConfigError("name the evidence: --evidence DIR, or [evidence] directory")
    files = key_files(section, root)
    for file in (files.master, files.signing):
        if file.absolute().is_relative_to(root.absolute()):
            raise ConfigError(f"{file}: keep the keys out of the directory of the evidence")
    folder = Folder(root, _store(section), partial(has_room, root))
    policy = AccessPolicy(section.roles, section.two_person_export)
    collector = Collector(
        deployment,
        __version__,
        config_sha256,
        policy,
        retention_of(section),
        clock_error_ms,
        _authority(section),
    )
    return Vault(folder, Keys(files), collector, SystemClock())
