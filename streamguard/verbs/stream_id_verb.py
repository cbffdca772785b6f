"""What the verb `stream-id` does: says by which id a publish is known here.

Rule: paths come by standard input and go nowhere: on a command line, or printed, whoever looks
would have the key.
"""

import argparse
import sys

from streamguard.core.errors import ConfigError
from streamguard.core.naming import stream_id_of
from streamguard.discovery import secret_of
from streamguard.settings import load_settings


def stream_ids(arguments: argparse.Namespace) -> int:
    """Print the id of each path, in their order."""
    settings = load_settings(arguments.config)
    if arguments.server not in {server.name for server in settings.servers}:
        raise ConfigError(f"there is no [[servers]] table with the name {arguments.server!r}")
    secret = secret_of(settings)
    for line in sys.stdin:
        sys.stdout.write(stream_id_of(secret, arguments.server, line.rstrip("\n")) + "\n")
        sys.stdout.flush()
    return 0
