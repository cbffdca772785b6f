"""What a store of evidence holds behind the references of events."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.vault.made_vaults import made_vault


def path_of(artifact: dict[str, Any]) -> Path:
    """Give the file that an artifact names."""
    parts = urlsplit(artifact["uri"])
    assert (parts.scheme, parts.netloc) == ("file", "")
    return Path(unquote(parts.path))


def content_of(artifact: dict[str, Any]) -> bytes:
    """Give an artifact's bytes, which must be what the event says."""
    path = path_of(artifact)
    vault = made_vault(path.parents[2])
    number = int(path.name[:4])
    content = vault.read(path.parent.name, number, "view", actor="a test", purpose="to look")
    assert hashlib.sha256(content).hexdigest() == artifact["sha256"]
    assert len(content) == artifact["size_bytes"]
    return content
