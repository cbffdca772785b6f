"""The section [evidence] of the configuration.

Rule: as in `settings`, which reads it; here is what it is.
"""

from pathlib import Path

from streamguard.section import Section


class EvidenceSection(Section):
    """What a reviewer can look at."""

    directory: Path | None = None
    """Where evidence of flags is kept, encrypted; without it no picture is ever stored."""
    master_key_file: Path | None = None
    """Key that wraps the keys of evidence: a line of 64 hex digits, those of former keys after it;
    without it DIRECTORY.keys/master.key, made once. Without the key no evidence can be read."""
    signing_key_file: Path | None = None
    """Ed25519 key, PEM, that signs manifests and custody, those of former keys after it; without
    it DIRECTORY.keys/signing.pem, made once."""
