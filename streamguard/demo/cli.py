"""The arguments of the verb `demo`.

Rule: arguments only; what it does stands in `demo`.
"""

import argparse
from pathlib import Path

from streamguard.cli_parser import Verbs, add_verb, seconds


def add_demo(verbs: Verbs) -> None:
    """Add `demo`."""
    demo = add_verb(
        verbs,
        "demo",
        "demo.demo.show",
        "the whole thing on this machine, from nothing",
        "streamguard demo --seconds 60",
    )
    demo.add_argument(
        "--seconds", type=seconds, help="length of the programme: 60, or 300 where it stays"
    )
    demo.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        help="go on until stopped, also once the programme is over; the default on a terminal",
    )
    demo.add_argument(
        "--ingest",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="publish to an ingest server, where nginx has its RTMP module: it alone can cut",
    )
    demo.add_argument("--directory", type=Path, help="where to keep what it makes")
    demo.add_argument("--json", action="store_true")
