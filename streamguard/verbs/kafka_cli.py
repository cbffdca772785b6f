"""The arguments of the `topics` and `dead-letters` verbs.

Rule: arguments only; what a verb does stands in topic_verbs and dead_verbs.
"""

from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_topics(verbs: Verbs) -> None:
    """Add `topics` and the verb below it."""
    topics = verbs.add_parser("topics", help="what streamguard needs in Kafka")
    inner = topics.add_subparsers(required=True, metavar="VERB")
    create = add_verb(
        inner,
        "create",
        "verbs.topic_verbs.create",
        "make the Kafka topics that are missing; those that are there stay as they are",
        "streamguard topics create --config streamguard.toml",
    )
    create.add_argument("--config", type=Path, metavar="FILE", help="settings with [kafka]")
    how = create.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="ask the brokers, make nothing")
    how.add_argument(
        "--check",
        action="store_true",
        help="make nothing; name all that is not as configured, and end with 2 if anything is",
    )
    create.add_argument("--json", action="store_true")


def add_dead_letters(verbs: Verbs) -> None:
    """Add `dead-letters` and the verbs below it."""
    letters = verbs.add_parser("dead-letters", help="look after what Kafka refused for good")
    inner = letters.add_subparsers(required=True, metavar="VERB")
    listed = add_verb(
        inner,
        "list",
        "verbs.dead_verbs.list_dead",
        "print each of them, with the reason, as JSON Lines",
        "streamguard dead-letters list --config streamguard.toml",
    )
    send = add_verb(
        inner,
        "send",
        "verbs.dead_verbs.send_dead",
        "send them again, as they are, once the cause is gone; also while `run` runs",
        "streamguard dead-letters send --config streamguard.toml",
    )
    send.add_argument("id", metavar="ID", nargs="*", help="of the event; all without it")
    drop = add_verb(
        inner,
        "drop",
        "verbs.dead_verbs.drop_dead",
        "let them go for good, where nobody needs them any more; the log keeps what it has",
        "streamguard dead-letters drop --all --config streamguard.toml",
    )
    which = drop.add_mutually_exclusive_group()
    which.add_argument("id", metavar="ID", nargs="*", default=[], help="of the event")
    which.add_argument("--all", action="store_true", help="all of them")
    for verb in (listed, send, drop):
        verb.add_argument("--log", type=Path, metavar="FILE", help="the event log")
        verb.add_argument("--config", type=Path, metavar="FILE", help="settings that name the log")
