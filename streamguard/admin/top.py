"""`streamguard top`: where each stream of a running deployment stands, live in the terminal.

Rule: it only reads, by the admin API, as anybody else could.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import httpx

from streamguard.admin.token import read_token, token_file_of
from streamguard.core.errors import AdminUnavailable, ConfigError
from streamguard.process import Interrupt
from streamguard.settings import load_settings

Said = dict[str, Any]
"""What the API says, as JSON."""

PATHS = {"/v1/streams": ("streams", "excluded"), "/v1/workers": ("workers",)}
"""What is asked for, and what is told there."""

REFRESH_S = 1.0
TIMEOUT_S = 3.0

TITLES = (
    *("stream", "state", "sampling", "picture", "lag", "coverage", "gaps", "flags"),
    "last error",
)
NOTES = ("dense", "pinned", "reported")
"""What is said beside the way of sampling, where it is so."""

COLOURS = {
    "screening": "32",
    "away": "33",
    "connecting": "36",
    "waiting": "31",
    "quarantined": "35",
}
"""ECMA-48's numbers of green, yellow, cyan, red and magenta."""

HOME, END_OF_LINE, REST = "\x1b[H", "\x1b[K\n", "\x1b[J"
"""ECMA-48: the cursor goes to the upper left; the rest of a line is erased; all below it is."""


def top(arguments: argparse.Namespace) -> int:
    """Show the streams, again and again, until Ctrl-C; once with --once or --json."""
    settings = load_settings(arguments.config)
    section = settings.admin
    url = arguments.url or f"http://{section.host}:{section.port}"
    file = arguments.token_file or token_file_of(section.token_file, settings.log.file)
    if not file.exists():
        raise ConfigError(f"no token of an admin API at {file}: give the --config of a `run`")
    try:
        client = httpx.Client(
            base_url=url, auth=TokenIn(file), timeout=TIMEOUT_S, trust_env=False
        )  # without the environment: the token is for nobody's proxy
    except httpx.InvalidURL:
        raise ConfigError("the address of the admin API is none: give http://host:port") from None
    with client:
        said = _asked(client)
        if arguments.json:
            sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        elif arguments.once or not sys.stdout.isatty():
            sys.stdout.write("\n".join(table(said)) + "\n")
        else:
            return _follow(client, said)
    return 0


class TokenIn(httpx.Auth):
    """Sends the token that a file holds at this moment: it may be replaced."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the token into a request; raises ConfigError where it cannot be read."""
        request.headers["Authorization"] = f"Bearer {read_token(self._file)}"
        yield request


def _follow(client: httpx.Client, said: Said) -> int:
    """Draw and ask until Ctrl-C; a deployment that is started anew is waited for."""
    problem = ""
    with Interrupt() as interrupt:
        while True:
            size = shutil.get_terminal_size()
            lines = table(said, columns=size.columns, is_colour=True)
            lines = [problem[: size.columns], *lines] if problem else lines
            drawn = [line + END_OF_LINE for line in fitted(lines, size.lines - 1)]
            sys.stdout.write(HOME + "".join(drawn) + REST)
            sys.stdout.flush()
            if interrupt.wait(REFRESH_S):
                return interrupt.code
            try:
                said, problem = _asked(client), ""
            except AdminUnavailable as error:
                problem = str(error)


def _asked(client: httpx.Client) -> Said:
    """Ask for streams and workers.

    Raises:
        ConfigError: the token is not the right one.
        AdminUnavailable: nobody answers, or somebody else does.
    """
    said: Said = {}
    try:
        for path, wanted in PATHS.items():
            answer = client.get(path)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                raise ConfigError("the admin API refuses this token: give --token-file")
            told = answer.raise_for_status().json()
            said |= {name: told[name] for name in wanted}
    except (httpx.HTTPError, ValueError, TypeError, LookupError) as error:
        raise AdminUnavailable(
            f"no answer from {client.base_url}: is `streamguard run` running there?"
            f" ({type(error).__name__})"
        ) from None
    return said


def fitted(lines: Sequence[str], most: int) -> list[str]:
    """Leave out the last lines where there are too many, and say how many."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], f"... and {len(lines) - most + 1} more"]


def table(said: Said, *, columns: int | None = None, is_colour: bool = False) -> list[str]:
    """Draw what the API said, a line each: what is wrong first, then by id.

    columns: how wide a line may be; None for as wide as it is.
    """
    streams = sorted(said["streams"], key=lambda row: (row["state"] == "screening", row["id"]))
    n_well = sum(row["state"] == "screening" for row in streams)
    workers = ", ".join(
        f"{one['worker']} {one['phase']} ({one['n_streams']}, {one['rss_bytes'] >> 20} MiB)"
        for one in said["workers"]
    )
    rows = [TITLES, *(_cells(row) for row in streams)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip()[:columns] for row in rows]
    if is_colour:
        colours = ["1", *(COLOURS[row["state"]] for row in streams)]
        lines = [
            f"\x1b[{colour}m{line}\x1b[0m" for colour, line in zip(colours, lines, strict=True)
        ]
    head = f"{n_well} of {len(streams)} streams screened, {len(said['excluded'])} excluded"
    return [f"{head}; workers: {workers}"[:columns], *lines]


def _cells(row: Said) -> tuple[str, ...]:
    coverage = row["coverage"]
    return (
        _plain(row["id"]),
        row["state"],
        " ".join((row["sampling"], *(word for word in NOTES if row[f"is_{word}"]))),
        f"{row['codec']} {row['width']}x{row['height']}" if row["codec"] else "",
        _duration(row["lag_s"] + row["drift_s"]),
        "" if coverage is None else f"{coverage:.2%}",
        f"{row['gap_s']:.1f} s",
        str(row["n_flags"] or ""),
        _plain(row["last_error"]),
    )


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004


def _plain(text: str) -> str:
    """Leave out what a terminal would obey."""
    return "".join(character for character in text if character.isprintable())
