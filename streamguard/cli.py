"""The command line: arguments in, exit codes out.

Rule: results go to stdout, all else to stderr; an error is one line that says what, where and what
to do. Exit codes: 0 done, 1 bug, 2 usage or configuration, 3 a dependency is down, 130 Ctrl-C.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from streamguard import __version__
from streamguard.cli_parser import Parser, Verbs, add_verb, verb_of
from streamguard.core.errors import StreamguardError
from streamguard.core.events import Topic
from streamguard.core.sampling import Sampling


def main(argv: Sequence[str], on_imported: Callable[[], None] = lambda: None) -> int:
    """Run one command; return its exit code.

    on_imported: called when all that the command needs is imported, before it runs.
    """
    arguments = _parser(argv).parse_args(argv)
    verb = verb_of(arguments)
    on_imported()
    try:
        code = verb(arguments)
        sys.stdout.flush()
    except StreamguardError as error:
        print(f"streamguard: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()  # its reader has gone: nobody is left to tell
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _discard_output()
        print("streamguard: the disk is full: free some space, then try again", file=sys.stderr)
        return 3
    return code


def _discard_output() -> None:
    """Keep the interpreter from flushing at its end what nobody can take."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser of all verbs, or of those that stand together with the one that is asked for.

    All of them take 8 ms.
    """
    parser = Parser(
        prog="streamguard",
        description="Screens livestreams in real time for known violent extremist content.",
    )
    parser.add_argument("--version", action="version", version=f"streamguard {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    asked_for = _FAMILIES.get(argv[0]) if argv else None
    for add in (asked_for,) if asked_for else dict.fromkeys(_FAMILIES.values()):
        add(verbs)
    return parser


def _add_screen(verbs: Verbs) -> None:
    screen = add_verb(
        verbs,
        "screen",
        "verbs.screen_verb.screen",
        "screen one stream or file to its end; events as JSON Lines on stdout",
        "streamguard screen copy.mp4 --bank bank/ --evidence evidence/",
    )
    screen.add_argument(
        "source", help="a file, rtmp(s)://, rtsp(s)://, srt://, http(s):// with HLS, MPEG-TS or FLV"
    )
    screen.add_argument("--bank", type=Path, action="append", metavar="DIR", help="may be repeated")
    screen.add_argument("--model", type=Path, metavar="DIR", help="a model pack, beside the banks")
    screen.add_argument("--policy", type=Path, metavar="FILE", help="severities and thresholds")
    screen.add_argument("--sampling", choices=[mode.value for mode in Sampling], default="auto")
    screen.add_argument("--evidence", type=Path, metavar="DIR", help="keep clips and stills here")
    screen.add_argument("--stream-id", metavar="ID", help="what events call the stream")
    screen.add_argument("--config", type=Path, metavar="FILE", help="settings, as for run")


def _add_service_verbs(verbs: Verbs) -> None:
    run = add_verb(
        verbs,
        "run",
        "verbs.service_verbs.run",
        "screen the configured streams until told to stop",
        "streamguard run --config streamguard.toml",
    )
    run.add_argument("--config", type=Path, metavar="FILE", required=True)
    top = add_verb(
        verbs,
        "top",
        "admin.top.top",
        "show where each stream of a running deployment stands, live in the terminal",
        "streamguard top --config /etc/streamguard/config.toml",
    )
    top.add_argument("--config", type=Path, metavar="FILE", help="that of the running deployment")
    top.add_argument("--url", metavar="URL", help="its admin API, else as configured")
    top.add_argument("--token-file", type=Path, metavar="FILE", help="holds the token of that API")
    top.add_argument("--once", action="store_true", help="print the table once")
    top.add_argument("--json", action="store_true", help="print once what the API says")
    ids = add_verb(
        verbs,
        "stream-id",
        "verbs.stream_id_verb.stream_ids",
        "print the ids of streams that are found on a server; their paths come by standard input",
        "streamguard stream-id edge --config /etc/streamguard/config.toml",
    )
    ids.add_argument("server", metavar="SERVER", help="its name in [[servers]]")
    ids.add_argument("--config", type=Path, metavar="FILE", required=True)
    events = add_verb(
        verbs,
        "events",
        "verbs.service_verbs.events",
        "print the event log as JSON Lines",
        "streamguard events --follow --topic streamguard.flags.v1 --group reviewers",
    )
    events.add_argument("--topic", choices=[topic.value for topic in Topic])
    events.add_argument("--follow", action="store_true", help="go on as events come")
    events.add_argument("--group", help="begin where this consumer group stopped, and remember")
    events.add_argument("--forget", action="store_true", help="let the group go for good instead")
    events.add_argument("--log", type=Path, metavar="FILE", help="the event log")
    events.add_argument("--config", type=Path, metavar="FILE", help="settings that name the log")
    forward = add_verb(
        verbs,
        "forward",
        "verbs.forward_verb.forward",
        "send events to a webhook, beside run, until told to stop",
        "streamguard forward --config streamguard.toml",
    )
    forward.add_argument("--config", type=Path, metavar="FILE", required=True)
    forward.add_argument(
        "--from-start", action="store_true", help="all that the log holds, not what comes from now"
    )
    forward.add_argument("--dry-run", action="store_true", help="say how many events wait")
    check = add_verb(
        verbs,
        "check-config",
        "verbs.service_verbs.check_config",
        "check a configuration and all it names; print the effective settings, secrets masked",
        "streamguard check-config streamguard.toml",
    )
    check.add_argument("file", type=Path)


def _add_enforce(verbs: Verbs) -> None:
    from streamguard.verbs.enforce_cli import add_enforce  # noqa: PLC0415  # of few starts

    add_enforce(verbs)


def _add_deny_list(verbs: Verbs) -> None:
    from streamguard.verbs.deny_cli import add_deny_list  # noqa: PLC0415  # of few starts

    add_deny_list(verbs)


def _add_hash(verbs: Verbs) -> None:
    hashes = add_verb(
        verbs,
        "hash",
        "verbs.service_verbs.hash_frames",
        "print PDQ hashes as JSON Lines, one a keyframe; an image is one line",
        "streamguard hash clip.mp4 --every-frame",
    )
    hashes.add_argument("source")
    hashes.add_argument("--every-frame", action="store_true")


def _add_bank(verbs: Verbs) -> None:
    from streamguard.verbs.bank_cli import add_bank_verbs  # noqa: PLC0415  # nobody else waits for it

    add_bank_verbs(verbs)


def _add_model(verbs: Verbs) -> None:
    model = verbs.add_parser("model", help="look into model packs")
    inner = model.add_subparsers(required=True, metavar="VERB")
    packs = add_verb(
        inner,
        "list",
        "verbs.model_verbs.list_packs",
        "tell which model packs there are, and what each sees",
        "streamguard model list",
    )
    packs.add_argument(
        "directory", type=Path, metavar="DIR", nargs="?", default=Path("models"), help="of packs"
    )
    verify = add_verb(
        inner,
        "verify",
        "verbs.model_verbs.verify",
        "check a model pack, from its manifest to its scores",
        "streamguard model verify models/opennsfw",
    )
    verify.add_argument("directory", type=Path, metavar="DIR", help="the pack")
    for verb in (packs, verify):
        verb.add_argument("--json", action="store_true")


def _add_doctor(verbs: Verbs) -> None:
    doctor = add_verb(
        verbs,
        "doctor",
        "doctor.doctor",
        "check what streamguard stands on; tell what to do about each failure",
        "streamguard doctor --config streamguard.toml --model models/opennsfw",
    )
    doctor.add_argument("--config", type=Path, metavar="FILE", help="settings to check by")
    doctor.add_argument("--model", type=Path, action="append", metavar="DIR", help="time this pack")
    doctor.add_argument("--json", action="store_true")


def _add_topics(verbs: Verbs) -> None:
    from streamguard.verbs.kafka_cli import add_topics  # noqa: PLC0415  # of few starts

    add_topics(verbs)


def _add_dead_letters(verbs: Verbs) -> None:
    from streamguard.verbs.kafka_cli import add_dead_letters  # noqa: PLC0415  # of few starts

    add_dead_letters(verbs)


def _add_put_aside(verbs: Verbs) -> None:
    from streamguard.verbs.forward_cli import add_put_aside  # noqa: PLC0415  # of few starts

    add_put_aside(verbs)


def _add_demo(verbs: Verbs) -> None:
    from streamguard.demo.cli import add_demo  # noqa: PLC0415  # of few starts

    add_demo(verbs)


def _add_backup(verbs: Verbs) -> None:
    backup = add_verb(
        verbs,
        "backup",
        "verbs.backup_verb.backup",
        "copy event log, banks and evidence to a new directory, also while `run` runs",
        "streamguard backup /backup/today --keys /other/today --config streamguard.toml",
    )
    backup.add_argument("directory", type=Path, metavar="DIR")
    backup.add_argument("--config", type=Path, metavar="FILE")
    backup.add_argument("--keys", type=Path, metavar="DIR", help="copy the keys to this place")


def _add_evidence(verbs: Verbs) -> None:
    from streamguard.verbs.evidence_cli import add_evidence_verbs  # noqa: PLC0415  # of few starts

    add_evidence_verbs(verbs)


def _add_review(verbs: Verbs) -> None:
    from streamguard.verbs.review_cli import add_review_verbs  # noqa: PLC0415  # of few starts

    add_review_verbs(verbs)


_FAMILIES: dict[str, Callable[[Verbs], None]] = {
    "screen": _add_screen,
    **dict.fromkeys(("run", "top", "events", "forward", "check-config"), _add_service_verbs),
    "demo": _add_demo,
    **dict.fromkeys(("enforce", "decision-key"), _add_enforce),
    "deny-list": _add_deny_list,
    "hash": _add_hash,
    "bank": _add_bank,
    "model": _add_model,
    "topics": _add_topics,
    "dead-letters": _add_dead_letters,
    "put-aside": _add_put_aside,
    "evidence": _add_evidence,
    **dict.fromkeys(("review", "account", "audit"), _add_review),
    "backup": _add_backup,
    "doctor": _add_doctor,
}
"""What adds each verb, in the order in which help lists them."""
