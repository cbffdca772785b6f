"""`streamguard top`: where each stream of a running deployment stands, live in the terminal.

Rule: it only reads, by the admin API, as anybody else could.
"""

import argparse
import json
import sys
import time
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamguard.admin.token import read_token, token_file_of
from streamguard.core.errors import AdminUnavailable, ConfigError
from streamguard.settings import load_settings

REFRESH_S = 1.0
TIMEOUT_S = 3.0
MOST_ROWS = 200
"""More streams than any terminal is high; --json gives them all."""

STYLES = {"screening": "green", "away": "yellow", "connecting": "cyan", "waiting": "red"}


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
            Console().print(table(_asked(client)))
        else:
            _follow(client)
    return 0


def _follow(client: httpx.Client) -> None:
    try:
        with Live(table(_asked(client)), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH_S)
                live.update(table(_asked(client)), refresh=True)
    except KeyboardInterrupt:
        return


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


def table(said: dict[str, Any]) -> Table:
    """Draw what the API said: what is wrong first, then by id."""
    streams = sorted(said["streams"], key=lambda row: (row["state"] == "screening", row["id"]))
    n_well = sum(row["state"] == "screening" for row in streams)
    workers = ", ".join(
        f"{one['worker']} {one['phase']} {one['n_streams']} {one['rss_bytes'] >> 20} MiB"
        for one in said["workers"]
    )
    drawn = Table(
        title=f"{n_well} of {len(streams)} streams screened; {len(said['excluded'])} excluded",
        caption=f"workers: {workers}",
        expand=True,
    )
    for name in ("stream", "state", "sampling", "picture"):
        drawn.add_column(name, no_wrap=True)
    for name in ("lag", "coverage", "gaps", "flags"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("last error", overflow="ellipsis", no_wrap=True)
    for row in streams[:MOST_ROWS]:
        drawn.add_row(*_cells(row), style="bold" if row["n_flags"] else None)
    return drawn


def _cells(row: dict[str, Any]) -> list[Text]:
    """Write one stream; as plain text, for a name could else be taken for markup."""
    coverage = row["coverage"]
    cells = [
        row["id"],
        row["state"],
        f"{row['sampling']}{' (dense)' if row['is_dense'] else ''}",
        f"{row['codec']} {row['width']}x{row['height']}" if row["codec"] else "",
        f"{row['lag_s'] * 1000:.0f} ms",
        "" if coverage is None else f"{coverage:.2%}",
        f"{row['gap_s']:.0f} s",
        str(row["n_flags"] or ""),
        row["last_error"],
    ]
    return [Text(cells[0]), Text(cells[1], STYLES[row["state"]]), *map(Text, cells[2:])]
