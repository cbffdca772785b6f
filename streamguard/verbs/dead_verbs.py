"""What the `dead-letters` verbs of the command line do.

Rule: as in `verbs`: validate, build, run.
"""

import argparse
import json
import time
from contextlib import closing

from streamguard.adapters.dead_letters import DeadLetters
from streamguard.core.errors import ConfigError
from streamguard.core.event_data import utc_text
from streamguard.settings import load_settings


def list_dead(arguments: argparse.Namespace) -> int:
    """Print what Kafka refused for good, and why, as JSON Lines."""
    with closing(_opened(arguments)) as letters:
        for letter in letters.all():
            row = {
                "id": letter.id,
                "topic": letter.topic,
                "reason": letter.problem,
                "refused_at": utc_text(letter.buried_s),
                "event": json.loads(letter.body),
            }
            print(json.dumps(row, ensure_ascii=False))
    return 0


def send_dead(arguments: argparse.Namespace) -> int:
    """Have what Kafka refused sent again, all of it or some."""
    with closing(_opened(arguments)) as letters:
        wanted = _wanted(arguments, letters)
        n_sent = letters.send_again(wanted, time.time())
    print(f"{n_sent} of {len(wanted)} wait to be sent again")
    return 0


def drop_dead(arguments: argparse.Namespace) -> int:
    """Let what Kafka refused go for good, some of it or, where that is said, all."""
    if not arguments.id and not arguments.all:
        raise ConfigError("name the ids of what is to be dropped, or give --all")
    with closing(_opened(arguments)) as letters:
        wanted = _wanted(arguments, letters)
        n_dropped = letters.drop(wanted)
    print(f"{n_dropped} of {len(wanted)} dropped")
    return 0


def _wanted(arguments: argparse.Namespace, letters: DeadLetters) -> set[str]:
    known = {letter.id for letter in letters.all()}
    wanted = set(arguments.id) or known
    if unknown := sorted(wanted - known):
        raise ConfigError(f"no dead letter {unknown[0]}: see `dead-letters list`")
    return wanted


def _opened(arguments: argparse.Namespace) -> DeadLetters:
    return DeadLetters(arguments.log or load_settings(arguments.config).log.file)
