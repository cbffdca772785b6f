"""Opens the store of evidence that the settings name.

Rule: only processes that keep evidence or look at it import this: it needs the keys.
"""

from pathlib import Path

from streamguard import __version__
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError
from streamguard.core.retention import Retention
from streamguard.evidence_section import EvidenceSection
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.vault import Collector, Vault


def retention_of(section: EvidenceSection) -> Retention:
    """Give how long evidence is kept."""
    return Retention(section.rejected_days, section.unreviewed_days, section.confirmed_days)


def open_vault(section: EvidenceSection, deployment: str, directory: Path | None = None) -> Vault:
    """Open a store; nothing is written before there is evidence.

    directory: where it is, instead of where the settings say.

    Raises:
        ConfigError: there is no directory, or the keys are wrong.
        EvidenceUnavailable: the directory cannot be used.
    """
    root = directory or section.directory
    if root is None:
        raise ConfigError("name the evidence: --evidence DIR, or [evidence] directory")
    beside = KeyFiles.beside(root)
    files = KeyFiles(
        section.master_key_file or beside.master, section.signing_key_file or beside.signing
    )
    for file in (files.master, files.signing):
        if file.absolute().is_relative_to(root.absolute()):
            raise ConfigError(f"{file}: keep the keys out of the directory of the evidence")
    return Vault(root, Keys(files), Collector(deployment, __version__), SystemClock())
