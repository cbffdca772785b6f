"""Reads an srt:// URL: where to connect, and the options of the connection.

Rule: an option that is not known or cannot work is refused, never passed on; no message repeats
what the URL holds, for a streamid is a stream key and a passphrase is a secret.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from streamguard.core.errors import ConfigError

SRT_SCHEME = "srt"

PASSPHRASE_BYTES = range(10, 80)
"""Source: libsrt, SRTO_PASSPHRASE."""

MAX_STREAMID_BYTES = 512
"""Source: libsrt, SRTO_STREAMID."""

MAX_LATENCY_MS = 60_000
"""Longer than any path needs: what is beyond is microseconds, as FFmpeg counts."""

OPTIONS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "mode": (
        lambda value: value in {"caller", "listener"},
        "a mode other than caller and listener",
    ),
    "streamid": (
        lambda value: len(value.encode()) <= MAX_STREAMID_BYTES,
        f"a streamid of more than {MAX_STREAMID_BYTES} bytes",
    ),
    "passphrase": (
        lambda value: len(value.encode()) in PASSPHRASE_BYTES,
        "a passphrase that is not of 10 to 79 bytes",
    ),
    "pbkeylen": (
        lambda value: value in {"16", "24", "32"},
        "a pbkeylen other than 16, 24 and 32 bytes",
    ),
    "latency": (
        lambda value: bool(re.fullmatch("[0-9]{1,5}", value)) and int(value) <= MAX_LATENCY_MS,
        f"a latency that is not of 0 to {MAX_LATENCY_MS} milliseconds",
    ),
}
"""What may follow the `?`, in libsrt's meaning: which values can work, and what others are."""


@dataclass(frozen=True, slots=True)
class SrtAddress:
    """One end of an SRT connection.

    options: by name, percent-decoded; a secret.
    """

    host: str
    port: int
    options: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """Spell it for libsrt's own programs, which decode nothing; a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = "&".join(f"{name}={value}" for name, value in self.options.items())
        return f"{SRT_SCHEME}://{host}:{self.port}?{options}"


def srt_address(url: str) -> SrtAddress:
    """Read an srt:// URL that names a host.

    Raises:
        ConfigError: the port is missing, or an option is unknown, doubled or cannot work.
    """
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise ConfigError("the srt source names no port: give srt://host:port")
    options = {"mode": "caller"}
    given = list(_given(url))
    for name, value in given:
        problem = _problem(name, value)
        if problem:
            raise ConfigError(f"the srt source {problem}")
    if len(dict(given)) < len(given):
        raise ConfigError("the srt source gives an option twice")
    return SrtAddress(parts.hostname, parts.port, options | dict(given))


def _given(url: str) -> Iterator[tuple[str, str]]:
    """Yield the options; a `#` belongs to them, for many a streamid begins with `#!::`."""
    query = url.partition("?")[2]
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield name, unquote(value)


def _problem(name: str, value: str) -> str | None:
    """Say what is wrong with an option, if anything is."""
    if name not in OPTIONS:
        return f"has an option that is not known: use {', '.join(OPTIONS)}"
    if "&" in value or not value.isprintable():
        return f"has a {name} with a character that cannot be passed on: choose another"
    can_work, otherwise = OPTIONS[name]
    return None if can_work(value) else f"has {otherwise}"
