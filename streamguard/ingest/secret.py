"""Keeps the secret by which this deployment names the streams that it finds.

Rule: it is made once and never changes by itself: with another secret every stream would have
another id, and what is known of it would belong to nobody.
"""

import secrets
from pathlib import Path

from streamguard.core.errors import ConfigError
from streamguard.core.naming import MIN_SECRET_BYTES
from streamguard.ingest.private_file import write_private


def read_secret(file: Path) -> bytes:
    """Read a secret that somebody else keeps.

    Raises:
        ConfigError: it cannot be read, or is too short.
    """
    try:
        secret = file.read_bytes().strip()
    except OSError:
        raise ConfigError(f"{file}: the secret of this deployment cannot be read") from None
    if len(secret) < MIN_SECRET_BYTES:
        raise ConfigError(
            f"{file}: the secret of this deployment is too short: give {MIN_SECRET_BYTES} bytes or"
            " more, as `openssl rand -hex 32` makes them"
        )
    return secret


def kept_secret(file: Path) -> bytes:
    """Read our own secret; make it where there is none.

    Raises:
        ConfigError: it cannot be read or made.
    """
    if not file.exists():
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(file, secrets.token_hex(MIN_SECRET_BYTES).encode())
        except OSError:
            raise ConfigError(f"{file}: the secret of this deployment cannot be kept") from None
    return read_secret(file)
