"""`streamguard top`: where each stream of a running deployment stands, live in the terminal.

Rule: it only reads, by the admin API, as anybody else could.
"""

import argparse
import json
import shutil
import sys
from typing import Any

import httpx

from streamguard.admin.token import read_token, token_file_of
from streamguard.core.errors import AdminUnavailable, ConfigError
from streamguard.process import Interrupt
from streamguard.settings import load_settings

REFRESH_S = 1.0
TIMEOUT_S = 3.0

TITLES = (
    *("stream", "state", "sampling", "picture", "lag", "coverage", "gaps", "flags"),
    "last error",
)
COLOURS = {"screening": "32", "away": "33", "connecting": "36", "waiting": "31"}
"""ECMA-48's numbers of green, yellow, cyan and red."""

HOME_AND_CLEAR = "\x1b[H\x1b[2J"
"""ECMA-48: the cursor goes to the upper left, and all is erased."""


def top(arguments: argparse.Namespace) -> int:
    """Show the streams, again and again, until Ctrl-C; once with --once or --json."""
    settings = load_settings(arguments.config)
    section = settings.admin
    url = arguments.url or f"http://{section.host}:{section.port}"
    token = read_token(arguments.token_file or token_file_of(section.token_file, settings.log.file))
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
    ) as client:
        if arguments.json:
            sys.stdout.write(json.dumps(_asked(client), ensure_ascii=False) + "\n")
        elif arguments.once or not sys.stdout.isatty():
            sys.stdout.write("\n".join(table(_asked(client))) + "\n")
        else:
            _follow(client)
    return 0


def _follow(client: httpx.Client) -> None:
    with Interrupt() as interrupt:
        while not interrupt.wait(REFRESH_S):
            size = shutil.get_terminal_size()
            lines = table(_asked(client), is_colour=True)[: size.lines - 1]
            sys.stdout.write(HOME_AND_CLEAR + "\n".join(lines) + "\n")
            sys.stdout.flush()


def _asked(client: httpx.Client) -> dict[str, Any]:
    """Ask for streams and workers.

    Raises:
        ConfigError: the token is not the right one.
        AdminUnavailable: nobody answers.
    """
    said: dict[str, Any] = {}
    for path in ("/v1/streams", "/v1/workers"):
        try:
            answer = client.get(path)
        except httpx.HTTPError as error:
            raise AdminUnavailable(
                f"no answer from {client.base_url}: is `streamguard run` running there?"
                f" ({type(error).__name__})"
            ) from None
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise ConfigError("the admin API refuses this token: give --token-file")
        said |= answer.raise_for_status().json()
    return said


def table(said: dict[str, Any], *, is_colour: bool = False) -> list[str]:
    """Draw what the API said, a line each: what is wrong first, then by id."""
    streams = sorted(said["streams"], key=lambda row: (row["state"] == "screening", row["id"]))
    n_well = sum(row["state"] == "screening" for row in streams)
    workers = ", ".join(
        f"{one['worker']} {one['phase']} ({one['n_streams']}, {one['rss_bytes'] >> 20} MiB)"
        for one in said["workers"]
    )
    rows = [TITLES, *(_cells(row) for row in streams)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if is_colour:
        colours = ["1", *(COLOURS[row["state"]] for row in streams)]
        lines = [
            f"\x1b[{colour}m{line}\x1b[0m" for colour, line in zip(colours, lines, strict=True)
        ]
    head = f"{n_well} of {len(streams)} streams screened, {len(said['excluded'])} excluded"
    return [f"{head}; workers: {workers}", *lines]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    coverage = row["coverage"]
    return (
        _plain(row["id"]),
        row["state"],
        f"{row['sampling']}{' (dense)' if row['is_dense'] else ''}",
        f"{row['codec']} {row['width']}x{row['height']}" if row["codec"] else "",
        f"{row['lag_s'] * 1000:.0f} ms",
        "" if coverage is None else f"{coverage:.2%}",
        f"{row['gap_s']:.0f} s",
        str(row["n_flags"] or ""),
        _plain(row["last_error"]),
    )


def _plain(text: str) -> str:
    """Leave out what a terminal would obey."""
    return "".join(character for character in text if character.isprintable())
