"""Encrypts an archive for whom it is meant, as it is written: age, https://age-encryption.org/v1.

Rule: only what is encrypted is written. Whoever holds a key opens it by `age --decrypt`, and needs
nothing of ours.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from streamguard.core.errors import ConfigError, EvidenceUnavailable

Recipients = Sequence[Any]
"""Public keys, as `read_recipients` gives them."""


def read_recipients(texts: Sequence[str]) -> Recipients:
    """Read public keys: age1… of `age-keygen`, or those of SSH, ssh-ed25519 or ssh-rsa.

    Raises:
        ConfigError: one is none.
    """
    import pyrage  # noqa: PLC0415  # only who encrypts an export

    found = []
    for number, text in enumerate(texts, 1):
        kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
        try:
            found.append(kind.from_str(text))
        except pyrage.RecipientError:
            raise ConfigError(
                f"recipient {number} is no public key: give age1… as `age-keygen` prints it, or one"
                " of SSH, ssh-ed25519 or ssh-rsa"
            ) from None
    return found


@contextmanager
def encrypted(out: BinaryIO, recipients: Recipients) -> Iterator[BinaryIO]:
    """Give a file whose content reaches `out` encrypted; without recipients, `out` itself.

    Raises:
        EvidenceUnavailable: it cannot be encrypted, or not be written.
    """
    if not recipients:
        yield out
        return
    reading, writing = os.pipe()
    problems: list[Exception] = []
    thread = threading.Thread(target=_encrypt, args=(reading, out, recipients, problems))
    thread.start()
    try:
        with os.fdopen(writing, "wb") as into:
            yield cast("BinaryIO", into)
    finally:
        thread.join()
        if problems:
            raise EvidenceUnavailable("the archive cannot be encrypted, or not be written")


def _encrypt(
    reading: int, out: BinaryIO, recipients: Recipients, problems: list[Exception]
) -> None:
    """Take what comes by the pipe until its end."""
    import pyrage  # noqa: PLC0415  # as above

    with os.fdopen(reading, "rb") as source:
        try:
            pyrage.encrypt_io(source, out, recipients)
        except (pyrage.EncryptError, OSError) as error:
            problems.append(error)
