"""Says who may use the admin API: whoever knows the token of this moment.

Rule: the token is read anew for each call, so that it is rotated by replacing its file; it is
compared in constant time, and shown nowhere.
"""

import hmac
import secrets
from pathlib import Path

from streamguard.core.errors import ConfigError
from streamguard.ingest.private_file import write_private

TOKEN_SUFFIX = ".token"  # noqa: S105  # a name, no token
"""What the name of our own token file ends in; it begins as the event log's, and lies beside it."""

MIN_LENGTH = 16
"""A shorter token is refused: it could be guessed (our choice; one that we make has 43)."""


def token_file_of(given: Path | None, log_file: Path) -> Path:
    """Say where the token is kept."""
    return given or log_file.with_name(log_file.name + TOKEN_SUFFIX)


def ensure_token(given: Path | None, log_file: Path) -> Path:
    """Give the file of the token; make our own where there is none.

    Raises:
        ConfigError: it cannot be read or made, or what it holds is too short.
    """
    file = token_file_of(given, log_file)
    if given is None and not file.exists():
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(file, secrets.token_urlsafe(32).encode())
        except OSError:
            raise ConfigError(f"{file}: the token of the admin API cannot be kept") from None
    read_token(file)
    return file


def read_token(file: Path) -> str:
    """Read the token of this moment.

    Raises:
        ConfigError: it cannot be read, or is too short.
    """
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file}: the token cannot be read") from None
    if len(token) < MIN_LENGTH:
        raise ConfigError(f"{file}: the token is too short: give {MIN_LENGTH} characters or more")
    return token


def is_allowed(header: str | None, file: Path) -> bool:
    """Compare an Authorization header with the token of this moment; nobody may without one."""
    try:
        wanted = f"Bearer {read_token(file)}"
    except ConfigError:
        return False
    return hmac.compare_digest((header or "").encode(), wanted.encode())
