"""The arguments of the `put-aside` verbs.

Rule: arguments only; what a verb does stands in put_aside_verbs.
"""

from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_put_aside(verbs: Verbs) -> None:
    """Add `put-aside` and the verbs below it."""
    aside = verbs.add_parser("put-aside", help="look after what the webhook does not take")
    inner = aside.add_subparsers(required=True, metavar="VERB")
    listed = add_verb(
        inner,
        "list",
        "verbs.put_aside_verbs.list_aside",
        "print each of them, with the reason, as JSON Lines",
        "streamguard put-aside list --config streamguard.toml",
    )
    take = add_verb(
        inner,
        "take",
        "verbs.put_aside_verbs.take_aside",
        "put one aside that is tried for ever and never taken: its stream goes on without it",
        "streamguard put-aside take ID --reason 'too large for them' --config streamguard.toml",
    )
    take.add_argument("id", metavar="ID", help="of the event, as the line event_not_taken says")
    take.add_argument("--reason", required=True, help="goes on record with it")
    send = add_verb(
        inner,
        "send",
        "verbs.put_aside_verbs.send_aside",
        "send them once more, as they are; what is not taken stays, and the verb ends with 3",
        "streamguard put-aside send --config streamguard.toml",
    )
    send.add_argument("id", metavar="ID", nargs="*", help="of the event; all without it")
    drop = add_verb(
        inner,
        "drop",
        "verbs.put_aside_verbs.drop_aside",
        "let them go for good, where nobody needs them any more; the log keeps what it has",
        "streamguard put-aside drop --all --config streamguard.toml",
    )
    which = drop.add_mutually_exclusive_group()
    which.add_argument("id", metavar="ID", nargs="*", default=[], help="of the event")
    which.add_argument("--all", action="store_true", help="all of them")
    for verb in (listed, take, send, drop):
        verb.add_argument(
            "--config", type=Path, metavar="FILE", required=True, help="that of `forward`"
        )
