"""What the `decision-key` verbs of the command line do.

Rule: a private key is written for its owner alone, and never over another; it is never printed.
"""

import argparse
from pathlib import Path

from streamguard.adapters.ed25519_pem import keys_in, name_of, new_pair
from streamguard.core.errors import ConfigError
from streamguard.vault.durable import write_once

PUBLIC_MODE = 0o644
"""Anybody may read the public half."""


def make(arguments: argparse.Namespace) -> int:
    """Make a key and, beside it, its public half."""
    file: Path = arguments.file
    public = file.with_name(f"{file.name}.pub")
    pair = new_pair()
    try:
        if public.exists() or not write_once(file, pair.private):
            raise ConfigError(f"{file} or {public} is there already, and is not replaced")
        write_once(public, pair.public)
        public.chmod(PUBLIC_MODE)
    except OSError as error:
        raise ConfigError(f"{file}: no key can be made there: {error.strerror}") from None
    print(f"{pair.name} {file}: [decisions] key_file of who decides")
    print(f"{pair.name} {public}: [decisions] trusted_keys of who takes that from Kafka")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Name the keys of files, a line each."""
    for file in arguments.files:
        try:
            keys = keys_in(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{file}: this key cannot be read: {error.strerror}") from None
        if not keys:
            raise ConfigError(f"{file}: it holds no key")
        for key in keys:
            if key is None:
                raise ConfigError(f"{file}: it holds something else than keys of Ed25519")
            print(f"{name_of(key)} {file}")
    return 0
