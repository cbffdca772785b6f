"""The arguments of `enforce`, and of the `decision-key` verbs.

Rule: arguments only; what a verb does stands in enforce_verb and decision_key_verbs.
"""

from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb


def add_enforce(verbs: Verbs) -> None:
    """Add `enforce`, and `decision-key` with the verbs below it."""
    enforce = add_verb(
        verbs,
        "enforce",
        "verbs.enforce_verb.enforce",
        "carry decisions out on the ingest servers and prove it, until told to stop",
        "streamguard enforce --config enforce.toml",
    )
    enforce.add_argument("--config", type=Path, metavar="FILE", required=True)
    keys = verbs.add_parser("decision-key", help="the keys by which decisions are signed")
    inner = keys.add_subparsers(required=True, metavar="VERB")
    make = add_verb(
        inner,
        "make",
        "verbs.decision_key_verbs.make",
        "make a key for [decisions] key_file, and beside it FILE.pub for trusted_keys of others",
        "streamguard decision-key make /etc/streamguard/console.pem",
    )
    make.add_argument("file", metavar="FILE", type=Path, help="where it is to be; never replaced")
    show = add_verb(
        inner,
        "show",
        "verbs.decision_key_verbs.show",
        "name the keys of files, as `signedby` of an event does",
        "streamguard decision-key show /etc/streamguard/*.pub",
    )
    show.add_argument("files", metavar="FILE", type=Path, nargs="+", help="public or private")
