"""The arguments of the `evidence` verbs.

Rule: arguments only; what a verb does stands in evidence_verbs.
"""

import argparse
import getpass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from streamguard.cli_parser import Verbs, add_verb
from streamguard.core.custody import EvidenceClass, instant


def add_evidence_verbs(verbs: Verbs) -> None:
    """Add `evidence` and the verbs below it."""
    evidence = verbs.add_parser("evidence", help="look after what is kept of flags")
    inner = evidence.add_subparsers(required=True, metavar="VERB")
    _add_list(inner)
    _add_show(inner)
    _add_verify(inner)
    _add_approve(inner)
    _add_export(inner)
    _add_classify(inner)
    _add_holds(inner)
    _add_purge(inner)
    _add_upload(inner)
    _add_mend(inner)
    _add_stamp(inner)


def _add_list(verbs: Verbs) -> None:
    listed = add_verb(
        verbs,
        "list",
        "verbs.evidence_verbs.list_evidence",
        "tell what is kept, of which stream, and until when",
        "streamguard evidence list --config streamguard.toml",
    )
    _add_place(listed)
    listed.add_argument("--json", action="store_true")


def _add_show(verbs: Verbs) -> None:
    show = add_verb(
        verbs,
        "show",
        "verbs.evidence_verbs.show",
        "print an evidence's manifest and custody; with --copy-to, its parts, on record",
        "streamguard evidence show ID --config streamguard.toml --copy-to look/ --purpose 'case 7'",
    )
    _add_id(show)
    _add_place(show)
    show.add_argument("--copy-to", type=Path, metavar="DIR", help="write its parts there, plainly")
    _add_who(show)


def _add_verify(verbs: Verbs) -> None:
    verify = add_verb(
        verbs,
        "verify",
        "verbs.evidence_verbs.verify",
        "check every byte of the evidence, its manifests and its custody; put that on record",
        "streamguard evidence verify --config streamguard.toml",
    )
    verify.add_argument("evidence_id", metavar="ID", nargs="?", help="check this one's parts alone")
    _add_place(verify)
    _add_who(verify)
    verify.add_argument(
        "--read-only", action="store_true", help="write nothing: for a backup, or another's disk"
    )
    verify.add_argument(
        "--head",
        metavar="HASH",
        help="hash that an earlier check printed: tells whether the custody was cut off since",
    )
    verify.add_argument("--json", action="store_true")


def _add_approve(verbs: Verbs) -> None:
    approve = add_verb(
        verbs,
        "approve",
        "verbs.evidence_verbs.approve_export",
        "agree to one export by somebody else, where the settings ask for two",
        "streamguard evidence approve ID --ticket A-17 --config streamguard.toml",
    )
    _add_id(approve)
    _add_place(approve)
    _add_ticket(approve)
    _add_who(approve)


def _add_export(verbs: Verbs) -> None:
    export = add_verb(
        verbs,
        "export",
        "verbs.evidence_verbs.export_evidence",
        "write one archive with an evidence, its custody and what checks it",
        "streamguard evidence export ID case-7.zip.age --ticket A-17 --to age1… --config my.toml",
    )
    _add_id(export)
    export.add_argument("file", type=Path, metavar="FILE", help="a ZIP archive, to be made")
    _add_place(export)
    _add_ticket(export)
    export.add_argument(
        "--to",
        action="append",
        metavar="KEY",
        help="public key, of age or SSH, of whom it is encrypted for; may be repeated; else plain",
    )
    _add_who(export)


def _add_ticket(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--ticket", required=True, metavar="REF", help="what it is handed out for: it is on record"
    )


def _add_classify(verbs: Verbs) -> None:
    classify = add_verb(
        verbs,
        "classify",
        "verbs.evidence_verbs.classify",
        "put on record what was decided, which says how long an evidence is kept",
        "streamguard evidence classify ID confirmed --config streamguard.toml --purpose 'case 7'",
    )
    _add_id(classify)
    classify.add_argument("as_class", metavar="CLASS", choices=get_args(EvidenceClass))
    _add_place(classify)
    _add_who(classify, needs_purpose=True)


def _add_holds(verbs: Verbs) -> None:
    hold = add_verb(
        verbs,
        "hold",
        "verbs.evidence_verbs.hold",
        "keep an evidence, whatever its time, until the hold is released",
        "streamguard evidence hold ID --ref A-17 --authority 'district court' --until 2027-06-30",
    )
    hold.add_argument("--authority", metavar="NAME", required=True, help="who ordered it")
    hold.add_argument("--until", type=_day, default="", metavar="DATE", help="its last day, UTC")
    release = add_verb(
        verbs,
        "release",
        "verbs.evidence_verbs.release",
        "end a hold: the evidence is kept as long as its class says",
        "streamguard evidence release ID --ref A-17 --purpose 'case closed'",
    )
    for verb in (hold, release):
        _add_id(verb)
        verb.add_argument("--ref", required=True, metavar="REF", help="the order's reference")
        _add_place(verb)
        _add_who(verb)


def _add_purge(verbs: Verbs) -> None:
    purge = add_verb(
        verbs,
        "purge",
        "verbs.evidence_verbs.purge",
        "tell what is to be erased because its time is over; with --delete, erase it",
        "streamguard evidence purge --config streamguard.toml --delete 5f0c2a91b7d3e846",
    )
    _add_place(purge)
    purge.add_argument(
        "--delete", metavar="PLAN", help="erase what the plan of this name says; it is told without"
    )
    purge.add_argument("--json", action="store_true")
    purge.add_argument("--by", metavar="NAME", default=getpass.getuser(), help="who does it")


def _add_upload(verbs: Verbs) -> None:
    upload = add_verb(
        verbs,
        "upload",
        "verbs.evidence_verbs.upload_waiting",
        "bring what `screen` kept to the store elsewhere; `run` does it by itself",
        "streamguard evidence upload --config streamguard.toml",
    )
    _add_place(upload)


def _add_mend(verbs: Verbs) -> None:
    mend = add_verb(
        verbs,
        "mend",
        "verbs.evidence_mend_verb.mend",
        "tell what is wrong with a damaged custody; with --begin, go on with a new chain behind it",
        "streamguard evidence mend --config my.toml --begin 5f0c2a91b7d3e846 --purpose 'bad disk'",
    )
    _add_place(mend)
    mend.add_argument(
        "--begin", metavar="PLAN", help="do what the plan of this name says; it is told without"
    )
    _add_who(mend)


def _add_stamp(verbs: Verbs) -> None:
    stamp = add_verb(
        verbs,
        "stamp",
        "verbs.evidence_verbs.stamp_waiting",
        "have time-stamped what has no stamp, as what `screen` kept; `run` does it by itself",
        "streamguard evidence stamp --config streamguard.toml",
    )
    _add_place(stamp)


def _day(text: str) -> str:
    """Read a day; give the instant at which it ends."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("a date is needed, as 2027-06-30") from None
    return instant((day + timedelta(days=1)).timestamp())


def _add_id(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("evidence_id", metavar="ID", help="the flag's id")


def _add_place(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--config", type=Path, metavar="FILE")
    verb.add_argument("--evidence", type=Path, metavar="DIR", help="instead of the configured one")


def _add_who(verb: argparse.ArgumentParser, *, needs_purpose: bool = False) -> None:
    verb.add_argument("--by", metavar="NAME", default=getpass.getuser(), help="who does it")
    verb.add_argument(
        "--purpose",
        metavar="TEXT",
        default="",
        required=needs_purpose,
        help="what for: it is put on record",
    )
